"""Starts in a set: a run with a key begins where that belongs, any other in one after the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from typing import Any

from msgspec import UNSET

from ostinato.app.doing import Once
from ostinato.app.orchestrator import App
from ostinato.app.remote import RemoteRun
from ostinato.app.run import Run
from ostinato.app.shards.events import Events
from ostinato.app.shards.part import Part
from ostinato.app.shards.parts import of_run
from ostinato.errors import NotFoundError
from ostinato.runtime.inbox import Accepted


class Starting(Events):
    def __init__(self, whole: App) -> None:
        super().__init__(whole)
        self._turns = count()

    async def start(
        self, workflow: Any, /, *, uid: str | None = None, input: Any = UNSET, **arguments: Any
    ) -> Run | RemoteRun:
        given = arguments if input is UNSET else input
        return await self.start_run(str(getattr(workflow, "name", workflow)), given, uid=uid)

    async def start_run(
        self,
        workflow: str,
        input: Any,
        *,
        uid: str | None = None,
        version: int | None = None,
        wait: bool = True,
        once: Once | None = None,
    ) -> Run:
        home = await self._start_home(workflow, version, uid, input, once)
        if once is not None:
            home = await self._answering(once, home, wait)

        async def begin(part: Part) -> Run:
            return await part.start_run(
                workflow, input, uid=uid, version=version, wait=wait, once=once
            )

        run = await self.at(home, begin)
        if run.replayed and not run.id and run.answer:  # another one answers: a uid means another
            home = int(run.answer)  # store since a deployment
            run = await self.at(home, begin)
        self.remember("run", run.id, home)
        return run

    async def _start_home(
        self, workflow: str, version: int | None, uid: str | None, input: Any, once: Once | None
    ) -> int:
        found = await self.at(
            self.handy(), lambda part: part.start_key(workflow, version, uid, input)
        )
        if found is not None:
            return await self.key_home(found[0], uid=found[1])
        if once is not None:
            return await self.key_home((once.scope, once.key), uid=False)
        return await self._next_turn()

    async def _answering(self, once: Once, home: int, wait: bool) -> int:
        """Where a request is answered: its key has it before a run begins elsewhere."""
        keeper = await self.key_home((once.scope, once.key), uid=False)
        if keeper == home:
            return home
        await self.at(home, lambda part: part._room(wait))
        other = await self.at(keeper, lambda part: part.reserve(once, home))
        return keeper if other is None else other

    async def use_up(self, scope: str, key: str, lasts: int) -> bool:
        home = await self.key_home((scope, key), uid=False)
        return await self.at(home, lambda part: part.use_up(scope, key, lasts))

    async def _next_turn(self) -> int:
        """The next one that takes starts; of those that do not any, to be told so."""
        first, size = next(self._turns), len(self.parts)
        turns = [(first + number) % size for number in range(size)]
        here = [number for number in turns if not self.presences[number].away] or turns
        ready = [number for number in here if self.parts[number].health()["ready"]]
        for number in ready:
            if await self.presences[number].answers():
                return number
        return (ready or here)[0]

    async def emit(
        self,
        type: str,
        data: Any = None,
        *,
        id: str | None = None,
        source: str = "ostinato/app",
        subject: str | None = None,
    ) -> Accepted:
        event = self.whole._make_event(type, data, id=id, source=source, subject=subject)
        return (await self.accept([event]))[0]

    cancel = of_run(App.cancel)
    pause = of_run(App.pause)
    resume = of_run(App.resume)
    retry = of_run(App.retry)
    skip = of_run(App.skip)
    signal = of_run(App.signal)

    fork = of_run(App.fork)

    async def answer(
        self, token: str, *, output: Any = None, error: Mapping[str, str] | None = None
    ) -> None:
        await self._of_token(token, lambda part: part.answer(token, output=output, error=error))

    async def heartbeat(self, token: str) -> None:
        await self._of_token(token, lambda part: part.heartbeat(token))

    async def _of_token(self, token: str, work: Callable[[Part], Awaitable[None]]) -> None:
        run_id = token.partition(".")[0]
        if await self.run_owner(run_id) is None:
            raise NotFoundError("no job has this token")
        await self.of_run(run_id, work)
