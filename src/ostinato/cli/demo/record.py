"""The reckoning: what the store holds in the end, beside what it must hold.

Only the store is asked, opened here after its server has stopped; what the demo itself was told
(``Witness``) says what must be there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ostinato.app import App
from ostinato.cli.demo.burst import WORKFLOW as BURST
from ostinato.cli.demo.orders import ORDERS
from ostinato.cli.demo.story import Witness
from ostinato.config import Settings
from ostinato.ports import EventQuery, Page, RunQuery

Fact = dict[str, Any]
ALL = Page(1_000_000)

_ENDS = frozenset({"job.succeeded", "job.failed", "job.skipped", "job.cancelled"})
_OPENS = frozenset({"job.ready", "job.waiting", "job.retried", "job.started"})


@dataclass(frozen=True, slots=True)
class Record:
    """``events`` as (id, type) with the runs they started; ``runs`` as id → status."""

    events: dict[str, tuple[str, list[str]]]
    runs: dict[str, str]
    workflows: dict[str, str]
    histories: dict[str, list[Fact]]

    def facts(self, kind: str, runs: Iterable[str] | None = None) -> list[Fact]:
        wanted = self.histories if runs is None else runs
        return [fact for run in wanted for fact in self.histories[run] if fact["type"] == kind]

    def of(self, workflow: str) -> list[str]:
        return [run for run, name in self.workflows.items() if name == workflow]


async def read_record(settings: Settings) -> Record:
    app = App(settings)
    await app.open()  # without `begin`: nothing goes on while we look
    try:
        events = await app.events(EventQuery(), ALL)
        heads = await app.runs(RunQuery(), ALL)
        return Record(
            {one.event.id: (one.event.type, _runs(one.answer)) for one in events},
            {head.run_id: head.status for head in heads},
            {head.run_id: head.workflow for head in heads},
            {head.run_id: await app.history(head.run_id) for head in heads},
        )
    finally:
        await app.close(drain=0)


def _runs(answer: bytes) -> list[str]:
    import msgspec

    runs: list[str] = msgspec.json.decode(answer).get("runs", []) if answer else []
    return runs


# what must hold


@dataclass(frozen=True, slots=True)
class Line:
    """``wanted`` None: nothing is demanded, it is only told."""

    what: str
    found: int | str
    wanted: int | str | None = None

    @property
    def holds(self) -> bool:
        return self.wanted is None or self.found == self.wanted


def reckoning(record: Record, witness: Witness) -> list[Line]:
    tenants = record.of("tenant-provisioning")
    failing = sum(order.fails for order in ORDERS)
    statuses = Counter(record.runs[run] for run in tenants)
    return [
        Line("orders accepted, one of them twice", _accepted(record, witness), len(ORDERS)),
        Line("runs of them", len(tenants), len(ORDERS)),
        Line("succeeded", statuses["succeeded"], len(ORDERS) - failing),
        Line("failed, then on_failure", _sorry(record, tenants), failing),
        Line("announced by an event", _announced(record), len(ORDERS)),
        Line("phase skipped, with its condition", _skipped(record, tenants), 1),
        Line("attempt failed and tried again", _tried_again(record, tenants), 1),
        Line("jobs taken up again after SIGKILL", _taken_up(record), witness.taken_up or "some"),
        Line("steps recorded", f"{len(_endings(record)):,}"),
        Line("recorded twice", _twice(record), 0),
        Line("lost", _lost(record, witness), 0),
        Line("steps/s in the burst", _speed(record)),
    ]


def _accepted(record: Record, witness: Witness) -> int:
    """Accepted, stored, with exactly the run that its sender was told."""
    kept = [record.events[id][1] == runs for id, runs in witness.accepted.items()
            if id in record.events]  # fmt: skip
    return sum(kept) if witness.duplicate else 0


def _sorry(record: Record, tenants: list[str]) -> int:
    failed = [run for run in tenants if record.runs[run] == "failed"]
    done = record.facts("job.succeeded", failed)
    return sum(fact["key"].startswith("on_failure/") for fact in done)


def _announced(record: Record) -> int:
    types = ("TENANT_PROVISIONING_SUCCESS", "TENANT_PROVISIONING_FAILURE")
    return sum(type in types for type, _ in record.events.values())


def _skipped(record: Record, tenants: list[str]) -> int:
    return sum("tier" in fact["why"] for fact in record.facts("phase.skipped", tenants)
               if "[" not in fact["key"])  # fmt: skip


def _tried_again(record: Record, tenants: list[str]) -> int:
    return sum(fact["key"] == "prepare/quota" for fact in record.facts("job.retried", tenants))


def _taken_up(record: Record) -> int:
    return len(record.facts("job.abandoned"))


def _endings(record: Record) -> list[tuple[str, str]]:
    return [(run, fact["key"]) for run, facts in record.histories.items() for fact in facts
            if fact["type"] in _ENDS]  # fmt: skip


def _twice(record: Record) -> int:
    """Steps that ended more than once, and events that started more than one run."""
    steps = Counter(_endings(record))
    started = Counter(run for _, runs in record.events.values() for run in runs)
    return sum(n - 1 for n in (*steps.values(), *started.values()))


def _lost(record: Record, witness: Witness) -> int:
    """Events without their run, facts once shown, steps without an end, runs without an end."""
    return sum(1 for _ in _missing(record, witness))


def _missing(record: Record, witness: Witness) -> Iterator[str]:
    yield from {*witness.accepted, *witness.burst} - record.events.keys()
    for id, (_, runs) in record.events.items():
        yield from (f"{id}: {run}" for run in runs if run not in record.runs)
    for run, status in record.runs.items():
        if status not in ("succeeded", "failed"):
            yield run
        yield from _open(record.histories[run])
    for run, seen in witness.seen.items():
        held = {(fact["seq"], fact["type"]) for fact in record.histories.get(run, ())}
        yield from (f"{run} {seq}" for seq, _ in seen - held)


def _open(facts: list[Fact]) -> set[str]:
    opened = {fact["key"] for fact in facts if fact["type"] in _OPENS}
    return opened - {fact["key"] for fact in facts if fact["type"] in _ENDS}


def _speed(record: Record) -> str:
    """From the first record of the burst to the last, by the store's own times."""
    facts = record.facts("job.succeeded", record.of(BURST))
    if not facts:
        return "none"
    at = [fact["at"] for fact in facts]
    return f"{len(at) * 1000 / max(1, max(at) - min(at)):,.0f}"
