"""What this application receives and sends, as an AsyncAPI 3.0 document.

https://www.asyncapi.com/docs/reference/specification/v3.0.0
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ostinato.app.connectors import Connector
from ostinato.app.event_types import EventType
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
        self.messages: dict[str, Data] = {}
        self.schemas: dict[str, Data] = {}

    def document(self) -> Data:
        channels, operations = {}, {}
        for name, channel, operation in self._ways():
            channels[name] = channel
            operations[f"{operation['action']}-{name}"] = operation
        return {
            "asyncapi": "3.0.0",
            "info": {"title": "Ostinato", "version": self.version},
            "defaultContentType": CONTENT,
            "servers": {"ostinato": _server(self.address, "http")} | dict(self._servers()),
            "channels": channels,
            "operations": operations,
            "components": {"messages": self.messages, "schemas": self.schemas},
        }

    def _servers(self) -> Iterator[tuple[str, Data]]:
        for name, each in self.connectors.items():
            yield name, _server(_host(each.settings), PROTOCOLS.get(each.settings.kind, "other"))

    def _ways(self) -> Iterator[tuple[str, Data, Data]]:
        """Each channel, and what is done with it."""
        yield self._way("events", "receive", "ostinato", "/events", self._heard(None))
        for name, each in self.connectors.items():
            for inlet in each.inlets:
                heard = self._heard(name)
                yield self._way(f"{name}-{_plain(inlet.name)}", "receive", name, inlet.name, heard)
            if each.sender is not None and (sent := self._sent(name, each.settings)):
                yield self._way(f"{name}-out", "send", name, _address(each.settings), sent)

    def _way(
        self, name: str, action: str, server: str, address: str | None, types: Iterable[str]
    ) -> tuple[str, Data, Data]:
        told = {key: _reference("components", "messages", key) for key in map(self._message, types)}
        channel = {
            "address": address,
            "servers": [_reference("servers", server)],
            "messages": told,
        }
        messages = [_reference("channels", name, "messages", key) for key in told]
        operation = {
            "action": action,
            "channel": _reference("channels", name),
            "messages": messages,
        }
        return name, channel, operation

    def _heard(self, bus: str | None) -> list[str]:
        """The types that start something when they come by this bus; None: by none."""
        found = (
            type
            for document in self.documents
            for trigger in document.triggers
            if trigger.bus is None or trigger.bus == (bus or "memory")
            for type in trigger.types
        )
        return sorted(set(found))

    def _sent(self, bus: str, settings: BusSettings) -> list[str]:
        return sorted(set(settings.send) | {name for name in self.types if self._goes(name, bus)})

    def _goes(self, type: str, bus: str) -> bool:
        send = self.connectors[bus].settings.send
        return Likes(send).fit(type)

    def _message(self, type: str) -> str:
        key = _plain(type)
        known = self.types.get(type)
        about = f"every type like {type}" if is_wild(type) else known.about if known else ""
        self.messages[key] = {"name": type, "contentType": CONTENT, "payload": self._payload(known)}
        if about:
            self.messages[key]["summary"] = about
        return key

    def _payload(self, known: EventType[Any] | None) -> Data:
        if known is None:
            return {}
        schema = known.schema()
        for name, each in schema.pop("$defs", {}).items():
            self.schemas[name] = _moved(each)
        self.schemas[_plain(known.name)] = _moved(schema)
        return _reference("components", "schemas", _plain(known.name))


def _moved(schema: Any) -> Any:
    """With the references of JSON Schema where this document has them."""
    if isinstance(schema, dict):
        return {
            name: value.replace("#/$defs/", "#/components/schemas/")
            if name == "$ref" and isinstance(value, str)
            else _moved(value)
            for name, value in schema.items()
        }
    return [_moved(one) for one in schema] if isinstance(schema, list) else schema


def _reference(*path: str) -> Data:
    return {"$ref": "#/" + "/".join(path)}


def _plain(name: str) -> str:
    """As the keys of AsyncAPI's maps are written."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", name)


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
