"""An attempt is made: bound, called, and what came of it said."""

from __future__ import annotations

import contextvars

from ostinato.core.commands import StartJob
from ostinato.errors import OstinatoError
from ostinato.runtime.handlers import Handler, Job
from ostinato.runtime.outcomes import Fail
from ostinato.runtime.processes.messages import Answer
from ostinato.runtime.processes.work import answer_of
from ostinato.runtime.reports import failure_of, raised, report_of


def done(handler: Handler, job: Job, command: StartJob, limit: int) -> Answer:
    """A handler may raise anything, even ``SystemExit``; nothing is raised here."""
    try:
        call = handler.bind(job, command.input)
        value = contextvars.copy_context().run(call)
    except BaseException as error:
        return answer_of(failure_of(command, error), _trace(error))
    try:
        return answer_of(report_of(command, value, limit))
    except BaseException as error:  # what it returned runs code too, when it is looked at
        return answer_of(failure_of(command, error))


def _trace(error: BaseException) -> str:
    """Only of what the user did not mean to raise."""
    return "" if isinstance(error, Fail | OstinatoError) else raised(error)
