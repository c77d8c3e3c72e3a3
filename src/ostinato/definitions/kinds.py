"""How the value of a key is read: one row per kind of value.

Each gives what the value means, or None after telling what is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from ostinato.core.cloudevents.event import MAX_TYPE
from ostinato.core.durations import parse_duration
from ostinato.core.labels import is_label
from ostinato.core.schedules import CATCH_UPS, OVERLAPS
from ostinato.core.state import OVER
from ostinato.definitions.keys import HTTP_METHODS
from ostinato.definitions.reader import Reader, ReadKind, nearest
from ostinato.definitions.source import Path, Place
from ostinato.errors import DefinitionError

__all__ = ["GLOBAL", "KINDS", "NAME", "RESERVED", "VARIABLE"]

NAME = r"[A-Za-z_][A-Za-z0-9_-]{0,63}"
VARIABLE = r"[A-Za-z_][A-Za-z0-9_]{0,63}"
GLOBAL = ("input", "event", "jobs", "vars", "run", "job", "secrets")
RESERVED = (*GLOBAL, "index", "output", "error", "now", "true", "false", "null", "in")

_NAME, _VARIABLE = re.compile(NAME), re.compile(VARIABLE)
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,9})?) ?%")


def _name(reader: Reader, place: Place, path: Path) -> str | None:
    value = place.value
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    hint = "letters, digits, _ and -, at most 64, beginning with a letter or _"
    reader.wants(place, path, "a name", hint)
    return None


def _variable(reader: Reader, place: Place, path: Path) -> str | None:
    value = place.value
    if not isinstance(value, str) or not _VARIABLE.fullmatch(value):
        hint = "letters, digits and _, beginning with a letter or _"
        reader.wants(place, path, "a name for expressions", hint)
        return None
    if value in RESERVED:
        reader.say(place, path, f"`{value}` already means something in expressions")
        return None
    return value


def _text(reader: Reader, place: Place, path: Path) -> str | None:
    if isinstance(place.value, str):
        return place.value
    hint = "put it in quotes" if isinstance(place.value, bool | int | float) else ""
    reader.wants(place, path, "a text", hint)
    return None


def _filled(reader: Reader, place: Place, path: Path) -> str | None:
    """A text that is not empty, with or without expressions in it."""
    text = _text(reader, place, path)
    if text == "":
        reader.say(place, path, "a text is expected, and this one is empty")
        return None
    reader.template(place, path)
    return text


def _version(reader: Reader, place: Place, path: Path) -> Any:
    """A number, or a text that gives one."""
    if isinstance(place.value, str) and "${" in place.value:
        reader.template(place, path)
        return place.value
    return _count(reader, place, path)


def _handler(reader: Reader, place: Place, path: Path) -> str | None:
    text = _text(reader, place, path)
    if text is None:
        return None
    if not text or "${" in text or text != text.strip():
        hint = "it is the same in every run; choose between two jobs with `when`"
        reader.say(place, path, f"the name of a handler or topic is expected, not {text!r}", hint)
        return None
    return text


def _flag(reader: Reader, place: Place, path: Path) -> bool | None:
    if isinstance(place.value, bool):
        return place.value
    reader.wants(place, path, "true or false")
    return None


def _number(
    reader: Reader,
    place: Place,
    path: Path,
    *,
    wanted: str,
    fits: Callable[[Any], bool],
    whole: bool = False,
) -> Any:
    value = place.value
    numeric = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if numeric and fits(value):
        return value
    reader.wants(place, path, wanted)
    return None


_count = partial(_number, wanted="a whole number from 1", fits=lambda n: n >= 1, whole=True)
_factor = partial(_number, wanted="a number from 1", fits=lambda n: n >= 1)
_share = partial(_number, wanted="a number from 0 to 1", fits=lambda n: 0 <= n <= 1)


def _duration(reader: Reader, place: Place, path: Path) -> int | None:
    value = place.value
    if isinstance(value, int | float) and not isinstance(value, bool):
        reader.wants(place, path, "a duration", f"add a unit: {value}s")
    elif not isinstance(value, str):
        reader.wants(place, path, "a duration", "write 500ms, 30s, 5m, 2h, 3d or PT5M")
    else:
        try:
            return parse_duration(value)
        except (DefinitionError, ValueError) as error:
            reader.say(place, path, str(error))
    return None


def _span(reader: Reader, place: Place, path: Path) -> int | None:
    span = _duration(reader, place, path)
    if span == 0:
        reader.say(place, path, "a duration longer than nothing is expected")
    return span or None


def _look_back(reader: Reader, place: Place, path: Path) -> int | None:
    """Milliseconds; None is the run's whole time, 0 not at all."""
    if place.value == "run":
        return None
    return 0 if place.value in ("none", None) else _duration(reader, place, path)


def _tolerance(reader: Reader, place: Place, path: Path) -> tuple[float, bool] | None:
    """How many, and whether that is a percentage."""
    value = place.value
    if isinstance(value, str) and (found := _PERCENT.fullmatch(value)):
        share = float(found[1])
        if share <= 100:
            return share, True
    elif isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return float(value), False
    reader.wants(place, path, "a whole number or a percentage such as 5%")
    return None


def _one_of(reader: Reader, place: Place, path: Path, *, known: tuple[str, ...]) -> str | None:
    if isinstance(place.value, str) and place.value in known:
        return place.value
    reader.wants(place, path, " or ".join(known))
    return None


def _method(reader: Reader, place: Place, path: Path) -> str | None:
    text = _filled(reader, place, path)
    if text is None or "${" in text or text.upper() in HTTP_METHODS:
        return text and (text if "${" in text else text.upper())
    hint = nearest(text.upper(), list(HTTP_METHODS))
    reader.wants(place, path, "one of " + " ".join(HTTP_METHODS), hint)
    return None


def _texts(reader: Reader, place: Place, path: Path, what: str) -> tuple[str, ...] | None:
    """One text, or a list of them."""
    if isinstance(place.value, str) and place.value:
        return (place.value,)
    if not isinstance(place.value, list) or not place.value:
        reader.wants(place, path, f"{what}, or a list of them,")
        return None
    found = []
    for item, here in reader.items(place, path):
        if isinstance(item.value, str) and item.value:
            found.append(item.value)
        else:
            reader.wants(item, here, what)
    return tuple(found)


def _names(reader: Reader, place: Place, path: Path) -> tuple[str, ...] | None:
    if place.value == []:
        return ()
    return _texts(reader, place, path, "the name of a job")


def _types(reader: Reader, place: Place, path: Path) -> tuple[str, ...] | None:
    found = _texts(reader, place, path, "an event type")
    if found and any("${" in one for one in found):
        hint = "it is the same in every run; put what differs into the pattern"
        reader.say(place, path, "an event type has no expressions", hint)
    if found and not all(is_label(one, MAX_TYPE) for one in found):
        reader.say(place, path, f"an event type has at most {MAX_TYPE} characters that print")
    return found


KINDS: dict[str, ReadKind] = {
    "name": _name,
    "variable": _variable,
    "text": _text,
    "filled": _filled,
    "handler": _handler,
    "version": _version,
    "flag": _flag,
    "count": _count,
    "factor": _factor,
    "share": _share,
    "duration": _duration,
    "span": _span,
    "look_back": _look_back,
    "tolerance": _tolerance,
    "mode": partial(_one_of, known=("parallel", "sequential", "race")),
    "on_error": partial(_one_of, known=("cancel", "finish", "hold")),
    "overflow": partial(_one_of, known=("queue", "reject", "cancel-running")),
    "again": partial(_one_of, known=("new", "resume", "refuse")),
    "meanwhile": partial(_one_of, known=("same", "signal", "queue", "refuse")),
    "priority": partial(
        _number,
        wanted="a whole number from 0 to 9",
        fits=lambda n: 0 <= n <= 9,
        whole=True,
    ),
    "end": partial(_one_of, known=OVER),
    "overlap": partial(_one_of, known=OVERLAPS),
    "catch_up": partial(_one_of, known=CATCH_UPS),
    "method": _method,
    "names": _names,
    "types": _types,
    "globs": partial(_texts, what="an error name"),
}
