"""Whatever a text holds: a document or a DefinitionError; and what check passes, starts."""

import contextlib
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.definitions import Document, check, compile, load, read
from ostinato.errors import DefinitionError
from ostinato.testing.play import Play
from tests.definitions import test_check
from tests.definitions.samples import big_now

PIECES = [
    "${ ", " }", '"', "'", "{", "}", "[", "]", ": ", "- ", "\n", "  ", "!x ", "&a ", "*a", "#",
    "? ", "when: ", "null", "\t", "---\n", "jobs", "5m", "|", ">", "\\", "\u2028",
]  # fmt: skip


def tried(text):
    documents: list[Document] = []
    with contextlib.suppress(DefinitionError):
        documents = load(text)
    for document in documents:
        errors, _ = check(document)
        if not errors:
            Play(compile(document)).start({})


@given(st.text())
def test_any_text(text):
    tried(text)


@given(st.binary())
def test_any_bytes(data):
    tried(data)


@pytest.mark.parametrize("seed", range(300))
def test_any_document_with_a_slip(seed):
    chance, text = random.Random(seed), big_now()
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(text))
        if chance.random() < 0.4:
            text = text[:at] + text[at + chance.randint(1, 8) :]
        else:
            text = text[:at] + chance.choice(PIECES) + text[at:]
    tried(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.data())
def test_any_value_in_the_place_of_another(data):
    (document,) = load(big_now())
    value: Any = document.data
    while isinstance(value, dict | list) and value:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = data.draw(st.sampled_from(keys))
        if data.draw(st.booleans()) or not isinstance(value[key], dict | list):
            value[key] = data.draw(JSON)
            break
        value = value[key]
    with contextlib.suppress(DefinitionError):
        check(read(document.data))


def test_values_without_lines():
    (document,) = load(big_now())
    document.data["phases"][2]["when"] = []
    with pytest.raises(DefinitionError, match="an expression, a text is expected, not a list"):
        read(document.data)


@pytest.mark.parametrize("text", test_check.FINE, ids=range(len(test_check.FINE)))
def test_what_is_fine_starts(text):
    tried(text)
