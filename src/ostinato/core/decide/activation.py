"""A job that is about to begin, and where."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from msgspec import Raw, Struct

from ostinato.core.codec import encode_value
from ostinato.core.expressions import Template
from ostinato.core.graph import Node
from ostinato.core.model import Job
from ostinato.core.names import Names
from ostinato.core.outputs import error_value
from ostinato.core.state import Scope, State
from ostinato.errors import ExpressionError


class Activation(Struct, frozen=True, gc=False):
    """``job`` is the node's own, or what stands in for it or takes it back.

    ``given`` is its input when that is known already: recorded before, or a person's.
    """

    state: State
    scope: Scope
    node: Node
    job: Job
    key: str
    attempt: int
    now: int
    given: Raw | None = None

    @property
    def names(self) -> Names:
        step = self.state.steps.get(self.key)
        extra = {"error": error_value(step.error)} if step is not None and step.error else None
        return Names(self.state, self.scope, step, job_key=self.key, extra=extra)

    def values(self) -> dict[str, Any]:
        """The job's input, where it has to be a map."""
        value = self._value()
        if not isinstance(value, dict):
            raise ExpressionError(f"the values are {value!r:.80}, not a map")
        return value

    def _value(self) -> Any:
        if self.given is not None:
            return msgspec.json.decode(self.given)
        return None if self.job.input is None else self.job.input.render(self.names)


def constant(template: Template) -> Raw:
    """What a constant template gives, encoded once per graph."""
    if template.encoded is None:
        template.encoded = encode_value(template.render({}))
    return cast(Raw, template.encoded)
