"""What the store holds, row by row, and what belongs together in it."""

from __future__ import annotations

from collections.abc import Iterator

from ostinato.core.decide import armed
from ostinato.core.letters import OUTGOING
from ostinato.core.routes import OWN
from ostinato.core.run_ids import chosen_at
from ostinato.core.tasks import open_tasks
from ostinato.ports import Batch, Record, TaskEnd, TaskRow
from ostinato.testing.generate.vocabulary import BUS
from ostinato.testing.history_checker import GraphOf, Pair, replayed

Moment = tuple[int, int]
"""A commit's number, and the store's time of what it brought."""


class Rows:
    """``letters`` are the ids of events that became dead letters on their way out.

    ``by_order``: the store itself knows what came before what, in the order of commits.
    """

    def __init__(self, *, by_order: bool = False) -> None:
        self._by_order = by_order
        self.letters: set[tuple[str, str]] = set()  # of events that a bus refuses
        self._commits = 0
        self._records: dict[str, list[Record]] = {}
        self._timers: dict[tuple[str, str, str], int | None] = {}
        self._events: dict[Pair, Moment] = {}
        self._tasks: dict[str, dict[str, str]] = {}

    def keep(self, batch: Batch) -> None:
        self._commits += 1
        self._timers.update(batch.timers)
        for task in batch.tasks:
            self._keep_task(task)
        for record in batch.records:
            self._records.setdefault(record.run_id, []).append(record)
        for stored in batch.events:
            pair = (stored.event.source, stored.event.id)
            self._events[pair] = (self._commits, stored.received_at)  # it may have been forgotten
        self.letters.update(
            (one.event_id, BUS if one.target == BUS else OWN)
            for one in batch.dead_letters
            if one.kind == OUTGOING
        )

    def _keep_task(self, task: TaskRow | TaskEnd) -> None:
        if isinstance(task, TaskRow):
            self._tasks.setdefault(task.run_id, {})[task.id] = task.key
            return
        for tasks in self._tasks.values():
            tasks.pop(task.id, None)

    def wrong_tasks(self, run_id: str, graph_of: GraphOf) -> Iterator[str]:
        """What people are asked, and what the run waits for, is one."""
        state, _ = replayed(graph_of, run_id, self._records[run_id])
        if state is None:
            return
        asked, rows = open_tasks(state), self._tasks.get(run_id, {})
        yield from (f"{key} waits, and nobody is asked" for key in asked.keys() - rows.keys())
        yield from (f"{rows[one]} is over, and still asked" for one in rows.keys() - asked.keys())

    def beginning(self, run_id: str, at: int, trigger: Pair | None) -> Moment:
        """Of a run that this commit brings: that of the event that started it, or its own."""
        own = self._commits, min(at, chosen_at(run_id))
        return own if trigger is None else min(own, self._events.get(trigger, own))

    def began_after(self, began: Moment, pair: Pair) -> bool:
        """Whether that event had come before: by order, and else also by the one clock there is."""
        came = self._events.get(pair)
        if came is None or came[0] >= began[0]:
            return False
        return self._by_order or came[1] < began[1]

    def lost_timers(self, run_id: str, graph_of: GraphOf, now: int) -> Iterator[str]:
        """What a run counts on being woken for, and no row says so."""
        state, _ = replayed(graph_of, run_id, self._records[run_id])
        if state is None or state.ended:
            return
        for timer in armed(state):
            if state.paused and timer.due_at <= now and timer.kind in ("retry", "repeat"):
                continue  # it has fired, and is due once the run goes on
            due = self._timers.get((run_id, timer.key, timer.kind))
            if due != timer.due_at:
                yield f"{timer.kind} of {timer.key or 'the run'} at {timer.due_at}, not {due}"
