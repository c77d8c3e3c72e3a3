"""Messages of Kafka → runs that are stored: how many a second, and what an idle consumer costs.

    python benchmarks/kafka.py [MESSAGES] [ROUNDS] [IDLE SECONDS]

A broker of its own (tests/servers/kafka.py) on the same cores holds all the messages, 200 bytes
each, in four partitions, before the app begins. One process, SQLite, a run of one no-op step for
each message. The last line is JSON. Files are in the working directory.
"""

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from confluent_kafka import Producer

from ostinato import App
from ostinato.config import override_settings
from ostinato.ports import RunQuery
from tests.servers.kafka import kafka

PARTITIONS = 4
STEP = {"workflow": "step", "on": [{"event": "ORDERS"}],
        "phases": [{"phase": "p", "jobs": [{"job": "j", "run": "noop"}]}]}  # fmt: skip


def produce(server, count):
    producer = Producer({"bootstrap.servers": server.servers, "linger.ms": 50})
    for number in range(count):
        body = b'{"order": %d, "text": "%s"}' % (number, b"x" * 170)
        while True:
            try:
                producer.produce("ORDERS", body, str(number % 1_000))
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


def app_of(folder, name, **bus):
    given = {f"bus.kafka.{name}": value for name, value in bus.items()}
    given["store"] = f"sqlite:///{folder}/{name}.db"
    app = App()
    app.configure(override_settings(app.settings, given, by="{name}"))
    return app


async def until(found, count):
    while await found() < count:
        await asyncio.sleep(0.02)


async def one_round(server, folder, group, count):
    async with app_of(folder, group) as app:
        await app.deploy(STEP)
    cpu, began = time.process_time(), time.perf_counter()
    async with app_of(
        folder, group, servers=server.servers, group=group, receive=["ORDERS"]
    ) as app:
        intake = app._intakes["kafka"][0]
        while intake.counts["accepted"] < count:
            await asyncio.sleep(0.01)
        started = time.perf_counter() - began
        await until(lambda: app.count_runs(RunQuery(status=("succeeded",))), count)
        ended = time.perf_counter() - began
        cpu = time.process_time() - cpu
        assert await app.count_runs(RunQuery()) == count
    return {
        "started/s": round(count / started),
        "completed/s": round(count / ended),
        "us CPU": round(cpu / count * 1e6, 1),
    }


async def idle_cpu(folder, seconds, **bus):
    """Percent of a core, of a process whose topic is empty."""
    async with app_of(folder, "idle", **bus):
        await asyncio.sleep(5)  # it has joined its group
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.sleep(seconds)
        used = time.process_time() - cpu
        return round(100 * used / (time.perf_counter() - began), 3)


async def main(count, rounds, idle):
    with tempfile.TemporaryDirectory(dir=".") as folder, kafka() as server:
        server.make("ORDERS", PARTITIONS)
        produce(server, count)
        found = []
        for number in range(rounds):
            found.append(await one_round(server, folder, f"g{number}", count))
            print(found[-1], flush=True)
        server.make("QUIET", PARTITIONS)
        alone = await idle_cpu(folder, idle)
        quiet = await idle_cpu(folder, idle, servers=server.servers, receive=["QUIET"])
        told = {"rounds": found, "idle % of a core": quiet, "without Kafka": alone}
        print(json.dumps(told))


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    asyncio.run(main(*given, *(50_000, 3, 60)[len(given) :]))
