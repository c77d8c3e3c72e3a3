"""Filter policies beside moto: what it answered, and what it answers now."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ostinato.core.patterns import Pattern
from ostinato.errors import PatternError
from tests.core.patterns.moto_differences import MESSAGES, POLICIES, named_message, named_policy
from tests.core.patterns.moto_sns import PYTHON, VECTORS, VERSION, Answers, Moto
from tests.core.patterns.sns_cases import QUESTIONS, RULES, Question

LINES = VECTORS.read_text(encoding="utf-8").splitlines()
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "patterns.md"

Asked = tuple[Any, list[Any], Answers]


def vectors() -> Iterator[tuple[str, str, Any, list[Any], Answers]]:
    for text in LINES[1:]:
        kind, scope, policy, *answer = json.loads(text)
        if isinstance(answer[0], str):
            yield kind, scope, policy, [], answer[0]
        else:
            fit, unfit = answer
            yield kind, scope, policy, fit + unfit, [True] * len(fit) + [False] * len(unfit)


def compiled(policy: Any, scope: str) -> Pattern | None:
    try:
        return Pattern.sns(policy, scope)
    except PatternError:
        return None


def disagreements(scope: str, policy: Any, messages: list[Any], answers: Answers) -> Iterator[str]:
    """Each by the name of the difference that explains it, or by what is wrong."""
    ours = compiled(policy, scope)
    if isinstance(answers, str) or ours is None:
        if isinstance(answers, str) != (ours is None):
            said = answers if isinstance(answers, str) else "taken by moto, refused here"
            yield named_policy(policy) or f"{json.dumps(policy)}: {said}"
        return
    for message, fits in zip(messages, answers, strict=True):
        assert ours.explain(message).matched is ours.matches(message)
        if fits is not None and ours.matches(message) is not fits:
            wrong = f"{json.dumps(policy)} asked of {json.dumps(message)}: moto says {fits}"
            yield named_message(policy, message) or wrong


def test_the_vectors_are_of_the_version_that_is_asked_now() -> None:
    assert json.loads(LINES[0])["moto"] == VERSION


def test_every_recorded_answer_is_ours_too_but_for_the_differences_that_have_a_name() -> None:
    names = {name for _, *asked in vectors() for name in disagreements(*asked)}
    assert names == {*POLICIES, *MESSAGES}


def test_every_difference_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in (*POLICIES, *MESSAGES) if f"**{name}**" not in page] == []


def test_most_answers_are_ours_for_every_matcher_and_both_ways() -> None:
    same: Counter[tuple[str, str, bool]] = Counter()
    total = 0
    for kind, scope, policy, messages, answers in vectors():
        ours = compiled(policy, scope)
        for message, fits in zip(messages, answers if ours else [], strict=False):
            total += 1
            same[kind, scope, bool(fits)] += ours is not None and ours.matches(message) is fits
    kinds = [(name, scope) for name in RULES for scope in ("attributes", "body")]
    # moto knows no cidr, and a body has no kind of its own for a prefix inside anything-but
    kinds = [it for it in kinds if it[0] != "cidr" and it != ("anything-but prefix", "body")]
    few = {"exists true", "exists false", "exact constant"}  # one to three policies each
    missing = [
        (*it, fits)
        for it in kinds
        for fits in (True, False)
        if same[*it, fits] < 5 and it[0] not in few
    ]
    assert missing == []
    assert sum(same.values()) > 0.9 * total > 3_000


FRESH = (
    "its recorded answers are always checked; asking it afresh is the work of `make vectors`, "
    "which makes an environment for it"
)


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    if not PYTHON.exists():
        pytest.skip(FRESH)
    child = Moto()
    yield child
    child.close()


@pytest.mark.real
@pytest.mark.slow
@settings(max_examples=250, suppress_health_check=list(HealthCheck))
@given(st.one_of(*QUESTIONS.values()))
def test_moto_itself_agrees_on_fresh_questions(moto: Moto, question: Question) -> None:
    policy, scope = json.loads(question.policy), question.scope
    messages = [json.loads(m) if isinstance(m, str) else m for m in question.messages]
    names = disagreements(scope, policy, messages, moto.ask(question))
    assert set(names) <= {*POLICIES, *MESSAGES}
