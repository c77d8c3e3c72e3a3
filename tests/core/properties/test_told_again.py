"""What was said once changes nothing when it is said again, however late it comes."""

from __future__ import annotations

from hypothesis import given, settings

from ostinato.core import events as e
from ostinato.core.codec import NULL
from ostinato.core.decide import advance
from ostinato.core.facts import Failure
from ostinato.core.state import BUSY
from ostinato.testing.play import snapshot
from tests.core.properties.player import SEEDS, WORKFLOWS, Player

OUTCOMES = (e.Completed, e.Failed, e.Deferred, e.Stopped)
ONCE = (e.Start, e.TimerFired, e.Arrived, e.Answered)


class Echo(Player):
    """Says everything once more at once, and all that is over again at the end."""

    def tell(self, event):
        super().tell(event)
        if isinstance(event, OUTCOMES + ONCE):
            self.changes_nothing(event)
        return self

    def changes_nothing(self, event):
        before = snapshot(self.state)
        assert advance(self.state, event, self.now) == ([], []), event
        assert snapshot(self.state) == before


@settings(max_examples=150)
@given(WORKFLOWS, SEEDS)
def test_a_report_counts_once(graph, seed):
    play = Echo(graph, seed).wander(40)
    for _, event in play.told:
        if isinstance(event, ONCE) or (isinstance(event, OUTCOMES) and over(play, event)):
            play.changes_nothing(event)


def over(play, event):
    """The attempt is no longer the one at work."""
    step = play.state.steps.get(event.key)
    return step is None or step.attempt != event.attempt or step.status not in BUSY


@settings(max_examples=100)
@given(WORKFLOWS, SEEDS)
def test_attempts_that_are_over_or_unknown_say_nothing(graph, seed):
    play = Echo(graph, seed).wander(40)
    oops = Failure("Oops", "x")
    for key, step in list(play.state.steps.items()):
        over = not step.open
        for attempt in range(1 if over else step.attempt + 1, step.attempt + 3):
            for event in (
                e.Completed(key, attempt, NULL),
                e.Failed(key, attempt, oops),
                e.Failed(key, attempt, oops, after=1),
                e.Deferred(key, attempt),
                e.Stopped(key, attempt),
                e.Started(key, attempt),
                e.HandedOver(key, attempt),
                e.Heard(key, attempt),
            ):
                play.changes_nothing(event)
        if over:
            play.changes_nothing(e.Answered(key, NULL))
            play.changes_nothing(e.Answered(key, error=oops))
    play.changes_nothing(e.Completed("no/such", 1, NULL))
    play.changes_nothing(e.TimerFired("no/such", "due", play.now))


@settings(max_examples=100)
@given(WORKFLOWS, SEEDS)
def test_nothing_changes_a_run_that_has_ended(graph, seed):
    play = Echo(graph, seed).wander(40)
    while not play.state.ended:
        play.cancel()
        play.settle(50) if play.state.cancelled is None else end(play)
    for event in [e.CancelRequested("me", "why"), e.TakenOver(), e.Broken("why")]:
        play.changes_nothing(event)
    for _, event in play.told:
        play.changes_nothing(event)


def end(play):
    while play.timers and not play.state.ended:
        play.tick()
