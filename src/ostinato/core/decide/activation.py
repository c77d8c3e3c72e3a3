"""A job that is about to begin, and where."""

from __future__ import annotations

from typing import Any, NamedTuple

from ostinato.core.graph import Node
from ostinato.core.model import Job
from ostinato.core.names import Names
from ostinato.core.outputs import error_value
from ostinato.core.state import Scope, State
from ostinato.errors import ExpressionError


class Activation(NamedTuple):
    """``job`` is the node's own, or what stands in for it after a failure was caught."""

    state: State
    scope: Scope
    node: Node
    job: Job
    key: str
    attempt: int
    now: int

    @property
    def names(self) -> Names:
        step = self.state.steps.get(self.key)
        extra = {"error": error_value(step.error)} if step is not None and step.error else None
        return Names(self.state, self.scope, step, job_key=self.key, extra=extra)

    def values(self) -> dict[str, Any]:
        """The job's input, where it has to be a map."""
        value = None if self.job.input is None else self.job.input.render(self.names)
        if not isinstance(value, dict):
            raise ExpressionError(f"the values are {value!r:.80}, not a map")
        return value
