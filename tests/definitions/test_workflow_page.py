"""The reference page of the document has every key, as the table has it, and its samples load."""

import re
from pathlib import Path

import pytest

from ostinato.definitions import check, load
from ostinato.definitions.keys import LATER, SECTIONS

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/workflow.md").read_text()
STAR = {True: " *", False: ""}


def _kind(key):
    return key.kind.replace("_", " ")


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_stands_on_the_page(section):
    keys = SECTIONS[section]
    rows = [f"| `{key.name}`{STAR[key.required]} | {_kind(key)} | {key.says} |" for key in keys]
    assert "\n".join(["| key | value | |", "|---|---|---|", *rows]) + "\n\n" in PAGE


def test_every_kind_of_value_is_explained():
    kinds = {_kind(key) for keys in SECTIONS.values() for key in keys}
    explained = set(re.findall(r"^\| \*\*(.+?)\*\* \|", PAGE, re.MULTILINE))
    assert explained == kinds


def test_everything_that_comes_later_is_named():
    (paragraph,) = re.findall(r"^## Not yet\n(.*?)\n##", PAGE + "\n##", re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"`(.+?)`", paragraph))
    assert {key for keys in LATER.values() for key in keys} <= named


SAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("sample", SAMPLES, ids=range(len(SAMPLES)))
def test_samples_are_fine(sample):
    for document in load(sample):
        assert check(document)[0] == []
