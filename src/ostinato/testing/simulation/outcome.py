"""One simulation from beginning to end, and what came of it."""

from __future__ import annotations

import gc
import hashlib
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ostinato.ports import Record
from ostinato.telemetry.logs import divert_logs
from ostinato.testing.history_checker import Violation
from ostinato.testing.simulation.faults import AdapterBug
from ostinato.testing.simulation.judge import judge
from ostinato.testing.simulation.loop import Asleep, Spinning
from ostinato.testing.simulation.plan import Plan
from ostinato.testing.simulation.points import Point
from ostinato.testing.simulation.reading import documents_remembered
from ostinato.testing.simulation.settling import come_to_end, come_to_rest, in_time, until_old
from ostinato.testing.simulation.world import World

if TYPE_CHECKING:
    from ostinato.testing.simulation.database import Database

BROKEN = ("decide.broken", "post.broken")
"""What the log says when the engine itself has raised."""

Line = tuple[float, str, str]


@dataclass(slots=True)
class Outcome:
    """``digest`` is of everything that could be seen: equal for equal plans."""

    plan: Plan
    broken: list[Violation]
    digest: str
    covered: set[Point] = field(default_factory=set)
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    records: dict[str, list[Record]] = field(default_factory=dict)

    @property
    def rules(self) -> set[str]:
        return {violation.rule for violation in self.broken}


def simulate(plan: Plan, database: Database | None = None) -> Outcome:
    """Play a plan, let everything come to rest, and judge what is left.

    ``database`` is for a plan whose store is on PostgreSQL.
    """
    world = World(plan, database)
    with _in_peace(world), documents_remembered():
        try:
            broken = _played(world)
            return Outcome(
                plan=plan,
                broken=broken,
                digest=_digest(world, broken),
                covered=set(world.covered),
                counts=_counts(world),
                lines=list(world.lines),
                records=world.ledger.attic.records,
            )
        finally:
            _clean_up(world)


def _played(world: World) -> list[Violation]:
    try:
        return world.loop.run(_whole(world))
    except (Spinning, Asleep) as error:
        rule, text = "loop.hangs", str(error)
    except Exception as error:
        rule, text = "world.raised", "".join(traceback.format_exception(error, limit=-6))
    return [*world.ledger.broken, Violation("", -1, rule, text)]


async def _whole(world: World) -> list[Violation]:
    if await in_time(world, world.play()) and await in_time(world, come_to_rest(world)):
        await until_old(world)
    await come_to_end(world)
    return await judge(world)


@contextmanager
def _in_peace(world: World) -> Iterator[None]:
    """Logs are lines of the trace. Garbage is collected after, not while, dead tasks lie about."""
    back = divert_logs(lambda event: _logged(world, event))
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        back()
        if collecting:
            gc.enable()


def _logged(world: World, event: dict[str, object]) -> None:
    world.trace("log", _text(event))
    error = event.get("exc_info")
    if event.get("event") in BROKEN and not isinstance(error, AdapterBug):
        world.ledger.breaks("engine.broken", f"{_text(event)}: {error!r}")


def _text(event: dict[str, object]) -> str:
    shown = {name: value for name, value in event.items() if name != "exc_info"}
    text = " ".join(f"{name}={value}" for name, value in shown.items() if name != "event")
    return f"{event.get('event')} {text}"[:300]


def _clean_up(world: World) -> None:
    world.loop.rest()
    world.loop.run(_bury(world))
    world.place.remove()


async def _bury(world: World) -> None:
    """On the loop, which what they still try may ask for."""
    for process in world.processes:
        process.bury()


def _digest(world: World, broken: list[Violation]) -> str:
    seen = hashlib.blake2b(digest_size=8)
    for line in world.lines:
        seen.update(repr(line).encode())
    for run_id in sorted(world.ledger.heads):
        seen.update(repr(world.ledger.heads[run_id]).encode())
    seen.update(repr((world.loop.turns, world.loop.time(), list(map(str, broken)))).encode())
    return seen.hexdigest()


def _counts(world: World) -> dict[str, Counter[str]]:
    ledger = world.ledger
    work = Counter(
        runs=len(ledger.heads),
        facts=sum(ledger.facts.values()),
        commits=ledger.commits,
        attempts=len(ledger.begun),
        events=len(ledger.journal.events),
        processes=len(world.processes),
        turns=world.loop.turns,
    )
    work[f"on {world.plan.store}"] = 1
    return {
        "work": work,
        "crashes": world.crashes,
        "faults": world.faults.met,
        "handlers": world.handled,
        "facts": ledger.facts,
        "workflows": Counter(head.workflow for head in ledger.heads.values()),
    }
