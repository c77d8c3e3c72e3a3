"""The state after a replay of the history is the live one, after every event.

The history is stored as bytes and read again each time, cut after each record: so this also holds
for a process that dies between any two records.
"""

from __future__ import annotations

from hypothesis import given, settings

from ostinato.core import events as e
from ostinato.core.codec import decode_facts, encode_facts
from ostinato.core.decide import armed, outstanding
from ostinato.core.fold import replay
from ostinato.core.graph import Graph, Node
from ostinato.core.model import Job, Kind, Run
from ostinato.core.state import Scope, State, Step
from ostinato.testing.play import snapshot
from tests.core.properties.player import SEEDS, WORKFLOWS, Player


def loaded(play: Player) -> State:
    return replay(play.graph, [(at, decode_facts(data)) for at, data in play.records])


def fired(play: Player) -> set[tuple[tuple[str, str], int]]:
    told = [event for _, event in play.told if isinstance(event, e.TimerFired)]
    return {((event.key, event.kind), event.due_at) for event in told}


@settings(max_examples=150)
@given(WORKFLOWS, SEEDS)
def test_a_replay_is_the_live_state_after_every_event(graph, seed):
    Player(graph, seed, compare=True).wander(40)


@settings(max_examples=150)
@given(WORKFLOWS, SEEDS)
def test_whoever_loads_a_run_counts_on_the_same_timers_and_attempts(graph, seed):
    play = Player(graph, seed).wander(40)
    again = loaded(play)
    assert armed(again) == armed(play.state)
    assert outstanding(again) == outstanding(play.state)
    if not play.state.ended:
        counted = {(one.key, one.kind): one.due_at for one in armed(again)}
        assert play.timers.items() <= counted.items()
        assert counted.items() - play.timers.items() <= fired(play)  # a time-out that is at work


@settings(max_examples=100)
@given(WORKFLOWS, SEEDS)
def test_facts_are_the_same_after_they_were_stored(graph, seed):
    play = Player(graph, seed).wander(40)
    data = encode_facts(play.facts)
    assert decode_facts(data) == play.facts
    assert encode_facts(decode_facts(data)) == data
    assert b"".join(data for _, data in play.records).count(b'["') >= len(play.facts)


LEFT_OUT = {"graph", "cache", "tokens"}
"""The definition, decoded values of users, and tokens: all made again when somebody asks."""


def test_what_is_compared_is_everything():
    """A new member of a state is compared too, or it stands in ``LEFT_OUT``."""
    graph = Graph("w")
    graph.add(Node(Kind.JOB, "a", job=Job(action=Run("ok"))))
    state = Player(graph.seal(), 0).begin().state
    shown = snapshot(state)
    assert set(shown) == (State.__annotations__.keys() | vars(state).keys()) - LEFT_OUT
    assert set(dict(dict(shown["scopes"])[""])) == set(Scope.__slots__)
    assert set(dict(dict(shown["steps"])["a"])) == set(Step.__slots__)
