"""Events as they come in and go out: CloudEvents 1.0 and the other forms that are understood.

event    the event, its attributes' bounds, time         forms  one function per form
records  messages of queues around events                wire   requests → events
out      events → CloudEvents, listings, what patterns see
"""

from ostinato.core.cloudevents.event import (
    SHORTEST,
    Event,
    InvalidEvent,
    Limits,
    MalformedBody,
    NoEventType,
    milliseconds,
    rfc3339,
)
from ostinato.core.cloudevents.forms import CONTROL_PLANE, DEFAULT_SOURCE
from ostinato.core.cloudevents.out import STRUCTURED, event_value, to_binary, to_json, to_structured
from ostinato.core.cloudevents.wire import DEFAULT_LIMITS, from_http, from_path

__all__ = [
    "CONTROL_PLANE",
    "DEFAULT_LIMITS",
    "DEFAULT_SOURCE",
    "SHORTEST",
    "STRUCTURED",
    "Event",
    "InvalidEvent",
    "Limits",
    "MalformedBody",
    "NoEventType",
    "event_value",
    "from_http",
    "from_path",
    "milliseconds",
    "rfc3339",
    "to_binary",
    "to_json",
    "to_structured",
]
