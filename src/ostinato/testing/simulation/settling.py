"""After the plan nothing goes wrong any more; whatever waits is answered, until all is quiet."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from ostinato.core.cloudevents import Event
from ostinato.core.codec import encode_value
from ostinato.ports import Head
from ostinato.testing.history_checker import unheard
from ostinato.testing.simulation.attic import HOURLY
from ostinato.testing.simulation.clients import SOURCE
from ostinato.testing.simulation.clock import NOON
from ostinato.testing.simulation.documents import DOOMED, SCHEDULED
from ostinato.testing.simulation.people import OUTCOMES
from ostinato.testing.simulation.world import World

ROUND = 4.0
ROUNDS = 60
"""Rounds of ``ROUND`` seconds without a fact, until what is still open is taken for stuck: many
suspects that take their time, one at a time, are slow and nothing else."""

LONGEST = 600.0
"""Seconds within which all of that is over: the slowest sound world needs half of them."""

SOON = 5
"""Rounds until a clock that was set has been noticed, whatever the store did before."""


async def in_time(world: World, part: Coroutine[Any, Any, None]) -> bool:
    """Whether it came to its end: who waits for ever would keep the world going as long."""
    try:
        async with asyncio.timeout(LONGEST):
            await part
    except TimeoutError:
        world.ledger.breaks("client.hangs", f"there is no end of it in {LONGEST:.0f} s")
        return False
    return True


async def come_to_rest(world: World) -> None:
    """Every run ends, and every client is told again what it was told."""
    await asyncio.sleep(ROUND)
    await _until_heard(world)
    await _look_for_unheard(world)
    await _until_awake(world)
    await _until_on_time(world)
    world.ledger.clockwork.until = world.clock.now()
    await _pause_schedules(world)
    _look_for_lost_timers(world)
    _look_for_wrong_tasks(world)
    await _until_quiet(world)
    await _look_for_leftovers(world)
    repeated = world.outside(_repeat(world))
    _, late = await asyncio.wait({repeated}, timeout=ROUND * ROUNDS)
    if late:
        world.ledger.breaks("client.hangs", "a repeated request was never answered")
    else:
        repeated.result()
    await _until_quiet(world)
    await world.clients.redrive(1)
    await _until_quiet(world)


async def until_old(world: World) -> None:
    """What is old goes, without anybody asking for it: no worker either, as none has anything."""
    if world.plan.forgets:
        world.hands.end()
        world.ledger.attic.settled_at = world.clock.now()
        await asyncio.sleep(HOURLY)


async def come_to_end(world: World) -> None:
    """The processes stop, one after the other."""
    world.end()
    for process in world.processes:
        if process.up:
            process.spawn(world.stop(process, None), "stop")
            await asyncio.wait({process.ended}, timeout=ROUND * ROUNDS)
        if process.state not in ("dead", "paused") and process.app is not None and process.up:
            world.ledger.breaks("stop.hangs", f"process {process.number} does not stop")


async def _until_heard(world: World) -> None:
    """Processes that were not told of something look by themselves in the end."""
    for _ in range(SOON):
        if not world.ledger.lines.unheard:
            return
        await asyncio.sleep(ROUND)


async def _look_for_unheard(world: World) -> None:
    """What came while everything went wrong has been heard, before anything new is sent."""

    async def serve(app: Any) -> Any:
        return await unheard(app.storage, set(open_runs(world)))

    found: list[Any] = []
    for _ in range(SOON):  # a wait that has just been opened looks back after its commit
        if not (found := await world.clients.until_answered(serve)):
            return
        await asyncio.sleep(ROUND)
    world.ledger.broken += found


async def _until_awake(world: World) -> None:
    """Schedules know what time it is."""
    for _ in range(SOON):
        if not list(world.ledger.clockwork.asleep()):
            return
        await asyncio.sleep(ROUND)
    world.ledger.broken += world.ledger.clockwork.asleep()


async def _until_on_time(world: World) -> None:
    """Schedules have caught up with the clock, before nothing more shall start."""
    clockwork = world.ledger.clockwork
    for _ in range(ROUNDS):
        if not list(clockwork.late(_ended(world))):
            return
        await asyncio.sleep(ROUND)
    world.ledger.broken += clockwork.late(_ended(world))


def _ended(world: World) -> set[str]:
    heads = world.ledger.heads.values()
    return {one.run_id for one in heads if one.ended_at is not None}


def _look_for_wrong_tasks(world: World) -> None:
    for run_id in world.ledger.heads:
        for text in world.ledger.rows.wrong_tasks(run_id, world.graph_of):
            world.ledger.breaks("task.rows", text, run_id)


def _look_for_lost_timers(world: World) -> None:
    for run_id in open_runs(world):
        for text in world.ledger.rows.lost_timers(run_id, world.graph_of, world.clock.now()):
            world.ledger.breaks("timer.lost", text, run_id)


async def _look_for_leftovers(world: World) -> None:
    """What is over takes no room in memory, once the engine knows that it is stored."""
    engine = (await world.serving()).app.service.engine
    await engine.rest()
    for run_id, resident in engine.residents._runs.items():
        if resident.state.ended:
            world.ledger.breaks("cost.memory", "it has ended and is kept in memory", run_id)


async def _repeat(world: World) -> None:
    """The same requests again, now that their runs have ended."""
    for ask in world.clients.repeats:
        await ask()


async def _pause_schedules(world: World) -> None:
    for workflow in SCHEDULED:
        await world.clients.pause(workflow)


async def _until_quiet(world: World) -> None:
    facts, last, since = world.ledger.facts, -1, 0
    for turn in itertools.count():
        if world.ledger.clockwork.goes():  # a deployment took its time, and made another one
            await _pause_schedules(world)
        if facts.total() != last:
            last, since = facts.total(), turn
        if quiet(world) or turn == since + ROUNDS:
            return
        work = world.outside(_answer_waits(world, turn))
        _, late = await asyncio.wait({work}, timeout=ROUND * ROUNDS)
        if late:
            world.ledger.breaks("client.hangs", "nobody says what runs wait for")
            return
        work.result()
        await asyncio.sleep(ROUND)


def quiet(world: World) -> bool:
    sent = len(world.ledger.taken_away) == world.ledger.stored
    heard = not world.ledger.lines.unheard
    return not open_runs(world) and sent and heard and not world.ledger.bulk.busy


def open_runs(world: World) -> list[str]:
    """Those that go on: what people have begun to repair they bring to its end, if it has one."""
    named = world.clients.mending.named

    def goes_on(one: Head) -> bool:
        if one.waiting_for != "repair":
            return True
        return one.run_id in named and one.workflow not in DOOMED

    heads = world.ledger.heads.values()
    return [one.run_id for one in heads if one.ended_at is None and goes_on(one)]


async def _answer_waits(world: World, number: int) -> None:
    async def serve(app: Any) -> list[Any]:
        return [await app.run_view(run_id) for run_id in open_runs(world)]

    views = await world.clients.until_answered(serve)
    for run_id in [view.id for view in views if view.status == "paused"]:
        await world.clients.mending.resume(run_id)
    for run_id, wait in [(view.id, wait) for view in views for wait in view.waits]:
        if wait.kind == "callback":
            await world.clients.answer(wait.token, number)
        elif wait.kind == "task":
            await world.clients.people.answer(run_id, wait.task.id, OUTCOMES[0], "last")
        elif wait.kind == "repair":
            await world.clients.mending.skip(run_id, wait.key)
        elif wait.kind == "event":
            await world.clients.accept([_fitting(wait, f"{run_id}-{wait.key}-{number}")])


def _fitting(wait: Any, event_id: str) -> Event:
    """An event that this wait is looking for."""
    match = {} if wait.match is UNSET else msgspec.json.decode(wait.match)
    data = _filled(match.get("data", {}))
    return Event(
        id=event_id, source=SOURCE, type=wait.types[0], time=NOON,
        subject=_filled(match.get("subject")), data=Raw(encode_value(data)),
    )  # fmt: skip


def _filled(pattern: Any) -> Any:
    """A value that a pattern of plain values matches."""
    if isinstance(pattern, dict):
        return {key: _filled(value) for key, value in pattern.items()}
    return pattern[0] if isinstance(pattern, list) else pattern
