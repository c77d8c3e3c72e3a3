"""What an expression can see: ``input event jobs vars run job secrets``, what ``each … as`` names.

Everything is looked up when an expression touches it, and decoded once; an expression pays
only for the paths it uses. What jobs gave is in ``outputs``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ostinato.core.outputs import Jobs, Members, error_value
from ostinato.core.secrets import Secrets
from ostinato.core.state import Scope, State, Step

GLOBAL = ("input", "event", "jobs", "vars", "run", "job", "secrets", "now")


class Names(Mapping[str, Any]):
    """The names for one scope instance; ``step`` (or its key to be) adds ``job``."""

    __slots__ = ("extra", "job_key", "scope", "state", "step")

    def __init__(
        self,
        state: State,
        scope: Scope,
        step: Step | None = None,
        *,
        job_key: str = "",
        extra: dict[str, Any] | None = None,
    ) -> None:
        self.state = state
        self.scope = scope
        self.step = step
        self.job_key = job_key or (step.key if step else "")
        self.extra = extra

    def __getitem__(self, name: str) -> Any:
        if self.extra is not None and name in self.extra:
            return self.extra[name]
        read = READ.get(name)
        return read(self) if read is not None else self._item(name)

    def _item(self, name: str) -> Any:
        scope: Scope | None = self.scope
        while scope is not None:
            if scope.index is not None and scope.node.each is not None:
                if scope.node.each.name == name:
                    return scope.item
                if name == "index":
                    return scope.index
            scope = scope.parent
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        yield from self.extra or ()
        yield from READ
        scope: Scope | None = self.scope
        while scope is not None:
            if scope.index is not None and scope.node.each is not None:
                yield from (scope.node.each.name, "index")
            scope = scope.parent

    def __len__(self) -> int:
        return len(list(iter(self)))


class RunNames(Members):
    __slots__ = ("state",)
    members = ("id", "uid", "workflow", "version", "error", "startedAt", "status")

    def __init__(self, state: State) -> None:
        self.state = state

    def _id(self) -> str:
        return self.state.run_id

    def _uid(self) -> str | None:
        return self.state.uid

    def _workflow(self) -> str:
        return self.state.workflow

    def _version(self) -> int:
        return self.state.version

    def _error(self) -> Any:
        return error_value(self.state.error)

    def _startedAt(self) -> int:
        return self.state.started_at

    def _status(self) -> str:
        return self.state.status


class ThisJob(Members):
    __slots__ = ("key", "state", "step")
    members = ("key", "attempt", "token", "callback_url", "idempotency_key")

    def __init__(self, state: State, step: Step | None, key: str) -> None:
        self.state = state
        self.step = step
        self.key = key

    def _key(self) -> str:
        return self.key

    def _attempt(self) -> int:
        return self.step.attempt if self.step else 1

    def _token(self) -> str:
        return self.state.token(self.key)

    def _callback_url(self) -> str:
        return f"{self.state.graph.address}/callbacks/{self._token()}"

    def _idempotency_key(self) -> str:
        return f"{self.state.run_id}:{self.key}"


READ: dict[str, Callable[[Names], Any]] = {
    "input": lambda names: names.state.input_value,
    "event": lambda names: names.state.event_value,
    "jobs": lambda names: Jobs(names.state, names.scope),
    "vars": lambda names: names.state.vars,
    "run": lambda names: RunNames(names.state),
    "job": lambda names: ThisJob(names.state, names.step, names.job_key),
    "secrets": lambda names: Secrets(names.state),
    "now": lambda names: names.state.now,
}
