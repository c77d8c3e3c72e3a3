"""How late the loop turns: seen while there is work, and no timer without."""

import asyncio

import pytest
from structlog.testing import capture_logs

from ostinato.telemetry import lag as lags
from ostinato.telemetry.lag import LoopLag
from tests.stage import Clock, Gate, one_job, until


class Timer:
    def __init__(self, due, then):
        self.due = due
        self.then = then
        self.stopped = False

    def when(self):
        return self.due

    def cancel(self):
        self.stopped = True


class Loop:
    """Time stands still until a timer comes, so many seconds late."""

    def __init__(self):
        self.now = 100.0
        self.timers = []

    def time(self):
        return self.now

    def call_later(self, seconds, then):
        self.timers.append(Timer(self.now + seconds, then))
        return self.timers[-1]

    def come(self, late):
        timer = self.timers.pop()
        self.now = timer.due + late
        timer.then()


@pytest.fixture
def loop(monkeypatch):
    loop = Loop()
    monkeypatch.setattr(lags.asyncio, "get_running_loop", lambda: loop)
    return loop


def test_half_and_99_of_100_looks_were_not_later(loop):
    lag = LoopLag(lambda: False)
    assert lag.milliseconds() == {"p50": 0, "p99": 0, "max": 0}
    for number in range(200):
        lag.look()
        loop.come(number / 1000)
    assert lag.milliseconds() == {"p50": 100, "p99": 198, "max": 199}


def test_old_looks_no_longer_count(loop, monkeypatch):
    monkeypatch.setattr(lags, "KEPT", 3)
    lag = LoopLag(lambda: False)
    for late in (0.9, 0.001, 0.002, 0.003):
        lag.look()
        loop.come(late)
    assert lag.milliseconds()["max"] == 3


def test_one_timer_at_a_time_and_none_without_work(loop):
    work = [1]
    lag = LoopLag(lambda: work)
    for _ in range(5):
        lag.look()
    assert len(loop.timers) == 1
    loop.come(0)
    assert len(loop.timers) == 1  # a handler is at work, which may hold up the loop
    work.clear()
    loop.come(0)
    assert not loop.timers
    lag.look()
    (timer,) = loop.timers
    lag.close()
    assert timer.stopped


def test_a_loop_that_was_held_up_for_long_is_told(loop):
    lag = LoopLag(lambda: False)
    with capture_logs() as logs:
        for late in (0.5, 3):
            lag.look()
            loop.come(late)
    assert [(log["event"], log["seconds"]) for log in logs] == [("loop.late", 3)]
    assert "process=True" in logs[0]["hint"]


async def test_an_engine_looks_while_it_works_and_says_what_it_saw(here):
    gate = Gate()
    async with here.app(one_job({"run": "gate"}), {"gate": gate.__call__}) as app:
        run = await app.start("w")
        await gate.begun.wait()
        lag = app.service.lag
        assert lag._timer is not None
        gate.open.set()
        await run.result(5)
        while lag._timer is not None:
            await asyncio.sleep(0.01)
        health = app.health()
        assert 0 <= health["loopLagP50Ms"] <= health["loopLagP99Ms"] <= health["loopLagMaxMs"]
        await asyncio.sleep(0)
        assert lag._timer is None


async def test_time_that_is_not_real_is_not_looked_at(here):
    here.clock = Clock()
    async with here.app(one_job({"run": "noop"})) as app:
        run = await app.start("w")
        await until(lambda: not app.service.executor.running)
        await run.result(5)
        assert not [name for name in app.health() if name.startswith("loopLag")]
