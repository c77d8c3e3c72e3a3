"""What each expression may see, and whether what it names is there when it is evaluated.

``jobs.x`` must be a job that is done by then: of an earlier phase, or one that this job needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ostinato.core.model import Each, Set
from ostinato.core.names import RunNames, ThisJob
from ostinato.core.outputs import JobNames
from ostinato.definitions.document import Document, Job
from ostinato.definitions.input import resolved
from ostinato.definitions.needs import Order, stages
from ostinato.definitions.reader import Use, nearest
from ostinato.definitions.source import Path
from ostinato.errors import Problem

__all__ = ["sight_problems"]

Told = tuple[bool, Problem]  # whether it is an error, and what

_SECRETS = re.compile(
    r"(?:(?!\$\{)[\s\S]|\$\{ *secrets\.[A-Za-z_]\w* *\}|\$\{(?:(?!secrets)[^}])*\})*"
)

_BASE = ("input", "event", "jobs", "vars", "run")
_MEMBERS = {"run": RunNames.members, "job": ThisJob.members}


@dataclass(frozen=True, slots=True)
class _From:
    """Where an expression stands: its stage, its job if it is in one, and the names it has."""

    stage: int
    job: Job | None
    names: tuple[str, ...]


def sight_problems(document: Document) -> Iterator[Told]:
    sight = _Sight(document)
    for use in document.uses:
        here = sight.here(use.path)
        for read in sorted(use.reads):
            yield from sight.read(use, here, read)


class _Sight:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.stages = stages(document)
        self.order = Order(document)
        self.jobs = {job.path: job for job in document.jobs()}
        eaches = [phase.each for phase in document.phases] + [job.each for job in document.jobs()]
        self.items = {each.name for each in eaches if each is not None}
        self.variables = _variables(document)

    def here(self, path: Path) -> _From:
        match path:
            case ("on", *_):
                return _From(-1, None, ("event", "input") if "uid" in path[-2:] else ("event",))
            case ("concurrency" | "rate" | "uid" | "dedup", *_):
                return _From(-1, None, ("input", "event"))
            case ("output", *_):
                return _From(len(self.document.phases), None, _BASE)
            case ("phases", int() as number, "jobs", int(), *_):
                each = self.document.phases[number].each
                return self._in_job(path[:4], path[4:], each)
            case ("phases", int() as number, *_):
                return _From(number, None, _BASE)
            case _:
                return self._in_job(path[:2], path[2:], None)

    def _in_job(self, at: Path, key: Path, phase_each: Each | None) -> _From:
        job = self.jobs[at]
        names: tuple[str, ...] = (*_BASE, "job")
        if phase_each is not None:
            names += (phase_each.name, "index")
        if job.each is not None and key[0] not in ("each", "when"):
            names += (job.each.name, "index")
        if _sees_output(key):
            names += ("output",)
        if key[0] == "catch":
            names += ("error",)
        return _From(self.stages[job.name][0], job, names)

    def read(self, use: Use, here: _From, read: tuple[str, ...]) -> Iterator[Told]:
        name, members = read[0], read[1:]
        if name == "now":
            return
        if name == "secrets":
            yield from self._secret(use)
            return
        if name not in here.names:
            yield self._unknown(use, here, name)
        elif name in here.names[len(_BASE) + 1 :]:
            return  # an item, its index, or the output: anything may be in it
        elif name == "jobs" and members:
            yield from self._job(use, here, members)
        elif name in _MEMBERS and members and members[0] not in _MEMBERS[name]:
            message = f"`{name}` has no member `{members[0]}`"
            yield True, self._problem(use, message, _members_hint(members[0], _MEMBERS[name]))
        elif name == "vars" and members and self.variables is not None:
            if members[0] not in self.variables:
                hint = nearest(members[0], list(self.variables))
                yield False, self._problem(use, f"no job sets `vars.{members[0]}`", hint)
        elif name == "input" and self.document.input_schema is not None and here.stage >= 0:
            yield from self._input(use, members)

    def _problem(self, use: Use, message: str, hint: str = "") -> Problem:
        return self.document.problem(use.path, message, hint)

    def _unknown(self, use: Use, here: _From, name: str) -> Told:
        if name in self.stages:
            hint = f"the job is jobs.{name}"
        elif name == "job":
            hint = "`job` is known inside a job"
        elif name in (*self.items, "index"):
            hint = f"`{name}` is known inside its `each`"
            if "jobs" in use.path and use.path[-1] == "when":
                hint += "; to choose by item, put the `each` on the phase"
        elif name == "output":
            hint = "`output` is known in `expect`, `until` and `undo`; elsewhere jobs.NAME.output"
        elif name == "error":
            hint = "`error` is known in `catch`; elsewhere write jobs.NAME.error or run.error"
        else:
            hint = nearest(name, list(here.names)) or "names here: " + " ".join(here.names)
            if use.expression is not None and use.expression.text == name:
                hint += f"; a text stands in quotes of its own: \"'{name}'\""
        return True, self._problem(use, f"unknown name `{name}`", hint)

    def _secret(self, use: Use) -> Iterator[Told]:
        """Only where it reaches nobody but who does the job, and only as it is."""
        places = [at for at, part in enumerate(use.path) if part in ("with", "http")]
        if places and "call" in self.document.at(use.path[: places[0]]):
            hint = "name it where it is used: in the workflow that is called"
            yield True, self._problem(use, "a secret cannot be given to another workflow", hint)
        elif not places or use.expression is not None:
            hint = "it would be recorded here; secrets stand in `with` and `http`"
            yield True, self._problem(use, "`secrets` are not known here", hint)
        elif not _SECRETS.fullmatch(str(use.place.value)):
            hint = "write ${ secrets.NAME }, alone or inside a text; the handler does the rest"
            yield True, self._problem(use, "a secret can only be handed on as it is", hint)

    def _job(self, use: Use, here: _From, members: tuple[str, ...]) -> Iterator[Told]:
        name = members[0]
        if name not in self.stages:
            hint = nearest(name, list(self.stages))
            yield True, self._problem(use, f"no job is called `{name}`", hint)
            return
        if len(members) > 1 and members[1] not in JobNames.members:
            hint = _members_hint(members[1], JobNames.members)
            if members[1] not in ("state", "result", "results"):
                hint += f"; what it returned is jobs.{name}.output.{members[1]}"
            yield True, self._problem(use, f"a job has no member `{members[1]}`", hint)
        if told := self._too_early(use, here, name):
            yield told

    def _too_early(self, use: Use, here: _From, name: str) -> Told | None:
        stage, _ = self.stages[name]
        own = None if here.job is None else here.job.name
        if stage < here.stage:
            return None
        if stage > here.stage:
            return True, self._problem(use, f"`{name}` comes later: it has no result here")
        if own is None:
            return True, self._problem(use, f"`{name}` is in this phase, which has not begun here")
        if own == name:
            hint = "in `expect`, write output"
            return True, self._problem(use, f"`{name}` is this job, and it has no result yet", hint)
        if self.order.precedes(name, own):
            return None
        if self.order.precedes(own, name):
            return True, self._problem(use, f"`{name}` comes after this job: it has no result here")
        hint = f"add needs: [{name}]"
        return False, self._problem(use, f"`{name}` may not be done when this is evaluated", hint)

    def _input(self, use: Use, members: tuple[str, ...]) -> Iterator[Told]:
        root = self.document.input_schema or {}
        schema: Any = root
        for depth, member in enumerate(members):
            schema = _plain(root, schema)
            known = schema.get("properties") if isinstance(schema, Mapping) else None
            if not known or not isinstance(known, Mapping) or "patternProperties" in schema:
                return
            if member not in known:
                closed = schema.get("additionalProperties") is False
                name = ".".join(("input", *members[: depth + 1]))
                message = f"`{name}` is not in input_schema"
                yield closed, self._problem(use, message, nearest(member, [*known]))
                return
            schema = known[member]


def _sees_output(key: Path) -> bool:
    """``key`` is the path inside a job; what stands in for it is three levels deeper."""
    if key[0] == "catch":
        key = key[3:]
    return bool(key) and key[0] in ("expect", "repeat", "undo")


def _plain(root: Mapping[str, Any], schema: Any) -> Any:
    """The schema itself behind ``$ref``; None where several may apply."""
    for _ in range(100):
        if not isinstance(schema, Mapping):
            return None
        if any(key in schema for key in ("allOf", "anyOf", "oneOf", "if", "dependentSchemas")):
            return None
        if "$ref" not in schema:
            return schema
        schema = resolved(root, schema["$ref"])
    return None


def _variables(document: Document) -> dict[str, None] | None:
    """What jobs set, also in `catch` and `undo`; None when that is decided in the run."""
    found: dict[str, None] = {}
    for body in (body for job in document.jobs() for body in job.bodies()):
        if isinstance(body.action, Set):
            values = document.place_at((*body.path, "set")).value
            if not isinstance(values, dict):
                return None
            found |= dict.fromkeys(values)
    return found


def _members_hint(name: str, known: tuple[str, ...]) -> str:
    return nearest(name, list(known)) or "its members: " + " ".join(known)
