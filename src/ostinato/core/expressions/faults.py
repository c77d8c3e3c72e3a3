"""Errors that point: where in the text, what, and how to mend it."""

from __future__ import annotations

from ostinato.errors import ExpressionError, Problem

__all__ = ["excerpt", "failure", "fault", "within"]

_WIDTH = 80


def fault(text: str, at: int, message: str, hint: str = "") -> ExpressionError:
    """A text that cannot be read, at one of its characters."""
    line = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    place = f"column {column}" if "\n" not in text else f"line {line}, column {column}"
    said = f"{message} at {place} of `{excerpt(text, at)}`" + (f" ({hint})" if hint else "")
    problem = Problem(message, line=line, column=column, hint=hint)
    return ExpressionError(said, problems=(problem,), position=at, hint=hint)


def failure(message: str, hint: str = "") -> ExpressionError:
    """A text that could be read and failed on its values."""
    said = f"{message} ({hint})" if hint else message
    return ExpressionError(said, problems=(Problem(message, hint=hint),), hint=hint)


def within(error: ExpressionError, text: str) -> ExpressionError:
    said = f"{error.message} in `{excerpt(text, 0)}`"
    return type(error)(said, problems=error.problems or (Problem(error.message),), **error.details)


def excerpt(text: str, at: int) -> str:
    start = max(0, min(at - _WIDTH // 2, len(text) - _WIDTH))
    shown = " ".join(text[start : start + _WIDTH].split())
    return ("…" if start else "") + shown + ("…" if start + _WIDTH < len(text) else "")
