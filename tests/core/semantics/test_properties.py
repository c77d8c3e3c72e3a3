"""What holds for every workflow: it ends, a replay is the same, nothing is done twice."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from hypothesis import given, note, settings
from hypothesis import strategies as st

from ostinato.core import events as e
from ostinato.core.codec import NULL, encode_facts
from ostinato.core.commands import StartJob
from ostinato.core.decide import advance
from ostinato.core.expressions import parse
from ostinato.core.facts import Failure
from ostinato.core.graph import Graph, Node
from ostinato.core.model import Job, Join, Kind, Run, Split
from ostinato.core.state import State
from ostinato.definitions import compile, load
from ostinato.testing.play import Play
from tests.core.semantics.rule import history_is_whole

CONDITIONS = st.sampled_from([None, None, None, "1 == 1", "1 == 2", "input.x > 1"])
ACTIONS: st.SearchStrategy[dict[str, Any]] = st.sampled_from([
    {"run": "open"},
    {"run": "open"},
    {"run": "open", "with": {"k": "${ job.key }"}, "expect": "output == null"},
    {"run": "open", "retry": {"attempts": 2, "on": ["Oops"], "within": "1m"}},
    {"run": "open", "callback": True, "timeout": "20m", "heartbeat": "5m"},
    {"wait": "5m"},
    {"wait": {"event": "T", "timeout": "30m"}},
    {"set": {"n": 1}},
    {"emit": {"type": "T"}},
])  # fmt: skip
EACH = st.one_of(
    st.none(),
    st.none(),
    st.builds(
        lambda size, at_once, tolerate: {
            "in": str(list(range(size))),
            "at_once": at_once,
            "tolerate": tolerate,
        },
        st.integers(0, 3),
        st.integers(1, 3),
        st.sampled_from([0, 1, "50%"]),
    ),
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    names = (f"j{number}" for number in range(100))
    phases = [phase(draw, number, names) for number in range(draw(st.integers(1, 3)))]
    document: dict[str, Any] = {"workflow": "w", "phases": phases}
    if draw(st.booleans()):
        document["on_failure"] = [job(draw, names, []) for _ in range(draw(st.integers(1, 2)))]
    if draw(st.booleans()):
        document["finally"] = [job(draw, names, []) for _ in range(draw(st.integers(1, 2)))]
    if draw(st.integers(0, 4)) == 0:
        document["timeout"] = "40m"
    return document


def phase(draw: st.DrawFn, number: int, names: Any) -> dict[str, Any]:
    jobs: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 4))):
        jobs.append(job(draw, names, [one["job"] for one in jobs]))
    more = {
        "when": draw(CONDITIONS),
        "each": draw(EACH),
        "mode": draw(st.sampled_from([None, None, "sequential"])),
        "timeout": draw(st.sampled_from([None, None, None, "10m"])),
    }
    return {"phase": f"p{number}", "jobs": jobs} | given_only(more)


def job(draw: st.DrawFn, names: Any, before: list[str]) -> dict[str, Any]:
    needs = [name for name in before if draw(st.booleans())]
    more = {
        "needs": needs or None,
        "when": draw(CONDITIONS),
        "each": draw(EACH),
        "optional": draw(st.sampled_from([None, True])),
    }
    return {"job": next(names)} | draw(ACTIONS) | given_only(more)


def given_only(members: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in members.items() if value is not None}


class Player(Play):
    """Anything may happen, at any moment, in any order; every step is kept."""

    def __init__(self, graph: Graph, chance: Random) -> None:
        super().__init__(graph)
        self.chance = chance
        self.told: list[tuple[int, e.Event]] = []
        self.attempts: dict[str, int] = {}

    def tell(self, event: e.Event) -> Play:
        self.told.append((self.now, event))
        return super().tell(event)

    def _obey(self, command: Any) -> None:
        super()._obey(command)
        if isinstance(command, StartJob):
            assert command.attempt > self.attempts.get(command.key, 0), "an attempt begun twice"
            self.attempts[command.key] = command.attempt

    def to_the_end(self, steps: int = 3_000) -> None:
        self.start({"x": 1})
        while not self.state.ended and steps:
            steps -= 1
            self.happen()
        assert steps, f"it does not end: {self.jobs}"

    def happen(self) -> None:
        moves = [self.report] * 6 * bool(self.ready) + [self.fire] * bool(self.timers)
        moves += [self.stop] * bool(self.stopped) + [self.answer] * bool(self.state.open)
        moves += [self.disturb]
        self.chance.choice(moves)()

    def report(self) -> None:
        job = self.ready.pop(self.chance.randrange(len(self.ready)))
        key, attempt = job.key, job.attempt
        ways: list[e.Event] = [e.Completed(key, attempt, NULL)] * 4
        ways += [e.Failed(key, attempt, Failure("Oops", "x"))] * 2
        ways += [e.Failed(key, attempt, Failure("Fatal", "x"), final=True)]
        ways += [e.Failed(key, attempt, Failure("Retry", "x"), after=1), e.Deferred(key, attempt)]
        event = self.chance.choice(ways)
        self.tell(event)
        if self.chance.random() < 0.2:
            self.tell(event)  # once more: it changes nothing, or is the same again

    def fire(self) -> None:
        self.tick()

    def stop(self) -> None:
        job = self.stopped.pop()
        self.tell(e.Stopped(job.key, job.attempt))

    def answer(self) -> None:
        key = self.chance.choice(list(self.state.open))
        step = self.state.open[key]
        if step.kind == "event":
            self.arrive(key, self.chance.choice(["T", "U"]), None)
        elif step.kind == "callback" and self.chance.random() < 0.5:
            self.tell(e.Heard(key, step.attempt))
        elif step.kind == "callback":
            self.tell(e.Answered(key, NULL))

    def disturb(self) -> None:
        luck = self.chance.random()
        self.now += self.chance.choice([0, 0, 1, 1000, -5000])
        if luck < 0.02:
            self.tell(e.CancelRequested("me", "enough"))
        elif luck < 0.05:
            self.ready.clear()
            self.stopped.clear()
            self.tell(e.TakenOver())
        elif luck < 0.1 and self.ready:
            job = self.chance.choice(self.ready)
            self.tell(e.Started(job.key, job.attempt))


def same_again(play: Player) -> None:
    """The same events make the same facts."""
    state = State(play.graph)
    again = []
    for now, event in play.told:
        facts, _ = advance(state, event, now)
        if facts:
            again.append((now, encode_facts(facts)))
    assert again == play.records


@settings(max_examples=150)
@given(documents(), st.integers(0, 2**32))
def test_every_document_ends_whatever_happens(document, seed):
    note(json.dumps(document))
    graph = compile(load(json.dumps(document))[0])
    play = Player(graph, Random(seed))
    play.to_the_end()
    history_is_whole(play)
    same_again(play)
    assert play.view.status in ("succeeded", "failed", "cancelled")
    assert "run.stuck" not in play.types


GATES = st.sampled_from([
    (Join.EACH, Split.ALL),
    (Join.EACH, Split.FIRST),
    (Join.SOME, Split.SOME),
    (Join.SOME, Split.ALL),
    (Join.ALL, Split.ALL),
    (Join.ALL, Split.FIRST),
])  # fmt: skip


YES, NO = parse("true"), parse("false")


@st.composite
def graphs(draw: st.DrawFn, *, parallel: bool) -> Graph:
    """No loops; every gateway has a default; half of the nodes are jobs."""
    graph = Graph("w")
    nodes: list[Node] = []
    for number in range(draw(st.integers(2, 9))):
        nodes.append(graph.add(_node(draw, number, parallel)))
        sources = [one for one in nodes[:-1] if draw(st.booleans())] or nodes[:-1][-1:]
        for source in sources:
            guard = None if source.split is Split.ALL else draw(st.sampled_from([YES, NO]))
            graph.flow(source, nodes[-1], guard=guard)
    for node in nodes:
        if node.outgoing and node.split is not Split.ALL:
            node.outgoing[-1].default, node.outgoing[-1].guard = True, None
    return graph.seal()


def _node(draw: st.DrawFn, number: int, parallel: bool) -> Node:
    if draw(st.booleans()):
        return Node(Kind.JOB, f"n{number}", job=Job(action=Run("open")))
    join, split = draw(GATES.filter(lambda gate: parallel or gate[0] is not Join.ALL))
    return Node(Kind.GATEWAY, f"n{number}", join=join, split=split)


def settled(graph: Graph, seed: int) -> Player:
    """Every job succeeds, in any order."""
    play = Player(graph, Random(seed))
    play.start()
    while play.ready:
        job = play.ready.pop(play.chance.randrange(len(play.ready)))
        play.tell(e.Completed(job.key, job.attempt, NULL))
    same_again(play)
    return play


@settings(max_examples=150)
@given(graphs(parallel=False), st.integers(0, 2**32))
def test_inclusive_joins_without_loops_never_lock(graph, seed):
    play = settled(graph, seed)
    assert play.status == "succeeded", play.view


@settings(max_examples=150)
@given(graphs(parallel=True), st.integers(0, 2**32))
def test_no_graph_hangs_without_a_word(graph, seed):
    play = settled(graph, seed)
    view = play.view
    assert view.status == "succeeded" or (view.incident == "deadlock" and view.tokens), view
