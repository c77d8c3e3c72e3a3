"""An image, run by docker (or what is called as it is)."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from ostinato.arc.builders import Build, Result
from ostinato.arc.builders.environment import CALLBACK, KEY, TOKEN
from ostinato.arc.builders.following import follow
from ostinato.arc.builders.process import GRACE, inherited, result_of, spoken, surroundings
from ostinato.errors import AdapterError, SettingsError, UsageError
from ostinato.telemetry.logger import logger

log = logger("ostinato.arc")

EVERY = 1.0
"""Seconds until an engine that did not answer is asked again, at first."""

LINES = 1000
"""Last lines of what a container has said that are looked at."""

UNBEGUN = ("", "created", "configured", "initialized")
"""States of a container that has not run: there is none, or nobody has come to start it."""

STATES = frozenset(
    (*UNBEGUN, "running", "paused", "restarting", "removing", "stopping", "stopped", "exited",
     "dead")
)  # fmt: skip


class Container:
    """``images``: by jobIdentifier. ``options`` stand before the image, as ``--network=host``.

    A container is named after its build: an attempt that finds it, after a crash, waits for it. It
    goes when its result is stored, and is stopped with the job. Its environment has the parameters,
    and nothing of the engine's.
    """

    def __init__(
        self, images: Mapping[str, str], *, engine: str = "docker", options: Sequence[str] = ()
    ) -> None:
        self._images = dict(images)
        self._engine = engine
        self._options = list(options)

    async def run(self, build: Build) -> Result:
        """Raises ``AdapterError`` for an engine that does not answer: the next attempt asks it."""
        if shutil.which(self._engine) is None:
            raise SettingsError(f"{self._engine} is not installed here, so no container can run")
        if build.job not in self._images:
            known = ", ".join(sorted(self._images)) or "none"
            raise UsageError(f"no image is set for the job {build.job!r}; known are {known}")
        surroundings(build)
        named = _Named(self._engine, f"ostinato-{sha256(build.key.encode()).hexdigest()[:16]}")
        try:
            result = await self._begin(build, named)
            if result is None:
                result = await follow(named.result, EVERY, named.name, AdapterError)
        except asyncio.CancelledError:
            await asyncio.shield(named.end())
            raise
        return replace(result, forget=named.remove)

    async def _begin(self, build: Build, named: _Named) -> Result | None:
        """Unless it has begun. A result is why it cannot."""
        if (state := await named.state()) not in UNBEGUN:
            return None
        if state:
            await named.remove()
        environment = {**surroundings(build), **inherited()}
        code, said = await spoken(self._words(build, named.name), environment)
        if code == 0 or await named.state() not in UNBEGUN:  # or another attempt was first
            return None
        return result_of(code, said, {})

    def _words(self, build: Build, name: str) -> list[str]:
        """Values go by the environment of the engine's client, so that no list of processes shows
        them."""
        names = [*build.environment, TOKEN, CALLBACK, KEY]
        given = [word for each in names for word in ("--env", each)]
        return [self._engine, "run", "--detach", "--init", "--name", name, *given, *self._options,
                self._images[build.job]]  # fmt: skip


class _Named:
    """The container of this name, if there is one, as the engine's client knows it."""

    def __init__(self, engine: str, name: str) -> None:
        self.name = name
        self._engine = engine

    async def state(self) -> str:
        """Empty: there is none."""
        only = f"name=^{self.name}$"
        said = await self._ask("ps", "--all", "--filter", only, "--format", "{{.State}}")
        last = (said.splitlines() or [""])[-1].strip().lower()
        return last if last in STATES else ""  # some clients say more, as whom they stand for

    async def result(self) -> Result:
        """When it has ended."""
        if not await self.state():
            return Result(
                "failed", f"the container {self.name} was removed before it was looked at"
            )
        last = (await self._ask("wait", self.name)).split()[-1:]
        if not last or not last[0].isdecimal():
            raise AdapterError(f"{self._engine} wait {self.name} says no exit code")
        _, said = await self._say("logs", "--tail", str(LINES), self.name)
        return result_of(int(last[0]), said, {})

    async def end(self) -> None:
        await self._say("stop", "-t", f"{GRACE:.0f}", self.name)
        await self.remove()

    async def remove(self) -> None:
        """Also where there is none. One that stays is in nobody's way: the next attempt under its
        name takes its result."""
        code, said = await self._say("rm", "--force", self.name)
        if code and "no such container" not in said.lower():
            log.warning("arc.container_stays", container=self.name, why=said.strip())

    async def _ask(self, *words: str) -> str:
        code, said = await self._say(*words)
        if code:
            raise AdapterError(f"{self._engine} {words[0]} ended with {code}: {said.strip()}")
        return said

    async def _say(self, *words: str) -> tuple[int, str]:
        return await spoken([self._engine, *words], inherited())
