"""How much is shown at once: a page of a list, or a run with all that its jobs gave.

Values are large or many; whoever asks for a thousand of them would fill the memory of both sides.
So a page ends early, and its next one goes on there.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from msgspec import UNSET, Raw

from ostinato.core.state import LARGE
from ostinato.core.views import JobView, RunView
from ostinato.ports import DeadLetter, Page, StoredEvent, TaskRow

T = TypeVar("T")


class _Opened(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def opened_at(self) -> int: ...


HEAVY = 16 << 20
"""Bytes of values in one answer, of which one more may be the last."""

LOT = 50
"""Rows that are read at once: with values they may be a megabyte each, and more."""


async def heavy_page(
    page: Page,
    read: Callable[[Page], Awaitable[Sequence[T]]],
    weight: Callable[[T], int],
    cursor_of: Callable[[T], str],
) -> list[T]:
    """A page, read a ``LOT`` at a time; it ends early when it is ``HEAVY``."""
    found: list[T] = []
    cursor = page.cursor
    while len(found) < page.limit and light(found, weight) == len(found):
        lot = min(LOT, page.limit - len(found))
        new = await read(Page(lot, cursor))
        found += new
        if len(new) < lot:
            break
        cursor = cursor_of(new[-1])
    return found


def light(items: Sequence[T], weight: Callable[[T], int]) -> int:
    """How many of them make a page; one at least."""
    total = 0
    for count, item in enumerate(items):
        total += weight(item)
        if total > HEAVY:
            return max(1, count)
    return len(items)


def sealed(cursor: str) -> str:
    """A cursor as it travels in an address."""
    return urlsafe_b64encode(cursor.encode()).decode().rstrip("=")


def place_of(stored: StoredEvent) -> str:
    """The cursor behind this event."""
    return f"{stored.received_at}/{stored.event.source}/{stored.event.id}"


def place_of_letter(letter: DeadLetter) -> str:
    return f"{letter.at}/{letter.id}"


def place_of_task(task: _Opened) -> str:
    return f"{task.opened_at}/{task.id}"


def seq_of(fact: dict[str, Any]) -> str:
    return str(fact["seq"])


def weight_of_event(stored: StoredEvent) -> int:
    return len(stored.event.data)


def weight_of_letter(letter: DeadLetter) -> int:
    return 0 if letter.event is None else len(letter.event.data)


def weight_of_task(task: TaskRow) -> int:
    return len(task.asked) + len(task.answer or b"")


def weight_of_fact(fact: dict[str, Any]) -> int:
    return sum(len(value) for value in fact.values() if isinstance(value, Raw))


def lightened(view: RunView) -> RunView:
    """Without the large values of its jobs when all of them are ``HEAVY``; says so."""
    jobs = view.jobs
    if sum(_weight(job) for job in jobs) <= HEAVY:
        return view
    for job in jobs:
        job.input = _small(job.input)
        job.output = _small(job.output)
    view.warnings.append(
        f"its jobs hold more than {HEAVY:,} bytes of values: those larger than {LARGE:,} are left "
        "out here and stand in the history"
    )
    return view


def _weight(job: JobView) -> int:
    return sum(len(value) for value in (job.input, job.output) if isinstance(value, Raw))


def _small(value: Any) -> Any:
    return UNSET if isinstance(value, Raw) and len(value) > LARGE else value
