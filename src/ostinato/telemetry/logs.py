"""Logs go to stderr, so that what a command prints stays clean.

Ours are structlog's. The standard library's (of uvicorn, of handlers) end in the same stream and
the same form.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from ostinato.config import LogSettings


# Too chatty for a server's log at level info.
_QUIET = ("aiobotocore", "asyncio", "botocore", "httpcore2", "httpx2", "uvicorn")


_configured: list[LogSettings] = []


def configured() -> LogSettings | None:
    """How this process writes its log, for another one that is to do the same."""
    return _configured[-1] if _configured else None


def configure_logs(settings: LogSettings) -> None:
    _configured[:] = [settings]
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # no step logs; and what is kept cannot be diverted
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _renderer(settings.format),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _renderer(form: str) -> Any:
    if form == "json" or (form == "auto" and not sys.stderr.isatty()):
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty() and _colour_wanted(),
        exception_formatter=structlog.dev.plain_traceback,  # another shows what variables hold
    )


def _colour_wanted() -> bool:
    import os

    return not os.environ.get("NO_COLOR")


def warn_on_stderr() -> Callable[[], None]:
    """For a command, whose stdout is its answer: warnings only; returns what takes it back."""
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.processors.add_log_level, _renderer("console")],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    return lambda: structlog.configure(**before)


def divert_logs(sink: Callable[[dict[str, Any]], object]) -> Callable[[], None]:
    """Hand every event of ours to ``sink`` instead; returns what takes it back."""
    before = structlog.get_config()

    def give(logger: Any, name: str, event: Any) -> Any:
        sink(dict(event))
        raise structlog.DropEvent

    structlog.configure(
        processors=[give],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )
    return lambda: structlog.configure(**before)
