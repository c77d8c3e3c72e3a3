"""What a handler returns or raises, as an event for its run."""

import dataclasses
import enum
from typing import Any

import pydantic
import pytest

from ostinato import Fail, Later, Retry
from ostinato.core import events as e
from ostinato.core.codec import encode_facts
from ostinato.core.commands import StartJob
from ostinato.core.facts import JobFailed
from ostinato.errors import TooLarge
from ostinato.runtime.reports import encode_result, failure_of, report_of

JOB = StartJob("p/j", 2, "h")
LIMIT = 1_000


class Model(pydantic.BaseModel):
    a: int
    inner: "Model | None" = None


@dataclasses.dataclass
class Data:
    a: int
    models: list[Model] = dataclasses.field(default_factory=list)


class Colour(enum.Enum):
    RED = "red"


VALUES = {
    "null": (None, b"null"),
    "text": ("é", '"é"'.encode()),
    "number": (1.5, b"1.5"),
    "list": ([1, {"a": None}], b'[1,{"a":null}]'),
    "tuple": ((1, 2), b"[1,2]"),
    "model": (Model(a=1, inner=Model(a=2)), b'{"a":1,"inner":{"a":2,"inner":null}}'),
    "models in a list": ([Model(a=1)], b'[{"a":1,"inner":null}]'),
    "models in a map": ({"m": Model(a=1)}, b'{"m":{"a":1,"inner":null}}'),
    "dataclass": (Data(1, [Model(a=2)]), b'{"a":1,"models":[{"a":2,"inner":null}]}'),
    "enum": (Colour.RED, b'"red"'),
}


@pytest.mark.parametrize(("value", "stored"), list(VALUES.values()), ids=list(VALUES))
def test_a_value_is_stored_as_json(value, stored):
    event = report_of(JOB, value, LIMIT)
    assert isinstance(event, e.Completed)
    assert bytes(event.output) == stored
    assert (event.key, event.attempt) == ("p/j", 2)


def _loop():
    value: dict[str, Any] = {}
    value["self"] = value
    return value


UNSTORABLE = {
    "nan": float("nan"),
    "nan inside": {"a": [float("inf")]},
    "nan in a model": pydantic.create_model("M", a=(float, ...))(a=float("nan")),
    "object": object(),
    "object inside": [object()],
    "open file": open(__file__),  # noqa: SIM115
    "number as a key": {1: "a"},
    "a loop": _loop(),
    "half a character": "\ud800",
}


@pytest.mark.parametrize("value", list(UNSTORABLE.values()), ids=list(UNSTORABLE))
def test_a_value_that_cannot_be_stored_fails_for_good_and_says_so(value):
    event = report_of(JOB, value, LIMIT)
    assert isinstance(event, e.Failed)
    assert event.final
    assert event.error.name == "NotStorable"
    encode_facts([JobFailed("k", 1, event.error)])


def teardown_module():
    UNSTORABLE["open file"].close()


def test_a_result_over_the_limit_fails_for_good():
    event = report_of(JOB, "x" * LIMIT, LIMIT)
    assert isinstance(event, e.Failed)
    assert event.final
    assert (event.error.name, "1,002 bytes" in event.error.message) == ("TooLarge", True)
    with pytest.raises(TooLarge):
        encode_result("x" * LIMIT, LIMIT)


def test_retry_and_later_are_answers():
    assert report_of(JOB, Later(), LIMIT) == e.Deferred("p/j", 2)
    event = report_of(JOB, Retry(after="2s", message="not ready"), LIMIT)
    assert isinstance(event, e.Failed)
    assert (event.error.name, event.error.message, event.after) == ("Retry", "not ready", 2_000)
    assert not event.final


class Coded(Exception):
    code = "E_CODE"


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("no")


RAISED = {
    "exception": (ValueError("no"), "ValueError", "no"),
    "without text": (KeyError(), "KeyError", "KeyError"),
    "exit": (SystemExit("bye"), "SystemExit", "bye"),
    "exit with a number": (SystemExit(3), "SystemExit", "3"),
    "interrupt": (KeyboardInterrupt(), "KeyboardInterrupt", "KeyboardInterrupt"),
    "base": (BaseException("base"), "BaseException", "base"),
    "a code of its own": (Coded("x"), "Coded", "x"),
    "ours": (TooLarge("big"), "TooLarge", "big"),
    "broken text": (Unspeakable(), "Unspeakable", "Unspeakable"),
    "half a character": (ValueError("\ud800"), "ValueError", "\\ud800"),
    "group": (ExceptionGroup("two", [ValueError("a")]), "ExceptionGroup", "two (1 sub-exception)"),
}


@pytest.mark.parametrize(("error", "name", "message"), list(RAISED.values()), ids=list(RAISED))
def test_whatever_is_raised_is_a_failure_with_a_name_and_a_text(error, name, message):
    event = failure_of(JOB, error)
    assert (event.error.name, event.error.message) == (name, message)
    assert not event.final
    encode_facts([JobFailed("k", 1, event.error)])


def test_fail_is_final_and_names_itself():
    event = failure_of(JOB, Fail("declined", "PaymentDeclined"))
    assert event.final
    assert (event.error.name, event.error.message) == ("PaymentDeclined", "declined")


def test_only_ours_is_final_and_not_what_is_called_so():
    own = failure_of(JOB, type("Fail", (Exception,), {})("no"))
    assert (own.error.name, own.final) == ("Fail", False)


def test_long_messages_are_cut():
    event = failure_of(JOB, ValueError("x" * 10_000))
    assert len(event.error.message) == 2_001
