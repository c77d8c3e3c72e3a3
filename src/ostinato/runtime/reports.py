"""What a handler did, as an event for its run."""

from __future__ import annotations

import traceback
from typing import Any

from msgspec import Raw

from ostinato.core import events as e
from ostinato.core.codec import NULL, encode_value
from ostinato.core.commands import StartJob
from ostinato.core.facts import Failure
from ostinato.errors import NotStorable, TooLarge
from ostinato.runtime.outcomes import Fail, Later, Retry

MESSAGE = 2_000
"""Characters of an error's text that are kept."""


def report_of(command: StartJob, value: Any, limit: int) -> e.Event:
    """A value, ``Retry`` or ``Later``."""
    key, attempt = command.key, command.attempt
    if value is None:
        return e.Completed(key, attempt, NULL)
    if isinstance(value, Later):
        return e.Deferred(key, attempt)
    if isinstance(value, Retry):
        error = Failure("Retry", value.message)
        return e.Failed(key, attempt, error, after=value.after)
    try:
        return e.Completed(key, attempt, encode_result(value, limit))
    except (NotStorable, TooLarge) as error:
        return e.Failed(key, attempt, Failure(error.code, str(error)), final=True)


def encode_result(value: Any, limit: int) -> Raw:
    """As JSON; pydantic models and dataclasses become maps."""
    data = encode_value(_plain(value))
    if len(bytes(data)) > limit:
        raise TooLarge(f"the result is {len(bytes(data)):,} bytes of JSON, the limit is {limit:,}")
    return data


def _plain(value: Any) -> Any:
    if type(value) in _PLAIN:
        return value
    from pydantic_core import PydanticSerializationError, to_jsonable_python

    try:
        return to_jsonable_python(value, inf_nan_mode="constants")
    except PydanticSerializationError as error:
        raise NotStorable(f"a {type(value).__name__} cannot be stored as JSON: {error}") from None


_PLAIN = (str, int, float, bool, dict, list)


def failure_of(command: StartJob, error: BaseException) -> e.Failed:
    """``Fail`` is final; anything else is tried again as the job's retry says."""
    key, attempt = command.key, command.attempt
    if isinstance(error, Fail):
        return e.Failed(key, attempt, Failure(error.name, _text(error)), final=True)
    name = getattr(error, "code", None)
    shown = name if isinstance(name, str) and name else type(error).__name__
    return e.Failed(key, attempt, Failure(shown, _text(error)), final=shown == "WrongArguments")


def _text(error: BaseException) -> str:
    text = str(error) or traceback.format_exception_only(error)[-1].strip()
    return text if len(text) <= MESSAGE else text[:MESSAGE] + "…"
