"""Events under one name with different contents: the first counts, the others are kept beside."""

from __future__ import annotations

from hashlib import sha256

import msgspec

from ostinato.core.cloudevents import Event


def differ(first: Event, second: Event) -> bool:
    """Whether a sender has given two things one id. How the JSON is written does not count, nor
    when it was said."""
    if first.type != second.type:
        return True
    if bytes(first.data) == bytes(second.data):
        return False
    return _plain(first) != _plain(second)


def _plain(event: Event) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(event.data), order="sorted")


def letter_id(event: Event) -> str:
    """The same for the same event: sent again, it is noted once."""
    told = msgspec.json.encode([event.source, event.id, event.type, event.data])
    return f"conflict-{sha256(told).hexdigest()[:26]}"
