"""The workflow that asks people, in whatever a task may stand in."""

from __future__ import annotations

from typing import Any

from ostinato.testing.simulation.parts import Data, job, phase

ON = [{"after": "400ms", "to": "bob"}, {"after": "1500ms", "to": "eve"}]


def task(name: str, **more: Any) -> Data:
    return {"name": f"{name} ${{ input.n }}", "assignee": "ann", "outcomes": ["yes", "no"]} | more


def ask(job: str, **beside: Any) -> Data:
    """Somebody is asked; ``beside`` stands beside the task."""
    return {"job": job, "task": task(job)} | beside


ASKED: Data = {
    "workflow": "asked",
    "on": [{"event": "ASK"}],
    "on_error": "finish",
    "phases": [
        phase(
            "one",
            {"job": "sign", "task": task("sign", escalate=ON), "undo": {"task": task("unsign")}},
            ask("sure", expect="output.outcome == 'yes'", catch=[{"on": "*", "output": "error"}]),
            job("made", "quick", undo={"task": task("unmake")}),
        ),
        phase("race", ask("left"), ask("right"), job("swift", "steady"), mode="race"),
        phase(
            "all",
            ask("item", each={"in": "input.items", "as": "item", "at_once": 2}),
            ask("turn", each={"in": "[1, 2]"}, concurrency={"key": "run.id", "limit": 1}),
        ),
        phase(
            "late",
            ask("slow", timeout="400ms", catch=[{"on": "Timeout", "do": {"task": task("now")}}]),
            ask("never", timeout="700ms", optional=True),
            job(
                "poll",
                "quick",
                repeat={"until": "false", "every": "20ms", "limit": 2},
                catch=[{"on": "RepeatLimit", "do": {"task": task("instead", escalate=ON)}}],
            ),
        ),
        phase("two", ask("a"), ask("b"), ask("c"), enough=2, timeout="40s"),
        phase("break", {"job": "broken", "end": "failed", "when": "input.n % 2 == 1"}),
    ],
    "on_failure": [ask("why", timeout="2s", optional=True)],
    "finally": [job("closed", "quick")],
}
