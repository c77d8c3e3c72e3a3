"""Events as they come in and go out: CloudEvents 1.0 and the other forms that are understood.

event    the event, its attributes' bounds, time         forms  one function per form
records  messages of queues around events                wire   requests → events
messages  messages of buses ↔ events                invocations  what AWS hands to a function
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
    sound,
)
from ostinato.core.cloudevents.forms import CONTROL_PLANE, DEFAULT_SOURCE
from ostinato.core.cloudevents.invocations import (
    Invocation,
    is_request,
    is_tick,
    read_invocation,
)
from ostinato.core.cloudevents.messages import (
    BUS,
    READINGS,
    WRITINGS,
    Message,
    Reader,
    arrived,
    numbered,
    to_message,
    unwrapped,
    wrapped,
)
from ostinato.core.cloudevents.out import STRUCTURED, event_value, to_binary, to_json, to_structured
from ostinato.core.cloudevents.wire import DEFAULT_LIMITS, from_http, from_path

__all__ = [
    "BUS",
    "CONTROL_PLANE",
    "DEFAULT_LIMITS",
    "DEFAULT_SOURCE",
    "READINGS",
    "SHORTEST",
    "STRUCTURED",
    "WRITINGS",
    "Event",
    "InvalidEvent",
    "Invocation",
    "Limits",
    "MalformedBody",
    "Message",
    "NoEventType",
    "Reader",
    "arrived",
    "event_value",
    "from_http",
    "from_path",
    "is_request",
    "is_tick",
    "milliseconds",
    "numbered",
    "read_invocation",
    "rfc3339",
    "sound",
    "to_binary",
    "to_json",
    "to_message",
    "to_structured",
    "unwrapped",
    "wrapped",
]
