"""Real faults of real processes: killed in the middle, a disk that is full, an orphan's lock."""

import json
import os
import signal
import subprocess
import sys

import pytest

from ostinato.errors import StoreError, StoreLocked
from ostinato.ports import Batch
from ostinato.storage.sqlite import SqliteStorage
from ostinato.testing.storage_contract.samples import record

pytestmark = pytest.mark.real

COMMIT_FOR_EVER = """
import asyncio, sys
from ostinato.ports import Batch, Record
from ostinato.storage.sqlite import SqliteStorage

async def main(file, rows, first):
    storage = SqliteStorage(file)
    await storage.open()
    epoch = await storage.join()
    print("open", flush=True)
    seq = first
    while True:
        records = [Record(f"r{n}", seq, 0, 1, b"x" * 200) for n in range(rows)]
        await storage.commit(Batch(epoch=epoch, records=records))
        print(seq, flush=True)
        seq += 1

asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""

FILL_THE_DISK = """
import asyncio, json, resource, sys
from ostinato.errors import StoreError
from ostinato.ports import Batch, Record
from ostinato.storage.sqlite import SqliteStorage

def limit(size):
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))

async def main(file, rows):
    storage = SqliteStorage(file)
    await storage.open()
    async def commit(seq):
        records = [Record(f"r{n}", seq, 0, 1, b"x" * 2000) for n in range(rows)]
        await storage.commit(Batch(records=records))
    limit(1_000_000)
    acknowledged, errors = 0, []
    while not errors:
        try:
            await commit(acknowledged)
            acknowledged += 1
        except StoreError as error:
            errors.append([type(error).__name__, str(error)])
    kept = len(await storage.history("r0"))
    for _ in range(2):
        try:
            await commit(kept)
        except StoreError as error:
            errors.append([type(error).__name__, str(error)])
    limit(resource.RLIM_INFINITY)
    kept = len(await storage.history("r0"))
    await commit(kept)
    print(json.dumps({"acknowledged": acknowledged, "kept": kept, "errors": errors}))

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""

LEAVE_AN_ORPHAN = """
import asyncio, os, sys
from ostinato.storage.sqlite import SqliteStorage

async def main(file):
    storage = SqliteStorage(file)
    await storage.open()
    child = os.fork()
    if child == 0:
        print("child", flush=True)
    sys.stdin.read()

asyncio.run(main(sys.argv[1]))
"""


def start(script, *arguments):
    command = [sys.executable, "-W", "ignore", "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("rows", [1, 200])
async def test_what_was_acknowledged_survives_a_kill(tmp_path, rows):
    file, first = tmp_path / "store.db", 0
    for acknowledgements in (1, 17, 60):
        acknowledged = kill_after(file, rows, first, acknowledgements)
        storage = SqliteStorage(file)
        await storage.open()  # at once: the kernel has freed the lock
        histories = [await storage.history(f"r{n}") for n in range(rows)]
        await storage.close()
        assert len({len(history) for history in histories}) == 1  # whole batches
        first = len(histories[0])
        assert [item.seq for item in histories[0]] == list(range(first))
        assert acknowledged < first


def kill_after(file, rows, first, acknowledgements):
    """The last one that the process could tell of before it died."""
    with start(COMMIT_FOR_EVER, file, rows, first) as process:
        lines = [process.stdout.readline() for _ in range(acknowledgements + 1)]
        process.kill()
        lines += process.stdout.readlines()
    assert process.returncode == -signal.SIGKILL
    return max(int(line) for line in lines[1:] if line.endswith("\n"))


@pytest.mark.parametrize("rows", [1, 200])
async def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path, rows):
    file = tmp_path / "store.db"
    with start(FILL_THE_DISK, file, rows) as process:
        told = json.loads(process.stdout.read())
    assert process.returncode == 0
    assert {name for name, _ in told["errors"]} <= {"UnknownCommit", "StoreError"}
    assert all("make room" in message for _, message in told["errors"])
    assert told["kept"] >= told["acknowledged"]
    storage = SqliteStorage(file)
    await storage.open()
    assert len(await storage.history("r0")) == told["kept"] + 1
    await storage.commit(Batch(records=[record("later")]))
    await storage.close()


async def test_a_lock_is_its_owners_until_it_dies(tmp_path):
    file = tmp_path / "store.db"
    with start(COMMIT_FOR_EVER, file, 1, 0) as process:
        process.stdout.readline()
        storage = SqliteStorage(file)
        with pytest.raises(StoreLocked, match=f"process {process.pid}"):
            await storage.open()
        process.kill()
    await storage.open()
    await storage.close()


async def test_a_forked_child_does_not_keep_the_lock(tmp_path):
    file = tmp_path / "store.db"
    process = start(LEAVE_AN_ORPHAN, file)
    assert process.stdout.readline() == "child\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    storage = SqliteStorage(file)
    await storage.open()
    await storage.close()
    process.communicate()  # the orphan ends with its input


async def test_a_file_that_was_deleted_takes_nothing_more(tmp_path):
    storage = SqliteStorage(tmp_path / "store.db")
    await storage.open()
    epoch = await storage.join()
    await storage.commit(Batch(epoch=epoch, records=[record()]))
    (tmp_path / "store.db").unlink()
    with pytest.raises(StoreError, match="deleted or replaced while it was in use"):
        await storage.commit(Batch(epoch=epoch, records=[record(seq=9)]))
    await storage.close()
