"""A cancel ends the run, whenever it comes."""

from __future__ import annotations

from hypothesis import given, settings

from ostinato.core import events as e
from ostinato.core.facts import Failure
from ostinato.core.state import TAKEN_BACK
from tests.core.properties.player import DOCUMENTS, SEEDS, WORKFLOWS, Player

MOVES = 2_000


def stop(play: Player, *, answered: bool = True) -> None:
    """Nobody answers any more: only handlers that obey, and the time that they are given.

    With ``answered``, the runs that were called do what they are told, and end.
    """
    while not play.state.ended:
        if play.stopped and (not play.timers or play.chance.random() < 0.5):
            play.obey_one()
        elif "grace" in {kind for _, kind in play.timers} or (play.stopped and play.timers):
            play.tick()  # who is told to stop may be given up, and obey long after
        elif play.stopped:
            play.obey_one()
        elif answered and (ending := [key for key in play.unwanted if key in play.called]):
            play.end_call(ending[0], error=Failure("Cancelled", "x"))
        elif play.state.doing == "undo":
            play.settle(MOVES)
        else:
            return


@settings(max_examples=200)
@given(WORKFLOWS, SEEDS)
def test_a_cancel_ends_the_run_at_any_moment(graph, seed):
    """What ``finally`` says is still done; all else takes no longer than the grace of its jobs."""
    play = Player(graph, seed).wander(40, cancels=False)
    was = play.state.status if play.state.ended else "cancelled"
    play.cancel()
    stop(play)
    assert play.state.ended or play.state.doing == "finally" or play.state.stuck
    play.settle(MOVES)
    if play.state.stuck:
        assert play.state.doing == "finally", "a finally that locks"
        play.cancel()
        stop(play)
    assert play.state.status == was


@settings(max_examples=100)
@given(WORKFLOWS, SEEDS)
def test_two_cancels_end_it_although_nobody_answers(graph, seed):
    """There is always a way out: the second one stops ``finally`` too."""
    play = Player(graph, seed).wander(40)
    for _ in range(2):
        play.cancel()
        stop(play, answered=False)
    assert play.state.ended, (play.view, play.facts[-12:])
    assert not play.timers
    assert not play.waits


@settings(max_examples=100)
@given(DOCUMENTS, SEEDS)
def test_nothing_new_begins_after_a_cancel(data, seed):
    from ostinato.definitions import compile, read

    play = Player(compile(read(data)), seed).wander(40, cancels=False)
    if play.state.ended or play.state.doing == "finally":
        return
    before = len(play.starts)
    play.tell(e.CancelRequested("me", "enough"))
    stop(play)
    begun = [key for key, _ in play.starts[before:] if not key.endswith(TAKEN_BACK)]
    assert [key for key in begun if not key.startswith("finally")] == []
