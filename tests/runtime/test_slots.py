"""Slots come for the work there is: few for what never waits, enough for the rest."""

import asyncio
from types import SimpleNamespace

import pytest

from ostinato.runtime.slots import WAVE, Slots

MANY = 500


class Bench:
    """Slots whose attempts are coroutines; ``tasks`` are the slots that were seen at work."""

    def __init__(self, count, run):
        self.tasks = set()
        self.done = 0
        self._run = run
        self.slots = Slots(count, self.run, lambda: None)

    async def run(self, attempt):
        self.tasks.add(asyncio.current_task())
        attempt.begun_at = asyncio.get_running_loop().time()
        await self._run()
        self.done += 1

    def push(self, count):
        for _ in range(count):
            graph = SimpleNamespace(priority=5)
            state = SimpleNamespace(workflow="w", graph=graph)
            command = SimpleNamespace(deaths=0)
            self.slots.push(SimpleNamespace(state=state, command=command, begun_at=0.0))
        self.slots.wake()

    async def come_to_rest(self):
        for _ in range(MANY + 10):
            await asyncio.sleep(0)


async def nothing():
    pass


async def test_work_that_never_waits_wakes_few_slots(monkeypatch):
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: 0.0)  # nobody's turn is over
    bench = Bench(MANY, nothing)
    bench.push(MANY)
    await bench.come_to_rest()
    assert bench.done == MANY
    assert len(bench.slots.close()) <= 2 * WAVE  # those that were called, and those they called


async def test_work_that_waits_has_a_slot_each_after_a_few_turns_of_the_loop():
    gate = asyncio.Event()
    bench = Bench(MANY, gate.wait)
    bench.push(MANY)
    for _ in range(5):  # 8, 64, 512: three waves, and the turns between them
        await asyncio.sleep(0)
    assert len(bench.tasks) == MANY
    gate.set()
    await bench.come_to_rest()
    assert bench.done == MANY
    bench.slots.close()


async def test_never_more_at_once_than_there_are_slots():
    gate = asyncio.Event()
    bench = Bench(3, gate.wait)
    bench.push(10)
    await bench.come_to_rest()
    assert (len(bench.tasks), len(bench.slots)) == (3, 7)
    gate.set()
    await bench.come_to_rest()
    assert bench.done == 10
    bench.slots.close()


@pytest.mark.parametrize("told", ["before it was woken", "after it was woken"])
async def test_a_slot_that_is_cancelled_while_it_waits_is_replaced(told):
    bench = Bench(1, nothing)
    bench.push(1)
    await bench.come_to_rest()
    [slot] = bench.tasks
    if told == "before it was woken":
        slot.cancel()
        await bench.come_to_rest()
        bench.push(WAVE)
    else:
        bench.push(WAVE)
        slot.cancel()
    await bench.come_to_rest()
    assert bench.done == 1 + WAVE
    bench.slots.close()
