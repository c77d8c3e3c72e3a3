"""A false condition skips what it stands at, and nothing else: skips do not spread."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.core import events as e
from ostinato.core import facts as f
from ostinato.core.facts import Failure
from ostinato.core.state import path_of
from ostinato.definitions import compile, read
from ostinato.testing.generate import any_document
from tests.core.properties.player import CHANCE, SEEDS, Player

LEFT_OUT = ("each", "expect", "timeout", "heartbeat", "output", "when", "on_failure")
CONDITIONS = st.sampled_from([None, None, "true", "false", "1 > 2"])


@st.composite
def conditioned(draw: st.DrawFn) -> dict[str, Any]:
    """Whatever can be known beforehand: each condition is plainly true or false."""
    made = any_document(draw(CHANCE), without=LEFT_OUT)
    jobs = [job for phase in made["phases"] for job in phase["jobs"]]
    for thing in (*made["phases"], *jobs, *made.get("finally", [])):
        condition = draw(CONDITIONS)
        thing |= {} if condition is None else {"when": condition}
    return made


class Indifferent(Player):
    """Optional jobs may fail; all others do well."""

    def oblige(self):
        optional = [job for job in self.ready if self.graph.nodes[path_of(job.key)].optional]
        if optional and self.chance.random() < 0.5:
            job = self.chance.choice(optional)
            self.ready.remove(job)
            self.tell(e.Failed(job.key, job.attempt, Failure("Fatal", "x"), final=True))
            return True
        return super().oblige()


def expected(document: dict[str, Any]) -> dict[str, bool]:
    """Step key to whether it is skipped."""
    found = {}
    for phase in document["phases"]:
        for job in phase["jobs"]:
            found[f"{phase['phase']}/{job['job']}"] = false(phase) or false(job)
    return found | {f"finally/{job['job']}": false(job) for job in document.get("finally", [])}


def false(thing: dict[str, Any]) -> bool:
    return thing.get("when") in ("false", "1 > 2")


@settings(max_examples=300)
@given(conditioned(), SEEDS)
def test_exactly_what_is_false_is_skipped_and_all_else_is_done(document, seed):
    play = Indifferent(compile(read(document)), seed).begin().settle(2_000)
    assert play.status == "succeeded"
    skipped = expected(document)
    assert set(play.jobs) == set(skipped)
    for key, status in play.jobs.items():
        step = play.state.steps[key]
        assert (status == "skipped") == skipped[key], key
        assert status != "skipped" or (step.output is None and step.why.endswith(" is false"))


@settings(max_examples=200)
@given(conditioned(), SEEDS)
def test_a_job_begins_after_all_that_it_needs_however_that_ended(document, seed):
    play = Indifferent(compile(read(document)), seed).begin().settle(2_000)
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for number, fact in enumerate(play.facts):
        if type(fact).__name__.startswith("Job"):
            name = fact.key.rpartition("/")[2]
            first.setdefault(name, number)
            last[name] = number
    phases = [*document["phases"], {"mode": "sequential", "jobs": document.get("finally", [])}]
    for phase in phases:
        before: list[str] = []
        for job in phase["jobs"]:
            needs = job.get("needs", [])
            needs = [needs] if isinstance(needs, str) else needs
            chained = before if phase.get("mode") == "sequential" else []
            assert all(last[need] < first[job["job"]] for need in (*needs, *chained))
            before.append(job["job"])
    ends = [fact.key for fact in play.facts if isinstance(fact, f.ScopeEnded | f.ScopeSkipped)]
    assert [key for key in ends if key != "finally"] == [one["phase"] for one in phases[:-1]]
