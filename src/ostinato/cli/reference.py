"""The made parts of docs/reference/commands.md and settings.md.

``python -m ostinato.cli.reference docs/reference`` writes them, from the same tables that the
commands are made of.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ostinato.cli.commands import Command, available, parser_of
from ostinato.config import ALIASES, Alias, BusSettings, Setting, settings_table
from ostinato.config.buses import KINDS as BUS_KINDS
from ostinato.config.table import rows_of

BEGIN, END = "<!-- made: begin -->", "<!-- made: end -->"


def settings_part() -> Iterator[str]:
    yield "| setting | default | written as | is |"
    yield "|---|---|---|---|"
    yield from map(_row, settings_table().values())
    yield ""
    yield "A bus is a table `[bus.NAME]`; its `kind` is NAME where none is said. All kinds have:"
    yield from _table(rows_of(BusSettings))
    common = {each.name for each in rows_of(BusSettings)}
    for kind, table in BUS_KINDS.items():
        yield ""
        yield f'`kind = "{kind}"` has besides:'
        yield from _table(each for each in rows_of(table) if each.name not in common)
    yield ""
    yield "## The older services' names"
    yield ""
    yield "| variable | is | only with `aliases = true` | |"
    yield "|---|---|---|---|"
    yield from map(_alias, ALIASES)


def _table(settings: Iterable[Setting]) -> Iterator[str]:
    yield ""
    yield "| setting | default | written as | is |"
    yield "|---|---|---|---|"
    yield from map(_row, settings)


def _row(setting: Setting) -> str:
    form, about = _cell(setting.kind.form), _cell(setting.about)
    return f"| `{setting.name}` | {_default(setting)} | {form} | {about} |"


def _alias(alias: Alias) -> str:
    target = f"`{alias.target}`" if alias.setting else "–"
    return f"| `{alias.variable}` | {target} | {'yes' if alias.common else ''} | {alias.about} |"


def _default(setting: Setting) -> str:
    return "–" if setting.default in (None, ()) else f"`{setting.shown(setting.default)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def commands_part() -> Iterator[str]:
    for name, command in available().items():
        yield from _command(name, command)


def _command(name: str, command: Command) -> Iterator[str]:
    parser = parser_of(name, command)
    arguments = [each for each in parser.params if each.param_type_name == "argument"]
    options = [each for each in parser.params if each.param_type_name == "option"]
    usage = " ".join(["ostinato", name, *(_metavar(each) for each in arguments)])
    yield f"## {name}"
    yield ""
    yield f"`{usage}`"
    yield ""
    yield from (parser.help or "").splitlines()
    yield ""
    yield "| option | does |"
    yield "|---|---|"
    for option in options:
        yield f"| `{_written(option)}` | {_cell(option.help or '')} |"
    yield ""


def _metavar(argument: Any) -> str:
    written = str(argument.metavar or argument.name.upper())
    return written if argument.required or written.startswith("[") else f"[{written}]"


def _written(option: Any) -> str:
    value = "" if option.is_flag else f" {option.metavar or option.name.upper()}"
    return f"{option.opts[0]}{value}"


PARTS: dict[str, Callable[[], Iterator[str]]] = {
    "commands.md": commands_part,
    "settings.md": settings_part,
}


def rewritten(page: str, name: str) -> str:
    before, _, rest = page.partition(BEGIN)
    made = "\n".join(PARTS[name]()).strip()
    return f"{before}{BEGIN}\n\n{made}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    for name in PARTS:
        target = Path(sys.argv[1]) / name
        target.write_text(rewritten(target.read_text(), name))
