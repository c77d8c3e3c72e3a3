"""Runs that have a name in common: one is open, the others wait in order; starts that are one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ostinato.core import facts as f
from ostinato.ports import Batch, Head
from ostinato.testing.history_checker import ENDS, Pair, Violation


class Namesakes:
    """``heads`` are as they are kept. ``windows``: for so many ms starts of a workflow are one."""

    def __init__(self, heads: Mapping[str, Head], windows: Mapping[str, int]) -> None:
        self._heads = heads
        self._windows = windows
        self._open: dict[Pair, set[str]] = {}
        self._lines: dict[str, list[str]] = {}
        self._line_of: dict[str, str] = {}
        self._first: dict[Pair, int] = {}

    def kept(self, batch: Batch) -> Iterator[Violation]:
        """After the heads of the batch are known."""
        changed = [head.run_id for head in batch.new_heads] + list(batch.heads)
        heads = [self._heads[run_id] for run_id in dict.fromkeys(changed)]
        for head in heads:
            runs = self._open.setdefault((head.workflow, head.uid or ""), set())
            if head.uid is not None and head.ended_at is None and not head.in_line:
                runs.add(head.run_id)
            else:
                runs.discard(head.run_id)
        for pair, runs in self._open.items():
            if len(runs) > 1:
                text = f"{sorted(runs)} of {pair[0]} are open under {pair[1]}"
                yield Violation(min(runs), -1, "uid.two_open", text)

    def note(self, run_id: str, fact: Any, at: int) -> Iterator[Violation]:
        if isinstance(fact, f.RunStarted) and not fact.forked_from:
            yield from self._look_at_double(fact, at)
        elif isinstance(fact, f.RunQueued) and fact.names[0].startswith("uid:"):
            self._line_of[run_id] = fact.names[0]
            self._lines.setdefault(fact.names[0], []).append(run_id)
        elif isinstance(fact, f.RunAdmitted) and run_id in self._line_of:
            first = self._lines[self._line_of[run_id]][0]
            if first != run_id:
                yield Violation(run_id, -1, "uid.passed", f"it has passed {first}")
            self._leave(run_id)
        elif isinstance(fact, ENDS):
            self._leave(run_id)

    def _leave(self, run_id: str) -> None:
        if (name := self._line_of.pop(run_id, None)) is not None:
            self._lines[name].remove(run_id)

    def _look_at_double(self, fact: f.RunStarted, at: int) -> Iterator[Violation]:
        window = self._windows.get(fact.workflow)
        if window is None:
            return
        given: Any = msgspec.json.decode(fact.input) or msgspec.json.decode(fact.event)["data"]
        name = (fact.workflow, str(given["n"] % 2))
        first = self._first.get(name)
        if first is not None and at < first + window:
            yield Violation(fact.run_id, -1, "dedup.twice", f"{name} began at {first}, too")
        self._first[name] = at
