"""Whoever had this run's work in hand is gone: the process that ran it, or a worker elsewhere.

Only attempts with a start fact count as deaths; ``Graph.most_deaths`` of them give the job up. A
job that has died is a suspect: it gets its next start fact when it is its turn to be at work alone
among suspects, so one more death tells on one of them, and few kills never end innocent jobs.

What is offered to workers, or done by one, is not this process's: it goes on while nobody runs the
engine. A worker that is not heard of in time has lost the attempt, which is offered again.
"""

from __future__ import annotations

from ostinato.core import events as e
from ostinato.core.commands import OfferJob, RecallJob
from ostinato.core.decide.failing import job_failed
from ostinato.core.decide.jobs import once_more
from ostinato.core.decide.moves import Said
from ostinato.core.decide.reporting import attempt_failed, busy_step, cancelled
from ostinato.core.decide.steps import quiet
from ostinato.core.facts import Failure, JobAbandoned, JobStarted, JobTaken
from ostinato.core.state import BUSY, State, Step


def taken_over(state: State, event: e.TakenOver, now: int) -> list[Said]:
    said: list[Said] = []
    for step in state.open.values():
        if step.status not in BUSY:
            continue
        if step.topic is None:
            said += _taken_up(state, step)
        elif step.status == "cancelling":  # whether a worker had it was not looked at any more
            said.append(RecallJob(step.key, step.attempt))
    return said


def _taken_up(state: State, step: Step) -> list[Said]:
    """Start again, unless this job has taken its process down too often."""
    lost = JobAbandoned(step.key, step.attempt)
    if step.status == "cancelling":
        return [lost, *cancelled(step)]
    deaths = step.deaths + step.started
    if deaths >= state.graph.most_deaths:
        return [lost, *_given_up(state, step, "died with its process")]
    ready, begin = once_more(state, step, step.attempt + 1, step.beat_at, deaths)
    if deaths or type(begin) is OfferJob:
        return [lost, ready, begin]
    return [lost, JobStarted(step.key, step.attempt + 1), begin]


def _given_up(state: State, step: Step, how: str) -> list[Said]:
    error = Failure("Abandoned", f"{step.key} {how} {state.graph.most_deaths} times")
    return [*quiet(step), *job_failed(
        state, step.scope, step.node, step.key, step.attempt, error
    )]  # fmt: skip


def lease_lost(state: State, event: e.LeaseLost, now: int) -> list[Said]:
    """The same attempt is offered again: its row is free with this. Its time may be over, too."""
    step = busy_step(state, event.key, event.attempt)
    if step is None:
        return []
    if step.status == "cancelling":
        return cancelled(step)
    begun = JobTaken(step.key, step.attempt, event.worker, event.since)
    said: list[Said] = [] if step.started else [begun]
    timeout = None if step.job.callback else step.job.timeout
    if timeout is not None and now >= event.since + timeout:
        error = Failure("Timeout", f"{step.key} took longer than {timeout} ms")
        return [*said, *attempt_failed(state, step, error, now)]
    said.append(JobAbandoned(step.key, step.attempt))
    if step.deaths + 1 >= state.graph.most_deaths:
        said += _given_up(state, step, "was lost by its worker")
    return said


def taken_back(state: State, event: e.TakenBack, now: int) -> list[Said]:
    """A handler of its name has come: the next attempt is made here."""
    step = busy_step(state, event.key, event.attempt)
    if step is None or step.topic is None or step.status != "ready":
        return []
    ready, begin = once_more(state, step, step.attempt + 1, step.beat_at, step.deaths)
    return [RecallJob(step.key, step.attempt, gently=True), ready, begin]
