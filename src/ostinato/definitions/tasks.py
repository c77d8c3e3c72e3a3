"""What a job asks of people: ``task``. Every text in it may hold expressions."""

from __future__ import annotations

from functools import partial
from typing import Any, get_args

from ostinato.core.durations import parse_duration
from ostinato.core.expressions import parse_template
from ostinato.core.instants import parse_instant
from ostinato.core.model import Task
from ostinato.core.tasks import Level
from ostinato.definitions.actions import Done
from ostinato.definitions.input import schema_problems
from ostinato.definitions.reader import Reader, ReadKind, nearest
from ostinato.definitions.source import Path, Place
from ostinato.errors import DefinitionError

__all__ = ["LEVELS", "TASK_KINDS"]

LEVELS = get_args(Level)


def _task(reader: Reader, place: Place, path: Path) -> Done | None:
    before = len(reader.problems)
    members = reader.section("task", place, path)
    if members is None or len(reader.problems) > before:
        return None
    return Done(Task(), parse_template(place.data()))


def _open(place: Place) -> bool:
    """Whether only a run can tell what it is."""
    return isinstance(place.value, str) and "${" in place.value


def _texts(reader: Reader, place: Place, path: Path, *, what: str) -> Any:
    """One text, or a list of them; the whole may be an expression that gives a list."""
    if isinstance(place.value, str):
        return reader.kinds["filled"](reader, place, path)
    if not isinstance(place.value, list) or not place.value:
        reader.wants(place, path, f"{what}, or a list of them,")
        return None
    seen: set[Any] = set()
    for item, here in reader.items(place, path):
        text = reader.kinds["filled"](reader, item, here)
        if text is not None and text in seen:
            reader.say(item, here, f"{text!r} stands here twice", "leave one out")
        seen.add(text)
    return place.data()


def _level(reader: Reader, place: Place, path: Path) -> Any:
    if _open(place):
        return reader.template(place, path)
    if place.value in LEVELS:
        return place.value
    hint = nearest(place.value, list(LEVELS)) if isinstance(place.value, str) else ""
    reader.wants(place, path, " or ".join(LEVELS), hint)
    return None


def _due(reader: Reader, place: Place, path: Path) -> Any:
    if _open(place):
        return reader.template(place, path)
    if isinstance(place.value, str):
        for reads in (parse_duration, parse_instant):
            try:
                return reads(place.value)
            except (DefinitionError, ValueError):
                continue
    hint = "write 2d, 2027-01-31T12:00:00Z, or ${ … } that gives one"
    reader.wants(place, path, "a duration or an instant", hint)
    return None


def _escalations(reader: Reader, place: Place, path: Path) -> None:
    """One after the other in time, each later than the one before."""
    last = 0
    for item, here in reader.items(place, path):
        members = reader.section("escalation", item, here) or {}
        after = members.get("after")
        if after is not None and after <= last:
            where = (*here, "after")
            message = "it comes no later than the one before, which is never waited for then"
            reader.say(item.value["after"], where, message, "each counts from the task's opening")
        last = after or last


def _form(reader: Reader, place: Place, path: Path) -> Any:
    if not isinstance(place.value, dict):
        reader.wants(place, path, "a JSON Schema, a map,", "as {type: object, properties: {…}}")
        return None
    template = reader.template(place, path)
    if template is not None and template.constant:
        for _, message in schema_problems(place.data()):
            reader.say(place, path, message)
    return template


TASK_KINDS: dict[str, ReadKind] = {
    "task": _task,
    "people": partial(_texts, what="a name"),
    "outcomes": partial(_texts, what="a word"),
    "level": _level,
    "due": _due,
    "escalations": _escalations,
    "form": _form,
}
