"""A compiled pattern: read once, asked many times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ostinato.core.patterns import explain as explaining
from ostinato.core.patterns.compile import compiled
from ostinato.core.patterns.explain import Explanation, Failure
from ostinato.core.patterns.matchers import Test
from ostinato.core.patterns.messages import EVENT, Form, Message
from ostinato.core.patterns.parse import Leaf, parse
from ostinato.core.patterns.sns import read


class Pattern:
    """Amazon's EventBridge pattern language; by ``sns``, the filter policies of Amazon SNS.

    An event is a mapping ``{id, source, type, subject, time, data}``; ``detail`` and
    ``detail-type`` are other names for ``data`` and ``type``, in patterns and in events. Any other
    mapping can be asked too.
    """

    __slots__ = ("_alternatives", "_test", "_tests", "form", "source")

    def __init__(self, pattern: Mapping[str, Any]) -> None:
        self._hold(pattern, parse(pattern), EVENT)

    @classmethod
    def sns(cls, policy: Mapping[str, Any] | str | bytes, scope: str = "attributes") -> Pattern:
        """A filter policy, as an object or as JSON text, asked of a message's attributes or body.

        With ``attributes`` it is asked of ``{name: {"Type": …, "Value": …}}``, with ``body`` of an
        object or of JSON text; a body that is no JSON object fits no policy but the empty one.
        Raises ``PatternError`` where SNS would refuse the policy, its limits included.
        """
        pattern = cls.__new__(cls)
        pattern._hold(policy, *read(policy, scope))
        return pattern

    def _hold(self, source: Any, alternatives: list[list[Leaf]], form: Form) -> None:
        self._alternatives = alternatives
        self._tests = [_asked(leaves, form) for leaves in alternatives]
        self._test = _any_of(self._tests)
        self.form = form
        self.source = source

    def matches(self, event: Message) -> bool:
        return self._test(self.form.read(event))

    def explain(self, event: Message) -> Explanation:
        form = self.form
        fields = form.read(event)
        if not fields and form is not EVENT:
            return self._explain_nothing()
        explanation = explaining.explain(self._alternatives, fields)
        failures = (one._replace(path=_within(one.path, form)) for one in explanation.failures)
        return explanation._replace(failures=tuple(form.told(one, event) for one in failures))

    def _explain_nothing(self) -> Explanation:
        if self._test({}):
            return Explanation(True)
        return Explanation(False, (Failure("message", self.form.nothing, "some"),))

    def alternatives(self) -> Iterator[tuple[list[Leaf], Test]]:
        """It fits an event when one of these tests does; a test fits when all its leaves do."""
        return zip(self._alternatives, self._tests, strict=True)

    def __repr__(self) -> str:
        if self.form is EVENT:
            return f"Pattern({self.source!r})"
        return f"Pattern.sns({self.source!r}, {self.form.root!r})"


def _asked(leaves: list[Leaf], form: Form) -> Test:
    """A policy that asks for absences only still asks for something that lacks them."""
    test = compiled(leaves)
    if form is EVENT or not leaves:
        return test
    return lambda fields: bool(fields) and test(fields)


def _within(path: str, form: Form) -> str:
    return path.removeprefix(form.root + ".") if form.root else path


def _any_of(tests: list[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    return lambda fields: any(test(fields) for test in tests)
