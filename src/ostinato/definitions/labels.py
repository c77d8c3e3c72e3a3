"""What a document calls things by that no store and no worker could find them by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ostinato.core.labels import LONGEST_TOPIC, label_problem, nul_problem
from ostinato.core.model import Run, Task
from ostinato.core.tasks import LISTS, TEXTS
from ostinato.definitions.document import Body, Document
from ostinato.definitions.source import Path
from ostinato.errors import Problem

__all__ = ["each_text", "label_problems"]


def label_problems(document: Document, body: Body) -> Iterator[Problem]:
    """Only what every run would stumble on: of expressions the run tells. What ``emit`` is given
    is looked at with the other arguments."""
    path, what = body.path, document.at(body.path)
    if isinstance(body.action, Run) and isinstance(what, str):  # `undo: NAME`
        yield from _topic(document, path, what)
    elif isinstance(body.action, Run) and "run" in what:
        yield from _topic(document, (*path, "run"), what["run"])
    elif isinstance(body.action, Task):
        yield from _task(document, (*path, "task"), what["task"])


def _topic(document: Document, path: Path, name: str) -> Iterator[Problem]:
    if why := label_problem(name, LONGEST_TOPIC):
        hint = "no worker could ask for this topic"
        yield document.problem(path, f"the name of a handler or topic {why}", hint)


def _task(document: Document, path: Path, members: dict[str, Any]) -> Iterator[Problem]:
    for name in (*TEXTS, *LISTS, "escalate"):
        for at, text in each_text(members.get(name), (*path, name)):
            if why := nul_problem(text):
                yield document.problem(at, f"`{name}` {why}", "leave it out")


def each_text(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Every text in a value, and where it stands."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from each_text(member, (*path, name))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from each_text(member, (*path, index))
