"""The one way to a log: ``log = logger("ostinato.engine")``, then ``log.info("run.ended")``."""

from __future__ import annotations

from typing import Any

import structlog

if not structlog.is_configured():  # whoever embeds us configures it later, or not at all
    # By itself it would show the local variables of what failed: headers and their keys.
    *_before, _console = structlog.get_config()["processors"]
    _plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*_before, _plain])


def logger(name: str) -> Any:
    """Events are dotted: a thing, what happened to it. Values are named, never in the text."""
    return structlog.get_logger(name)
