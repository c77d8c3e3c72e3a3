"""A workflow made of blocks always ends, once its handlers and events answer."""

from __future__ import annotations

import json

from hypothesis import given, note, settings

from ostinato.definitions import compile, read
from tests.core.properties.player import DOCUMENTS, ENDS, SEEDS, Player
from tests.core.semantics.rule import history_is_whole

MOVES = 2_000


@settings(max_examples=300)
@given(DOCUMENTS, SEEDS)
def test_a_document_ends_whatever_happens(data, seed):
    note(json.dumps(data))
    play = Player(compile(read(data)), seed).wander(60).settle(MOVES)
    assert play.status in ENDS
    assert "run.stuck" not in play.types
    history_is_whole(play)
