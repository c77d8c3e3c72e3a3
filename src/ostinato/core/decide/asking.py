"""A person is asked, and answers; or somebody else is asked instead."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from ostinato.core import events as e
from ostinato.core.codec import encode_value
from ostinato.core.commands import CloseTask, PutTask, SetTimer
from ostinato.core.decide.activation import Activation
from ostinato.core.decide.moves import Said
from ostinato.core.decide.reporting import succeeded
from ostinato.core.decide.steps import timeout_at, watch
from ostinato.core.facts import JobReassigned, JobWaiting
from ostinato.core.state import State, Step
from ostinato.core.tasks import Task, read_task, task_of
from ostinato.errors import ConflictError


def ask(at: Activation) -> list[Said]:
    task = task_of(at.values())
    timeout, next_at = timeout_at(at.job, at.now), task.escalates_at(at.now)
    put = PutTask(at.key, at.attempt, task, at.now, task.due_at(at.now))
    waiting = JobWaiting(
        at.key, "task", at.attempt, due_at=next_at, timeout_at=timeout, input=_encoded(task)
    )
    return [waiting, put, *watch(at.key, timeout, None), *_escalating(at.key, next_at)]


def _encoded(task: Task) -> Raw:
    """Through ``encode_value``, which refuses what no store takes."""
    return encode_value(msgspec.to_builtins(task))


def _escalating(key: str, at: int | None) -> list[Said]:
    return [] if at is None else [SetTimer(key, "escalate", at)]


def escalate(state: State, step: Step, due_at: int, now: int) -> list[Said]:
    """Nobody has answered for so long: it goes to the next one."""
    if step.kind != "task" or step.due_at != due_at or step.input is None:
        return []
    opened_at = step.waiting_since
    task = read_task(step.input).escalated()
    next_at = task.escalates_at(opened_at)
    put = PutTask(step.key, step.attempt, task, opened_at, task.due_at(opened_at))
    return [
        JobReassigned(step.key, _encoded(task), next_at),
        put,
        *_escalating(step.key, next_at),
    ]


def refuse_answer(state: State, task_id: str, event: e.TaskAnswered) -> None:
    """Raises ``ConflictError`` for an answer that answers nothing."""
    if state.ended:
        raise ConflictError(f"run {state.run_id} of this task is over")
    if _asked(state, event) is None:
        raise ConflictError(f"task {task_id} is not open any more")


def answered(state: State, event: e.TaskAnswered, now: int) -> list[Said]:
    """The answer is the output; what ``expect`` says of it may fail the job, and is final."""
    step = _asked(state, event)
    if step is None:
        return []
    answer = {"data": event.data, "outcome": event.outcome, "by": event.by, "at": now}
    closed = CloseTask(step.key, step.attempt, event.data, event.outcome, event.by)
    output = Raw(msgspec.json.encode(answer))
    return [closed, *succeeded(state, step, output, now, final=True)]


def _asked(state: State, event: e.TaskAnswered) -> Step | None:
    """The step that this answers."""
    step = state.steps.get(event.key)
    if step is None or not _is_asked(step, event.attempt) or not _fits(step, event.outcome):
        return None
    return step


def _is_asked(step: Step, attempt: int) -> bool:
    return step.status == "waiting" and step.kind == "task" and step.attempt == attempt


def _fits(step: Step, outcome: str | None) -> bool:
    return step.input is not None and read_task(step.input).allows(outcome)
