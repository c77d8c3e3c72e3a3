"""The same state, event and instant give the same facts and commands; a rule only reads."""

from __future__ import annotations

from importlib import import_module
from unittest.mock import patch

from hypothesis import given, settings

from ostinato.core.codec import decode_facts, encode_facts
from ostinato.core.decide import advance
from ostinato.core.fold import replay
from ostinato.core.state import State
from tests.core.properties.player import SEEDS, WORKFLOWS, Player
from tests.core.semantics.rule import unchanging

DECIDE = import_module("ostinato.core.decide.advance").DECIDE


@settings(max_examples=150)
@given(WORKFLOWS, SEEDS)
def test_what_follows_is_the_same_twice_and_after_a_replay(graph, seed):
    """One state lives on, the other is loaded before each event: nothing is kept but the facts."""
    play = Player(graph, seed).wander(30)
    live, records = State(graph), []
    for now, event in play.told:
        loaded = replay(graph, [(at, decode_facts(data)) for at, data in records])
        loaded.now = live.now  # the clock of a run is also moved by what changed nothing
        said = advance(live, event, now)
        assert advance(loaded, event, now) == said
        if said[0]:
            records.append((now, encode_facts(said[0])))
    assert records == play.records


@settings(max_examples=60)
@given(WORKFLOWS, SEEDS)
def test_a_rule_reads_and_changes_nothing(graph, seed):
    """Each rule is asked twice: it says the same, and the state is as it was."""
    asked_twice = {told: unchanging(decides) for told, decides in DECIDE.items()}
    with patch.dict(DECIDE, asked_twice):
        Player(graph, seed).wander(12)
