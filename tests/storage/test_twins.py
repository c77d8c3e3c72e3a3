"""Whatever is written, the memory store and the SQLite store say the same."""

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw, structs

from ostinato.errors import OstinatoError, Refused
from ostinato.ports import (
    Batch,
    EventQuery,
    JobEnd,
    JobFree,
    JobQuery,
    JobStop,
    LetterQuery,
    Outgoing,
    Page,
    Removal,
    RunQuery,
    Settled,
    TaskQuery,
)
from ostinato.storage.memory import MemoryStorage
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

RUNS = ["r1", "r2", "r3"]
BEGUN = Batch(new_heads=[head("r1", uid="u"), head("r2", uid="v"), head("r3")])
run = st.sampled_from(RUNS)
new_run = st.integers(10, 30).map(lambda number: f"r{number}")
uid = st.sampled_from([None, "u", "v"])
at = st.integers(NOW, NOW + 3)
key = st.sampled_from(["k1", "k2"])
value = st.sampled_from([b"1", b'"aaaaaaaaaaaaaaaaaaaaaaaaa"', b'{"b": "ccccccccccccccccccccc"}'])
"""With ``inline`` 9, two of them are large."""


job_name = st.sampled_from(["j1", "j2", "j3"])
job_token = st.sampled_from(["t1", "t2", "t3", "t4"])


def few(strategy):
    return st.lists(strategy, max_size=2)


statuses = st.sampled_from(["preview", "running", "ended"])
heads = st.one_of(
    st.builds(
        lambda name, uid: head(name, uid=uid, status="pending", waiting_for="uid"), new_run, uid
    ),
    st.builds(lambda name, uid, busy: head(name, uid=uid, busy=busy), new_run, uid, st.booleans()),
    st.builds(lambda name, uid: ended(name, "failed", uid=uid), new_run, uid),
)
owner = st.tuples(run, st.sampled_from(["a", "b"]))
batches = st.builds(
    Batch,
    inline=st.just(9),
    events=few(
        st.builds(
            lambda id, at, keys, data: accepted(id, at, tuple(keys), data=Raw(data)),
            st.integers(1, 30).map("e{}".format),
            at,
            few(key),
            value,
        )
    ),
    replies=few(
        st.builds(
            lambda name, at, answer: replace(reply(name, at), answer=answer),
            st.sampled_from("abcdef"),
            st.integers(NOW, NOW + 200),
            value,
        )
    ),
    records=few(
        st.builds(
            lambda name, seq, data: record(name, seq, b'[["job.ready",{"a":%b}]]' % data),
            run,
            st.integers(0, 50),
            value,
        )
    ),
    new_heads=few(heads),
    heads=st.dictionaries(
        st.one_of(run, run, run, new_run), st.sampled_from([head(), ended()]), max_size=2
    ).map(lambda moved: {name: structs.replace(one, run_id=name) for name, one in moved.items()}),
    waits=few(
        st.builds(
            lambda name, step, since, key: wait(name, step, since, values_key=key),
            run,
            st.sampled_from(["a", "b"]),
            st.none() | at,
            key,
        )
    ),
    closed_waits=few(st.tuples(run, st.sampled_from(["a", "b"]))),
    timers=st.dictionaries(st.tuples(run, key, key), st.none() | at, max_size=3),
    outgoing=few(
        st.builds(lambda name, data: Outgoing(event("o", data=Raw(data)), name), run, value)
    ),
    sent=few(st.integers(1, 6)),
    versions=few(
        st.builds(version, st.integers(1, 2), key, st.sampled_from(["d1", "d1", "d1", "d2"]))
    ),
    retired=few(st.tuples(key, st.integers(1, 2))),
    freed=few(owner),
    mail=st.dictionaries(key, st.booleans(), max_size=2).map(
        lambda said: {
            one.line: one if says else None
            for one, says in ((mail(key=key), says) for key, says in said.items())
        }
    ),
    turns=st.dictionaries(owner, st.just(0), max_size=2).map(
        lambda owners: {one: turn(*one) for one in owners}
    ),
    served=few(owner),
    places=few(st.builds(lambda name, n, own: place(name, n, *own), key, st.integers(0, 1), owner)),
    dead_letters=few(
        st.builds(
            lambda id, at, data: letter(id, at, event=event(data=Raw(data))),
            st.integers(1, 30).map("l{}".format),
            at,
            value,
        )
    ),
    dropped_schedules=few(key),
    schedules=few(st.builds(schedule, key, st.none() | at)),
    redriven=st.lists(
        st.builds(
            lambda id, at, by: letter(id, redriven_at=at, redriven_by=by),
            st.integers(1, 30).map("l{}".format),
            st.none() | at,
            key,
        ),
        max_size=1,
    ),
    operations=few(st.builds(operation, key, statuses, expires_at=at, ended_at=at)),
    matched=few(st.tuples(key, run)),
    settled=few(st.builds(Settled, key, run, st.just("done"))),
    tasks=few(
        st.one_of(
            st.builds(
                lambda id, at, run, due: task(id, at, run_id=run, due_at=due),
                key,
                at,
                run,
                st.none() | at,
            ),
            st.builds(lambda id, by: task_end(id, by=by), key, key),
        )
    ),
    jobs=st.just([])
    | st.lists(
        st.one_of(
            st.builds(
                lambda id, at, topic, run, timeout: job(id, at, topic, run_id=run, timeout=timeout),
                job_name,
                at,
                key,
                run,
                st.none() | st.just(3),
            ),
            st.builds(JobEnd, job_name, st.none() | job_token),
            st.builds(JobFree, job_name, job_token, st.integers(1, 2)),
            st.builds(JobStop, job_name, st.booleans()),
        ),
        max_size=3,
    ),
    removal=st.none()
    | st.builds(
        Removal,
        at=st.just(NOW + 150),
        rows=st.integers(0, 9),
        runs=few(st.one_of(run, new_run)),
        events=few(st.integers(1, 30).map(lambda number: ("shop", f"e{number}"))),
        dead_letters=few(st.integers(1, 30).map("l{}".format)),
        operations=few(key),
        replies=few(st.sampled_from("abcdef").map(lambda name: ("POST /runs", name))),
    ),
)


@settings(max_examples=100)
@given(st.lists(batches, min_size=1, max_size=8))
def test_the_stores_are_twins(given_batches):
    async def write(storage):
        await storage.open()
        told = []
        for number, batch in enumerate([BEGUN, *given_batches]):
            told.append(await outcome(storage, batch))
            if batch.jobs:  # each of these is a commit of its own
                asked = claim({"k1": 1, "k2": 2}, number % 4, token=f"t{number}", lease=number)
                told.append(await storage.claim_jobs(asked))
                told.append(await storage.extend_job("j1", f"t{number}", 9, NOW + number))
            told.append(await everything(storage))
        await storage.close()
        return told

    with tempfile.TemporaryDirectory() as folder:
        kept = asyncio.run(write(SqliteStorage(Path(folder) / "store.db")))
    assert kept == asyncio.run(write(MemoryStorage()))


async def outcome(storage, batch):
    try:
        await storage.commit(batch)
    except Refused:  # of several reasons each store names the one that it meets first
        return Refused
    except OstinatoError as error:
        # where two rows are wrong, each store may tell of another one first
        return Refused if isinstance(error, Refused) else type(error)


async def everything(storage):
    return [
        [await storage.history(name) for name in RUNS],
        await storage.runs(RunQuery(), Page()),
        await storage.busy_runs(),
        await storage.open_runs([("order", "u"), ("order", "v")]),
        await storage.due_timers(NOW + 2, 9),
        await storage.next_timer(),
        await storage.find_waits("PAID", ["k1", "k2"], None),
        await storage.early_events("PAID", "k1", NOW + 1, "r1"),
        await storage.missed(),
        await storage.events(EventQuery(), Page()),
        await storage.reply("POST /runs", "a", NOW + 120),
        await storage.outbox(9),
        await storage.versions(),
        await storage.turns(),
        sorted(await storage.places(), key=lambda one: (one.name, one.n)),
        await storage.buckets(),
        await storage.mail(),
        await storage.schedules(),
        await storage.due_schedules(NOW + 2, 9),
        await storage.next_schedule(),
        await storage.dead_letters(LetterQuery(), Page()),
        await storage.tasks(TaskQuery(), Page()),
        await storage.tasks(TaskQuery(status=("pending",), overdue_at=NOW + 2), Page()),
        await storage.jobs(JobQuery(), Page()),
        await storage.jobs(JobQuery(claimed=True, topic="k1"), Page(2)),
        await storage.job_counts(),
        await storage.due_leases(NOW + 3, 9),
        await storage.next_lease(),
        [await storage.job(one) for one in ("j1", "j2")],
        await storage.over_runs("order", "failed", NOW + 99, 9),
        await storage.oldest_open(),
        await storage.aged_events(0, 9),
        await storage.aged_letters(NOW + 2, 9),
        sorted(await storage.expired_replies(NOW + 150, 99)),
        await storage.operations(Page()),
        await storage.running_operations(),
        await storage.aged_operations(NOW + 2, NOW + 2, 9),
        [await storage.operation_runs(one, "", 9) for one in ("k1", "k2")],
        [await storage.operation_tally(one) for one in ("k1", "k2")],
    ]
