"""A compiled pattern: read once, asked many times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ostinato.core.patterns import explain as explaining
from ostinato.core.patterns.compile import compiled
from ostinato.core.patterns.explain import Explanation
from ostinato.core.patterns.matchers import Test
from ostinato.core.patterns.parse import Leaf, parse


class Pattern:
    """Amazon's EventBridge pattern language.

    An event is a mapping ``{id, source, type, subject, time, data}``; ``detail`` and
    ``detail-type`` are other names for ``data`` and ``type``, in patterns and in events. Any other
    mapping can be asked too.
    """

    __slots__ = ("_alternatives", "_test", "_tests", "source")

    def __init__(self, pattern: Mapping[str, Any]) -> None:
        self._alternatives = parse(pattern)
        self._tests = [compiled(leaves) for leaves in self._alternatives]
        self._test = _any_of(self._tests)
        self.source = pattern

    def matches(self, event: Mapping[str, Any]) -> bool:
        fields = event if isinstance(event, dict) else dict(event)
        return self._test(fields)

    def explain(self, event: Mapping[str, Any]) -> Explanation:
        return explaining.explain(self._alternatives, dict(event))

    def alternatives(self) -> Iterator[tuple[list[Leaf], Test]]:
        """It fits an event when one of these tests does; a test fits when all its leaves do."""
        return zip(self._alternatives, self._tests, strict=True)

    def __repr__(self) -> str:
        return f"Pattern({self.source!r})"


def _any_of(tests: list[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    return lambda fields: any(test(fields) for test in tests)
