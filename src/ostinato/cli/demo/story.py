"""The acts: orders come in, a server dies and returns, the runs end, a burst, the reckoning."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import httpx2

from ostinato.cli.demo.burst import burst
from ostinato.cli.demo.orders import HELD, SENT_TWICE, Order, wire
from ostinato.cli.demo.picture import Picture
from ostinato.cli.demo.server import Server
from ostinato.cli.demo.stage import Stage
from ostinato.cli.failure import Stop
from ostinato.cli.remote import RemoteClient

Facts = dict[str, set[tuple[int, str]]]  # of each run: (seq, type)

_ENDS_WITHIN = 30.0
_AHEAD = 0.15  # seconds before the kill in which deployments begin


@dataclass(slots=True)
class Witness:
    """What the demo was told while it ran: what the store is checked against."""

    accepted: dict[str, list[str]] = field(default_factory=dict)
    duplicate: bool = False
    seen: Facts = field(default_factory=dict)
    taken_up: int = 0
    dead: float = 0.0
    burst: set[str] = field(default_factory=set)


class Story:
    """``pace`` stretches every pause: 1.0 is for people. ``release`` ends the builds that wait."""

    def __init__(
        self,
        server: Server,
        stage: Stage,
        pictures: list[Picture],
        pace: float,
        release: Callable[[], None],
    ) -> None:
        self.server = server
        self.stage = stage
        self.pictures = pictures
        self.pace = pace
        self._release = release
        self._held = [picture for picture in pictures if picture.order.tenant in HELD]
        self.witness = Witness()
        self._news = asyncio.Event()
        self._http = httpx2.AsyncClient(base_url=server.url, timeout=30, trust_env=False)
        self._client = RemoteClient(server.url)

    async def play(self) -> Witness:
        async with self._http, self._redrawn():
            await self._start()
            try:
                await self._from_orders_to_ends()
            except TimeoutError:
                said = f"the runs have not ended after {_ENDS_WITHIN:.0f} s"
                raise Stop(said, hint=f"{self.server.folder}/server.log may say why") from None
            await self._burst()
        return self.witness

    async def _from_orders_to_ends(self) -> None:
        async with asyncio.timeout(_ENDS_WITHIN), asyncio.TaskGroup() as following:
            await self._send_orders(following)
            await self._crash()

    @contextlib.asynccontextmanager
    async def _redrawn(self) -> AsyncIterator[None]:
        async def redraw() -> None:
            while True:
                self.stage.tick()
                await asyncio.sleep(0.08)

        drawing = asyncio.create_task(redraw())
        try:
            yield
        finally:
            drawing.cancel()
            await self._client.close()

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self.pace)

    # orders

    async def _start(self) -> None:
        self.stage.say("a server is started, with an empty store")
        await self.server.start()
        self._tell_server()

    def _tell_server(self) -> None:
        self.stage.server = f"process {self.server.pid} at {self.server.url}"

    async def _send_orders(self, following: asyncio.TaskGroup) -> None:
        for picture in self.pictures:
            order = picture.order
            self.stage.say(f"an order comes in: {order.tenant} ({order.tier}) as {order.form}")
            runs = await self._send(order)
            picture.run_id = runs[0]
            following.create_task(self._follow(picture))
            if order == SENT_TWICE:
                await self._send_again(picture)
            await self._pause(0.25)

    async def _send(self, order: Order) -> list[str]:
        headers, body = wire(order)
        answer = await self._http.post("/events", headers=headers, content=body)
        if answer.status_code != 202:
            raise Stop(f"the order of {order.tenant} was refused: {answer.text:.300}")
        accepted = answer.json()
        self.witness.accepted.setdefault(order.id, accepted["runs"])
        self.witness.duplicate |= accepted["duplicate"]
        return list(accepted["runs"])

    async def _send_again(self, picture: Picture) -> None:
        await self._pause(0.25)
        if await self._send(picture.order) == [picture.run_id]:
            picture.note = "its event came twice: there is one run"
            self.stage.say(f"the event of {picture.order.tenant} comes again: no second run")

    async def _follow(self, picture: Picture) -> None:
        async for fact in self._client.follow(picture.run_id):
            picture.fold(fact)
            self._news.set()
            self.stage.fact(picture, fact)

    # the crash

    async def _crash(self) -> None:
        await self._count_down(2.0 * self.pace)
        await self._until(lambda: all(picture.deploys for picture in self._held), 5.0)
        seen = self._seen()
        began, pid = time.monotonic(), self.server.pid
        await self.server.kill()
        self.stage.say(f"process {pid} is dead; {self._at_work()} jobs were at work", "bold red")
        await self._return(began)
        await self._take_stock(seen)

    async def _count_down(self, seconds: float) -> None:
        pid, ends = self.server.pid, time.monotonic() + seconds - _AHEAD
        self.stage.say(f"in {seconds:.0f} s process {pid} is killed with SIGKILL", "bold red")
        while (left := ends - time.monotonic()) > 0:
            self.stage.hint(f"in {left:.1f} s process {pid} is killed with SIGKILL", "bold red")
            await asyncio.sleep(0.05)
        await self._until(lambda: all(picture.builds for picture in self._held), 5.0)
        self._release()

    async def _return(self, began: float) -> None:
        self.stage.server = "no process"
        returning = asyncio.create_task(self._come_back())
        try:
            while not returning.done():
                dead = time.monotonic() - began
                self.stage.hint(f"killed with SIGKILL; dead for {dead:.1f} s", "bold red")
                await asyncio.wait([returning], timeout=0.05)
            await returning
        finally:
            returning.cancel()
        self.witness.dead = time.monotonic() - began
        self._tell_server()
        self.stage.say(f"process {self.server.pid} has taken its place")

    async def _come_back(self) -> None:
        await self._pause(0.7)
        await self.server.start()

    async def _take_stock(self, seen: Facts) -> None:
        """What the new process has in its store, beside what the old one had shown."""
        busy = [picture for picture in self.pictures if picture.at_work]
        await self._until(lambda: all(picture.cut_off for picture in busy), 2.0)
        held = {run: await self._stored(run) for run in seen}
        taken_up = sum(kind == "job.abandoned" for facts in held.values() for _, kind in facts)
        lost = sum(len(facts - held[run]) for run, facts in seen.items())
        self.witness.seen, self.witness.taken_up = seen, taken_up
        self.stage.say(
            f"dead for {self.witness.dead:.1f} s; {lost or 'nothing'} lost; "
            f"{taken_up} jobs taken up again",
            "bold green",
        )
        await self._pause(1.0)

    async def _stored(self, run_id: str) -> set[tuple[int, str]]:
        return {(fact["seq"], fact["type"]) for fact in await self._client.history(run_id)}

    def _seen(self) -> Facts:
        return {
            picture.run_id: {(seq, fact["type"]) for seq, fact in picture.facts.items()}
            for picture in self.pictures
        }

    def _at_work(self) -> int:
        return sum(picture.at_work for picture in self.pictures)

    async def _until(self, holds: Callable[[], bool], seconds: float) -> None:
        """Waits that long and no longer: what must hold is checked in the end, from the store."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not holds():
                    self._news.clear()
                    await self._news.wait()

    # the burst

    async def _burst(self) -> None:
        seconds = self.pace
        self.stage.say(f"all runs have ended; now a burst of {seconds:.1f} s")
        self.witness.burst = await burst(self._http, seconds)
        self.stage.say("the server is stopped; what follows is read from its store")
