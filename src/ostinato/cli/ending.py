"""Waiting for the end of a run, and what its end means for the exit code."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from ostinato.cli import output, words
from ostinato.cli.client import Client, Data
from ostinato.cli.failure import DONE, FAILED, RUNNING
from ostinato.core.state import OVER


async def wait_end(client: Client, run_id: str, limit: float | None) -> Data:
    """The run as it is at its end, or when the time is up."""
    try:
        async with asyncio.timeout(limit):
            async for _ in client.follow(run_id):
                pass
    except TimeoutError:
        pass
    return await client.run(run_id)


def exit_code(run: Data) -> int:
    if run["status"] not in OVER:
        return RUNNING
    return DONE if run["status"] == "succeeded" else FAILED


def told_end(run: Data, *, quiet: bool) -> int:
    """Prints how it ended (unless the data was printed already); the exit code."""
    code = exit_code(run)
    if quiet:
        return code
    now = words.now_ms()
    output.line(f"{run['status']} after {words.took(run, now)}", style=output.STYLES[run["status"]])
    if error := words.failure(run.get("error")):
        output.line(error)
    for reason in words.progress(run, now):
        output.line(reason)
    if code == DONE and run.get("output") is not None:
        output.line(shown(run["output"]))
    return code


def shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2 if output.on_terminal() else None)
