"""The one way to a log: ``log = logger("ostinato.engine")``, then ``log.info("run.ended")``."""

from __future__ import annotations

from typing import Any

import structlog


def logger(name: str) -> Any:
    """Events are dotted: a thing, what happened to it. Values are named, never in the text."""
    return structlog.get_logger(name)
