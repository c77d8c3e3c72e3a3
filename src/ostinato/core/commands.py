"""What a run asks for. Commands leave only after the facts beside them are stored."""

from __future__ import annotations

from typing import Any

from msgspec import Raw, Struct

from ostinato.core.callers import Caller
from ostinato.core.facts import NOTHING, Failure
from ostinato.core.routes import OWN
from ostinato.core.tasks import Task


class Command(Struct, frozen=True, gc=False):
    pass


class StartJob(Command, frozen=True):
    """Do one attempt, for at most ``timeout`` ms.

    After ``deaths`` with a process, no other such job may be at work beside it, and it begins only
    after a start fact is stored.
    """

    key: str
    attempt: int
    handler: str
    input: Any = None  # Raw, or a constant of the definition
    timeout: int | None = None
    deaths: int = 0


class StopJob(Command, frozen=True):
    """Cancel the attempt that is open and report how it ended."""

    key: str
    attempt: int


class Withdraw(Command, frozen=True):
    """The attempt that is open need not begin any more. One that has begun may end."""

    key: str
    attempt: int


class OfferJob(Command, frozen=True):
    """No handler of this name is here: offer one attempt to workers elsewhere, under it as topic.

    Whoever takes it has ``timeout`` ms. ``deaths`` are those before.
    """

    key: str
    attempt: int
    topic: str
    input: Any = None
    timeout: int | None = None
    deaths: int = 0


class RecallJob(Command, frozen=True):
    """Take an offer back. A worker that has it already is told to stop.

    ``gently``: it may end, and what it says counts no more.
    """

    key: str
    attempt: int
    gently: bool = False


class SetTimer(Command, frozen=True):
    """One timer per (key, kind): setting it again moves it."""

    key: str
    kind: str
    due_at: int


class ClearTimer(Command, frozen=True):
    key: str
    kind: str


class OpenWait(Command, frozen=True):
    """An event of ``types`` with these values at ``paths`` should be looked for, back to ``since``.

    ``since`` None: do not look back.
    """

    key: str
    types: tuple[str, ...]
    paths: tuple[str, ...]
    values_key: str
    since: int | None


class CloseWait(Command, frozen=True):
    key: str


class PutTask(Command, frozen=True):
    """A person is asked, or now another one."""

    key: str
    attempt: int
    task: Task
    opened_at: int
    due_at: int | None


class CloseTask(Command, frozen=True):
    """Nobody is asked any more. Of several such for one task the first counts.

    ``answer`` is that of ``by``; None: the job went on without one.
    """

    key: str
    attempt: int
    answer: Raw | None = None
    outcome: str | None = None
    by: str = ""


class Want(Struct, frozen=True, array_like=True, gc=False):
    """A place under ``name``: one of ``limit`` at once, or, with ``per`` (ms), of so many in it.

    ``overflow`` is queue, reject, cancel-running, or line: turns come strictly in order.
    """

    name: str
    limit: int
    overflow: str = "queue"
    per: int | None = None


class TakePlaces(Command, frozen=True):
    """Wait for a turn: all of these places at once. Key "" is the run itself."""

    key: str
    wants: tuple[Want, ...]
    priority: int


class HoldPlace(Command, frozen=True):
    """The run has the one place under ``name``, for others wait for its end."""

    name: str


class FreePlaces(Command, frozen=True):
    """What the step of this key has or waits for is free again."""

    key: str


class Publish(Command, frozen=True):
    """Send an event out. ``id`` is stable, so receivers can tell a repetition.

    Without ``source`` it comes from its workflow. ``headers`` are more attributes of it. ``buses``
    are those it goes out on, by name; an empty one is the engine's own triggers.
    """

    id: str
    type: str
    data: Raw
    subject: str | None = None
    source: str | None = None
    headers: dict[str, str] | None = None
    buses: tuple[str, ...] = (OWN,)


class CallRun(Command, frozen=True):
    """Start a run of another workflow under this id, for which ``caller`` waits.

    Without ``version`` it is the newest at that moment.
    """

    caller: Caller
    run_id: str
    workflow: str
    version: int | None
    uid: str | None
    input: Raw


class HangUp(Command, frozen=True):
    """The run that the step of this key has started is not wanted any more."""

    key: str
    attempt: int
    run_id: str


class AnswerCall(Command, frozen=True):
    """Tell ``caller`` how the run has ended that it waits for; ``refused``: it could not begin."""

    caller: Caller
    output: Raw = NOTHING
    error: Failure | None = None
    refused: bool = False
