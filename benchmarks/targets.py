"""What each figure must reach, and whether it did.

A value is read from the answer of `ostinato bench … --json`; a workload that was not measured has
no line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Answer = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """``value`` of the answer is to be at most, or at least, the bound."""

    workload: str
    text: str
    value: Callable[[Answer], float | None]
    bound: float
    least: bool = False

    def met(self, value: float) -> bool:
        return value >= self.bound if self.least else value <= self.bound


def figure(workload: str, name: str) -> Callable[[Answer], float]:
    """Of ours, which stands first."""
    return lambda answer: next(iter(answer[workload]["figures"].values()))[name]


def beside(workload: str, peer: str) -> Callable[[Answer], float | None]:
    """The ratio with this peer, if it was measured."""
    return lambda answer: ratios(answer[workload]).get(peer)


def ratios(each: Answer) -> dict[str, float]:
    """By the columns of the peers; there was one peer once, and its ratio had no name."""
    peers = list(each["figures"])[1:]
    return each.get("ratios") or dict.fromkeys(peers[:1], each["ratio"])


def between(one: Callable[[Answer], float], other: Callable[[Answer], float]):
    return lambda answer: one(answer) / other(answer)


def tail(workload: str) -> Callable[[Answer], float]:
    return between(figure(workload, "p99_ms"), figure(workload, "p50_ms"))


def gained(more: str, less: str) -> Callable[[Answer], float | None]:
    rate = "steps_per_second"
    return lambda answer: (
        figure(more, rate)(answer) / figure(less, rate)(answer) if less in answer else None
    )


def idle(answer: Answer) -> float:
    full = figure("waiting", "idle_cpu_ms_per_s")(answer)
    return full - figure("waiting", "idle_cpu_empty_ms_per_s")(answer)


_memory = between(figure("items", "kib_second"), figure("items", "kib_first"))


TARGETS = [
    Target("W1", "steps/s, × DBOS", beside("W1", "dbos_sqlite"), 60, least=True),
    Target("W1", "µs CPU a step", figure("W1", "cpu_us_per_step"), 60),
    Target("W1b-600", "steps/s", figure("W1b-600", "steps_per_second"), 8_000, least=True),
    Target("W1b-600", "× W1b-50's steps/s", gained("W1b-600", "W1b-50"), 1, least=True),
    Target("W1b-2000", "× W1b-600's steps/s", gained("W1b-2000", "W1b-600"), 1, least=True),
    Target("W2", "ms p50", figure("W2", "p50_ms"), 6),
    Target("W3", "ms p50", figure("W3", "p50_ms"), 1.5),
    Target("W3", "p99 ÷ p50", tail("W3"), 3),
    Target("W3-http", "ms p50", figure("W3-http", "p50_ms"), 2.5),
    Target("W3-http", "p99 ÷ p50", tail("W3-http"), 3),
    Target("W4", "runs/s completed", figure("W4", "runs_per_second"), 8_000, least=True),
    Target("W4-http", "accepted/s", figure("W4-http", "accepted_per_second"), 12_000, least=True),
    Target(
        "W4-http-100",
        "accepted/s",
        figure("W4-http-100", "accepted_per_second"),
        50_000,
        least=True,
    ),
    Target("W5-light", "ms makespan", figure("W5-light", "makespan_ms"), 35),
    Target("length", "CPU of step 1,000 ÷ step 10", figure("length", "times_step_10"), 1.5),
    Target("memory", "MiB after all ÷ after half", figure("memory", "times_half"), 1.1),
    Target("waiting", "s start-up", figure("waiting", "start_s"), 2),
    Target("waiting", "ms CPU a second more than an empty store", idle, 1),
    Target("items", "CPU of the last items ÷ the first", figure("items", "times_early"), 1.5),
    Target("items", "memory an item, second half ÷ first", _memory, 1.5),
    Target("timers", "ms late at most", figure("timers", "max_ms"), 50),
    Target("found", "ms p99", figure("found", "p99_ms"), 5),
    Target("patterns", "CPU among 10,000 ÷ among 10", figure("patterns", "times_few"), 5),
]

ON_SERVER = [
    Target("W1", "steps/s, × DBOS", beside("W1", "dbos_postgresql"), 40, least=True),
    Target("W1", "steps/s, × Restate", beside("W1", "restate"), 8, least=True),
    Target("W1", "µs CPU a step, PostgreSQL's included", figure("W1", "cpu_us_per_step"), 120),
    Target(
        "W1",
        "steps/s ÷ the commits/s of 8 clients",
        beside("W1", "pgbench_postgresql"),
        1,
        least=True,
    ),
    Target("W2", "ms p50", figure("W2", "p50_ms"), 8),
    Target("W3", "ms p50", figure("W3", "p50_ms"), 2),
    Target("W4", "runs/s completed", figure("W4", "runs_per_second"), 5_000, least=True),
    Target("W5-worker", "ms makespan", figure("W5-worker", "makespan_ms"), 120),
    Target("fleet-busy", "× one server", figure("fleet-busy", "times_one"), 1.5, least=True),
    Target("fleet-noop", "× one server", figure("fleet-noop", "times_one"), 0.9, least=True),
    Target("idle", "queries/s beside its lease", figure("idle", "queries_per_second"), 1),
    Target("idle", "queries/s more, a worker", figure("idle", "queries_per_second_a_worker"), 0),
]
"""With PostgreSQL as the store."""


def is_on_server(answer: Answer) -> bool:
    return any("ostinato_postgresql" in each for each in answer.values() if isinstance(each, dict))


def judged(answer: Answer) -> Iterator[tuple[Target, float, bool]]:
    """Each target that has a figure, the figure, whether it is met."""
    for target in ON_SERVER if is_on_server(answer) else TARGETS:
        if target.workload in answer and (value := target.value(answer)) is not None:
            yield target, value, target.met(value)
