"""Queues of BullMQ: its jobs come in, and events go out as jobs.

inlet     a queue's jobs, in hand as they are in a worker of BullMQ
outlet    events as jobs, each there once
server    the Redis that holds them, and what is said when it does not answer
together  commands that travel together
"""

from __future__ import annotations

from ostinato.bus.bullmq.inlet import BullMqInlet
from ostinato.bus.bullmq.outlet import BullMqOutlet
from ostinato.bus.bullmq.server import is_address
from ostinato.config.buses import BullMqSettings
from ostinato.errors import SettingsError
from ostinato.ports.buses import Inlet, Outlet

READS = "job"


def inlets(settings: BullMqSettings) -> list[Inlet]:
    _checked(settings)
    return [BullMqInlet(settings, queue) for queue in settings.receive]


def outlet(settings: BullMqSettings) -> Outlet | None:
    _checked(settings)
    return BullMqOutlet(settings) if settings.queue else None


def form(settings: BullMqSettings) -> str:
    return "job"


def _checked(settings: BullMqSettings) -> None:
    at = f"bus.{settings.name}"
    if not is_address(settings.url):
        hint = "write redis://HOST:PORT, or rediss://HOST:PORT for TLS"
        raise SettingsError(f"{at}.url is no address of a Redis; {hint}")
    for queue in (*settings.receive, *filter(None, [settings.queue])):
        if ":" in queue or not queue:
            raise SettingsError(f"{at}: no queue of BullMQ is called {queue!r}; it has no colon")
