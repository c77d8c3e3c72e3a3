"""The process that ran this run is gone: what it had in hand is begun again.

Only attempts with a start fact count as deaths; ``Graph.most_deaths`` of them give the job up. A
job that has died is a suspect: it gets its next start fact when it is its turn to be at work alone
among suspects, so one more death tells on one of them, and few kills never end innocent jobs.
"""

from __future__ import annotations

from ostinato.core import events as e
from ostinato.core.decide.failing import job_failed
from ostinato.core.decide.jobs import start_job
from ostinato.core.decide.moves import Said
from ostinato.core.decide.reporting import cancelled
from ostinato.core.decide.steps import quiet
from ostinato.core.facts import Failure, JobAbandoned, JobReady, JobStarted
from ostinato.core.state import BUSY, State, Step


def taken_over(state: State, event: e.TakenOver, now: int) -> list[Said]:
    said: list[Said] = []
    for step in state.open.values():
        if step.status in BUSY:
            said += _taken_up(state, step)
    return said


def _taken_up(state: State, step: Step) -> list[Said]:
    """Start again, unless this job has taken its process down too often."""
    lost = JobAbandoned(step.key, step.attempt)
    if step.status == "cancelling":
        return [lost, *cancelled(step)]
    deaths = step.deaths + step.started
    if deaths >= state.graph.most_deaths:
        times = state.graph.most_deaths
        error = Failure("Abandoned", f"{step.key} died with its process {times} times")
        return [lost, *quiet(step), *job_failed(
            state, step.scope, step.node, step.key, step.attempt, error
        )]  # fmt: skip
    attempt = step.attempt + 1
    begin = start_job(step.job, step.key, attempt, step.input, deaths)
    if deaths:
        return [lost, JobReady(step.key, attempt=attempt, beat_at=step.beat_at), begin]
    return [lost, JobStarted(step.key, attempt), begin]
