"""What a run is told. Each goes through ``advance``; there is no other way to change a run.

``key`` names a step. ``attempt`` is the attempt that speaks: a report counts only for the
attempt that is open, so a late or repeated one changes nothing.
"""

from __future__ import annotations

from msgspec import Raw, Struct

from ostinato.core.callers import Caller
from ostinato.core.facts import NOTHING, Failure


class Event(Struct, frozen=True, gc=False):
    pass


class Start(Event, frozen=True):
    """``seed`` is chance given from outside: jitter and callback tokens are made from it.

    ``given`` (a map of step keys to outputs) is what the run ``forked_from`` has done already.
    ``behind`` names the line of its uid in which it waits for its turn first.
    """

    run_id: str
    seed: str
    uid: str | None = None
    input: Raw | None = None
    event: Raw | None = None
    given: Raw | None = None
    forked_from: str = ""
    by: str = ""
    why: str = ""
    behind: str = ""


class Called(Start, frozen=True, kw_only=True):
    """The start of a run for which another one waits."""

    caller: Caller


class CallJoined(Event, frozen=True):
    """Another run has called this workflow under the uid of this run, and waits for its end."""

    caller: Caller


class CallAnswered(Event, frozen=True):
    """The run that a step waits for has ended: with an output, or with an error.

    ``refused``: it could not begin, and no other attempt could.
    """

    key: str
    attempt: int
    output: Raw = NOTHING
    error: Failure | None = None
    refused: bool = False


class CallMoved(Event, frozen=True):
    """A run was open already under the uid that a step has called: it waits for that one.

    ``own``: none was, and its own has begun under this name.
    """

    key: str
    attempt: int
    run: str
    own: bool = False


class Completed(Event, frozen=True):
    key: str
    attempt: int
    output: Raw


class Failed(Event, frozen=True):
    """``final`` forbids a retry; ``after`` (ms) asks for one at that distance."""

    key: str
    attempt: int
    error: Failure
    final: bool = False
    after: int | None = None


class Deferred(Event, frozen=True):
    """The handler has returned; the outcome will come from outside, by token."""

    key: str
    attempt: int


class Stopped(Event, frozen=True):
    """The handler has obeyed a cancel, or never began."""

    key: str
    attempt: int


class HandedOver(Event, frozen=True):
    """The process stops in order, and the attempt has not ended."""

    key: str
    attempt: int


class Started(Event, frozen=True):
    key: str
    attempt: int


class Taken(Event, frozen=True):
    """``worker``, elsewhere, has it since then."""

    key: str
    attempt: int
    worker: str
    since: int


class TakenBack(Event, frozen=True):
    """What was offered, and nobody has, can be done here."""

    key: str
    attempt: int


class LeaseLost(Event, frozen=True):
    """``worker``, who has had it ``since`` then, was not heard of in time."""

    key: str
    attempt: int
    worker: str
    since: int


class Heard(Event, frozen=True):
    key: str
    attempt: int


class TimerFired(Event, frozen=True):
    key: str
    kind: str
    due_at: int


class Answered(Event, frozen=True):
    """Someone outside ended the job by its token: an output, or an error."""

    key: str
    output: Raw | None = None
    error: Failure | None = None


class TaskAnswered(Event, frozen=True):
    """A person answered; ``attempt`` tells this task from another one of the same step."""

    key: str
    attempt: int
    data: Raw
    outcome: str | None = None
    by: str = ""


class Arrived(Event, frozen=True):
    """An event from outside that a wait of this run may be looking for (CloudEvents members)."""

    key: str
    event: Raw


class CancelRequested(Event, frozen=True):
    by: str = ""
    why: str = ""


class PauseRequested(Event, frozen=True):
    by: str = ""
    why: str = ""


class ResumeRequested(Event, frozen=True):
    by: str = ""
    why: str = ""


class RetryRequested(Event, frozen=True):
    """Do the step of this key once more, or all that need it; ``input`` replaces what it had."""

    by: str = ""
    why: str = ""
    key: str = ""
    input: Raw | None = None


class SkipRequested(Event, frozen=True):
    """Go on without the step of this key, as if it had given ``output``.

    ``done``: it counts as succeeded, because somebody did its work by hand.
    """

    key: str
    by: str = ""
    why: str = ""
    output: Raw | None = None
    done: bool = False


class Signalled(Event, frozen=True):
    """An event for this run alone (CloudEvents members).

    ``keep``: without a wait that it fits now, it is kept for one that comes later.
    """

    event: Raw
    by: str = ""
    why: str = ""
    keep: bool = False


class Followed(Event, frozen=True):
    """Another run waits for this one's end, in the line of this name."""

    name: str


class PlacesTaken(Event, frozen=True):
    """The step of this key, or the run (""), has the places that it waited for."""

    key: str


class PlacesRefused(Event, frozen=True):
    """There is none under ``name``, and it is not to wait."""

    key: str
    name: str


class Displaced(Event, frozen=True):
    """The step of this key gives its place to one that came later."""

    key: str
    name: str


class TakenOver(Event, frozen=True):
    """The process that ran this run is gone."""


class Broken(Event, frozen=True):
    """Deciding for this run raised; it needs a person."""

    reason: str
