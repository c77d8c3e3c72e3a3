"""The table of rules, and the loop that runs it to rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ostinato.core import events as e
from ostinato.core.commands import Command
from ostinato.core.decide import (
    answering,
    asking,
    ending,
    entering,
    flowing,
    jobs,
    joining,
    moves,
    reopening,
    repairs,
    reporting,
    takeover,
    timers,
    turns,
    undoing,
)
from ostinato.core.decide.moves import Settle
from ostinato.core.facts import Fact
from ostinato.core.fold import FOLD
from ostinato.core.state import State
from ostinato.errors import UsageError

MAX_FACTS = 200_000
"""More facts than this from one event is a loop without a wait in it."""

DECIDE: dict[type, Callable[[State, Any, int], list[Any]]] = {
    e.Start: entering.start,
    e.Completed: reporting.completed,
    e.Failed: reporting.failed,
    e.Deferred: reporting.deferred,
    e.Stopped: reporting.stopped,
    e.HandedOver: reporting.handed_over,
    e.Started: reporting.started,
    e.Taken: reporting.taken,
    e.Heard: reporting.heard,
    e.Answered: reporting.answered,
    e.TaskAnswered: asking.answered,
    e.Arrived: reporting.arrived,
    e.TimerFired: timers.timer_fired,
    e.TakenOver: takeover.taken_over,
    e.LeaseLost: takeover.lease_lost,
    e.TakenBack: takeover.taken_back,
    e.CancelRequested: ending.cancel_requested,
    e.Broken: ending.broken,
    e.Followed: turns.followed,
    e.PlacesTaken: turns.taken,
    e.PlacesRefused: turns.refused,
    e.Displaced: turns.displaced,
    e.Called: answering.begun,
    e.CallJoined: answering.joined,
    e.CallAnswered: answering.answered,
    e.CallMoved: answering.moved,
    e.PauseRequested: repairs.pause,
    e.ResumeRequested: repairs.resume,
    e.RetryRequested: repairs.retry,
    e.SkipRequested: repairs.skip,
    e.Signalled: repairs.signal,
    moves.Revisit: repairs.revisit,
    moves.HearKept: repairs.hear_kept,
    moves.Redo: reopening.redo,
    moves.Enter: entering.enter,
    moves.Begin: entering.begin,
    moves.Leave: flowing.leave,
    moves.Join: joining.join,
    moves.Settle: flowing.settle,
    moves.Fail: ending.fail,
    moves.StandIn: jobs.stand_in,
    moves.NoteUndo: undoing.note,
    moves.TakeBack: undoing.take_back,
    moves.Stop: ending.stop,
    moves.Finish: ending.finish,
}


def advance(state: State, event: e.Event, now: int) -> tuple[list[Fact], list[Command]]:
    """Tell the run ``event`` and let it come to rest.

    ``state`` is changed by ``fold`` alone. Time never goes back for a run: an earlier ``now``
    counts as the latest one seen. When this raises, the state is half folded: drop it and load
    the run again from its history.
    """
    before = state.now
    now = state.now = max(before, now)
    facts: list[Fact] = []
    commands: list[Command] = []
    agenda: list[Any] = [event]
    resting: dict[str, None] = {}
    while agenda:
        for told in agenda:  # which grows as it is read
            for said in DECIDE[type(told)](state, told, now):
                kind = type(said)
                if (apply := FOLD.get(kind)) is not None:  # what `fold` does, without a call
                    apply(state, said, now)
                    state.seq += 1
                    facts.append(said)
                elif kind is Settle:
                    resting[said.key] = None
                elif kind in DECIDE:
                    agenda.append(said)
                else:
                    commands.append(said)
            if len(facts) > MAX_FACTS:
                raise UsageError(
                    f"more than {MAX_FACTS:,} facts from one event: an `each` over too many items "
                    "at once, or a loop with no wait in it"
                )
        agenda = [Settle(resting.popitem()[0])] if resting else []
    if not facts:  # nothing will tell a replay of this moment
        state.now = before
    return facts, commands
