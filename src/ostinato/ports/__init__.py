"""What the engine asks of the world: a store, a bus, a clock.

Adapters implement these; the runtime sees nothing else of them. ``testing.storage_contract``
is the definition of a store in tests: behaviour that is not there is not promised.

A store keeps what it is given and decides nothing. There is one way to write, ``commit``, and a
batch is whole or nothing.

rows      what a store keeps, and the batch that is written at once
choosing  which runs a list or a repair is about
grouping  runs whose failures are one
jobs      what is offered to workers elsewhere
operations  repairs of many runs
queries   what lists are asked, and what they tell
storage   the store                     members  processes that share one
buses     what is asked of a bus: messages in, messages out
world     a bus, an archive, a clock
"""

from ostinato.ports.choosing import RunFilter, RunQuery
from ostinato.ports.jobs import (
    Brief,
    Claim,
    JobChange,
    JobCount,
    JobEnd,
    JobFree,
    JobQuery,
    JobRow,
    JobStop,
)
from ostinato.ports.members import LEFT, MISSED, Members, Partitions, Roll, Seat, Taken
from ostinato.ports.operations import (
    OUTCOMES,
    Asked,
    Operation,
    Settled,
    Tally,
)
from ostinato.ports.queries import (
    EventQuery,
    LetterQuery,
    Page,
    RunGroup,
    TaskQuery,
)
from ostinato.ports.rows import (
    AgedEvent,
    Batch,
    DamagedEvent,
    DeadLetter,
    Head,
    Line,
    Mail,
    Outgoing,
    Owner,
    Place,
    Record,
    Removal,
    Reply,
    StoredEvent,
    TaskEnd,
    TaskRow,
    Timer,
    Turn,
    Version,
    Wait,
)
from ostinato.ports.storage import Storage
from ostinato.ports.world import Archive, Bus, Clock

__all__ = [
    "LEFT",
    "MISSED",
    "OUTCOMES",
    "AgedEvent",
    "Archive",
    "Asked",
    "Batch",
    "Brief",
    "Bus",
    "Claim",
    "Clock",
    "DamagedEvent",
    "DeadLetter",
    "EventQuery",
    "Head",
    "JobChange",
    "JobCount",
    "JobEnd",
    "JobFree",
    "JobQuery",
    "JobRow",
    "JobStop",
    "LetterQuery",
    "Line",
    "Mail",
    "Members",
    "Operation",
    "Outgoing",
    "Owner",
    "Page",
    "Partitions",
    "Place",
    "Record",
    "Removal",
    "Reply",
    "Roll",
    "RunFilter",
    "RunGroup",
    "RunQuery",
    "Seat",
    "Settled",
    "Storage",
    "StoredEvent",
    "Taken",
    "Tally",
    "TaskEnd",
    "TaskQuery",
    "TaskRow",
    "Timer",
    "Turn",
    "Version",
    "Wait",
]
