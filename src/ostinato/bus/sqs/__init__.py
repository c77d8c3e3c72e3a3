"""Queues of Amazon SQS, standard and FIFO.

queue   one queue, by its name or URL      hand    what is hidden from other readers
inlet   long polls                         outlet  batches
"""

from __future__ import annotations

from datetime import timedelta

from ostinato.bus.sqs.inlet import SqsInlet
from ostinato.bus.sqs.outlet import SqsOutlet
from ostinato.bus.sqs.queue import name_of
from ostinato.config.buses import SqsSettings
from ostinato.errors import SettingsError, UsageError
from ostinato.ports.buses import Inlet, Outlet

READS = "body"
KEYED = True

LONGEST_WAIT = timedelta(seconds=20)
LONGEST_HIDDEN = timedelta(hours=12)


def inlets(settings: SqsSettings) -> list[Inlet]:
    _check(settings)
    return [SqsInlet(settings, queue) for queue in settings.receive]


def outlet(settings: SqsSettings) -> Outlet | None:
    _check(settings)
    return None if settings.queue is None else SqsOutlet(settings, settings.queue)


def form(settings: SqsSettings) -> str:
    return "structured" if settings.form == "cloudevents" else settings.form


def _check(settings: SqsSettings) -> None:
    """A wait of nothing would ask, and cost, without end."""
    if not timedelta(seconds=1) <= settings.wait <= LONGEST_WAIT:
        raise SettingsError(f"bus.{settings.name}.wait: SQS waits 1s to 20s")
    if not timedelta(seconds=2) <= settings.visibility <= LONGEST_HIDDEN:
        raise SettingsError(f"bus.{settings.name}.visibility: SQS hides messages for 2s to 12h")
    for member, queues in (("receive", settings.receive), ("queue", (settings.queue,))):
        for queue in queues:
            try:
                name_of(queue or "none")
            except UsageError as error:
                raise SettingsError(f"bus.{settings.name}.{member}: {error}") from None


__all__ = ["KEYED", "READS", "SqsInlet", "SqsOutlet", "form", "inlets", "outlet"]
