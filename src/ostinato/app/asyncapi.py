"""What this application receives and sends, as an AsyncAPI 3.0 document.

https://www.asyncapi.com/docs/reference/specification/v3.0.0
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ostinato.app.connectors import Connector
from ostinato.app.event_types import EventType
from ostinato.app.keys import keys_of
from ostinato.app.schemas import Schemas
from ostinato.config import BusSettings
from ostinato.config.addresses import without_secrets
from ostinato.core.routes import Likes, is_wild
from ostinato.definitions.document import Document

Data = dict[str, Any]

PROTOCOLS = {
    "kafka": "kafka", "sqs": "sqs", "sns": "sns", "eventbridge": "eventbridge", "bullmq": "redis",
    "http": "http", "memory": "memory",
}  # fmt: skip
"""Kind of bus → what AsyncAPI calls its protocol."""

CONTENT = "application/json"


class Way(NamedTuple):
    """A channel, and what is done with it. Without a ``bus`` it is the engine's own door."""

    bus: str
    action: str
    address: str | None
    types: tuple[str, ...]

    @property
    def name(self) -> tuple[str, str, str]:
        return self.action, self.bus, self.wish

    @property
    def wish(self) -> str:
        """What its channel is called, if no other is called so."""
        what = "out" if self.action == "send" else self.address
        return f"{self.bus}-{what}" if self.bus else "events"


class Described:
    """``documents`` are those that start runs now, ``types`` what is known of events' data."""

    def __init__(
        self,
        version: str,
        address: str,
        connectors: Mapping[str, Connector],
        documents: Iterable[Document],
        types: Mapping[str, EventType[Any]],
    ) -> None:
        self.version = version
        self.address = address
        self.connectors = connectors
        self.documents = list(documents)
        self.types = types
        self.ways = list(self._ways())
        told = sorted({type for way in self.ways for type in way.types})
        self.schemas = Schemas(types[type] for type in told if type in types)
        self.messages = keys_of({type: type for type in told})
        self.channels = keys_of({way.name: way.wish for way in self.ways})
        self.servers = keys_of({"": "ostinato"} | {name: name for name in connectors})

    def document(self) -> Data:
        return {
            "asyncapi": "3.0.0",
            "info": {"title": "Ostinato", "version": self.version},
            "defaultContentType": CONTENT,
            "servers": {self.servers[name]: each for name, each in self._servers()},
            "channels": {self.channels[way.name]: self._channel(way) for way in self.ways},
            "operations": {
                f"{way.action}-{self.channels[way.name]}": self._operation(way) for way in self.ways
            },
            "components": {
                "messages": {key: self._message(type) for type, key in self.messages.items()},
                "schemas": self.schemas.found,
            },
        }

    def _servers(self) -> Iterator[tuple[str, Data]]:
        yield "", _server(self.address, "http")
        for name, each in self.connectors.items():
            yield name, _server(_host(each.settings), PROTOCOLS.get(each.settings.kind, "other"))

    def _ways(self) -> Iterator[Way]:
        yield Way("", "receive", "/events", self._heard(None))
        for name, each in self.connectors.items():
            if each.sender is not None and (sent := self._sent(name, each.settings)):
                yield Way(name, "send", _address(each.settings), sent)
            for inlet in each.inlets:
                yield Way(name, "receive", inlet.name, self._heard(name))

    def _channel(self, way: Way) -> Data:
        keys = [self.messages[type] for type in way.types]
        return {
            "address": way.address,
            "servers": [_reference("servers", self.servers[way.bus])],
            "messages": {key: _reference("components", "messages", key) for key in keys},
        }

    def _operation(self, way: Way) -> Data:
        channel = ("channels", self.channels[way.name])
        keys = [self.messages[type] for type in way.types]
        return {
            "action": way.action,
            "channel": _reference(*channel),
            "messages": [_reference(*channel, "messages", key) for key in keys],
        }

    def _heard(self, bus: str | None) -> tuple[str, ...]:
        """The types that start something when they come by this bus; None: by none."""
        found = (
            type
            for document in self.documents
            for trigger in document.triggers
            if trigger.bus is None or trigger.bus == (bus or "memory")
            for type in trigger.types
        )
        return tuple(sorted(set(found)))

    def _sent(self, bus: str, settings: BusSettings) -> tuple[str, ...]:
        known = {name for name in self.types if self._goes(name, bus)}
        return tuple(sorted(set(settings.send) | known))

    def _goes(self, type: str, bus: str) -> bool:
        send = self.connectors[bus].settings.send
        return Likes(send).fit(type)

    def _message(self, type: str) -> Data:
        known = self.types.get(type)
        about = f"every type like {type}" if is_wild(type) else known.about if known else ""
        found = {"name": type, "contentType": CONTENT, "payload": self._payload(known)}
        return found | ({"summary": about} if about else {})

    def _payload(self, known: EventType[Any] | None) -> Data:
        if known is None:
            return {}
        return _reference("components", "schemas", self.schemas.key(known))


def _reference(*path: str) -> Data:
    return {"$ref": "#/" + "/".join(path)}


def _server(address: str, protocol: str) -> Data:
    scheme, _, rest = address.rpartition("://")
    host, slash, path = rest.partition("/")
    found = {"host": host, "protocol": scheme if scheme in ("http", "https") else protocol}
    return found | ({"pathname": slash + path} if path else {})


def _host(settings: BusSettings) -> str:
    """Where it is, without what is secret."""
    for member in ("servers", "endpoint", "url"):
        value = getattr(settings, member, None)
        if value:
            return without_secrets(str(value))
    region = getattr(settings, "region", None)
    return f"{settings.kind}.{region}.amazonaws.com" if region else settings.kind


def _address(settings: BusSettings) -> str | None:
    for member in ("topic", "queue", "bus", "place", "url"):
        value = getattr(settings, member, None)
        if value:
            return without_secrets(str(value))
    return None
