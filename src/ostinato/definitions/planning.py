"""What schedules cannot mean: policies that undo each other, inputs that cannot fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ostinato.core.cloudevents import event_value
from ostinato.core.durations import format_duration
from ostinato.core.expressions import Expression
from ostinato.core.schedules import Plan, event_data, event_of
from ostinato.definitions.document import Document, TriggerSpec
from ostinato.definitions.input import input_check
from ostinato.definitions.source import Path
from ostinato.errors import ExpressionError, InvalidInput, Problem

__all__ = ["schedule_problems"]

SOME_DAY = 1_800_000_000_000

Told = tuple[bool, Problem]  # whether it is an error, and what


def schedule_problems(document: Document) -> Iterator[Told]:
    for trigger in document.triggers:
        if trigger.plan is not None:
            yield from _policies(document, trigger.path, trigger.plan)
            yield from _input(document, trigger, trigger.plan)


def _policies(document: Document, path: Path, plan: Plan) -> Iterator[Told]:
    if (plan.overlap, plan.catch_up) == ("skip", "all"):
        message = "`all` starts only the first missed instant: the others meet its open run"
        hint = "with `overlap: queue` they follow one another, with `allow` they start together"
        yield False, document.problem((*path, "catch_up"), message, hint)
    if (plan.overlap, plan.catch_up) == ("queue", "none"):
        message = "`none` drops what `queue` keeps: an instant that waits for a run is missed"
        yield False, document.problem((*path, "catch_up"), message, "use `last` or `all`")
    first = plan.after(SOME_DAY)
    second = None if first is None else plan.after(first)
    if first is not None and second is not None and 0 < second - first < plan.jitter:
        message = (
            f"`jitter` is longer than the {format_duration(second - first)} between two starts"
        )
        hint = "no start is put off beyond the next one"
        yield False, document.problem((*path, "jitter"), message, hint)


def _input(document: Document, trigger: TriggerSpec, plan: Plan) -> Iterator[Told]:
    """What the trigger would start a run with, on some day."""
    at = plan.after(SOME_DAY) or SOME_DAY
    names = {"event": event_value(event_of(document.workflow, at)), "input": event_data(at)}
    where = trigger.path if trigger.input is None else (*trigger.path, "input")
    try:
        given: Any = names["input"]
        if isinstance(trigger.input, Expression):
            given = trigger.input.evaluate(names)
        elif trigger.input is not None:
            given = trigger.input.render(names)
        input_check(document.input_schema)(given)
    except ExpressionError as error:
        yield False, document.problem(where, f"no run can start by the clock: {error}")
    except InvalidInput as error:
        what = "{scheduledFor}" if trigger.input is None else "what it gives"
        message = f"{what} is no input of this workflow, so that no run can start: {error}"
        hint = "give an `input`, or change input_schema"
        yield False, document.problem(where, message, hint)
