"""Workflows of a set: the first store says what is deployed, the others have the same versions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from ostinato.app.orchestrator import App
from ostinato.app.run import Deployed
from ostinato.app.shards.parts import Parts, of_first
from ostinato.errors import OstinatoError
from ostinato.telemetry.logger import logger

log = logger("ostinato.shards")


class Deploying(Parts):
    """A deployment that breaks off half way is whole when it is repeated, when a store is back, or
    at the next start."""

    def __init__(self, whole: App) -> None:
        super().__init__(whole)
        self.catching_up: set[asyncio.Task[None]] = set()

    async def _adopt(self) -> None:
        """Once all of them know where they belong."""
        await self.counted.wait()
        rows = await self.at(0, lambda part: part.storage.versions())
        for number in range(1, len(self.parts)):
            if self.parts[number].works:
                await self.at(number, lambda part: part.adopt(rows))

    def _is_back(self) -> None:
        task = asyncio.create_task(self._catch_up(), name="ostinato-adopt")
        self.catching_up.add(task)
        task.add_done_callback(self.catching_up.discard)

    async def _catch_up(self) -> None:
        try:
            await self._adopt()
        except OstinatoError as error:  # the next store that is back brings it
            log.warning("deployed.delayed", error=str(error))

    async def deploy(self, document: Any) -> int:
        version = await self.at(0, lambda part: part.deploy(document))
        await self._adopt()
        return version

    async def deploy_texts(self, texts: Sequence[bytes]) -> list[Deployed]:
        deployed = await self.at(0, lambda part: part.deploy_texts(texts))
        await self._adopt()
        return deployed

    async def deploy_documents(self, documents: Sequence[Any]) -> list[Deployed]:
        deployed = await self.at(0, lambda part: part.deploy_documents(documents))
        await self._adopt()
        return deployed

    async def deploy_part(self, data: dict[str, Any]) -> str:
        name = await self.at(0, lambda part: part.deploy_part(data))
        await self._adopt()
        return name

    async def update_workflow(self, name: str, text: bytes) -> Deployed:
        deployed = await self.at(0, lambda part: part.update_workflow(name, text))
        await self._adopt()
        return deployed

    async def delete_workflow(self, name: str) -> None:
        await self.at(0, lambda part: part.delete_workflow(name))
        await self._adopt()

    async def delete_version(self, name: str, version: int) -> None:
        await self.at(0, lambda part: part.delete_version(name, version))
        await self._adopt()

    workflows = of_first(App.workflows)
    workflow = of_first(App.workflow)
    versions = of_first(App.versions)

    schedules = of_first(App.schedules)
    schedule = of_first(App.schedule)
    pause_schedule = of_first(App.pause_schedule)
    resume_schedule = of_first(App.resume_schedule)
    fire_schedule = of_first(App.fire_schedule)
    backfill_schedule = of_first(App.backfill_schedule)

    def graph(self, name: str, version: int | None = None) -> dict[str, Any]:
        return self.parts[0].graph(name, version)

    def expects(self, type: str) -> bool:
        return self.parts[0].expects(type)

    def now(self) -> int:
        return self.parts[0].now()
