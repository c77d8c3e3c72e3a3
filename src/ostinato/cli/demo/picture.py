"""What is known of each tenant's run: a small fold of its facts, for people to look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ostinato.cli.demo.orders import Order

Fact = dict[str, Any]

_STATUS = {
    "job.ready": "running",
    "job.started": "running",
    "job.waiting": "waiting",
    "job.retried": "retrying",
    "job.abandoned": "abandoned",
    "job.succeeded": "succeeded",
    "job.failed": "failed",
    "job.skipped": "skipped",
    "job.cancelled": "cancelled",
}


@dataclass(slots=True)
class Picture:
    """``jobs`` by step key: ``deploy[1]/check``. ``note`` is what a passer-by should know."""

    order: Order
    run_id: str = ""
    status: str = ""
    jobs: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    facts: dict[int, Fact] = field(default_factory=dict)
    note: str = ""

    def fold(self, fact: Fact) -> None:
        self.facts[fact["seq"]] = fact
        kind = fact["type"]
        if kind in _STATUS:
            self.jobs[fact["key"]] = _STATUS[kind]
        elif kind == "phase.skipped":
            self.skipped[fact["key"]] = fact["why"]
        elif kind.startswith("run."):
            self.status = kind.removeprefix("run.")
        self.note = noted(fact) or self.note

    @property
    def at_work(self) -> int:
        """Jobs that would be lost with the process, if anything ever were."""
        return sum(status == "running" for status in self.jobs.values())

    @property
    def builds(self) -> bool:
        return self.jobs.get("build/build") == "waiting"

    @property
    def deploys(self) -> bool:
        return any(key.startswith("deploy[") for key in self.jobs)

    @property
    def cut_off(self) -> bool:
        """Whether a dead process left something of it behind, and that has been seen."""
        return any(fact["type"] == "job.abandoned" for fact in self.facts.values())


def noted(fact: Fact) -> str:
    match fact:
        case {"type": "job.retried", "job": job, "error": {"message": message}}:
            return f"{job} failed ({message}) and was tried again"
        case {"type": "phase.skipped", "why": why}:
            return f"skipped: {why}"
        case {"type": "run.failed", "error": {"message": message}}:
            return str(message).partition(", ")[2] or str(message)
    return ""


def told(fact: Fact) -> str:
    """A fact as people read it; nothing for those that say nothing to someone who watches."""
    match fact:
        case {"type": "run.started", "runId": run}:
            return f"run {run} started"
        case {"type": "run.succeeded"}:
            return "run succeeded"
        case {"type": "run.failed", "error": {"name": name, "message": message}}:
            return f"run failed: {name}: {message}"
        case {"type": "phase.skipped", "key": key, "why": why}:
            return f"{key} skipped: {why}"
        case {"type": "job.retried", "key": key, "error": {"name": name, "message": message}}:
            return f"{key} failed, to be tried again: {name}: {message}"
        case {"type": "job.failed", "key": key, "error": {"message": message}}:
            return f"{key} failed: {message}"
        case {"type": "job.waiting", "key": key, "kind": "callback"}:
            return f"{key} waits for the builder to call back"
        case {"type": "job.abandoned", "key": key}:
            return f"{key} was cut off; it is taken up again"
        case {"type": "job.succeeded", "key": key}:
            return f"{key} succeeded"
    return ""
