"""Groups of runs whose failures are one, made of groups whose messages are equal to the letter."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from ostinato.core.fingerprints import alike
from ostinato.ports.queries import RunGroup


def merged(groups: Iterable[RunGroup], limit: int) -> list[RunGroup]:
    """The largest first, counted whole: however many they are, only ``limit`` are held.

    ``groups`` come with the largest first. Beyond ``limit`` those that come first are kept. The
    message is that of ``newest``.
    """
    found: dict[tuple[str | None, ...], RunGroup] = {}
    for group in groups:
        why = (group.waiting_for, group.error_name, alike(group.error_message or ""))
        mark = (group.workflow, group.status, *why)
        if (before := found.get(mark)) is not None:
            found[mark] = _both(before, group)
        elif len(found) < limit:
            found[mark] = group
    return sorted(found.values(), key=lambda group: (-group.count, group.oldest))


def _both(one: RunGroup, other: RunGroup) -> RunGroup:
    ends = [end for end in (one.ended_at, other.ended_at) if end is not None]
    return replace(
        max(one, other, key=lambda group: group.newest),
        count=one.count + other.count,
        oldest=min(one.oldest, other.oldest),
        started_at=min(one.started_at, other.started_at),
        ended_at=max(ends, default=None),
    )
