"""Rows to write: short to name, all members filled."""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from ostinato.core.cloudevents import Event
from ostinato.core.commands import Want
from ostinato.core.schedules import Schedule
from ostinato.ports import (
    Claim,
    DeadLetter,
    Head,
    JobRow,
    Mail,
    Outgoing,
    Place,
    Record,
    Reply,
    StoredEvent,
    TaskEnd,
    TaskRow,
    Timer,
    Turn,
    Version,
    Wait,
)

NOW = 1_700_000_000_000


def record(run_id: str = "r1", seq: int = 0, data: bytes = b"[]") -> Record:
    return Record(run_id, seq, NOW + seq, 1, data)


def head(run_id: str = "r1", **members: Any) -> Head:
    given: dict[str, Any] = {
        "workflow": "order",
        "version": 1,
        "status": "running",
        "started_at": NOW,
    } | members
    return Head(run_id, **given)


def ended(run_id: str = "r1", status: str = "succeeded", **members: Any) -> Head:
    return head(run_id, **{"status": status, "ended_at": NOW + 9} | members)


def turn(run_id: str = "r1", key: str = "p/j", priority: int = 5) -> Turn:
    return Turn(run_id, key, priority, (Want("a", 1), Want("b", 3, "reject", 1_000)))


def place(name: str = "a", n: int = 0, run_id: str = "r1", key: str = "p/j") -> Place:
    return Place(name, n, run_id, key)


def mail(
    kind: str = "call", caller: str = "r1", key: str = "p/j", attempt: int = 1, body: bytes = b"{}"
) -> Mail:
    return Mail(kind, "r9", caller, key, attempt, body)


def job(id: str = "j1", ready_at: int = NOW, topic: str = "a", **members: Any) -> JobRow:
    given: dict[str, Any] = {
        "run_id": "r1",
        "key": f"p/{id}",
        "attempt": 1,
        "topic": topic,
        "workflow": "order",
        "priority": 5,
        "ready_at": ready_at,
        "brief": b'{"input":{"n":1}}',
    }
    return JobRow(id, **given | members)


def claim(topics: dict[str, int] | None = None, most: int = 9, **members: Any) -> Claim:
    given: dict[str, Any] = {"worker": "w1", "token": "t1", "lease": 100, "now": NOW}
    return Claim({"a": 9} if topics is None else topics, most=most, **given | members)


def timer(run_id: str = "r1", key: str = "a", kind: str = "retry", due_at: int = NOW) -> Timer:
    return Timer(run_id, key, kind, due_at)


def schedule(id: str = "order/on/0", due_at: int | None = NOW, **members: Any) -> Schedule:
    given = {"workflow": "order", "says": "every 1h", "next_for": due_at, "planned_at": NOW - 9}
    return Schedule(id, due_at=due_at, **given | members)


def wait(run_id: str = "r1", key: str = "paid", since: int | None = NOW, **members: Any) -> Wait:
    return Wait(run_id, key, **{"type": "PAID", "values_key": "k1", "since": since} | members)


def event(id: str = "e1", **members: Any) -> Event:
    given: dict[str, Any] = {
        "source": "shop",
        "type": "PAID",
        "time": NOW - 5,
        "subject": None,
        "data": Raw(b'{"order": 1}'),
    }
    return Event(id=id, **given | members)


def accepted(
    id: str = "e1", at: int = NOW, keys: tuple[str, ...] = ("k1",), **members: Any
) -> StoredEvent:
    return StoredEvent(event(id, **members), at, b'{"runs": []}', keys)


def outgoing(id: str = "o1", run_id: str = "r1") -> Outgoing:
    return Outgoing(event(id, type="run.ended"), run_id)


def reply(key: str = "key", at: int = NOW, digest: str = "d1", ttl: int = 100) -> Reply:
    return Reply("POST /runs", key, digest, b'{"id": "r1"}', at, at + ttl)


def version(number: int = 1, workflow: str = "order", digest: str = "") -> Version:
    return Version(workflow, number, digest or f"d{number}", b"name: order", NOW, f"id-{workflow}")


def letter(id: str = "l1", at: int = NOW, **members: Any) -> DeadLetter:
    given: dict[str, Any] = {"kind": "trigger", "target": "order/on/0", "event": event()} | members
    kind, target = given.pop("kind"), given.pop("target")
    return DeadLetter(id, at, kind, target, "shop", "e1", b'[{"message": "no"}]', **given)


def task(id: str = "t1", at: int = NOW, **members: Any) -> TaskRow:
    given: dict[str, Any] = {
        "assignee": "ann", "due_at": NOW + 50, "workflow": "order", "run_id": "r1",
        "asked": b'{"name":"Sign off"}',
    }  # fmt: skip
    return TaskRow(
        id=id, key="p/j", attempt=1, name="Sign off", opened_at=at, **given | members
    )  # fmt: skip


def task_end(id: str = "t1", run_id: str = "r1", **members: Any) -> TaskEnd:
    given: dict[str, Any] = {"status": "completed", "by": "ann", "outcome": "yes", "answer": b"{}"}
    return TaskEnd(id, run_id, ended_at=NOW + 60, **given | members)
