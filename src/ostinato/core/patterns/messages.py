"""What a pattern is asked about, in the form in which its leaves look for it.

An event is asked as it is. A message of Amazon SNS is asked by its attributes or by its body, which
then stand under one name, so that no field of theirs is taken for one of an event. Nothing is left
when there is nothing to compare: no attribute, or a body that is no JSON object.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn

import msgspec

from ostinato.core.cloudevents import Event, event_value
from ostinato.core.patterns.explain import Failure
from ostinato.core.patterns.matchers import kind
from ostinato.errors import Problem, UsageError

Message = Mapping[str, Any] | Event | str | bytes
Fields = dict[str, Any]

_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_TYPE = re.compile(r"(String|Number|Binary)(\..+)?", re.DOTALL)
_IGNORED: Any = object()


class Form(NamedTuple):
    """``told`` says of a failure what was found in the words of the message."""

    name: str
    root: str
    read: Callable[[Any], Fields]
    nothing: str = ""
    told: Callable[[Failure, Any], Failure] = lambda failure, message: failure


def _event(event: Any) -> Fields:
    if isinstance(event, dict):
        return event
    if isinstance(event, Event):
        return event_value(event)
    if not isinstance(event, Mapping):
        _refuse("event", "", f"an event is an object, not {kind(event)}", _AS_EVENT)
    return dict(event)


_AS_EVENT = 'as {"type": "ORDER_PLACED", "data": {}}'


def _refuse(what: str, path: str, message: str, hint: str) -> NoReturn:
    problem = Problem(message, path, hint=hint)
    raise UsageError(f"{what}: {problem}", problems=(problem,))


# -- the body ----------------------------------------------------------------------------------


def _body(body: Any) -> Fields:
    if isinstance(body, (str, bytes, bytearray, memoryview)):
        body = _decoded(body)
    return {"body": dict(body)} if isinstance(body, Mapping) else {}


def _decoded(text: Any) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


# -- attributes --------------------------------------------------------------------------------


def _attributes(attributes: Any) -> Fields:
    if not isinstance(attributes, Mapping):
        _refuse("attributes", "", "attributes are an object of names", _AS)
    read = {name: _value(name, attribute) for name, attribute in attributes.items()}
    found = {name: value for name, value in read.items() if value is not _IGNORED}
    return {"attributes": found} if found else {}


_AS = 'as {"price": {"Type": "Number", "Value": "5"}}'


def _value(name: str, attribute: Any) -> Any:
    if not (isinstance(attribute, Mapping) and "Type" in attribute and "Value" in attribute):
        _refuse("attributes", str(name), "an attribute is an object of Type and Value", _AS)
    of, value = attribute["Type"], attribute["Value"]
    if not (isinstance(of, str) and _TYPE.fullmatch(of)):
        known = "one of String, String.Array, Number, Binary"
        _refuse("attributes", f"{name}.Type", "there is no such type", known)
    return _TYPES.get(of, _ignored)(value)


def _ignored(value: Any) -> Any:
    """Binary, and types with a name of one's own behind the point: SNS compares none of them."""
    return _IGNORED


def _text(value: Any) -> Any:
    return value if isinstance(value, str) else _IGNORED


def _number(value: Any) -> Any:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else _IGNORED


def _array(value: Any) -> Any:
    array = _decoded(value) if isinstance(value, (str, bytes)) else value
    return array if isinstance(array, list) else _IGNORED


_TYPES: dict[str, Callable[[Any], Any]] = {
    "String": _text,
    "String.Array": _array,
    "Number": _number,
    "Number.Array": _array,  # in Amazon's examples, though not in their list of types
}


def _told(failure: Failure, attributes: Any) -> Failure:
    name = failure.path
    attribute = attributes.get(name)
    if attribute is None:
        return failure._replace(found="no such attribute")
    if _value(name, attribute) is _IGNORED:
        return failure._replace(found=f"a {attribute['Type']} that is not compared")
    return failure._replace(found=f"the {attribute['Type']} {failure.found}")


EVENT = Form("events", "", _event)
ATTRIBUTES = Form("attributes of SNS", "attributes", _attributes, "no attribute to compare", _told)
BODY = Form("bodies of SNS", "body", _body, "no JSON object")
