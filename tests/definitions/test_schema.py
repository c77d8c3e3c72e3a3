"""The published schema says what the reader says."""

import json
from pathlib import Path

import jsonschema_rs
import pytest

from ostinato.definitions.keys import LATER, SECTIONS
from ostinato.definitions.schema import document_schema
from ostinato.definitions.yaml import read_yaml
from tests.definitions import test_check, test_compile, test_load
from tests.definitions.samples import BIG, big_now, numbered, workflow

REFERENCE = Path(__file__).resolve().parents[2] / "docs/reference"
VALIDATOR = jsonschema_rs.validator_for(document_schema())


def value(text):
    (place,) = read_yaml(text)
    return place.data()


ACCEPTED = [
    big_now(),
    *test_check.FINE,
    *(text for text, _ in test_check.ERRORS + test_check.WARNINGS),
    *(workflow(row[0]) for row in test_load.A_JOB),
    workflow(head="on: A"),
    workflow(head="on: [A, {event: [B, C], pattern: {data: {a: [1]}}, input: {a: event.data.b}}]"),
]


@pytest.mark.parametrize("text", ACCEPTED, ids=range(len(ACCEPTED)))
def test_accepts(text):
    assert [error.message for error in VALIDATOR.iter_errors(value(text))] == []


# What a schema cannot say: two of a name, what an expression or a pattern is, what is beside what.
BEYOND = (
    "two ", "stands here twice", "no phase is called", "did nothing", "not a JSON Schema",
    "is not fetched", "in `1 +`", "&&", "jobs[0].with", "nope", "begins a comment", "numerc",
    "stands in a list", "already means", "not a duration", "the name of a handler",
    "an event type has no", "already has a timeout", "does nothing", "one of GET", "months and",
    "longer than nothing", "the document is empty", "101%", "a percentage",
    "an interval of at least", "two triggers", "every: 15m", "five fields", "for the year",
    "is no ", "W there is", "a range goes", "by a start of the server", "200 characters",
    "never comes", "no month of", "did you mean `Europe", "Berlin`?", "New_York", "IANA name",
    "no later than",
)  # fmt: skip

MUTATED = [row for row in test_load.REFUSED if not any(one in row[1] for one in BEYOND)]


@pytest.mark.parametrize(("text", "said"), MUTATED, ids=numbered(MUTATED))
def test_rejects(text, said):
    assert not VALIDATOR.is_valid(value(text)), said


def test_rejects_what_comes_later():
    assert not VALIDATOR.is_valid(value(BIG))
    for section, key in test_load.LATER_KEYS:
        assert not VALIDATOR.is_valid(value(test_load.SMALL[section](key)))


def test_every_key_is_explained():
    schema = document_schema()
    for section, keys in SECTIONS.items():
        part = schema if section == "workflow" else schema["$defs"][section]
        assert list(part["properties"]) == [key.name for key in keys] + list(LATER.get(section, {}))
        assert all(one["description"] for one in part["properties"].values())


def test_the_published_copy_is_this_schema():
    """To renew it: python -m ostinato.definitions.schema > docs/reference/workflow.schema.json"""
    assert json.loads((REFERENCE / "workflow.schema.json").read_text()) == document_schema()


def test_the_graph_tests_use_documents_of_the_schema():
    for text in (test_compile.A, test_compile.B, test_compile.C):
        assert VALIDATOR.is_valid(value(workflow(text)))
