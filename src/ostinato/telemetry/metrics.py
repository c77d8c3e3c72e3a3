"""Counters and gauges in Prometheus' text form. Each server of a process has its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "ostinato_http_requests",
            "Requests answered, by operation and status",
            ["operation", "status"],
            registry=self.registry,
        )
        self._events = Counter(
            "ostinato_events_accepted",
            "Events accepted; a duplicate is one that was here already",
            ["duplicate"],
            registry=self.registry,
        )
        self._unhandled = Counter(
            "ostinato_events_unhandled",
            "Events by typed routes whose type nothing here handles, accepted or not",
            registry=self.registry,
        )
        self._answered: dict[tuple[str, int], Counter] = {}
        self._accepted = {said: self._events.labels(said) for said in ("true", "false")}
        self._letters = Counter(
            "ostinato_dead_letters",
            "Dead letters since this process began, by kind",
            ["kind"],
            registry=self.registry,
        )
        self._messages = Counter(
            "ostinato_bus_messages",
            "Messages of buses since this process began, by what became of them",
            ["bus", "outcome"],
            registry=self.registry,
        )
        self._told: dict[Any, int] = {}
        self._gauges: dict[str, Gauge] = {}

    def answered(self, operation: str, status: int) -> None:
        counter = self._answered.get((operation, status))
        if counter is None:
            counter = self._requests.labels(operation, str(status))
            self._answered[operation, status] = counter
        counter.inc()

    def accepted(self, *, duplicate: bool) -> None:
        self._accepted["true" if duplicate else "false"].inc()

    def unhandled(self) -> None:
        self._unhandled.inc()

    def text(self, health: Mapping[str, Any]) -> bytes:
        """With what the engine says of its health: every number in it is a gauge."""
        for name, number in health.items():
            if isinstance(number, (bool, int, float)):
                self._gauge(name).set(number)
        for kind, count in health.get("deadLetters", {}).items():
            self._letters.labels(kind).inc(self._more(kind, count))
        for bus, counts in health.get("buses", {}).items():
            for outcome, count in counts.items():
                more = self._more((bus, outcome), count)
                self._messages.labels(bus, outcome).inc(more)
        return generate_latest(self.registry)

    def _more(self, about: Any, count: int) -> int:
        """Than was told before."""
        more = count - self._told.get(about, 0)
        self._told[about] = count
        return more

    def _gauge(self, name: str) -> Gauge:
        if name not in self._gauges:
            whole = f"ostinato_{name}"
            text = "As the engine's health has it"
            self._gauges[name] = Gauge(whole, text, registry=self.registry)
        return self._gauges[name]
