"""What was, or is to be, taken back."""

from __future__ import annotations

from msgspec import Raw

from ostinato.core.facts.base import Fact
from ostinato.core.failure import NOTHING, Failure


class UndoNoted(Fact, frozen=True, tag="undo.noted"):
    """The step of this key can be taken back, with this input; or why that is not known."""

    key: str
    input: Raw = NOTHING
    error: Failure | None = None


class UndoPlanned(Fact, frozen=True, tag="undo.planned"):
    """The steps to be taken back, in this order."""

    keys: tuple[str, ...]


class JobUndone(Fact, frozen=True, tag="job.undone"):
    key: str
