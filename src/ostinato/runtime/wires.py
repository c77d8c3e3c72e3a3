"""Which role hears of what: the roles of one process know the engine, and not each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostinato.ports import MISSED
from ostinato.runtime.arrivals import receive

if TYPE_CHECKING:
    from ostinato.runtime.service import Service


def wire(service: Service) -> None:
    outlets = service.engine.outlets
    outlets.stop_job = service.executor.stop_job
    outlets.withdraw = service.executor.withdraw
    service.executor.on_taken = service.headroom.look
    service.executor.store_start = service._store_start
    outlets.on_timer = service.timers.expect
    service.schedules.has_room = service.headroom.is_left
    outlets.hand_out = service.jobs.hand_out
    outlets.on_offer = service.jobs.on_offer
    outlets.on_recall = service.jobs.on_recall
    outlets.on_ended = service._run_ended
    outlets.on_outgoing = service.outbox.expect
    outlets.on_turn = service.limiter.on_turn
    outlets.on_place = service.limiter.on_place
    service.engine.first_in_line = service.limiter.first_in_line
    service.engine.length_of_line = service.limiter.length_of_line
    service.starter.standing.longest = service.limits.uid_queue
    service.calls.budget = service.limits.calls
    outlets.on_free = service.limiter.on_free
    outlets.on_wait = service.meeting.on_wait
    outlets.on_event = service.meeting.on_event
    outlets.on_said = service.calls.on_said
    outlets.on_readable = service.room.on_readable
    outlets.on_mail = service.room.said
    outlets.abroad = service.errands.send
    service.jobs.tell = service.outbox.tell = service.news.tell
    service.room.on_safety = service._look_around
    service.schedules.distant = service.distant
    receive(service.errands, service.starter, service.catalog, service.jobs)
    service.news.hearers |= {
        "mail": service.room.hinted,
        "reply": service.errands.hinted,
        "offer": service.jobs.offers.offered,
        "outbox": service.outbox.hinted,
        "taken": lambda about: service.distant.look(),
        MISSED: service._look_everywhere,
    }
    outlets.on_letter = service._count_letter
