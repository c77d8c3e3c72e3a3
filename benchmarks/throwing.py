"""A consumer that throws at every message, beside one that does its work: who waits?

    python benchmarks/throwing.py [SECONDS] [ROUNDS]

Messages of two types come in by one bus: 50 a second that are handled and timed, from the moment
they are sent to the end of their consumer, and 200 a second of the other type, for which there is
no consumer, one that does its work, or one that throws. One process, SQLite; the log, with every
trace, goes to standard error as a server's does. Files are in the working directory; the last line
is JSON.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time

from ostinato import App, Event
from ostinato.bus import memory
from ostinato.config import override_settings
from ostinato.config.settings import LogSettings
from ostinato.core.cloudevents import Message
from ostinato.ports import LetterQuery, Page
from ostinato.telemetry.logs import configure_logs

GOOD, BAD = 50, 200
MODES = ("alone", "beside work", "beside throws")


async def one(mode, seconds, folder):
    memory.forget()
    app, late, begun = App(), [], {}
    given = {"store": f"sqlite:///{folder}/{mode}-{time.time_ns()}.db", "bus.in.kind": "memory",
             "bus.in.receive": ["all"]}  # fmt: skip
    app.configure(override_settings(app.settings, given, by="{name}"))

    @app.consumer("GOOD", bus="in")
    async def good(event: Event):
        late.append(time.perf_counter() - begun.pop(event.id))

    attempts = []
    if mode != "alone":

        @app.consumer("BAD", bus="in")
        async def bad(event: Event):
            attempts.append(event.id)
            if mode == "beside throws":
                raise RuntimeError("no")

    async with app:
        place, loop = memory.place("in", "all"), asyncio.get_running_loop()
        start, number = loop.time(), 0
        while (now := loop.time()) < start + seconds:
            number += 1
            for type in ["BAD"] * (BAD // GOOD) + ["GOOD"]:
                id = f"{type}-{number}-{len(attempts)}-{time.perf_counter_ns()}"
                if type == "GOOD":
                    begun[id] = time.perf_counter()
                place.put([memory.Received(Message(
                    place="all", id=id, body=b"{}", headers={"EventType": type}))])  # fmt: skip
            await asyncio.sleep(max(0, start + number / GOOD - now))
        while begun:
            await asyncio.sleep(0.01)
        dead = len(await app.dead_letters(LetterQuery(kind="consumer"), Page(10_000)))
    late.sort()
    return {"p50": round(1e3 * statistics.median(late), 2),
            "p99": round(1e3 * late[int(len(late) * 0.99)], 2), "dead": dead,
            "attempts": len(attempts)}  # fmt: skip


async def main(seconds, rounds):
    configure_logs(LogSettings(format="json"))
    found = {mode: [] for mode in MODES}
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for _ in range(rounds):
            for mode in MODES:
                found[mode].append(await one(mode, seconds, folder))
                print(mode, found[mode][-1], flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    asyncio.run(main(*given, *(10, 3)[len(given) :]))
