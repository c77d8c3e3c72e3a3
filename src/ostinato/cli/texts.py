"""JSON from an argument: the text itself, ``@file``, or ``-`` for stdin."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NoReturn

from ostinato.cli.failure import USAGE, Stop


def json_from(written: str, option: str) -> Any:
    text, source = _text(written, option)
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        hint = _hint(text, written)
        raise Stop(f"{option}: not JSON: {_place(source, error)}", hint=hint, code=USAGE) from None
    except (ValueError, RecursionError) as error:
        said = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Stop(f"{option}: {said}", code=USAGE) from None


def _text(written: str, option: str) -> tuple[str, str]:
    try:
        if written == "-":
            return sys.stdin.read(), "stdin, "
        if written.startswith("@"):
            return Path(written[1:]).read_text(encoding="utf-8"), f"{written[1:]}, "
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(f"{option}: cannot read {written}: {error}", code=USAGE) from None
    return written, ""


def _place(source: str, error: json.JSONDecodeError) -> str:
    line = error.doc.splitlines()[error.lineno - 1] if error.doc.strip() else ""
    near = line[max(0, error.colno - 16) : error.colno + 15]
    shown = f" near {near!r}" if near else ""
    message = error.msg[0].lower() + error.msg[1:]
    return f"{source}line {error.lineno} column {error.colno}: {message}{shown}"


def _hint(text: str, written: str) -> str:
    if "'" in text and '"' not in text:
        return 'JSON has double quotes; in a shell: \'{"name": "value"}\''
    if written.endswith((".json", ".yaml", ".yml")):
        return f"to read a file: @{written.removeprefix('@')}"
    return ""


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON; write null or a text")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return found
