"""Makes a failing plan small: actions are left out while the same rule still breaks."""

from __future__ import annotations

from collections.abc import Callable

from ostinato.testing.simulation.outcome import Outcome, simulate
from ostinato.testing.simulation.plan import Action, Plan

MOST_TRIES = 300

Breaks = Callable[[Plan], Outcome]


def shrink(outcome: Outcome, play: Breaks = simulate) -> Outcome:
    """The outcome of a plan without an action that could be left out, within ``MOST_TRIES``.

    First halves of the plan are tried, then quarters, down to single actions.
    """
    rule = outcome.broken[0].rule
    best, tries = outcome, 0
    size = max(1, len(outcome.plan.actions) // 2)
    while tries < MOST_TRIES:
        place, shorter = 0, False
        while place < len(best.plan.actions) and tries < MOST_TRIES:
            tries += 1
            tried = play(best.plan.only(_without(best.plan.actions, place, size)))
            if rule in tried.rules:
                best, shorter = tried, True
            else:
                place += size
        if size == 1 and not shorter:
            break
        size = max(1, size // 2)
    return best


def _without(actions: tuple[Action, ...], place: int, size: int) -> tuple[Action, ...]:
    return actions[:place] + actions[place + size :]
