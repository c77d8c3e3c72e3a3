"""What a handler did, as an event for its run."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Raw

from ostinato.core import events as e
from ostinato.core.codec import MAX_DEPTH, NULL, encode_value
from ostinato.core.commands import StartJob
from ostinato.core.facts import Failure
from ostinato.core.labels import NUL
from ostinato.core.secrets import without
from ostinato.errors import NotStorable, OstinatoError, TooLarge
from ostinato.runtime.bounds import check_size
from ostinato.runtime.outcomes import Fail, Later, Retry

MESSAGE = 2_000
"""Characters of an error's text that are kept."""

NAME = 200
"""Characters of an error's name that are kept."""

FRAMES = 12
"""Frames of a handler's traceback that are logged: the last ones."""


def report_of(command: StartJob, value: Any, limit: int) -> e.Event:
    """A value, ``Retry`` or ``Later``."""
    key, attempt = command.key, command.attempt
    if value is None:
        return e.Completed(key, attempt, NULL)
    if isinstance(value, Later):
        return e.Deferred(key, attempt)
    if isinstance(value, Retry):
        error = Failure("Retry", clipped(str(value.message)))
        return e.Failed(key, attempt, error, after=value.after)
    try:
        return e.Completed(key, attempt, encode_result(value, limit))
    except (NotStorable, TooLarge) as error:
        return e.Failed(key, attempt, Failure(error.code, str(error)), final=True)


def encode_result(value: Any, limit: int) -> Raw:
    """As JSON; pydantic models and dataclasses become maps, at any depth."""
    try:
        data = encode_value(value if type(value) in _CONTAINERS else _plain(value))
    except NotStorable:
        data = encode_value(_plain(value))
    check_size("the result", data, limit, "limits.result")
    return data


def _plain(value: Any, depth: int = 0) -> Any:
    kind = type(value)
    if kind in _PLAIN or depth > MAX_DEPTH:
        return value
    if kind is dict:
        return {name: _plain(member, depth + 1) for name, member in value.items()}
    if kind in _CONTAINERS:
        return [_plain(member, depth + 1) for member in value]
    return _model(value)


def _model(value: Any) -> Any:
    from pydantic_core import PydanticSerializationError, to_jsonable_python

    if isinstance(value, Iterator):  # an open file, a generator: reading it would use it up
        raise NotStorable(f"a {type(value).__name__} cannot be stored as JSON; return a list")
    try:
        return to_jsonable_python(value, inf_nan_mode="constants")
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise NotStorable(f"a {type(value).__name__} cannot be stored as JSON: {error}") from None


_PLAIN = (str, int, float, bool, type(None), Raw)
_CONTAINERS = (dict, list, tuple)


def cleaned(event: e.Event, used: Mapping[str, str]) -> e.Event:
    """The report without the secrets that the job was given, wherever it repeats them."""
    match event:
        case e.Completed(key, attempt, output):
            quoted = {
                name: msgspec.json.encode(value)[1:-1].decode() for name, value in used.items()
            }
            return e.Completed(key, attempt, Raw(without(bytes(output).decode(), quoted).encode()))
        case e.Failed(key, attempt, error):
            told = Failure(error.name, without(error.message, used), error.job)
            return e.Failed(key, attempt, told, event.final, event.after)
    return event


def failure_of(command: StartJob, error: BaseException) -> e.Failed:
    """``Fail`` is final; whether anything else is tried again is for the run to decide."""
    key, attempt = command.key, command.attempt
    if isinstance(error, Fail):
        return e.Failed(key, attempt, Failure(_name(error.name), _text(error)), final=True)
    name = _name(error.code if isinstance(error, OstinatoError) else type(error).__name__)
    return e.Failed(key, attempt, Failure(name, _text(error)))


def raised(error: BaseException) -> str:
    """The traceback as text, for the log: what the error holds is not kept alive by it."""
    try:
        return "".join(traceback.format_exception(error, limit=-FRAMES))
    except BaseException:  # its own __str__ is broken
        return type(error).__name__


def _name(value: Any) -> str:
    try:
        return named(str(value))
    except BaseException:  # its own __str__ is broken
        return "Failed"


def _text(error: BaseException) -> str:
    return clipped(_said(error))


def failure_from(name: str, message: str) -> Failure:
    """What somebody outside says that went wrong."""
    return Failure(named(name), clipped(message))


def named(text: str) -> str:
    """Failures are found by their names, so these hold no U+0000."""
    return clipped(text.replace(NUL, "\N{REPLACEMENT CHARACTER}"), NAME)


def clipped(text: str, longest: int = MESSAGE) -> str:
    text = _clean(text)
    return text if len(text) <= longest else text[:longest] + "…"


def _clean(text: str) -> str:
    """Without what UTF-8 cannot hold."""
    return text.encode(errors="backslashreplace").decode()


def _said(error: BaseException) -> str:
    try:
        return str(error) or type(error).__name__
    except BaseException:  # its own __str__ is broken
        return type(error).__name__
