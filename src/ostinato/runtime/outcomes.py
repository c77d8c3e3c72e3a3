"""What a handler can say besides a value: it raises ``Fail``, or returns ``Retry`` or ``Later``."""

from __future__ import annotations

from ostinato.core.durations import parse_duration


class Fail(Exception):
    """The job has failed and must not be tried again, whatever its ``retry`` says.

    ``name`` is the failure's name wherever it is shown or read: in the run's history, at the doors,
    as ``jobs.x.error.name`` and ``run.error.name`` in expressions.
    """

    def __init__(self, message: str = "", name: str = "Fail") -> None:
        super().__init__(message)
        self.message = message
        self.name = name


class Retry:
    """Try again, after a duration (``"30s"`` or seconds); it counts as an attempt."""

    __slots__ = ("after", "message")

    def __init__(
        self, after: str | float | None = None, message: str = "asked for a retry"
    ) -> None:
        self.after = None if after is None else _ms(after)
        self.message = message


class Later:
    """The job goes on elsewhere; whoever holds its token will say how it ended."""

    __slots__ = ()


def _ms(value: str | float) -> int:
    return parse_duration(value) if isinstance(value, str) else round(value * 1000)
