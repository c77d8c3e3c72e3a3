"""A consumer that throws at every message delays nobody else, and ends in as many dead letters."""

import asyncio
import time

import pytest

from ostinato import Event
from ostinato.bus import memory
from ostinato.core.cloudevents import Message
from ostinato.ports import LetterQuery, Page
from ostinato.telemetry.logs import divert_logs
from tests.buses.kafka_world import app_with

LOTS, OF_EACH = 100, 4
"""Every 10 ms: one that is handled and timed, among so many of the other type."""

ROUNDS = 3
EDGE = 0.01
"""Seconds, below which a machine that others use says nothing."""


@pytest.fixture(autouse=True)
def no_log():
    """A page of text for each attempt, drawn for a terminal, would be what is measured."""
    undo = divert_logs(lambda entry: None)
    yield
    undo()


@pytest.fixture
def one_round(tmp_path):
    async def one_round(throws):
        """The 99th percentile of the others, in seconds; attempts and dead letters of the type."""
        memory.forget()
        late, begun, attempts = [], {}, []
        store = f"sqlite:///{tmp_path}/{throws}-{time.time_ns()}.db"
        app = app_with(store=store, bus__in__kind="memory", bus__in__receive=["all"])

        @app.consumer("GOOD", bus="in")
        async def good(event: Event):
            late.append(time.perf_counter() - begun.pop(event.id))

        @app.consumer("BAD", bus="in", attempts=3, delay="20ms")
        async def bad(event: Event):
            attempts.append(event.id)
            if throws:
                raise RuntimeError("no")

        async def dead():
            return len(await app.dead_letters(LetterQuery(kind="consumer"), Page(1_000)))

        async with app:
            place = memory.place("in", "all")
            for number in range(LOTS):
                names = [f"GOOD-{number}", *(f"BAD-{number}-{n}" for n in range(OF_EACH))]
                begun[names[0]] = time.perf_counter()
                place.put([memory.Received(_message(name)) for name in names])
                await asyncio.sleep(0.01)
            async with asyncio.timeout(30):
                while begun or await dead() < throws * LOTS * OF_EACH:
                    await asyncio.sleep(0.01)
            found = await dead()
        return sorted(late)[int(len(late) * 0.99)], len(attempts), found

    return one_round


def _message(name):
    return Message(place="all", id=name, body=b"{}", headers={"EventType": name.split("-")[0]})


@pytest.mark.slow
async def test_the_others_are_not_delayed_and_each_is_one_letter(one_round):
    least = {False: [], True: []}
    for _ in range(ROUNDS):  # in turn, as a machine has good and bad minutes
        for throws in least:
            p99, attempts, dead = await one_round(throws)
            least[throws].append(p99)
            assert attempts == (3 if throws else 1) * LOTS * OF_EACH
            assert dead == throws * LOTS * OF_EACH
    assert min(least[True]) < 2 * min(least[False]) + EDGE
