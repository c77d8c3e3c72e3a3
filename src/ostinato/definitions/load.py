"""Texts to documents: every problem of a text at once.

What only shows when the parts are held against each other is in ``check``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ostinato.definitions.actions import ACTION_KINDS
from ostinato.definitions.bodies import BODY_KINDS, job_of, limits_of, mode_of
from ostinato.definitions.document import Document, Job, Phase
from ostinato.definitions.kinds import KINDS
from ostinato.definitions.reader import Reader
from ostinato.definitions.source import MAX_BYTES, MAX_DEPTH, Path, Place, decoded, refused, shown
from ostinato.definitions.strict_json import NotJSON, looks_like_json, read_json
from ostinato.definitions.tasks import TASK_KINDS
from ostinato.definitions.triggers import TRIGGER_KINDS
from ostinato.definitions.values import VALUE_KINDS
from ostinato.definitions.yaml import read_yaml
from ostinato.errors import DefinitionError, Problem

__all__ = ["load", "read"]

RESERVED_PHASES = ("on_failure", "finally")


def load(text: str | bytes, *, limit: int = MAX_BYTES) -> list[Document]:
    """The workflows in a text: YAML, with ``---`` between several, or JSON."""
    written = decoded(text, limit)
    places = _places(written)
    if not places:
        raise refused([Problem("the document is empty", line=1, column=1, hint=_SMALLEST)])
    lines = re.split(r"\r\n|\r|\n", written)
    documents: list[Document] = []
    problems: list[Problem] = []
    for place in places:
        try:
            documents.append(_read(place, lines))
        except DefinitionError as error:
            problems += error.problems
    problems += _twice(documents)
    if problems:
        raise refused(problems)
    return documents


def read(data: Mapping[str, Any]) -> Document:
    """A document given as plain values; problems have paths and no lines."""
    return _read(_place(data, 0), [])


_SMALLEST = "the smallest: {workflow: hello, phases: [{phase: one, jobs: [{job: hi, run: noop}]}]}"


def _places(text: str) -> list[Place]:
    if not looks_like_json(text):
        return read_yaml(text)
    try:
        return [read_json(text)]
    except NotJSON as error:
        try:
            return read_yaml(text)  # YAML's flow form begins like JSON
        except DefinitionError:
            raise refused([error.problem]) from None


def _place(value: Any, depth: int) -> Place:
    if depth > MAX_DEPTH:
        raise refused([Problem(f"nested more than {MAX_DEPTH} levels")])
    if isinstance(value, Mapping):
        if any(not isinstance(key, str) for key in value):
            raise refused([Problem("the keys of a map are texts")])
        return Place({key: _place(one, depth + 1) for key, one in value.items()}, 0, 0)
    if isinstance(value, list | tuple):
        return Place([_place(one, depth + 1) for one in value], 0, 0)
    if value is None or isinstance(value, str | bool | int):
        return Place(value, 0, 0)
    if isinstance(value, float) and value - value == 0:  # neither NaN nor infinite
        return Place(value, 0, 0)
    raise refused([Problem(f"{value!r:.80} is nothing that JSON can hold")])


def _twice(documents: list[Document]) -> Iterator[Problem]:
    seen: set[str] = set()
    for document in documents:
        if document.workflow in seen:
            message = f"the workflow `{document.workflow}` stands here twice"
            yield document.problem(("workflow",), message)
        seen.add(document.workflow)


def _read(place: Place, lines: list[str]) -> Document:
    reader = Reader(_KINDS, lines)
    members = reader.section("workflow", place, ())
    if members is not None:
        _unique_jobs(reader, place, members)
    if reader.problems or members is None:
        raise refused(sorted(reader.problems, key=lambda one: (one.line, one.column)))
    return Document(
        workflow=members["workflow"],
        data=place.data(),
        place=place,
        uses=tuple(reader.uses),
        phases=members["phases"],
        on_failure=members.get("on_failure", ()),
        finally_=members.get("finally", ()),
        triggers=members.get("on", ()),
        input_schema=members.get("input_schema"),
        output=members.get("output"),
        timeout=members.get("timeout"),
        on_error=mode_of(members),
        limits=limits_of(members),
        priority=5 if members.get("priority") is None else members["priority"],
        uid=members.get("uid"),
        dedup=members.get("dedup"),
        description=members.get("description", ""),
    )


def _unique_jobs(reader: Reader, place: Place, members: dict[str, Any]) -> None:
    phases: set[str] = set()
    names: dict[str, Path] = {}
    jobs: list[Job] = []
    for phase in members.get("phases") or ():
        if phase.name in phases:
            _say_at(reader, place, (*phase.path, "phase"), f"two phases are called `{phase.name}`")
        phases.add(phase.name)
        jobs += phase.jobs
    for job in (*jobs, *(members.get("on_failure") or ()), *(members.get("finally") or ())):
        if job.name in names:
            hint = f"the other is {shown(names[job.name])}"
            _say_at(reader, place, (*job.path, "job"), f"two jobs are called `{job.name}`", hint)
        names.setdefault(job.name, job.path)


def _say_at(reader: Reader, root: Place, path: Path, message: str, hint: str = "") -> None:
    place = root
    for part in path:
        place = place.value[part]
    reader.say(place, path, message, hint)


def _phases(reader: Reader, place: Place, path: Path) -> tuple[Phase, ...]:
    found = [_phase(reader, item, here) for item, here in reader.items(place, path)]
    if place.value == []:
        reader.say(place, path, "a workflow has at least one phase")
    return tuple(phase for phase in found if phase is not None)


def _phase(reader: Reader, place: Place, path: Path) -> Phase | None:
    members = reader.section("phase", place, path)
    if members is None:
        return None
    name = members.get("phase")
    if name in RESERVED_PHASES:
        message = f"no phase is called `{name}`"
        reader.say(
            place.value["phase"], (*path, "phase"), message, f"`{name}` is a key of the workflow"
        )
    if members.get("jobs") == () and place.value["jobs"].value == []:
        reader.say(place.value["jobs"], (*path, "jobs"), "a phase has at least one job")
    if name is None:
        return None
    return Phase(
        name=name,
        path=path,
        jobs=members.get("jobs") or (),
        when=members.get("when"),
        each=members.get("each"),
        sequential=members.get("mode") == "sequential",
        enough=_enough(reader, place, path, members),
        on_error=mode_of(members),
        timeout=members.get("timeout"),
    )


def _enough(reader: Reader, place: Place, path: Path, members: dict[str, Any]) -> int | None:
    """How many jobs have to succeed, when that is not all of them."""
    enough: int | None = members.get("enough")
    if members.get("mode") == "race":
        if enough is not None:
            hint = "a race is `enough: 1`; for more take `mode: race` out"
            reader.say(place.value["enough"], (*path, "enough"), "`enough` beside a race", hint)
        return 1
    jobs = len(members.get("jobs") or ())
    if enough is not None and enough > jobs:
        message = f"{enough} jobs are to succeed, and there are {jobs}"
        reader.say(place.value["enough"], (*path, "enough"), message)
    return enough


def _jobs(reader: Reader, place: Place, path: Path) -> tuple[Job, ...]:
    found = [job_of(reader, item, here) for item, here in reader.items(place, path)]
    return tuple(job for job in found if job is not None)


_KINDS = {
    **KINDS,
    **VALUE_KINDS,
    **ACTION_KINDS,
    **TRIGGER_KINDS,
    "phases": _phases,
    "jobs": _jobs,
    **BODY_KINDS,
    **TASK_KINDS,
}
