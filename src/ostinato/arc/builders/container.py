"""An image, run by docker (or what is called as it is)."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from hashlib import sha256

from ostinato.arc.builders import Build, Result
from ostinato.arc.builders.environment import CALLBACK, KEY, TOKEN
from ostinato.arc.builders.process import run_command
from ostinato.errors import SettingsError, UsageError


class Container:
    """``images``: by jobIdentifier. ``options`` stand before the image, as ``--network=host``.

    The container is removed when it has ended. Its environment has the parameters, and nothing of
    the engine's.
    """

    def __init__(
        self, images: Mapping[str, str], *, engine: str = "docker", options: Sequence[str] = ()
    ) -> None:
        self._images = dict(images)
        self._engine = engine
        self._options = list(options)

    async def run(self, build: Build) -> Result:
        if shutil.which(self._engine) is None:
            raise SettingsError(f"{self._engine} is not installed here, so no container can run")
        if build.job not in self._images:
            known = ", ".join(sorted(self._images)) or "none"
            raise UsageError(f"no image is set for the job {build.job!r}; known are {known}")
        return await run_command(self._words(build), build)

    def _words(self, build: Build) -> list[str]:
        """Values go by the environment of the engine's client, so that no list of processes shows
        them."""
        name = f"ostinato-{sha256(build.key.encode()).hexdigest()[:16]}"
        names = [*build.environment, TOKEN, CALLBACK, KEY]
        given = [word for each in names for word in ("--env", each)]
        return [self._engine, "run", "--rm", "--init", "--name", name, *given, *self._options,
                self._images[build.job]]  # fmt: skip
