"""A command on this machine. Its exit code says how it went."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ostinato.arc.builders import Build, Result
from ostinato.arc.builders.environment import RESULT, told
from ostinato.errors import InvalidInput, UsageError

TAIL = 4096
"""Bytes of what it says that are kept: the last ones."""

GRACE = 5.0
"""Seconds between asking it to stop and making it."""

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "DOCKER_HOST")


_STEERING = re.compile(
    r"(LD|DYLD|BASH|PYTHON|NODE|PERL5?|RUBY|GIT|JAVA|DOCKER)_?.*|ENV|IFS|PATH|HOME|SHELLOPTS|PS4"
)
"""Variables that make a program run other code: parameters come from whoever sends events."""


class LocalProcess:
    """``commands``: by jobIdentifier, what to run, as a list of words; no shell reads them.

    It is told its parameters in its environment, and of ours nothing but where programs are. What
    it writes into the file OSTINATO_RESULT, a JSON object, is the output of the job. It is ended
    with the job, and begun again after a crash: what it does, it must be able to do twice.
    """

    def __init__(self, commands: Mapping[str, Sequence[str]], *, folder: str | None = None) -> None:
        self._commands = {name: list(words) for name, words in commands.items()}
        self._folder = folder

    async def run(self, build: Build) -> Result:
        words = self._commands.get(build.job)
        if not words:
            known = ", ".join(sorted(self._commands)) or "none"
            raise UsageError(f"no command is set for the job {build.job!r}; known are {known}")
        return await run_command(words, build, folder=self._folder)


async def run_command(words: Sequence[str], build: Build, *, folder: str | None = None) -> Result:
    environment = told(
        build.environment, token=build.token, callback_url=build.callback_url, key=build.key
    )
    if steering := sorted(filter(_STEERING.fullmatch, build.environment)):
        raise InvalidInput(f"a command here takes no parameter {steering[0]!r}: rename it")
    own = {name: os.environ[name] for name in INHERITED if name in os.environ}
    with tempfile.TemporaryDirectory(prefix="ostinato-build-") as place:
        result = Path(place) / "result.json"
        process = await asyncio.create_subprocess_exec(
            *words, cwd=folder, env={**environment, **own, RESULT: str(result)},
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            said = await _last(process.stdout)
            code = await process.wait()
        except BaseException:
            await _end(process)
            raise
        return _result(code, said, _output(result))


async def _last(stream: asyncio.StreamReader | None) -> str:
    kept = b""
    while stream is not None and (chunk := await stream.read(65536)):
        kept = (kept + chunk)[-TAIL:]
    return kept.decode("utf-8", "replace").replace("\0", "")


async def _end(process: asyncio.subprocess.Process) -> None:
    """It, and what it has begun."""
    for number, patience in ((signal.SIGTERM, GRACE), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), patience)
            return


def _output(path: Path) -> dict[str, Any] | str:
    """A text is what is wrong with it."""
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        return f"OSTINATO_RESULT is not JSON: {error}"
    return found if isinstance(found, dict) else "OSTINATO_RESULT is not a JSON object"


def _result(code: int, said: str, output: dict[str, Any] | str) -> Result:
    told_of = {"exitCode": code, "tail": said}
    if isinstance(output, str):
        return Result("failed", output, told_of)
    if code == 0:
        return Result("succeeded", output={**output, **told_of})
    how = f"exit code {code}" if code > 0 else f"signal {-code}"
    return Result("failed", f"the command ended with {how}", {**output, **told_of})
