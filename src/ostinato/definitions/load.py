"""Texts to documents: every problem of a text at once.

What only shows when the parts are held against each other is in ``check``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ostinato.definitions.actions import ACTION_KINDS, Done, done_by
from ostinato.definitions.document import Document, Job, Phase
from ostinato.definitions.keys import ACTIONS, GOES_WITH, LATER_ACTIONS
from ostinato.definitions.kinds import KINDS
from ostinato.definitions.reader import Reader
from ostinato.definitions.source import MAX_BYTES, MAX_DEPTH, Path, Place, decoded, refused, shown
from ostinato.definitions.strict_json import NotJSON, looks_like_json, read_json
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
        timeout=members.get("timeout"),
    )


def _jobs(reader: Reader, place: Place, path: Path) -> tuple[Job, ...]:
    found = [_job(reader, item, here) for item, here in reader.items(place, path)]
    return tuple(job for job in found if job is not None)


def _job(reader: Reader, place: Place, path: Path) -> Job | None:
    members = reader.section("job", place, path)
    if members is None:
        return None
    action = _action(reader, place, path, members)
    if action is None:
        return None
    _refuse_idle_keys(reader, place, path, members, action)
    done = done_by(action, members)
    if done is None or members.get("job") is None:
        return None
    return Job(
        name=members["job"],
        path=path,
        action=done.action,
        input=done.input,
        needs=members.get("needs") or (),
        when=members.get("when"),
        each=members.get("each"),
        optional=members.get("optional") or False,
        expect=members.get("expect") or done.expect,
        retry=members.get("retry") or {},
        timeout=_timeout(reader, place, path, members, done),
        callback=members.get("callback") or False,
        heartbeat=members.get("heartbeat"),
    )


def _action(reader: Reader, place: Place, path: Path, members: dict[str, Any]) -> str | None:
    found = [key for key in ACTIONS if key in members]
    later = [key for key in LATER_ACTIONS if key in members]
    if len(found) + len(later) > 1:
        names = " and ".join(f"`{key}`" for key in found + later)
        reader.say(
            place, path, f"a job does one thing, and this one has {names}", "make it two jobs"
        )
        return None
    if not found and not later:
        hint = "one of " + " ".join((*ACTIONS, *LATER_ACTIONS))
        reader.say(place, path, "a job does one thing, and this one has nothing to do", hint)
    return found[0] if found else None


def _refuse_idle_keys(
    reader: Reader, place: Place, path: Path, members: dict[str, Any], action: str
) -> None:
    """Nothing that is written is ignored: a key that would do nothing here is an error."""
    for key, actions in GOES_WITH.items():
        if key not in members:
            continue
        if action not in actions:
            hint = f"it goes with {', '.join(actions)}"
        elif action == "emit" and key != "callback" and not members.get("callback"):
            hint = "it goes with emit when the job has `callback: true`"
        else:
            continue
        reader.say(place.value[key], (*path, key), f"`{key}` does nothing beside `{action}`", hint)
    if "heartbeat" in members and action != "emit" and not members.get("callback"):
        hint = "it goes with `callback: true`"
        reader.say(
            place.value["heartbeat"], (*path, "heartbeat"), "`heartbeat` does nothing here", hint
        )


def _timeout(
    reader: Reader, place: Place, path: Path, members: dict[str, Any], done: Done
) -> int | None:
    outer: int | None = members.get("timeout")
    if "timeout" in members and done.timed is False:
        message = "`timeout` does nothing beside a wait for a span or an instant"
        reader.say(place.value["timeout"], (*path, "timeout"), message)
    if outer is not None and done.timeout is not None:
        reader.say(place.value["timeout"], (*path, "timeout"), "the wait already has a timeout")
    return done.timeout if outer is None else outer


_KINDS = {
    **KINDS,
    **VALUE_KINDS,
    **ACTION_KINDS,
    **TRIGGER_KINDS,
    "phases": _phases,
    "jobs": _jobs,
}
