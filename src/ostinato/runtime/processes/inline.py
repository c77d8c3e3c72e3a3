"""No processes: the work is done in a thread of this one.

Simulations use it, and whoever tests a workflow: time is theirs, and nothing is to be started.
The function is bound, called and judged as it is in a process; only a time-out cannot stop it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ostinato.core import events as e
from ostinato.runtime.handlers import Handler, Job
from ostinato.runtime.processes.doing import done
from ostinato.runtime.processes.messages import Answer
from ostinato.runtime.processes.work import Work


class InLine:
    @staticmethod
    def check(name: str, function: Callable[..., Any], provided: Iterable[type]) -> None:
        pass

    @staticmethod
    def prepare(handlers: Iterable[Handler]) -> None:
        pass

    async def do(self, work: Work) -> Answer:
        loop = asyncio.get_running_loop()

        def report(run_id: str, event: e.Event) -> None:
            loop.call_soon_threadsafe(work.report, run_id, event)

        job = Job(work.state, work.command, report)
        work.begun()
        return await loop.run_in_executor(None, done, work.handler, job, work.command, work.limit)

    def close(self) -> Sequence[asyncio.Future[Any]]:
        return ()
