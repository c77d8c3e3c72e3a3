"""The made parts of docs/reference/commands.md and settings.md.

``python -m ostinato.cli.reference docs/reference`` writes them, from the same tables that the
commands are made of.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ostinato.cli.commands import Command, available, parser_of
from ostinato.config import ALIASES, Alias, Setting, settings_table

BEGIN, END = "<!-- made: begin -->", "<!-- made: end -->"


def settings_part() -> Iterator[str]:
    yield "| setting | default | written as | is |"
    yield "|---|---|---|---|"
    for setting in settings_table().values():
        form, about = _cell(setting.kind.form), _cell(setting.about)
        yield f"| `{setting.name}` | {_default(setting)} | {form} | {about} |"
    yield ""
    yield "## The older services' names"
    yield ""
    yield "| variable | is | only with `aliases = true` | |"
    yield "|---|---|---|---|"
    yield from map(_alias, ALIASES)


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
