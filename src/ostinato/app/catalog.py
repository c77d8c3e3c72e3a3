"""The deployed workflows, as the engine asks for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from ostinato.core.cloudevents import Event, Message
from ostinato.core.codec import encode_value
from ostinato.core.graph import Graph
from ostinato.core.model import WaitEvent
from ostinato.core.patterns import PatternIndex
from ostinato.core.routes import is_wild, wildcard_of
from ostinato.core.schedules import Plan
from ostinato.core.triggers import Trigger
from ostinato.definitions.document import Document, TriggerSpec
from ostinato.definitions.registry import Registry
from ostinato.errors import InvalidInput
from ostinato.ports import Version
from ostinato.runtime.bounds import check_size


def trigger_of(row: Version, spec: TriggerSpec) -> Trigger:
    named = (row.workflow, row.version, spec.index, spec.name)
    return Trigger(*named, spec.input, spec.uid, spec.rule)


def plans_of(row: Version, document: Document) -> dict[str, Plan]:
    """The schedules of one version, by the names of their triggers."""
    return {
        trigger_of(row, spec).name: spec.plan for spec in document.triggers if spec.plan is not None
    }


class DeployedWorkflows:
    """A registry, with an index over its triggers, by type, and the shapes of its waits.

    A trigger's pattern is asked as it was written, beside the type: it may ask for one itself.
    ``scheduling``: their schedules are looked after here.
    """

    def __init__(
        self, registry: Registry[Version], most_input: int = 5 << 20, *, scheduling: bool = True
    ) -> None:
        self.registry = registry
        self.most_input = most_input
        self.scheduling = scheduling
        self.messages: Callable[[str, Message], Sequence[Event]] = lambda bus, message: ()
        self._triggers: dict[str, Trigger] = {}
        self._listening: dict[str, PatternIndex[str]] = {}
        self._wild: PatternIndex[str] = PatternIndex()  # of types that stand for several
        self._any_wild = False
        self._plans: dict[str, dict[str, Plan]] = {}
        self._shapes: dict[str, list[tuple[str, ...]]] = {}
        self._waiters: dict[str, set[str]] = {}

    def refresh(self) -> None:
        """After versions were added or retired: index the triggers anew."""
        self._triggers.clear()
        self._listening.clear()
        self._wild, self._any_wild = PatternIndex(), False
        self._plans = {row.workflow: {} for row in self.registry.readable()}
        for row, spec in self.registry.triggers():
            trigger = trigger_of(row, spec)
            self._triggers[trigger.name] = trigger
            if spec.plan is not None and self.scheduling:
                self._plans[row.workflow][trigger.name] = spec.plan
            for type_ in spec.types:
                self._listen(trigger.name, type_, spec)

    def _listen(self, name: str, type: str, spec: TriggerSpec) -> None:
        wild, wanted = is_wild(type), dict(spec.pattern or {})
        if spec.bus is not None:
            wanted["bus"] = [{"exists": False}] if spec.bus == "memory" else [spec.bus]
        if wild or not wanted:
            wanted["type"] = [{"wildcard": wildcard_of(type)}] if wild else [type]
        self._any_wild = self._any_wild or wild
        index = self._wild if wild else self._listening.setdefault(type, PatternIndex())
        index.add(name, wanted)

    def learn_waits(self, document: Document) -> None:
        """From now on, events that this version waits for are stored with their keys."""
        for action in [body.action for job in document.jobs() for body in job.bodies()]:
            if isinstance(action, WaitEvent):
                for type_ in action.types:
                    self._waiters.setdefault(type_, set()).add(document.workflow)
                    shapes = self._shapes.setdefault(type_, [])
                    if action.paths not in shapes:
                        shapes.append(action.paths)

    # what the engine asks

    def graph(self, workflow: str, version: int) -> Graph:
        return self.registry.graph(workflow, version)

    def plans(self) -> Mapping[str, Mapping[str, Plan]]:
        return self._plans

    def scheduled(self, schedule_id: str) -> tuple[Trigger, Plan] | None:
        plan = self._plans.get(schedule_id.partition("/")[0], {}).get(schedule_id)
        return None if plan is None else (self._triggers[schedule_id], plan)

    def resolve(self, name: str, version: int | None = None) -> tuple[str, int]:
        row = self.registry.find(name, version)
        return row.workflow, row.version

    def listens(self, type: str) -> bool:
        return self._any_wild or type in self._listening

    def triggers(self, type: str, event: Mapping[str, Any]) -> Sequence[Trigger]:
        index = self._listening.get(type)
        named = index.match(event) if index else []
        if self._any_wild:
            named = list(dict.fromkeys((*named, *self._wild.match(event))))
        return [self._triggers[name] for name in named]

    def shapes(self, type: str) -> Sequence[tuple[str, ...]]:
        return self._shapes.get(type, ())

    def check_input(self, workflow: str, version: int, value: Any) -> Any:
        return self.registry.input_check(workflow, version)(value)

    def called_input(self, workflow: str, version: int, given: Any) -> Raw:
        """What a run is started with, encoded, with its defaults."""
        try:
            value = msgspec.json.decode(given) if isinstance(given, Raw) else given
        except (ValueError, RecursionError) as error:  # as 1e400, and bytes that are no UTF-8
            raise InvalidInput(f"the input cannot be read: {error}") from None
        if not isinstance(value, dict):
            raise InvalidInput(f"the input of a run is a map, not {value!r:.80}")
        data = encode_value(self.check_input(workflow, version, value))
        check_size("the input", data, self.most_input, "limits.input")
        return data

    def read_message(self, bus: str, message: Message) -> Sequence[Event]:
        return self.messages(bus, message)

    def bus_problem(self, bus: str) -> str:
        return self.registry.routes.problem(bus)

    def workflows(self) -> Sequence[str]:
        return self.registry.names()

    def waiters(self, type: str) -> Sequence[str]:
        """With those of which nobody knows what they wait for: a version cannot be read."""
        return [*self._waiters.get(type, ()), *self.registry.unreadable_names()]
