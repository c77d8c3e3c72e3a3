"""What an event sets off: the runs it starts, the triggers it does not suit, the keys it has."""

import msgspec
import pytest
from msgspec import Raw

from ostinato.core.cloudevents import Event, event_value
from ostinato.core.expressions import parse, parse_template
from ostinato.core.triggers import Trigger, match
from ostinato.errors import ExpressionError, InvalidInput

DATA = {"id": 7, "name": "acme"}


def event(data=DATA, type="GO"):
    encoded = Raw(msgspec.json.encode(data))
    return Event(id="1", source="s", type=type, time=0, subject=None, data=encoded)


class Deployed:
    """Every trigger fits ``GO``; an input must be a map, and gets ``tier`` when it has none."""

    def __init__(self, *triggers, shapes=()):
        self.all = triggers
        self.paths = shapes

    def triggers(self, type, event):
        return self.all if type == "GO" else ()

    def listens(self, type):
        return type == "GO"

    def shapes(self, type):
        return self.paths

    def check_input(self, workflow, version, value):
        if not isinstance(value, dict):
            raise InvalidInput("not a map")
        return value if workflow == "plain" else {"tier": "free"} | value


def started(trigger, data=DATA):
    (start,) = match(Deployed(trigger), event(data)).starts
    return start.input and msgspec.json.decode(start.input), start.uid


def uid_of(text, data=DATA):
    return started(Trigger("plain", 1, uid=parse(text)), data)[1]


def test_the_data_of_an_event_is_the_input_and_is_not_kept_twice():
    assert started(Trigger("plain", 1)) == (None, None)


def test_an_input_is_kept_when_defaults_change_it():
    assert started(Trigger("w", 1)) == (DATA | {"tier": "free"}, None)


def test_an_input_may_be_made_of_the_event():
    made = parse_template({"who": "${ event.data.name }", "of": "${ event.type }"})
    assert started(Trigger("plain", 1, input=made)) == ({"who": "acme", "of": "GO"}, None)
    assert started(Trigger("plain", 1, input=parse("event.data"))) == (DATA, None)


@pytest.mark.parametrize(
    ("text", "uid"),
    [
        ("event.data.name", "acme"),
        ("event.data.id", "7"),
        ("''", None),
        ("null", None),
        ("event.data.nothing", None),
    ],
)
def test_a_uid_is_a_text_a_whole_number_or_none(text, uid):
    assert uid_of(text) == uid


@pytest.mark.parametrize("text", ["true", "1.5", "[1]", "event.data.name + 1"])
def test_any_other_uid_is_a_misfit(text):
    trigger = Trigger("plain", 1, uid=parse(text))
    found = match(Deployed(trigger), event())
    assert found.starts == []
    ((misfit, error),) = found.misfits
    assert misfit is trigger
    assert isinstance(error, ExpressionError)


def test_one_misfit_does_not_hold_the_others_up():
    found = match(Deployed(Trigger("w", 1), Trigger("w", 1, input=parse("1"))), event())
    assert len(found.starts) == 1
    assert [type(error) for _, error in found.misfits] == [InvalidInput]


def test_an_event_has_a_key_for_each_shape_that_it_fills():
    found = match(Deployed(shapes=(("data.id",), ("data.missing",))), event(type="PAID"))
    assert len(found.values_keys) == 1
    assert msgspec.json.decode(found.encoded) == event_value(event(type="PAID"))


def test_what_nobody_listens_for_is_not_even_decoded():
    found = match(Deployed(), event(type="OTHER"))
    assert (found.starts, found.misfits, found.values_keys) == ([], [], [])
    assert bytes(found.encoded) == b""
