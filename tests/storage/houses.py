"""Stores to move: filled with every kind of row, and asked for all that they hold."""

from contextlib import asynccontextmanager

from msgspec import Raw

from ostinato.ports import (
    Batch,
    EventQuery,
    JobQuery,
    LetterQuery,
    Page,
    Removal,
    RunQuery,
    Settled,
    TaskQuery,
)
from ostinato.storage.postgres import PostgresStorage
from ostinato.storage.sqlite import SqliteStorage
from ostinato.testing.storage_contract.operations import operation
from ostinato.testing.storage_contract.samples import (
    NOW,
    accepted,
    claim,
    ended,
    event,
    head,
    job,
    letter,
    mail,
    outgoing,
    place,
    record,
    reply,
    schedule,
    task,
    task_end,
    turn,
    version,
    wait,
)

LARGE = b'{"a":"%s","b":"%s"}' % (b"x" * 70, b"y" * 70)
PEOPLE = b'{"candidates":["ann","bob"],"form":"%s"}' % (b"f" * 70)


@asynccontextmanager
async def opened(storage):
    await storage.open()
    try:
        if storage.members is not None:
            await storage.members.renew(9_000, "here")
            assert (await storage.members.take(64)).partitions
        yield storage
    finally:
        if storage.members is not None:
            await storage.members.leave()
        await storage.close()


async def commit(storage, **members):
    await storage.commit(Batch(epoch=await storage.join(), inline=60, **members))


async def fill(storage):
    """Every table has rows, large values and holes included; some rows have gone again."""
    heads = [
        head("r1", uid="ü1"),
        head("r2", busy=True, error_message="no\tway"),
        ended("r3"),
    ]
    await commit(storage, new_heads=heads)
    await commit(storage, events=[accepted("early"), accepted("odd", keys=("k1", "k2"))])
    await commit(
        storage,
        events=[accepted("e1", data=Raw(LARGE)), accepted("plain", keys=())],
        replies=[reply("small"), reply('a/b"c')],
        records=[record(f"r{n}", seq) for n in (1, 2, 3) for seq in (0, 2)]
        + [record("r1", 4, b'[["job.ready",{"a":%b}]]' % LARGE)],
        waits=[wait("r1", since=None), wait("r2", "p/é", since=NOW), wait("r3", since=None)],
        timers={("r1", "a", "retry"): NOW, ("r2", "b", "timeout"): NOW + 5},
        outgoing=[outgoing("o1"), outgoing("o2", "r2")],
        versions=[version(), version(2), version(1, "other")],
        dead_letters=[letter(event=event("e1", data=Raw(LARGE))), letter("l2", event=None)],
        schedules=[schedule(), schedule("s2", None, paused_at=NOW, paused_why="lunch")],
        tasks=[task(), task("t2", asked=PEOPLE), task("t3", run_id="r2")],
        turns={("r1", "p/j"): turn(), ("r2", "p/j"): turn("r2", priority=9)},
        places=[place(), place(n=1, run_id="r2")],
        buckets={"b1": NOW, "b2": NOW + 1},
        mail={one.line: one for one in (mail(), mail("answer", "r2"), mail(key="p/k"))},
        operations=[operation("op1"), operation("op2")],
        matched=[("op1", "r1"), ("op1", "r2"), ("op1", "r3")],
        settled=[Settled("op1", "r1", "done", "")],
        jobs=[job(), job("j2", NOW + 1), job("j3", topic="b", brief=LARGE)],
    )
    await commit(storage, events=[accepted("late"), accepted("none", keys=("k9",))])
    await commit(
        storage,
        tasks=[task_end(answer=LARGE)],
        retired=[("order", 1)],
        sent=[(await storage.outbox(1))[0].number],
        removal=Removal(runs=["r3"]),
    )
    [claimed] = await storage.claim_jobs(claim(most=1, lease=9_000))
    assert claimed.worker == "w1"


async def answers(storage):
    """All that can be asked, but numbers that a store gives by itself."""
    all_ = Page(100)
    return {
        "histories": [await storage.history(f"r{n}") for n in (1, 2, 3)],
        "runs": await storage.runs(RunQuery(), all_),
        "busy": await storage.busy_runs(),
        "open": await storage.open_runs([("order", "ü1")]),
        "timers": await storage.due_timers(NOW + 99, 9),
        "schedules": await storage.schedules(),
        "waits": await storage.find_waits("PAID", ["k1"], None),
        "early": await storage.early_events("PAID", "k1", 0, "r1"),
        "missed": await storage.missed(),
        "events": await storage.events(EventQuery(), all_),
        "replies": [await storage.reply("POST /runs", key, NOW) for key in ("small", 'a/b"c')],
        "outbox": await storage.outbox(9),
        "versions": await storage.versions(),
        "places": await storage.places(),
        "turns": await storage.turns(),
        "buckets": await storage.buckets(),
        "mail": await storage.mail(),
        "jobs": await storage.jobs(JobQuery(), all_),
        "leases": await storage.due_leases(NOW + 10_000, 9),
        "letters": await storage.dead_letters(LetterQuery(), all_),
        "tasks": await storage.tasks(TaskQuery(), all_),
        "for bob": await storage.tasks(TaskQuery(candidate="bob"), all_),
        "operations": [await storage.operation(one) for one in ("op1", "op2")],
        "tally": await storage.operation_tally("op1"),
        "left": await storage.operation_runs("op1", "", 9),
        "unswept": await storage.unswept(),
    }


def storage_of(url):
    path = url.removeprefix("sqlite:///")
    return PostgresStorage(url) if path == url else SqliteStorage(path)


async def filled(url):
    async with opened(storage_of(url)) as storage:
        await fill(storage)
        found = await answers(storage)
    assert all(found.values()), [name for name, rows in found.items() if not rows]
    return found


PAIRS = [
    ("sqlite", "postgres"),
    ("postgres", "sqlite"),
    ("postgres", "postgres"),
    ("sqlite", "sqlite"),
]
