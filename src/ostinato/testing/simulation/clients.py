"""Clients: they repeat each request until it is answered, and note what they were told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from ostinato.app.doing import Once
from ostinato.core.cloudevents import Event
from ostinato.core.codec import encode_value
from ostinato.errors import (
    Busy,
    ConflictError,
    DefinitionError,
    Fenced,
    NotFoundError,
    NothingIsRunning,
    OstinatoError,
    Refused,
    StoreError,
    Unloadable,
    Unready,
    UsageError,
)
from ostinato.ports import LetterQuery, RunFilter
from ostinato.testing.simulation.clock import NOON
from ostinato.testing.simulation.faults import AdapterBug
from ostinato.testing.simulation.mending import Mending
from ostinato.testing.simulation.people import People
from ostinato.testing.simulation.process import ConnectionLost
from ostinato.testing.simulation.repetitions import WINDOWS

if TYPE_CHECKING:
    from ostinato.testing.simulation.world import World

Serve = Callable[[Any], Awaitable[Any]]

AGAIN = (
    ConnectionLost, Busy, Unready, NothingIsRunning, StoreError, Fenced, AdapterBug,
    DefinitionError, Unloadable,
)  # fmt: skip
"""What is no answer: the client asks again. The last two are a process that cannot read what a
later one can."""

SOURCE = "clients"
MANY = list(range(25))


class Clients:
    """``runs`` by the number that the plan gave them; ``repeats`` ask again what was asked."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ledger = world.ledger
        self.runs: dict[int, str] = {}
        self.repeats: list[Callable[[], Awaitable[Any]]] = []
        self.people = People(world, self)
        self.mending = Mending(world, self)

    async def until_answered(self, serve: Serve) -> Any:
        """What was answered; errors that will not go away are raised."""
        longest = 0.1
        while True:
            process = await self._world.serving()
            try:
                return await process.ask(serve)
            except (*AGAIN, OstinatoError) as error:
                if not isinstance(error, AGAIN) and not _of_another(error):
                    raise
                if isinstance(error, Refused):
                    self._ledger.breaks("client.refused", f"by the store: {error}")
                await asyncio.sleep(0.01 + self._world.chance.random() * longest)
                longest = min(2.0, longest * 1.2)

    async def allowed(self, serve: Serve, *errors: type[Exception]) -> None:
        try:
            await self.until_answered(serve)
        except errors:
            return

    # starts

    async def start(self, workflow: str, number: int, how: str, copies: int) -> None:
        async def once() -> None:
            await self._start(workflow, number, how)

        await asyncio.gather(*[self._soon(once) for _ in range(copies)])
        if how in ("once", "both"):
            self.repeats.append(once)

    async def _soon(self, ask: Callable[[], Awaitable[Any]]) -> None:
        await asyncio.sleep(self._world.chance.choice((0, 0, 0.001, 0.3)))
        await ask()

    async def _start(self, workflow: str, number: int, how: str) -> None:
        name = f"{workflow}-{number}"
        uid = f"u{number % 3}" if how in ("uid", "both") else None
        key = Once("runs", name, name.encode(), _answer) if how in ("once", "both") else None

        async def serve(app: Any) -> str:
            given = input_of(number) | {"taste": "sweet"}
            run = await app.start_run(workflow, given, uid=uid, once=key)
            if key is not None:
                self._ledger.told_run(name, run.id)
            else:
                self._ledger.journal.starts.add(run.id)
            return str(run.id)

        try:
            self.runs[number] = await self.until_answered(serve)
        except ConflictError:  # it counts as a run that was removed since
            if workflow not in WINDOWS:
                raise

    async def burst(self, workflow: str, count: int) -> None:
        """More starts at once than there is room for."""
        starts = [self._start(workflow, 1_000 + number, "plain") for number in range(count)]
        await asyncio.gather(*starts)

    async def rush(self, workflow: str, first: int) -> None:
        """One uid, a thousand times a second."""
        starts = []
        for number in range(first, first + 180, 3):
            starts.append(self._world.outside(self._start(workflow, number, "uid")))
            await asyncio.sleep(0.001)
        await asyncio.gather(*starts)

    # events

    async def emit(self, type: str, number: int, copies: int) -> None:
        event = self.event(type, number)

        async def once() -> None:
            for runs in await self.accept([event] * (1 + (copies > 2))):
                self.runs.setdefault(number, runs)

        await asyncio.gather(*[self._soon(once) for _ in range(copies)])
        self.repeats.append(once)

    def event(self, type: str, number: int, again: str = "") -> Event:
        data = encode_value(input_of(number))
        return Event(
            id=f"{type}-{number}{again}",
            source=SOURCE,
            type=type,
            time=NOON,
            subject=None,
            data=data,
        )

    async def accept(self, events: list[Event]) -> list[str]:
        """The runs that these have started."""

        async def serve(app: Any) -> list[str]:
            runs = []
            for told in await app.accept(events):
                self._ledger.told_event(told.source, told.id, told.runs)
                self._ledger.letters.promised.update(one["id"] for one in told.dead_letters or ())
                runs += told.runs
            return runs

        found: list[str] = await self.until_answered(serve)
        return found

    async def batch(self, count: int) -> None:
        """Many events at once, that nobody waits for."""
        await self.accept([self.event(f"NOISE-{count}", number) for number in range(count)])

    async def together(self, type: str, *numbers: int) -> None:
        """An event of each, in one request."""

        async def once() -> None:
            await self.accept([self.event(type, number) for number in numbers])

        await once()
        self.repeats.append(once)

    # schedules

    async def fire(self, name: str) -> None:
        await self.until_answered(lambda app: app.fire_schedule(name, by="client"))

    async def backfill(self, name: str) -> None:
        """From before there was such a schedule; what has started starts no more."""

        async def serve(app: Any) -> None:
            with suppress(UsageError):  # the clock was set back to before it meanwhile
                await app.backfill_schedule(name, min(NOON, app.now()) - 3_000, by="client")

        await self.until_answered(serve)
        self.repeats.append(lambda: self.until_answered(serve))

    async def hold(self, workflow: str) -> None:
        """All of its schedules, for a while."""
        await self.pause(workflow)
        await asyncio.sleep(self._world.chance.random() * 3)
        await self._each(workflow, ("paused",), lambda app, name: app.resume_schedule(name))

    async def pause(self, workflow: str) -> None:
        """Also one that goes from one of these to the other meanwhile."""
        going = ("active", "waiting")
        await self._each(workflow, going, lambda app, name: app.pause_schedule(name))

    async def _each(
        self,
        workflow: str,
        statuses: tuple[str, ...],
        change: Callable[[Any, str], Awaitable[Any]],
    ) -> None:
        """A deployment may give a schedule another id: until none of them is like this."""
        while found := [
            row.id
            for row in await self.until_answered(lambda app: app.schedules())
            if row.workflow == workflow and row.status in statuses
        ]:
            await self.allowed(partial(_named, found[0], change), NotFoundError)

    # the rest

    async def cancel(self, number: int) -> None:
        run_id = self.runs.get(number)
        if run_id is None:
            return

        async def serve(app: Any) -> None:
            await app.cancel(run_id, by="client", why="no longer wanted")

        await self.allowed(serve, ConflictError, NotFoundError)

    async def mend(self, number: int, how: str) -> None:
        """A person pauses a run and lets it go on, or wants what failed in it done once more, or
        one step of it, or it in another run."""
        run_id = self.runs.get(number)
        if run_id is not None:
            await self.mending.mend(run_id, how)

    async def complete(self, number: int, how: str) -> None:
        run_id = self.runs.get(number)
        if run_id is not None:
            await self.people.answer_one(run_id, how)

    async def repair(self, number: int) -> None:
        await self.mending.repair(self.runs[number])

    async def refuse(self, number: int) -> None:
        """Whoever was asked says no."""
        for wait in (await self.until_answered(partial(_view, self.runs[number]))).waits:
            if wait.kind == "callback":
                await self.allowed(partial(_fail, wait.token), ConflictError, NotFoundError)

    async def look(self, number: int) -> None:
        run_id = self.runs.get(number)
        if run_id is not None:
            await self.allowed(partial(_view, run_id), NotFoundError)

    async def answer(self, token: str, number: int) -> None:
        async def serve(app: Any) -> None:
            await app.heartbeat(token)
            await app.answer(token, output={"n": number})

        await self.allowed(serve, ConflictError, NotFoundError)

    async def watch(self, number: int) -> None:
        """Follows a run to its end, or to that of the process."""
        run_id = self.runs.get(number)
        if run_id is None:
            return

        async def serve(app: Any) -> None:
            last = -1
            async for fact in app.stream(run_id):
                if fact["seq"] != last + 1:
                    self._ledger.breaks("stream.gap", f"{fact['seq']} after {last}", run_id)
                last = fact["seq"]

        self._world.outside(self._watched(serve))

    async def _watched(self, serve: Serve) -> None:
        process = await self._world.serving()
        with suppress(*AGAIN, NotFoundError):
            await process.ask(serve)

    # many runs

    async def bulk(self, action: str, workflow: str, stopped: bool) -> None:
        """All of a workflow: looked at, begun twice, and perhaps stopped."""
        where = RunFilter(workflow=workflow)
        seen = await self.until_answered(lambda app: app.preview_bulk(action, where))
        token = seen.preview_token

        async def begin(app: Any) -> None:
            await app.start_bulk(token, rate=50.0, by="client", why=token)

        gone = (ConflictError, NotFoundError)  # it has expired, for the clock was set
        await asyncio.gather(*[self.allowed(begin, *gone) for _ in "12"])
        if stopped:
            await asyncio.sleep(self._world.chance.random() * 0.2)
            await self.allowed(lambda app: app.stop_operation(token, by="client"), *gone)

    # what is left over

    async def letters(self) -> None:
        """Looks at each of them."""
        found = await self.until_answered(lambda app: app.dead_letters())
        for letter in found:
            await self.allowed(partial(_letter, letter.id), NotFoundError)

    async def redrive(self, copies: int) -> None:
        """All that there are, by several people at once."""
        query = LetterQuery()
        await self.until_answered(lambda app: app.redrive(where=query, dry_run=True))
        await asyncio.gather(*[self._soon(self._redrive) for _ in range(copies)])

    async def _redrive(self) -> None:
        async def serve(app: Any) -> None:
            for told in (await app.redrive(where=LetterQuery(), by="client")).letters:
                for run_id in told.runs[:1]:
                    self._ledger.told_run(f"letter {told.id}", run_id)

        await self.allowed(serve, NotFoundError)

    async def clean(self) -> None:
        await self.until_answered(lambda app: app.clean())

    async def nonsense(self, workflow: str) -> None:
        """Bad input gets a clear error, and changes nothing."""

        async def no_such_workflow(app: Any) -> None:
            await app.start_run(f"{workflow}x", {})

        async def no_such_run(app: Any) -> None:
            await app.cancel("nothing")

        async def no_input(app: Any) -> None:
            await app.start_run(workflow, ["a", "list"])

        for serve in (no_such_workflow, no_such_run, no_input):
            await self._refused(serve)

    async def _refused(self, serve: Serve) -> None:
        try:
            await self.until_answered(serve)
        except OstinatoError as error:
            if str(error):
                return
        self._ledger.breaks("error.unclear", f"{serve.__name__} was taken")


async def _named(name: str, change: Callable[[Any, str], Awaitable[Any]], app: Any) -> None:
    await change(app, name)


async def _view(run_id: str, app: Any) -> Any:
    return await app.run_view(run_id)


async def _letter(letter_id: str, app: Any) -> None:
    await app.dead_letter(letter_id)


async def _fail(token: str, app: Any) -> None:
    await app.answer(token, error={"name": "Refused", "message": "no (simulated)"})


def input_of(number: int) -> dict[str, Any]:
    return {"n": number, "items": [1, 2, 3], "many": MANY}


def _answer(view: Any) -> bytes:
    return str(view.id).encode()


def _of_another(error: OstinatoError) -> bool:
    """What was asked of another process has met a bug of an adapter there."""
    return type(error) is OstinatoError and AdapterBug.__name__ in error.message
