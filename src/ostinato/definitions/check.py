"""What only shows when the parts of a document are held against each other.

Errors are what cannot work in any run; warnings are what may be meant, and mostly is not.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from ostinato.core.model import Run, Set, WaitEvent
from ostinato.core.patterns.contradiction import contradiction
from ostinato.core.routes import is_wild
from ostinato.definitions.arguments import TAKES, argument_problems
from ostinato.definitions.calls import Circles, Find, call_problems, finding
from ostinato.definitions.document import Body, Document, Job
from ostinato.definitions.labels import each_text, label_problems
from ostinato.definitions.load import load
from ostinato.definitions.meaning import constant, meaning_problems
from ostinato.definitions.needs import needs_problems
from ostinato.definitions.planning import schedule_problems
from ostinato.definitions.reader import nearest
from ostinato.definitions.sight import sight_problems
from ostinato.definitions.source import MAX_PROBLEMS, Path
from ostinato.errors import DefinitionError, PatternError, Problem

__all__ = ["BUILT_IN", "check", "check_text", "check_texts", "report"]

BUILT_IN = tuple(TAKES)

Told = tuple[bool, Problem]  # whether it is an error, and what


def check(
    document: Document,
    handlers: Collection[str] | None = None,
    strict: bool = False,
    find: Find | None = None,
    circles: Circles | None = None,
) -> tuple[list[Problem], list[Problem]]:
    """Errors and warnings, in the order of the text.

    ``handlers`` are the names that are known beside the built-in ones; with ``strict`` an unknown
    one is an error and no longer taken for a topic. ``find`` knows what workflows may be called;
    a circle of them that is in ``circles`` was told for another document.
    """
    errors: list[Problem] = []
    warnings: list[Problem] = []
    calls = call_problems(document, find or finding([document]), circles)
    for is_error, problem in _all(document, handlers or (), strict, calls):
        into = errors if is_error else warnings
        if len(into) < MAX_PROBLEMS:
            into.append(problem)
        elif is_error:
            break
    return sorted(errors, key=_place), sorted(warnings, key=_place)


def _place(problem: Problem) -> tuple[int, int]:
    return problem.line, problem.column


def _all(
    document: Document, handlers: Collection[str], strict: bool, calls: Iterator[Told]
) -> Iterator[Told]:
    for problem in needs_problems(document):
        yield True, problem
    yield from sight_problems(document)
    yield from meaning_problems(document)
    yield from schedule_problems(document)
    yield from calls
    yield from _unreachable(document)
    yield from _each_names(document)
    for trigger in document.triggers:
        alone = isinstance(document.data["on"], dict)
        path = ("on", "pattern") if alone else ("on", trigger.index, "pattern")
        if not any(map(is_wild, trigger.types)):
            yield from _impossible(document, path, trigger.pattern, trigger.types)
    for job in document.jobs():
        yield from _job(document, job, handlers, strict)


def check_text(
    file: str,
    text: str | bytes,
    handlers: Collection[str] | None = None,
    strict: bool = False,
) -> list[dict[str, Any]]:
    """One entry of ``check --json`` per workflow in the text; one alone when it cannot be read."""
    return check_texts([(file, text)], handlers, strict)


def check_texts(
    texts: Sequence[tuple[str, str | bytes]],
    handlers: Collection[str] | None = None,
    strict: bool = False,
) -> list[dict[str, Any]]:
    """The same for several files, whose workflows may call one another."""
    read = [(file, *_read(text)) for file, text in texts]
    find = finding(document for _, documents, _ in read for document in documents)
    entries: list[dict[str, Any]] = []
    circles: Circles = {}
    for file, documents, problems in read:
        if problems:
            entries.append(_entry(file, None, problems, ()))
        for one in documents:
            found = check(one, handlers, strict, find, circles)
            entries.append(_entry(file, one.workflow, *found))
    return entries


def _read(text: str | bytes) -> tuple[list[Document], tuple[Problem, ...]]:
    try:
        return load(text), ()
    except DefinitionError as error:
        return [], error.problems


def report(files: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"ok": not any(file["errors"] for file in files), "files": list(files)}


def _entry(
    file: str, workflow: str | None, errors: Sequence[Problem], warnings: Sequence[Problem]
) -> dict[str, Any]:
    return {
        "file": file,
        "workflow": workflow,
        "errors": [_plain(one) for one in errors],
        "warnings": [_plain(one) for one in warnings],
    }


def _plain(problem: Problem) -> dict[str, Any]:
    members: dict[str, Any] = {
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
    }
    return members | {"hint": problem.hint} if problem.hint else members


def _unreachable(document: Document) -> Iterator[Told]:
    """Phases whose condition is never true, and those behind a job that always fails."""
    dead_end: Job | None = None
    for phase in document.phases:
        if dead_end is not None:
            message = f"phase `{phase.name}` is never reached: `{dead_end.name}` always fails"
            yield False, document.problem((*phase.path, "phase"), message)
        elif constant(phase.when) == (False,):
            message = f"phase `{phase.name}` is never reached: its `when` is always false"
            yield False, document.problem((*phase.path, "when"), message)
        always = phase.when is None and phase.each is None and phase.enough is None
        if dead_end is None and always and phase.on_error is None:
            dead_end = next((job for job in phase.jobs if _always_fails(job)), None)


def _always_fails(job: Job) -> bool:
    if job.when is not None or job.each is not None or job.optional or job.callback:
        return False
    if job.catch or job.on_error is not None:
        return False
    return isinstance(job.action, Run) and job.action.handler == "fail"


def _each_names(document: Document) -> Iterator[Told]:
    for phase in document.phases:
        for job in phase.jobs:
            if phase.each is not None and job.each is not None and phase.each.name == job.each.name:
                message = f"`{job.each.name}` hides the item of the phase's `each`"
                hint = "give one of them another name with `as`"
                yield False, document.problem((*job.path, "each"), message, hint)


def _job(document: Document, job: Job, handlers: Collection[str], strict: bool) -> Iterator[Told]:
    if constant(job.when) == (False,):
        path = (*job.path, "when")
        yield False, document.problem(path, f"job `{job.name}` never runs: `when` is always false")
    if constant(job.expect) == (False,):
        path = (*job.path, "expect")
        yield False, document.problem(path, f"job `{job.name}` always fails: `expect` is false")
    for problem in argument_problems(document, job):
        yield True, problem
    for body in job.bodies():
        yield from _body(document, body, handlers, strict)
    yield from _bare_paths(document, job)
    yield from _sets_nothing(document, job)


def _sets_nothing(document: Document, job: Job) -> Iterator[Told]:
    """What stands in for a `set` is the values of its variables."""
    if not isinstance(job.action, Set):
        return
    for index, one in enumerate(job.catch):
        if one.output is None or not one.output.constant:
            continue
        if not isinstance(one.output.render({}), dict | None):
            message = f"job `{job.name}` sets variables, and this output is no map of them"
            hint = "write output: {NAME: VALUE}, or output: null, which sets none"
            yield True, document.problem((*job.path, "catch", index, "output"), message, hint)


def _body(
    document: Document, body: Body, handlers: Collection[str], strict: bool
) -> Iterator[Told]:
    """What a job does, or what stands in for it or takes it back."""
    for problem in label_problems(document, body):
        yield True, problem
    if isinstance(body.action, WaitEvent) and not body.action.paths:
        message = "this wait looks at every event of its type: `match` names no single value"
        hint = 'match by a value that only this run has: data: {id: ["${ input.id }"]}'
        yield False, document.problem((*body.path, "wait"), message, hint)
    if isinstance(body.action, WaitEvent):
        path = (*body.path, "wait", "match")
        match = document.at(path[:-1]).get("match")
        yield from _impossible(document, path, match, body.action.types)
    if isinstance(body.action, Run) and body.heartbeat is not None and not body.callback:
        message = "`heartbeat` counts only once the handler has returned Later()"
        hint = "write `callback: true` when the answer always comes from elsewhere"
        yield False, document.problem((*body.path, "heartbeat"), message, hint)
    if isinstance(body.action, Run):
        yield from _handler(document, body, body.action.handler, handlers, strict)


def _impossible(
    document: Document, path: Path, pattern: Any, types: Sequence[str]
) -> Iterator[Told]:
    """A pattern that asks for a type which is none of those beside it."""
    if not isinstance(pattern, dict) or any("${" in str(pattern.get(name)) for name in _TYPED):
        return
    try:
        why = contradiction(pattern, types)
    except PatternError:
        return  # said where it is read, or only known once its expressions have values
    if why:
        yield False, document.problem(path, f"no event can fit: {why}")


_TYPED = ("type", "detail-type", "$or")  # where a pattern may ask for the event's type

LOOKS_LIKE_A_PATH = re.compile(
    r"(?:\{\{ *|\$\.?)?((?:input|jobs|vars|event|run)(?:\.[A-Za-z_][\w-]*)+)(?: *\}\})?"
)


def _bare_paths(document: Document, job: Job) -> Iterator[Told]:
    """Texts that look like a path, where a text is only a text."""
    for path, text in each_text(document.at(job.path), job.path):
        if path[len(job.path)] in TEMPLATES and (found := LOOKS_LIKE_A_PATH.fullmatch(text)):
            message = f"`{text}` is text here, not what stands under that name"
            yield False, document.problem(path, message, f'write "${{ {found[1]} }}"')


TEMPLATES = ("with", "task", "emit", "set", "http", "call")


def _handler(
    document: Document, body: Body, name: str, handlers: Collection[str], strict: bool
) -> Iterator[Told]:
    known = [*BUILT_IN, *handlers]
    if name in known:
        return
    hint = nearest(name, known)
    message = f"no handler is called `{name}`"
    if not strict:
        message += "; it is taken for a topic that workers elsewhere serve"
    named = isinstance(document.at(body.path), str)  # `undo: NAME`
    yield strict, document.problem(body.path if named else (*body.path, "run"), message, hint)
