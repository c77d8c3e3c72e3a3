"""What is seen from outside: what was begun, kept, sent and told, and the rules about that.

A rule is looked at in the moment when it could be broken; ``broken`` are the violations so far.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from ostinato.core import facts as f
from ostinato.core.cloudevents import Event
from ostinato.core.codec import decode_facts
from ostinato.core.forks import AGAIN
from ostinato.core.routes import OWN
from ostinato.core.views import fact_type
from ostinato.ports import Batch, Head
from ostinato.testing.generate.vocabulary import BUS
from ostinato.testing.history_checker import STEP_ENDS, Journal, Pair, Violation
from ostinato.testing.simulation.attic import Attic
from ostinato.testing.simulation.bulk import BulkRepairs
from ostinato.testing.simulation.claims import Claims
from ostinato.testing.simulation.clock import WallClock
from ostinato.testing.simulation.clockwork import Clockwork
from ostinato.testing.simulation.documents import DOOMED
from ostinato.testing.simulation.handlers import NO_LUCK
from ostinato.testing.simulation.letters import Letters
from ostinato.testing.simulation.lines import Lines
from ostinato.testing.simulation.namesakes import Namesakes
from ostinato.testing.simulation.places import Places
from ostinato.testing.simulation.process import Process
from ostinato.testing.simulation.repetitions import WINDOWS
from ostinato.testing.simulation.rows import Moment, Rows

Attempt = tuple[str, str, int]

DID = b'"did:'
"""How the results of simulated handlers begin."""

DEAF = 1.5
"""Virtual seconds in which a handler hears that it should stop, while its store is well."""

MOST_READS = 3
"""How often one process may read the history of one run, while its store is well."""

LEASE = 3.0
"""Seconds, the longest there is. Where the store's clock is set forward, a lease is over before its
holder knows: what that one begins meanwhile is begun twice, and recorded once.
"""


class Ledger:
    """``by_order``: the store knows the order of commits, as they are told here."""

    def __init__(self, clock: WallClock, *, by_order: bool = False) -> None:
        self.clock = clock
        self.broken: list[Violation] = []
        self.journal = Journal()
        self.clockwork = Clockwork(clock)
        self.ready: set[Attempt] = set()
        self.started: set[Attempt] = set()
        self.abandoned: set[Attempt] = set()
        self._offered: set[Attempt] = set()
        self._newest: dict[str, tuple[int, int]] = {}
        self.begun: dict[Attempt, str] = {}
        self.begun_by: dict[Attempt, Process] = {}
        self.in_order: set[int] = set()
        self.handed_over: set[Attempt] = set()
        self.over: set[tuple[str, str]] = set()
        self._untold: dict[int, set[tuple[str, str]]] = {}
        self._writer = -1
        self.rows = Rows(by_order=by_order)
        self._starts: dict[str, Moment] = {}
        self._forked: dict[str, str] = {}
        self._given: set[tuple[str, str]] = set()
        self._awaited: set[tuple[str, str]] = set()
        self._cancelling: dict[tuple[str, str], float] = {}
        self._ready_in: dict[tuple[str, str], int] = {}
        self.returned: dict[Attempt, bytes] = {}
        self.outgoing: dict[tuple[str, str], Event] = {}  # by id and bus
        self.stored = 0
        self.taken_away: set[int] = set()
        self.delivered: dict[tuple[str, str], int] = {}
        self.replies: dict[str, bytes] = {}
        self.answers: dict[str, tuple[str, str, str]] = {}
        self.refused_answers: set[tuple[str, str, str]] = set()
        self.heads: dict[str, Head] = {}
        self.held: dict[str, str] = {}
        self.attic = Attic(clock, self.heads, self.journal)
        self.lines = Lines(self.heads)
        self.places = Places()
        self.letters = Letters(self.attic, self.journal)
        self.namesakes = Namesakes(self.heads, WINDOWS)
        self.bulk = BulkRepairs()
        self.claims = Claims()
        self.facts: Counter[str] = Counter()
        self.commits = 0
        self._reads: Counter[tuple[int, int, str]] = Counter()

    def breaks(self, rule: str, message: str, run_id: str = "", seq: int = -1) -> None:
        self.broken.append(Violation(run_id, seq, rule, message))

    # what the store keeps

    def kept(self, batch: Batch, process: Process, owns: Callable[[str], bool]) -> None:
        for run_id in _written(batch):
            if not owns(run_id):
                text = f"process {process.number} wrote of it, and another has it"
                self.breaks("zombie.recorded", text, run_id)
        self.commits += 1
        self._writer = process.number
        for version in batch.versions:
            self._newest[version.workflow] = version.version, process.number
        brought = {(stored.event.source, stored.event.id) for stored in batch.events}
        self.broken += self.clockwork.kept(batch)
        self.rows.keep(batch)
        for head in (*batch.new_heads, *batch.heads.values()):
            told = sum(record.run_id == head.run_id for record in batch.records)
            self._show(head, told)
        self.broken += self.lines.kept(batch)
        self.broken += self.places.kept(batch)
        self.broken += self.letters.kept(batch)
        self.broken += self.namesakes.kept(batch)
        self.bulk.kept(batch)
        self.broken += self.claims.kept(batch)
        self.broken += self.attic.kept(batch)
        self.taken_away.update(batch.sent)
        self.stored += len(batch.outgoing)
        for outgoing in batch.outgoing:
            self.outgoing.setdefault((outgoing.event.id, outgoing.bus), outgoing.event)
        for record in batch.records:
            if record.at > self.clock.latest:
                ahead = record.at - self.clock.latest
                self.breaks("time.ahead", f"{ahead} ms later than any clock", record.run_id)
            for fact in decode_facts(record.data, record.version):
                self.facts[fact_type(fact)] += 1
                if isinstance(fact, f.RunStarted):
                    began = self.rows.beginning(record.run_id, record.at, _trigger(fact))
                    self._starts[record.run_id] = began
                    self._forked[record.run_id] = fact.forked_from
                    self._give(record.run_id, fact)
                    newest, by = self._newest.get(fact.workflow, (0, -1))
                    outdated = fact.version < newest and by != process.number
                    if outdated and _trigger(fact) in brought:
                        text = f"{fact.workflow} {fact.version}, process {by} has deployed {newest}"
                        self.breaks("event.outdated", text, record.run_id)
                self._note(record.run_id, fact)
                self.broken += self.namesakes.note(record.run_id, fact, record.at)
                self.broken += self.bulk.note(record.run_id, fact)

    def answered(self, process: Process) -> None:
        """A process knows that what it wrote is kept: all of it, since it writes in turn."""
        self._untold.pop(process.number, None)

    def _show(self, head: Head, told: int) -> None:
        """A head is written only when what it shows changes; it may change twice in one commit."""
        before = self.heads.get(head.run_id)
        if before is not None and told < 2 and _shown(before) == _shown(head):
            self.breaks("cost.head", f"it shows {_shown(head)} already", head.run_id)
        self.heads[head.run_id] = head

    def _give(self, run_id: str, fact: f.RunStarted) -> None:
        """A fork has what the run before it had done: that is not begun in it."""
        given = f.given(fact.given)
        self._given.update((run_id, key) for key in msgspec.json.decode(given or b"{}"))

    def _note(self, run_id: str, fact: Any) -> None:
        if isinstance(fact, f.JobReady):
            self.ready.add((run_id, fact.key, fact.attempt))
            self._ready_in[run_id, fact.key] = self.commits
            if isinstance(fact, f.JobOffered):
                self._offered.add((run_id, fact.key, fact.attempt))
        elif isinstance(fact, f.JobStarted):
            self.started.add((run_id, fact.key, fact.attempt))
        elif isinstance(fact, f.JobReturned):
            self.handed_over.add((run_id, fact.key, fact.attempt))
        elif isinstance(fact, f.JobAbandoned):
            if (run_id, fact.key, fact.attempt) not in self._offered:  # else a worker has died
                self._look_at_death((run_id, fact.key, fact.attempt))
        elif isinstance(fact, f.JobWaiting) and fact.kind == "event":
            self._awaited.add((run_id, fact.key))
        elif isinstance(fact, f.JobHeld):
            self.held[run_id] = fact.error.name
        elif isinstance(fact, f.JobCancelling):
            self._look_at_cancel((run_id, fact.key))
        elif isinstance(fact, f.JobRetried | f.JobFailed):
            self._look_at_error(run_id, fact)
        elif isinstance(fact, f.JobSucceeded):
            self._look_at_output(run_id, fact)
        if isinstance(fact, STEP_ENDS):
            self._end((run_id, fact.key))

    def _look_at_death(self, one: Attempt) -> None:
        """A process that stops in order hands over what it has in hand: that is no death. Nor is
        there one where a process is well: it keeps the partitions in which jobs are at work."""
        self.abandoned.add(one)
        if self.heads[one[0]].workflow in DOOMED:
            return  # what was refused is not at work any more
        process = self.begun_by.get(one)
        if process is None:
            return
        if process.number in self.in_order and one not in self.handed_over:
            self.breaks("stopped.abandoned", f"{one[1]}, attempt {one[2]}", one[0])
        if process.is_well and not self.clock.was_set_forward(LEASE):
            text = f"{one[1]}, attempt {one[2]}, is at work in process {process.number}"
            self.breaks("given.abandoned", text, one[0])

    def _look_at_cancel(self, one: tuple[str, str]) -> None:
        """What is ready and cancelled in one commit has nobody to hear of it: it never begins."""
        self._cancelling[one] = _virtual()
        if self._ready_in.get(one) == self.commits:
            self._end(one)

    def _end(self, one: tuple[str, str]) -> None:
        self.over.add(one)
        self._untold.setdefault(self._writer, set()).add(one)

    def _look_at_error(self, run_id: str, fact: f.JobRetried | f.JobFailed) -> None:
        """What a handler raised counts for its own attempt, as what it returned."""
        said = fact.error.message
        below = said.endswith(")")  # it says from which run it comes
        if said.startswith(NO_LUCK) and not below and said != f"{NO_LUCK}{fact.attempt}":
            self.breaks("error.foreign", f"{fact.key}, attempt {fact.attempt}: {said}", run_id)

    def _look_at_output(self, run_id: str, fact: f.JobSucceeded) -> None:
        """What a handler returned counts for the attempt that returned it; what is emitted is
        stored with the fact that says so."""
        kept = bytes(fact.output)
        if kept.startswith(DID) and kept not in (said := self._said(run_id, fact)):
            self.breaks("output.foreign", f"{fact.key} returned {said!r}, kept {kept!r}", run_id)
        event = msgspec.json.decode(kept) if (run_id, fact.key) in self._awaited else None
        if isinstance(event, dict) and "source" in event:  # else its catch stands in, or a person
            pair = (event["source"], event["id"])
            if self.rows.began_after(self._starts[run_id], pair):
                self.breaks("event.before", f"{fact.key} had {pair}", run_id)
        emitted = f"{run_id}:{fact.key}"
        stored = any((emitted, bus) in self.outgoing for bus in (OWN, BUS))
        if kept == b'{"id":"%s"}' % emitted.encode() and not stored:
            self.breaks("emit.unstored", f"{fact.key} is done, its event is not stored", run_id)

    def _said(self, run_id: str, fact: f.JobSucceeded) -> set[bytes]:
        """What this attempt returned; what a fork was given is that of the run before it."""
        source = self._forked[run_id]
        if (run_id, fact.key, fact.attempt) in self.begun or not source:
            return {self.returned.get((run_id, fact.key, fact.attempt), b"")}
        given = {
            said
            for one, said in self.returned.items()
            if one[0] == source and AGAIN.sub("", one[1]) == fact.key
        }
        return given | (self._said(source, fact) if self._forked[source] else set())

    def read(self, process: Process, run_id: str) -> None:
        """A step costs no look at what was before: a run that is open is loaded once."""
        if process.store_failed or process.blind:  # what cannot be read is loaded by each attempt
            return
        head = self.heads.get(run_id)
        if head is not None and head.ended_at is not None:  # who asks for it then has it loaded
            return
        place = (process.number, process.taken, run_id)
        self._reads[place] += 1
        if self._reads[place] == MOST_READS + 1:
            self.breaks("cost.reread", f"process {process.number} loads it again", run_id)

    # what handlers and the bus see

    def begins(self, one: Attempt, idempotency_key: str, process: Process, *, owns: bool) -> None:
        run_id, key, attempt = one
        self.begun_by[one] = process
        if not owns and not self.clock.was_set_forward(LEASE):
            text = f"{key}, attempt {attempt}, in process {process.number}: another has the run"
            self.breaks("begun.by_another", text, run_id)
        if one not in self.ready and one not in self.started:
            self.breaks("begun.unrecorded", f"{key}, attempt {attempt}, is not stored", run_id)
        if (run_id, key, attempt - 1) in self.abandoned and one not in self.started:
            text = f"{key}, attempt {attempt}, follows one that was abandoned"
            self.breaks("begun.without_start", text, run_id)
        # What ends a step is kept before its process hears so: until then a slot may come free for
        # it, and it begins as it would have begun a moment earlier.
        untold = (run_id, key) in self._untold.get(process.number, ())
        if (run_id, key) in self.over and not untold and owns:
            self.breaks("begun.after_end", f"{key}, attempt {attempt}, is over", run_id)
        if (run_id, key) in self._given:
            self.breaks("fork.again", f"{key} was done before, in {self._forked[run_id]}", run_id)
        if one in self.begun:
            self.breaks("begun.twice", f"{key}, attempt {attempt}", run_id)
        self.begun[one] = idempotency_key
        if idempotency_key != f"{run_id}:{key}":
            self.breaks("key.changes", f"{key} has key {idempotency_key}", run_id)

    def ends(self, one: Attempt, process: Process) -> None:
        """A handler that hears of its cancellation never comes here after it.

        In a process that was taken for dead nobody tells it.
        """
        since = self._cancelling.get(one[:2])
        deaf = process.store_failed or process.was_paused
        if since is not None and not deaf and _virtual() - since > DEAF:
            self.breaks("cancel.unheard", f"{one[1]}, attempt {one[2]}, went on", one[0])

    def sent(self, event: Event, bus: str) -> None:
        kept = self.outgoing.get((event.id, bus))
        if kept is None:
            self.breaks("sent.unrecorded", f"{event.type} {event.id} was not stored for {bus!r}")
        elif (kept.type, bytes(kept.data)) != (event.type, bytes(event.data)):
            self.breaks("sent.differs", f"{event.id} is not what was stored")
        self.delivered[event.id, bus] = self.delivered.get((event.id, bus), 0) + 1

    # what clients are told

    def told_run(self, name: str, run_id: str) -> None:
        """The same request is answered with the same run, always."""
        self.journal.starts.add(run_id)
        if self.attic.expired("runs", name):
            return
        before = self.replies.setdefault(name, run_id.encode())
        if before != run_id.encode():
            self.breaks("answer.differs", f"{name} was answered {before.decode()}", run_id)

    def told_answer(self, run_id: str, task_id: str, by: str, outcome: str) -> bool:
        """Of all answers to a task one counts; whether this is the first time it is heard of."""
        new, now = task_id not in self.answers, (run_id, by, outcome)
        if (before := self.answers.setdefault(task_id, now)) != now:
            self.breaks("task.twice", f"{task_id}: {before[1:]}, and {by} {outcome}", run_id)
        return new

    def told_event(self, source: str, event_id: str, runs: Iterable[str]) -> None:
        if (source, event_id) in self.journal.forgotten:
            return
        now = tuple(runs)
        before = self.journal.events.setdefault((source, event_id), now)
        if before != now:
            self.breaks("answer.differs", f"event {event_id} was answered {before}, then {now}")


def _virtual() -> float:
    """Seconds; the clock that processes see can be set."""
    return asyncio.get_running_loop().time()


def _trigger(fact: f.RunStarted) -> Pair | None:
    event = msgspec.json.decode(fact.event) if fact.event else {}
    return (event["source"], event["id"]) if event else None


def _shown(head: Head) -> tuple[Any, ...]:
    return (
        head.status, head.doing, head.waiting_for, head.busy, head.error_name, head.error_message,
        head.ended_at,
    )  # fmt: skip


def _written(batch: Batch) -> set[str]:
    """The runs of which it says something."""
    timers = {run_id for run_id, _, _ in batch.timers}
    return {record.run_id for record in batch.records} | set(batch.heads) | timers
