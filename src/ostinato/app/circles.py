"""Turns that never come: whoever has a place waits, through the runs that it has called, for one
under the same name. Nobody else can end that, so it is said by name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence

from ostinato.core.views import RunView, WaitView
from ostinato.errors import OstinatoError
from ostinato.ports import Place

LOOKED_INTO = 50
"""Runs that are read for one holder of a place, and holders that are looked at for one name."""

Read = Callable[[str], Awaitable[RunView]]
Places = Callable[[], Awaitable[Sequence[Place]]]


class Circles:
    """Looks at what is stored at one moment: make one for each question."""

    def __init__(self, read: Read, places: Places) -> None:
        self._read = read
        self._places = places
        self._holders: dict[str, list[Place]] | None = None
        self._told: dict[str, str] = {}

    async def doubt(self, wait: WaitView) -> str:
        """Why this turn never comes; empty when it may."""
        if wait.kind != "turn":
            return ""
        for name in wait.types:
            if name not in self._told:
                self._told[name] = await self._closed(name)
            if self._told[name]:
                return f"{wait.key or 'the run'}: {self._told[name]}"
        return ""

    async def _closed(self, name: str) -> str:
        holders = (await self._all_holders()).get(name, [])
        if not holders or len(holders) > LOOKED_INTO:
            return ""
        ends = [await self._end_below(place) for place in holders]
        if not all(ends):
            return ""
        first, last = holders[0].run_id, ends[0]
        others = " (and so do the others that have one)" if ends[1:] else ""
        return (
            f"nobody gets a place under {name} any more: run {first} has one, and waits for run "
            f"{last}, which it has called and which waits for a place under that name{others}; "
            f"`ostinato cancel {first}` frees it. Raise the limit, or give the runs other keys"
        )

    async def _all_holders(self) -> dict[str, list[Place]]:
        if self._holders is None:
            self._holders = {}
            for place in await self._places():
                self._holders.setdefault(place.name, []).append(place)
        return self._holders

    async def _end_below(self, place: Place) -> str | None:
        """The run below the holder of this place that waits for one under its name."""
        ahead, seen = [(place.run_id, place.key)], {place.run_id}
        while ahead and len(seen) <= LOOKED_INTO:
            run_id, key = ahead.pop()
            view = await self._view(run_id)
            if view is None:
                continue
            if run_id != place.run_id and _waits_under(view, place.name):
                return run_id
            for called in _called(view, key):
                if called not in seen:
                    seen.add(called)
                    ahead.append((called, ""))
        return None

    async def _view(self, run_id: str) -> RunView | None:
        """None for one that has not begun, is gone, or cannot be read."""
        try:
            return await self._read(run_id)
        except OstinatoError:
            return None


def _waits_under(view: RunView, name: str) -> bool:
    return any(wait.kind == "turn" and name in wait.types for wait in view.waits)


def _called(view: RunView, key: str) -> Iterator[str]:
    """By this step, or by any with key ""."""
    for wait in view.waits:
        if isinstance(wait.run, str) and key in ("", wait.key):
            yield wait.run
