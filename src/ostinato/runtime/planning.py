"""What changes a schedule besides its own turn: deployment, a pause, the end of a run that it waits
for, a clock that went back.

Each reads the row as it is stored and writes it whole. Two posts of one tick that change the same
row do not both count: the second comes again when the first is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ostinato.core.run_ids import partition_of
from ostinato.core.schedules import Plan, Schedule, freed, settled
from ostinato.ports import Version
from ostinato.runtime.afar import MOVED
from ostinato.runtime.catalog import Catalog
from ostinato.runtime.change import Change
from ostinato.runtime.posts import Keep, Post, stored

if TYPE_CHECKING:
    from ostinato.runtime.engine import Engine


class Role(Protocol):
    @property
    def catalog(self) -> Catalog: ...

    def planned(self, rows: Iterable[Schedule]) -> None:
        """These rows are stored."""

    def unblocked(self, run_ids: Iterable[str]) -> None:
        """What schedules have waited for is over."""


Rule = Callable[[Plan | None, Schedule, int], Schedule]
"""The plan is None when the schedule's document cannot be read."""


def planned(rule: Callable[[Plan, Schedule, int], Schedule]) -> Rule:
    """A rule that needs a plan, and changes nothing without one."""
    return lambda plan, row, now: row if plan is None else rule(plan, row, now)


def claim(engine: Engine, change: Change, schedule_id: str) -> None:
    """Raises ``NotYet`` when another change of this tick writes the row."""
    stored(engine, change, "schedule", schedule_id, "")
    engine.fresh["schedule", schedule_id, ""] = change


async def is_open(engine: Engine, run_id: str | None) -> bool:
    if run_id is None:
        return False
    resident = engine.residents.get(run_id)
    if resident is not None:
        return not resident.state.ended
    head = await engine.storage.head(run_id)
    if head is None and not engine.territory.has_run(run_id):
        return await _comes(engine, run_id)
    return head is not None and head.ended_at is None


async def _comes(engine: Engine, run_id: str) -> bool:
    """It was promised by this process, and is to begin in another, or has become one there."""
    there = await engine.storage.reply(MOVED, run_id, engine.now)
    if there is not None:
        pointed = there.answer.decode()
        return not pointed.startswith("letter ") and await is_open(engine, pointed)
    letters = await engine.storage.mail(frozenset({partition_of(run_id)}))
    return any(one.kind == "start" and one.key == run_id for one in letters)


class Settle(Keep):
    """Schedules as the documents in force have them, with the versions that bring them.

    ``plans`` has every schedule of each workflow in it. ``then`` runs as soon as all is stored,
    before anything else can see it.
    """

    __slots__ = ("plans", "role", "rows", "then")

    def __init__(
        self,
        role: Role,
        plans: Mapping[str, Mapping[str, Plan]],
        answer: asyncio.Future[Any] | None = None,
        *,
        versions: list[Version] | None = None,
        retired: list[tuple[str, int]] | None = None,
        then: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(answer, versions=versions, retired=retired)
        self.role = role
        self.plans = plans
        self.then = then
        self.rows: dict[str, dict[str, Schedule]] = {}

    async def ready(self, engine: Engine) -> None:
        self.rows = {}
        for row in await engine.storage.schedules():
            self.rows.setdefault(row.workflow, {})[row.id] = row

    def apply(self, engine: Engine, change: Change, now: int) -> Any:
        if self.versions or self.retired:
            super().apply(engine, change, now)
        found: list[Schedule] = []
        for workflow, plans in self.plans.items():
            before = self.rows.get(workflow, {})
            after = settled(before, plans, workflow, now)
            self._write(engine, change, before, after)
            found += after.values()
        return found

    def _write(
        self,
        engine: Engine,
        change: Change,
        before: Mapping[str, Schedule],
        after: Mapping[str, Schedule],
    ) -> None:
        for name in sorted(before.keys() - after.keys()):
            claim(engine, change, name)
            change.rows.dropped_schedules.append(name)
        for name, row in after.items():
            if before.get(name) != row:
                claim(engine, change, name)
                change.rows.schedules.append(row)

    def done(self, result: Any) -> None:
        self.then()
        super().done(result)
        self.role.planned(result)


class Refresh(Settle):
    """All schedules, as the documents in force have them when it comes to that: one may be deployed
    at the same time."""

    __slots__ = ()

    def __init__(self, role: Role) -> None:
        super().__init__(role, {})

    async def ready(self, engine: Engine) -> None:
        self.plans = self.role.catalog.plans()
        await super().ready(engine)


class Alter(Post):
    """Change schedules by a rule; all of them without ``ids``. Answers with the rows after that."""

    __slots__ = ("ids", "role", "rows", "rule")

    def __init__(
        self,
        role: Role,
        ids: Sequence[str] | None,
        rule: Rule,
        answer: asyncio.Future[Any] | None = None,
    ) -> None:
        self.answer = answer
        self.role = role
        self.ids = ids
        self.rule = rule
        self.rows: list[Schedule] = []

    async def ready(self, engine: Engine) -> None:
        self.rows = await engine.storage.schedules(self.ids)

    def report(self, result: list[Schedule]) -> list[Schedule]:
        return result

    def apply(self, engine: Engine, change: Change, now: int) -> list[Schedule]:
        after = [self._altered(row, now) for row in self.rows]
        for new, old in zip(after, self.rows, strict=True):
            if new != old:
                claim(engine, change, new.id)
                change.rows.schedules.append(new)
        return after

    def _altered(self, row: Schedule, now: int) -> Schedule:
        found = self.role.catalog.scheduled(row.id)
        return self.rule(None if found is None else found[1], row, now)

    def done(self, result: list[Schedule]) -> None:
        """What has not changed may have by a commit of which nobody knew whether it was kept."""
        super().done(result)
        self.role.planned(result)


class Unblock(Alter):
    """Those whose run is over are due again."""

    __slots__ = ()

    def __init__(self, role: Role, ids: Sequence[str]) -> None:
        super().__init__(role, ids, planned(freed))

    async def ready(self, engine: Engine) -> None:
        await super().ready(engine)
        self.rows = [
            row
            for row in self.rows
            if row.waits_for is not None and not await is_open(engine, row.waits_for)
        ]

    def done(self, result: list[Schedule]) -> None:
        self.role.unblocked([row.waits_for for row in self.rows if row.waits_for is not None])
        super().done(result)
