"""Event-ruler, Amazon's own matcher, is the judge: what it answered, and what it answers now."""

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
from tests.core.patterns.cases import KINDS, MATCHERS, Case
from tests.core.patterns.differences import DIFFERENCES, TEXTUAL, has_a_name_twice, named
from tests.core.patterns.record import VECTORS
from tests.core.patterns.ruler import Ruler, classpath, version

LINES = VECTORS.read_text(encoding="utf-8").splitlines()
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "patterns.md"


def vectors() -> Iterator[tuple[str, Any, list[tuple[Any, bool]] | str]]:
    for text in LINES[1:]:
        if has_a_name_twice(text):
            continue
        kind, pattern, *answer = json.loads(text)
        if isinstance(answer[0], str):
            yield kind, pattern, answer[0]
        else:
            fit, unfit = answer
            yield kind, pattern, [(e, True) for e in fit] + [(e, False) for e in unfit]


def compiled(pattern: Any) -> Pattern | None:
    try:
        return Pattern(pattern)
    except PatternError:
        return None


def disagreements(pattern: Any, answer: list[tuple[Any, bool]] | str) -> Iterator[tuple[Any, str]]:
    """Each with the name of the difference that explains it, or with what is wrong."""
    ours = compiled(pattern)
    if isinstance(answer, str) or ours is None:
        if isinstance(answer, str) != (ours is None):
            said = answer if isinstance(answer, str) else "taken by event-ruler, refused here"
            yield None, named(pattern) or f"{json.dumps(pattern)}: {said}"
        return
    for event, fits in answer:
        assert ours.explain(event).matched is ours.matches(event)
        if ours.matches(event) is not fits:
            wrong = f"{json.dumps(pattern)} asked of {json.dumps(event)}: event-ruler says {fits}"
            yield event, named(pattern, event) or wrong


def test_the_vectors_are_of_the_version_that_is_asked_now() -> None:
    assert json.loads(LINES[0])["event-ruler"] == version()


def test_every_recorded_answer_is_ours_too_but_for_the_differences_that_have_a_name() -> None:
    names = {name for _, pattern, answer in vectors() for _, name in disagreements(pattern, answer)}
    assert names == set(DIFFERENCES)


def test_of_a_name_that_stands_twice_the_last_counts_and_event_ruler_takes_both() -> None:
    twice = [text for text in LINES[1:] if has_a_name_twice(text)]
    assert '["by hand",{"a":[1]},[{"a":2,"a":1},{"a":1,"a":2}],[]]' in twice
    assert not Pattern({"a": [1]}).matches(json.loads('{"a":1,"a":2}'))


def test_every_difference_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    missing = [name for name in (*DIFFERENCES, TEXTUAL) if f"**{name}**" not in page]
    assert missing == []


def test_the_vectors_cover_every_matcher_both_ways() -> None:
    counts: Counter[tuple[str, Any]] = Counter()
    for kind, _, answer in vectors():
        for said in [answer] if isinstance(answer, str) else [fits for _, fits in answer]:
            counts[kind, "refused" if isinstance(said, str) else said] += 1
    fewest = {"exists true": 4, "exists false": 4}  # one pattern each: there is little to vary
    few = {
        (kind, fits): counts[kind, fits]
        for kind in MATCHERS
        for fits in (True, False)
        if counts[kind, fits] < fewest.get(kind, 30)
    }
    assert few == {}
    assert counts["shapes", True] > 300
    assert counts["or", True] > 300
    assert counts["doubtful", "refused"] > 200
    assert sum(counts.values()) > 5_000


FRESH = (
    "missing java and mvn: its recorded answers are always checked; asking it afresh needs "
    "java, and mvn to fetch it"
)


@pytest.fixture(scope="module")
def ruler() -> Iterator[Ruler]:
    path = classpath()
    if path is None:
        pytest.skip(FRESH)
    with Ruler(path) as child:
        yield child


@pytest.mark.real
@pytest.mark.slow
@settings(max_examples=250, suppress_health_check=list(HealthCheck))
@given(st.one_of(*KINDS.values()))
def test_event_ruler_itself_agrees_on_fresh_cases(ruler: Ruler, case: Case) -> None:
    answer = ruler.ask(case.pattern, case.events)
    events = map(json.loads, case.events)
    asked = answer if isinstance(answer, str) else list(zip(events, answer, strict=True))
    for _, name in disagreements(json.loads(case.pattern), asked):
        assert name in DIFFERENCES
