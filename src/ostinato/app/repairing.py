"""The verbs with which people mend runs: pause, resume, retry, skip, fork, signal."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Raw

from ostinato.app.doing import Doing
from ostinato.app.run import Run
from ostinato.core import events as e
from ostinato.core.cloudevents import Event
from ostinato.core.cloudevents.event import MAX_ID, MAX_TYPE, checked, text
from ostinato.core.codec import encode_value
from ostinato.core.views import RunView
from ostinato.runtime.bounds import check_size, check_text
from ostinato.runtime.inbox import encoded
from ostinato.runtime.repairs import Fork
from ostinato.runtime.wanted import Begun


class Repairing(Doing):
    """Each stands in the run's history with ``by`` and ``why``.

    All raise ``NotFoundError``, and ``ConflictError`` for what cannot be done to the run as it is.
    """

    async def pause(self, run_id: str, *, by: str = "", why: str = "") -> RunView:
        """Start nothing new in it; what is in hand may end."""
        return await self._repair(run_id, e.PauseRequested(by, why))

    async def resume(self, run_id: str, *, by: str = "", why: str = "") -> RunView:
        return await self._repair(run_id, e.ResumeRequested(by, why))

    async def retry(
        self, run_id: str, key: str = "", *, input: Any = UNSET, by: str = "", why: str = ""
    ) -> RunView:
        """Do a step once more, with another ``input`` if need be; without ``key`` all that failed.

        A run that has failed is opened again. With ``key`` only that step is done, and what else
        had failed waits for repair. An ``input`` is of one step: where several failed, ``key``
        says of which.
        """
        data = None
        if input is not UNSET:
            data = self._bounded("the input", input, "limits.input")
        return await self._repair(run_id, e.RetryRequested(by, why, key, data))

    async def skip(
        self,
        run_id: str,
        key: str,
        *,
        output: Any = None,
        done: bool = False,
        by: str = "",
        why: str = "",
    ) -> RunView:
        """Go on without a step, as if it had given ``output``; ``done``: it counts as succeeded."""
        data = self._bounded("the output", output, "limits.result")
        return await self._repair(run_id, e.SkipRequested(key, by, why, data, done))

    async def signal(
        self,
        run_id: str,
        type: str,
        data: Any = None,
        *,
        id: str | None = None,
        by: str = "",
        why: str = "",
    ) -> RunView:
        """An event for this run alone."""
        event = Event(
            id=text(id or self.new_id(), "id", MAX_ID),
            source="ostinato/signal",
            type=text(type, "type", MAX_TYPE),
            time=self.now(),
            subject=None,
            data=self._bounded("the event", {} if data is None else data, "limits.event"),
        )
        return await self._repair(run_id, e.Signalled(encoded(event), by, why))

    async def fork(
        self, run_id: str, key: str = "", *, input: Any = UNSET, by: str = "", why: str = ""
    ) -> Run:
        """Another run, to which is given what this one had done before the step ``key``.

        Without ``key``: before what failed. ``input`` replaces the run's.
        """
        service = self.service
        state = await self._state(run_id)
        check_text("why", why)
        data = None
        if input is not UNSET:
            data = self._catalog.called_input(state.workflow, state.version, input)
        await self._room(wait=False)
        begun: Begun = await service.ask(
            lambda answer: Fork(service.starter, run_id, key, data, by, why, answer)
        )
        return Run(self, begun.run_id)

    def _bounded(self, what: str, value: Any, setting: str) -> Raw:
        """As JSON. What came as bytes is read once now: it must be readable later."""
        limit: int = self.settings.value(setting)
        data = value if isinstance(value, Raw) else encode_value(value)
        check_size(what, data, limit, setting)
        return checked(data, limit, what)
