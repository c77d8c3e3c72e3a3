"""Runs that wait for one another, as they are seen from outside, and the rules about that.

What is called begins once, and tells its end once: a call ends as its run has ended. A run that is
not wanted any more is told so in the commit that says it, and is cancelled unless it has ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ostinato.core import facts as f
from ostinato.core.callers import Caller
from ostinato.core.codec import decode_facts
from ostinato.core.run_ids import partition_of
from ostinato.ports import Batch, Head, Storage
from ostinato.testing.history_checker import ENDS, STEP_ENDS, Violation

Line = tuple[str, str, int]
"""(run that waits, key of its step, attempt)."""


class Lines:
    """``heads`` are as they were stored last."""

    def __init__(self, heads: Mapping[str, Head]) -> None:
        self.heads = heads
        self._child: dict[Line, str] = {}
        self._open: dict[tuple[str, str], Line] = {}
        self._joined: set[Line] = set()
        self._owner: dict[str, Line] = {}
        self._ends: dict[str, list[Any]] = {}  # one that is retried ends again
        self._cancelled: Counter[str] = Counter()
        self._by_hand: set[tuple[str, str]] = set()
        self._unwanted: set[Line] = set()
        self._kept: dict[tuple[str, str, str, int], str] = {}
        self._passed_on: set[tuple[str, str, str, int]] = set()

    def kept(self, batch: Batch) -> Iterator[Violation]:
        """After the heads of this batch have become ``heads``."""
        for mail in batch.mail.values():
            if mail is not None and mail.kind == "hangup":
                self._unwanted.add((mail.caller, mail.key, mail.attempt))
        told = [
            (record.run_id, fact)
            for record in batch.records
            for fact in decode_facts(record.data, record.version)
        ]
        for run_id, fact in told:
            self._learn(run_id, fact)
        for run_id, fact in told:
            yield from self._judge(run_id, fact)
        yield from self._look_at_mail(batch)

    def _learn(self, run_id: str, fact: Any) -> None:
        if isinstance(fact, ENDS):
            self._ends.setdefault(run_id, []).append(fact)
        elif isinstance(fact, f.RunCancelling):
            self._cancelled[run_id] += 1
        elif isinstance(fact, f.RunRepaired) and fact.action == "complete":
            self._by_hand.update((run_id, key) for key in fact.keys)

    def _judge(self, run_id: str, fact: Any) -> Iterator[Violation]:
        match fact:
            case f.JobCalled():
                line = (run_id, fact.key, fact.attempt)
                self._child[line] = fact.run
                self._open[run_id, fact.key] = line
            case f.JobJoined():
                self._joined.add((run_id, fact.key, fact.attempt))
                self._child[run_id, fact.key, fact.attempt] = fact.run
            case f.CallRefused():
                yield from self._refused(run_id, fact)
            case f.RunCalled() if not fact.joined:
                yield from self._began(run_id, fact.caller)
            case f.JobRetried() | f.JobRepeated() | f.JobCaught() | f.JobHeld():
                yield from self._over(run_id, fact)
            case _ if isinstance(fact, STEP_ENDS):
                yield from self._over(run_id, fact)

    def _refused(self, run_id: str, fact: f.CallRefused) -> Iterator[Violation]:
        child = self._child[run_id, fact.key, fact.attempt]
        if child in self.heads:
            yield Violation(run_id, -1, "call.refused", f"{fact.key} was refused, {child} is there")
        self._open.pop((run_id, fact.key), None)

    def _began(self, run_id: str, caller: Caller) -> Iterator[Violation]:
        line = (caller.run, caller.key, caller.attempt)
        if line in self._owner.values():
            yield Violation(run_id, -1, "call.twice", f"{line} has another run already")
        if self._child.get(line) != run_id:
            yield Violation(run_id, -1, "call.unasked", f"{line} has not called it")
        self._owner[run_id] = line

    def _over(self, run_id: str, fact: Any) -> Iterator[Violation]:
        """A call has its end: its run has ended so, or is told that it is not wanted."""
        line = self._open.pop((run_id, fact.key), None)
        if line is None:
            return
        by_hand = isinstance(fact, f.JobSucceeded) and (run_id, fact.key) in self._by_hand
        if (
            by_hand and line in self._joined
        ):  # a person says how it went, and that run is not its own
            return
        child = self._child[line]
        ends = self._ends.get(child, [])
        if not ends and line not in self._unwanted and line not in self._joined:
            yield Violation(run_id, -1, "call.orphan", f"{fact.key} goes on without run {child}")
        patient = isinstance(fact, f.JobCancelled) and self._cancelled[run_id] < 2
        if patient and not ends and line not in self._joined:
            yield Violation(run_id, -1, "call.early", f"{fact.key} ends before run {child}")
        if line not in self._unwanted and not self._fits(line, fact, ends):
            yield Violation(run_id, -1, "call.differs", f"{fact} of run {child}, which says {ends}")

    def _fits(self, line: Line, fact: Any, ends: list[Any]) -> bool:
        if isinstance(fact, f.JobCancelled | f.JobSkipped):
            return bool(ends) or line in self._joined
        if isinstance(fact, f.JobFailed | f.JobCaught) and fact.error.name == "Timeout":
            return bool(ends) or line in self._joined
        return any(_fits(fact, end) for end in ends)

    def _look_at_mail(self, batch: Batch) -> Iterator[Violation]:
        for line, mail in batch.mail.items():
            if mail is not None:
                continue
            kind, run_id, key, attempt = line
            told = self._kept.pop((kind, run_id, key, attempt), None)
            if told is None:
                if self._says(batch, kind, (run_id, key, attempt)):
                    text = f"{kind} of {key} was taken before"
                    yield Violation(run_id, -1, "mail.twice", text)
            elif kind == "hangup" and self._not_called(("call", run_id, key, attempt)):
                yield Violation(told, -1, "mail.order", "it is not wanted before it was called")
            elif kind == "hangup" and told in self.heads and not self._ending(told):
                yield Violation(told, -1, "call.orphan", "it is not wanted, and goes on")
        said = [mail for mail in batch.mail.values() if mail is not None]
        self._kept.update((mail.line, mail.to) for mail in said)
        self._passed_on |= {mail.line for mail in said if mail.place != partition_of(mail.to)}

    def _not_called(self, line: tuple[str, str, str, int]) -> bool:
        """One that was passed on to another process begins under another name, and is told then."""
        return line in self._kept and line not in self._passed_on

    def _says(self, batch: Batch, kind: str, line: Line) -> bool:
        """Whoever is told has something to say to it: what changes nothing may come twice."""
        told = line[0] if kind in ("answer", "joined") else self._child.get(line)
        return any(record.run_id == told for record in batch.records)

    def _ending(self, run_id: str) -> bool:
        return run_id in self._cancelled or run_id in self._ends

    @property
    def unheard(self) -> bool:
        """Somebody has said something that is on its way."""
        return bool(self._kept)

    async def left(self, storage: Storage) -> Iterable[Violation]:
        """At rest everything that was said has been heard, but for what the last to stop said of
        that."""
        return [
            Violation(mail.to, -1, "mail.left", f"{mail.line} was said, and nobody has heard it")
            for mail in await storage.mail()
            if mail.kind != "recount"
        ]


def _fits(fact: Any, end: Any) -> bool:
    """Whether an attempt may end so when its run has ended so."""
    if isinstance(fact, f.JobSucceeded | f.JobRepeated):
        return isinstance(end, f.RunSucceeded) and end.output == fact.output
    match end:
        case f.RunSucceeded():
            return fact.error.name in ("Unexpected", "ExpressionError", "RepeatLimit")
        case f.RunFailed(error):
            return bool(fact.error.name == error.name)
        case _:
            return bool(fact.error.name == "Cancelled")
