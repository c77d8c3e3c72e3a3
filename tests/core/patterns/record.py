"""Records what event-ruler answers: `python -m tests.core.patterns.record` (Java, Maven).

Cases by hand come from `by_hand.txt`, all others are drawn. Chance has a fixed seed, so recording
again changes no more than a new version of event-ruler, or of the strategies, makes it change.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.core.patterns.cases import KINDS, Case
from tests.core.patterns.ruler import Ruler, classpath, version

HERE = Path(__file__).parent
VECTORS = HERE / "event_ruler.jsonl"
BY_HAND = HERE / "by_hand.txt"
COMMAND = "python -m tests.core.patterns.record"

MOST_PATTERNS = {"shapes": 500, "or": 400, "lists": 250, "doubtful": 400}
MOST_EVENTS = 40


def by_hand() -> Iterator[Case]:
    for line in BY_HAND.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pattern, *events = line.split(" | ")
            yield Case("by hand", pattern, events)


def drawn(kind: str) -> dict[str, dict[str, None]]:
    """Patterns with their events, each once."""
    found: dict[str, dict[str, None]] = {}
    most = MOST_PATTERNS.get(kind, 80)

    @seed(2026)
    @settings(
        max_examples=4 * most,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(KINDS[kind])
    def draw(case: Case) -> None:
        if case.pattern in found or len(found) < most:
            found.setdefault(case.pattern, {}).update(dict.fromkeys(case.events))

    draw()
    return found


def cases() -> Iterator[Case]:
    yield from by_hand()
    for kind in KINDS:
        for pattern, events in drawn(kind).items():
            yield Case(kind, pattern, list(events)[:MOST_EVENTS])


def line(case: Case, answer: str | list[bool]) -> str:
    """Patterns and events stand in it as they were written: `1.0` is not `1` there."""
    kind = json.dumps(case.kind)
    if isinstance(answer, str):
        return f"[{kind},{case.pattern},{json.dumps(answer)}]"
    fit = [event for event, fits in zip(case.events, answer, strict=True) if fits]
    unfit = [event for event, fits in zip(case.events, answer, strict=True) if not fits]
    return f"[{kind},{case.pattern},[{','.join(fit)}],[{','.join(unfit)}]]"


def main() -> None:
    path = classpath()
    if path is None:
        sys.exit("event-ruler cannot be had here: java and mvn are needed, and what mvn fetches")
    header = {"event-ruler": version(), "record again with": COMMAND}
    with Ruler(path) as ruler:
        lines = [line(case, ruler.ask(case.pattern, case.events)) for case in cases()]
    VECTORS.write_text("\n".join([json.dumps(header), *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
