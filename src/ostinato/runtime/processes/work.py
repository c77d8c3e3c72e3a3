"""One attempt, as it is handed to whoever does it in a process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from msgspec import Raw

from ostinato.core import events as e
from ostinato.core.commands import StartJob
from ostinato.core.facts import Failure
from ostinato.runtime.handlers import Handler, Job, Origin, Report
from ostinato.runtime.processes.messages import (
    Answer,
    Begin,
    Completed,
    Deferred,
    Failed,
    RunThere,
)


@dataclass(frozen=True, slots=True)
class Work:
    """``limit``: bytes of the result. ``begun`` is called when the function is about to begin."""

    state: Origin
    command: StartJob
    handler: Handler
    limit: int
    report: Report
    begun: Callable[[], None]

    def heard(self) -> None:
        command = self.command
        self.report(self.state.run_id, e.Heard(command.key, command.attempt))

    def message(self) -> Begin:
        command, function = self.command, self.handler.function
        return Begin(
            self.handler.name,
            function.__module__,
            function.__qualname__,
            command.key,
            command.attempt,
            None if command.input is None else bytes(command.input),
            self.limit,
            self._run() if self.handler.injects else None,
        )

    def _run(self) -> RunThere:
        state, job = self.state, Job(self.state, self.command, self.report)
        value = state.event_value
        event = None if value is None else msgspec.json.encode(value)
        return RunThere(state.run_id, state.workflow, state.uid, job.token, job.callback_url, event)


def event_of(command: StartJob, answer: Answer) -> e.Event:
    """What the run is told."""
    key, attempt = command.key, command.attempt
    match answer:
        case Completed(output):
            return e.Completed(key, attempt, Raw(output))
        case Failed(name, message, final, after):
            return e.Failed(key, attempt, Failure(name, message), final=final, after=after)
    return e.Deferred(key, attempt)


def answer_of(event: e.Event, trace: str = "") -> Answer:
    """The other way."""
    match event:
        case e.Completed(_, _, output):
            return Completed(bytes(output))
        case e.Failed(_, _, error):
            return Failed(error.name, error.message, event.final, event.after, trace)
    return Deferred()
