"""What must hold once everything is quiet, beside what the history checker says of a store."""

from __future__ import annotations

from collections.abc import Iterator

from ostinato.ports import Head, Place, Storage, Turn
from ostinato.testing.history_checker import Violation, check_history, check_store
from ostinato.testing.simulation.documents import DOOMED
from ostinato.testing.simulation.far import FAR_AWAY
from ostinato.testing.simulation.settling import open_runs
from ostinato.testing.simulation.world import World

QUICK_KILLS, DEATHS = 2, 3
"""So many crashes may cost an innocent job its life, with a poisonous one beside it and without."""

KILLS = ("kill", "aimed", "fell", "paused")
"""How a plan takes a process down: one that is paused is taken for dead, and its jobs with it."""


async def judge(world: World) -> list[Violation]:
    """The ledger's violations, the store's and those of the world as a whole."""
    found = list(world.ledger.broken)
    found += [Violation("", -1, "loop.broken", text) for text in world.loop.problems]
    found += _hanging(world)
    found += _outside(world)
    found += world.ledger.clockwork.left_out()
    found += world.dock.left()
    store = world.place.store()
    await store.open()
    try:
        found += await _kept(world, store)
        found += await _answered(world, store)
        found += await world.ledger.attic.left(store)
        found += await world.ledger.bulk.left(store)
        found += await world.ledger.letters.left(store, world.ledger.heads.values())
        found += await world.ledger.lines.left(store)
        found += await world.ledger.claims.left(store)
        found += _removed(world)
        found += await check_store(store, world.graph_of, world.ledger.journal, world.clock.now())
    finally:
        await store.close()
    return found


def _removed(world: World) -> Iterator[Violation]:
    """Their histories, as they were when they went."""
    records = world.ledger.attic.records
    for run_id in sorted(world.ledger.journal.removed):
        yield from check_history(world.graph_of, run_id, records[run_id])


async def _kept(world: World, store: Storage) -> list[Violation]:
    """Who has ended has no place, and waits for none."""
    heads = world.ledger.heads
    kept: list[Place | Turn] = [*await store.places(), *await store.turns()]
    return [
        Violation(one.run_id, -1, "limit.kept", f"{one} is kept by a run that has ended")
        for one in kept
        if heads[one.run_id].ended_at is not None
    ]


async def _answered(world: World, store: Storage) -> list[Violation]:
    """What was acknowledged is what counts; and what counts was never refused."""
    found = []
    ledger = world.ledger
    for task_id, (run_id, by, outcome) in ledger.answers.items():
        row = await store.task(task_id)
        told = None if row is None else (row.status, row.by, row.outcome)
        gone = run_id in ledger.journal.removed
        if told != (None if gone else ("completed", by, outcome)):
            text = f"{by} has answered {outcome} to {task_id}, the store has {told}"
            found.append(Violation(run_id, -1, "task.lost", text))
        if (task_id, by, outcome) in ledger.refused_answers:
            text = f"{by} was refused, with the answer that counts for {task_id}"
            found.append(Violation(run_id, -1, "answer.differs", text))
    return found


def _hanging(world: World) -> Iterator[Violation]:
    for run_id in open_runs(world):
        head = world.ledger.heads[run_id]
        text = f"{head.workflow} is {head.status}, though all that it waited for has come"
        yield Violation(run_id, -1, "run.hangs", text)


def _outside(world: World) -> Iterator[Violation]:
    ledger = world.ledger
    for event_id, bus in ledger.outgoing.keys() - ledger.delivered.keys():
        if (event_id, bus) in ledger.rows.letters:
            continue
        text = f"{event_id} was stored for {bus!r}, and neither sent nor buried"
        yield Violation("", -1, "outbox.lost", text)
    for head in ledger.heads.values():
        yield from _innocence(world, head)


def _innocence(world: World, head: Head) -> Iterator[Violation]:
    """Nobody pays for what another run, or another job, has done."""
    if head.workflow in DOOMED:
        return
    held = world.ledger.held.get(head.run_id)  # what takes something back was given up
    if head.waiting_for == "repair" and held != "Abandoned":
        yield Violation(head.run_id, -1, "innocent.incident", head.error_message or "")
    planned = sum(n for how, n in world.crashes.items() if how in KILLS)
    if head.workflow in FAR_AWAY:  # workers die by themselves; the history checker counts how often
        return
    enough = QUICK_KILLS if world.crashes["poison"] else DEATHS
    if "Abandoned" in (head.error_name, held) and planned < enough:
        yield Violation(head.run_id, -1, "innocent.abandoned", head.error_message or "")
