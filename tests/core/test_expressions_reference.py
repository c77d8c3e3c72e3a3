"""The reference page is true: every sample on it runs, every function is on it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ostinato.core.expressions import parse, parse_template
from ostinato.core.expressions.compiler import _SPECIAL
from ostinato.core.expressions.comprehensions import COMPREHENSIONS
from ostinato.core.expressions.functions import FUNCTIONS
from ostinato.errors import ExpressionError

PAGE = (Path(__file__).parents[2] / "docs/reference/expressions.md").read_text()


def blocks(name: str) -> list[str]:
    return re.findall(rf"^```{name}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def samples(name: str) -> list[tuple[str, str]]:
    lines = [line for block in blocks(name) for line in block.splitlines() if line.strip()]
    return [(left.strip(), right.strip()) for left, right in (line.split("=>") for line in lines)]


CONTEXT: dict[str, Any] = json.loads(blocks("json context")[0])


def check(run: Any, wanted: str) -> None:
    if wanted.startswith("error: "):
        with pytest.raises(ExpressionError) as caught:
            run()
        assert wanted.removeprefix("error: ") in str(caught.value)
    else:
        assert json.dumps(run()) == json.dumps(json.loads(wanted))


@pytest.mark.parametrize(("text", "wanted"), samples("expr"))
def test_the_samples_of_the_page(text: str, wanted: str) -> None:
    check(lambda: parse(text).evaluate(CONTEXT), wanted)


@pytest.mark.parametrize(("value", "wanted"), samples("template"))
def test_the_templates_of_the_page(value: str, wanted: str) -> None:
    check(lambda: parse_template(json.loads(value)).render(CONTEXT), wanted)


def test_there_are_samples() -> None:
    assert len(samples("expr")) > 60
    assert len(samples("template")) > 5


@pytest.mark.parametrize("name", sorted([*FUNCTIONS, *_SPECIAL, *COMPREHENSIONS]))
def test_every_function_has_its_row_and_a_sample(name: str) -> None:
    assert re.search(rf"^\|.*[`.]{name}\(", PAGE, re.MULTILINE)
    assert any(re.search(rf"\b{name}\(", text) for text, _ in samples("expr"))


def test_the_functions_are_those_of_the_contract() -> None:
    contract = (
        "size has default merge keys values lower upper trim split join replace startsWith endsWith"
        " contains matches string number bool json parse now date duration min max sum sort first"
        " last uuid5 base64 sha256 all exists filter map"
    )
    assert {*FUNCTIONS, *_SPECIAL, *COMPREHENSIONS} == set(contract.split())
