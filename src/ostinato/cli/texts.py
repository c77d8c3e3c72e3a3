"""JSON from an argument: the text itself, ``@file``, or ``-`` for stdin."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any, NoReturn

from ostinato.cli.failure import USAGE, Stop

STDIN = "-"


def json_from(written: str, option: str) -> Any:
    text, source = _text(written, option)
    try:
        return _read(text)
    except json.JSONDecodeError as error:
        hint = _hint(text, written)
        raise Stop(f"{option}: not JSON: {_place(source, error)}", hint=hint, code=USAGE) from None
    except (ValueError, RecursionError) as error:
        said = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Stop(f"{option}: {said}", code=USAGE) from None


def _read(text: str) -> Any:
    value = json.loads(
        text,
        parse_constant=_refuse_constant,
        parse_float=_finite,
        object_pairs_hook=_unique,
    )
    _check_characters(value)
    return value


def _text(written: str, option: str) -> tuple[str, str]:
    try:
        if written == STDIN:
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


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError(f"{number[:40]} is beyond the largest number there is, some 1.8e308")
    return value


def _check_characters(value: Any) -> None:
    """``\\ud83d`` alone is half a character, which no UTF-8 can hold."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start])[1:-1]
        raise ValueError(f"{half} alone is half a character, which cannot be stored") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return found
