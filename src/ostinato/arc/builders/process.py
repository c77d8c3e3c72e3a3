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

UNREAD = 1 << 20
"""Bytes at most that a pipe holds: what is read of it when the command has ended."""

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
    with the job, and begun again after a crash: what it does, it must be able to do twice. When it
    has ended, what it has begun and left behind is nobody's business here.
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
    environment = {**surroundings(build), **inherited()}
    with tempfile.TemporaryDirectory(prefix="ostinato-build-") as place:
        result = Path(place) / "result.json"
        code, said = await spoken(words, {**environment, RESULT: str(result)}, folder)
        return result_of(code, said, _output(result))


def surroundings(build: Build) -> dict[str, str]:
    """What a command is told in its environment. Raises ``InvalidInput``."""
    if steering := sorted(filter(_STEERING.fullmatch, build.environment)):
        raise InvalidInput(f"a command here takes no parameter {steering[0]!r}: rename it")
    return told(
        build.environment, token=build.token, callback_url=build.callback_url, key=build.key
    )


def inherited() -> dict[str, str]:
    """Of our own environment: where programs are."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ}


async def spoken(
    words: Sequence[str], environment: Mapping[str, str], folder: str | None = None
) -> tuple[int, str]:
    """The exit code of a command, and the last of what it said until then.

    The end of the command counts. What it leaves behind may have its end of the pipe for ever.
    """
    with _Tail() as tail:
        process = await asyncio.create_subprocess_exec(
            *words, cwd=folder, env=environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=tail.given, stderr=tail.given, start_new_session=True,
        )  # fmt: skip
        tail.listen()
        try:
            code = await process.wait()
        except BaseException:
            await _end(process)
            raise
        return code, tail.text()


class _Tail:
    """A pipe, and the last of what came by it. ``given`` is the end for the command."""

    def __init__(self) -> None:
        self._pipe, self.given = os.pipe()
        os.set_blocking(self._pipe, False)
        self._loop = asyncio.get_running_loop()
        self._kept = b""

    def __enter__(self) -> _Tail:
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.remove_reader(self._pipe)
        os.close(self._pipe)
        self._let_go()

    def listen(self) -> None:
        """The command has its end by now."""
        self._let_go()
        self._loop.add_reader(self._pipe, self._read)

    def text(self) -> str:
        left = UNREAD
        while left > 0 and (size := self._read()):
            left -= size
        return self._kept.decode("utf-8", "replace").replace("\0", "")

    def _read(self) -> int:
        """How much there was."""
        try:
            chunk = os.read(self._pipe, 65536)
        except BlockingIOError:
            return 0
        if not chunk:
            self._loop.remove_reader(self._pipe)
        self._kept = (self._kept + chunk)[-TAIL:]
        return len(chunk)

    def _let_go(self) -> None:
        given, self.given = self.given, -1
        if given >= 0:
            os.close(given)


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


def result_of(code: int, said: str, output: dict[str, Any] | str) -> Result:
    told_of = {"exitCode": code, "tail": said}
    if isinstance(output, str):
        return Result("failed", output, told_of)
    if code == 0:
        return Result("succeeded", output={**output, **told_of})
    how = f"exit code {code}" if code > 0 else f"signal {-code}"
    return Result("failed", f"the command ended with {how}", {**output, **told_of})
