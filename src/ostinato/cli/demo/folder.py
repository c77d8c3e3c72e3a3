"""The demo's folder: a fresh store in a place that stays, and the commands that look into it."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import sys
from pathlib import Path

from ostinato.cli.demo.server import FILE
from ostinato.cli.failure import Stop
from ostinato.cli.local import opened
from ostinato.config import Settings
from ostinato.errors import StoreError, StoreLocked

_OURS = (FILE, f"{FILE}-wal", f"{FILE}-shm", f"{FILE}.lock", f"{FILE}.url", "server.log")


def settings_for(folder: Path) -> Settings:
    return Settings(store=f"sqlite:///{folder / FILE}")


def fresh(folder: Path) -> Path:
    """The folder, absolute, without what an earlier demo left in it. Other files stay."""
    folder = folder.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / FILE).exists():
            asyncio.run(_refuse_busy(folder))
        for name in _OURS:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        said = f"{folder} cannot be written: {error.strerror}"
        raise Stop(said, hint="take another place: ostinato demo --data DIR") from error
    return folder


async def _refuse_busy(folder: Path) -> None:
    try:
        async with opened(settings_for(folder)):
            pass
    except StoreLocked as error:
        hint = "take another place: ostinato demo --data DIR"
        raise Stop(f"a server is at work there: {error}", hint=hint) from error
    except StoreError:
        pass  # of an older demo: it is thrown away


def commands(folder: Path) -> list[tuple[str, str]]:
    """Each with what it shows."""
    store = f"--store sqlite:///{shlex.quote(_shown(folder / FILE))}"
    name = _program()
    return [
        (f"{name} runs --status failed {store}", "what failed, and why"),
        (f"{name} show umbrella {store}", "one tenant, job by job"),
        (f"{name} show hooli --history {store}", "all that was recorded of one that failed"),
    ]


def _shown(path: Path) -> str:
    """From here, when it is below."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _program() -> str:
    """How this very command can be called again, also when it is not on the PATH."""
    script, known = Path(sys.argv[0]).absolute(), shutil.which("ostinato")
    if script.name != "ostinato" or not script.exists():
        return f"{shlex.quote(sys.executable)} -m ostinato"
    return "ostinato" if known and script.samefile(known) else shlex.quote(_shown(script))
