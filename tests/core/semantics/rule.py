"""A rule of the semantics as a row of a table: what is written, what happens, what comes of it.

``docs/reference/semantics.md`` shows each rule's ``says`` under its id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from textwrap import dedent, indent
from typing import Any

import msgspec
import pytest

from ostinato import Fail
from ostinato.core.graph import Graph
from ostinato.definitions import compile, load
from ostinato.testing.play import Handler, Play, snapshot

DECIDE = import_module("ostinato.core.decide.advance").DECIDE
ENDS = ("job.succeeded", "job.failed", "job.skipped", "job.cancelled")


class Oops(Exception):
    pass


@dataclass(frozen=True)
class Rule:
    """``text`` is the jobs of a phase ``p``, or whole phases; ``more`` stands beside the phases.

    ``does`` says what handlers do, attempt after attempt: a value, an error to raise, or a
    function of the input. ``has`` are ``type key`` of facts that come in this order.
    """

    id: str
    says: str
    text: str = ""
    more: str = ""
    does: Mapping[str, Any] = field(default_factory=dict)
    input: Any = None
    play: Callable[[Play], Any] | None = None
    graph: Callable[[], Graph] | None = None
    status: str = "succeeded"
    jobs: Mapping[str, str] | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    output: Any = ...
    error: str | None = None
    calls: str | None = None
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    waits: str | None = None
    warnings: int = 0
    took: int | None = None


def document(text: str, more: str = "") -> str:
    body = dedent(text)
    if "phases:" not in body:
        body = "phases:\n  - phase: p\n    jobs:\n" + indent(body.strip(), " " * 6)
    return f"workflow: w\n{body}\n{dedent(more)}"


def graph_of(text: str, more: str = "") -> Graph:
    return compile(load(document(text, more))[0])


def handler(does: Any) -> Handler:
    """One thing, or a list of things, the last of which is done for ever."""
    todo = list(does) if isinstance(does, list) else [does]

    def run(data: Any) -> Any:
        now = todo.pop(0) if len(todo) > 1 else todo[0]
        if isinstance(now, Exception):
            raise now
        return now(data) if callable(now) else now

    return run


def handlers(does: Mapping[str, Any]) -> dict[str, Handler]:
    """Those of the row, and ``echo``, ``bad`` and ``fatal``; ``open`` is nobody's."""
    known = {"echo": lambda data: data, "bad": Oops("bad"), "fatal": Fail("fatal")}
    return {name: handler(done) for name, done in {**known, **does}.items()}


def played(rule: Rule) -> Play:
    graph = rule.graph() if rule.graph else graph_of(rule.text, rule.more)
    play = Play(graph, handlers(rule.does))
    if rule.play is None:
        play.run(rule.input)
    else:
        rule.play(play)
    return play


def holds(rule: Rule) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for told, decides in list(DECIDE.items()):
            patch.setitem(DECIDE, told, unchanging(decides))
        play = played(rule)
    compare(rule, play)
    history_is_whole(play)


def unchanging(decides: Callable[..., Any]) -> Callable[..., Any]:
    """``decides``, which must leave the state as it is and say the same when asked again."""

    def decided(state: Any, told: Any, now: int) -> Any:
        before = snapshot(state)
        said = decides(state, told, now)
        assert snapshot(state) == before
        assert decides(state, told, now) == said
        return said

    return decided


def compare(rule: Rule, play: Play) -> None:
    view = play.view
    happened = [f"{kind} {getattr(fact, 'key', '')}".strip() for kind, fact in named(play)]
    assert (view.status, view.error and view.error.name) == (rule.status, rule.error), view
    if rule.jobs is not None:
        assert play.jobs == rule.jobs
    for key, output in rule.outputs.items():
        assert output_of(play, key) == output, key
    if rule.output is not ...:
        assert play.output == rule.output
    if rule.calls is not None:
        assert play.calls == rule.calls.split()
    left = list(happened)
    for one in rule.has:
        assert one in left, (one, happened)
        del left[: left.index(one) + 1]
    assert [one for one in rule.lacks if one in happened] == []
    assert view.waiting_for == rule.waits
    assert len(view.warnings) == rule.warnings, view.warnings
    if rule.took is not None:
        assert play.now - view.started_at == rule.took


def named(play: Play) -> list[tuple[str, Any]]:
    return list(zip(play.types, play.facts, strict=True))


def output_of(play: Play, key: str) -> Any:
    found = next(job for job in play.view.jobs if job.key == key)
    return msgspec.json.decode(found.output) if found.output is not msgspec.UNSET else None


def history_is_whole(play: Play) -> None:
    """Exactly one fact ends each step key, and a run that has ended leaves nothing behind."""
    ends = Counter(fact.key for kind, fact in named(play) if kind in ENDS)
    assert set(ends.values()) <= {1}, ends
    for job in play.view.jobs:
        over = job.status in ("succeeded", "failed", "skipped", "cancelled", "undone")
        assert over == (job.key in ends), job
    if play.state.ended:
        assert set(ends) == set(play.jobs)
        assert (play.timers, play.waits, play.state.open, play.state.busy) == ({}, {}, {}, 0)
        opened = [scope.key for scope in play.state.scopes.values() if scope.ended_at is None]
        assert opened in ([""], [])
