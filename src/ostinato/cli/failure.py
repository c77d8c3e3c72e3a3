"""Every error as one line with its mend, and the exit code that scripts can use.

2 says that the command was wrong, 1 that the thing it asked for failed. So an unknown run is a 2
and a failed run is a 1.
"""

from __future__ import annotations

import sys

from ostinato import errors

DONE, FAILED, USAGE, UNREACHABLE, RUNNING = range(5)
INTERRUPTED = 130  # as shells say for Ctrl-C


class Stop(errors.OstinatoError):
    """Ends a command with a message, a mend and an exit code."""

    def __init__(self, message: str, *, hint: str = "", code: int = FAILED) -> None:
        super().__init__(message)
        self.hint = hint
        self.exit_code = code


class ClosedPipe(Exception):
    """Whoever read what we print has seen enough: ``ostinato runs | head``."""


# The first that fits. What is not listed is a fault of ours.
_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (errors.SettingsError, USAGE),
    (errors.UsageError, USAGE),
    (errors.NotFoundError, USAGE),
    (errors.DefinitionError, FAILED),
    (errors.ConflictError, FAILED),
    (errors.AdapterError, UNREACHABLE),
    (errors.OstinatoError, FAILED),
)


def report(error: BaseException) -> int:
    """Say it on stderr; the exit code."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if _is_closed_pipe(error):
        return _closed_pipe()
    if not isinstance(error, errors.OstinatoError):
        tell(
            f"{type(error).__name__}: {_line(error)}", "an error inside Ostinato; --debug shows it"
        )
        return FAILED
    tell(_line(error), getattr(error, "hint", ""))
    if isinstance(error, Stop):
        return error.exit_code
    return next(code for kind, code in _CODES if isinstance(error, kind))


def _is_closed_pipe(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(map(_is_closed_pipe, error.exceptions))
    return isinstance(error, BrokenPipeError | ClosedPipe)


def tell(message: str, hint: str = "") -> None:
    print(f"ostinato: {message}", file=sys.stderr)
    if hint:
        print(f"  {hint}", file=sys.stderr)


def _line(error: BaseException) -> str:
    """One line; a list of problems is one line each."""
    problems = getattr(error, "problems", ())
    if len(problems) > 1:
        return "\n  ".join([f"{len(problems)} problems:", *(str(each) for each in problems)])
    return " ".join(str(error).split()) or type(error).__name__


def _closed_pipe() -> int:
    """Python would flush what is left at its exit, and complain."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return DONE
