"""How a request comes in: all of it within a time, and its head within a size.

A client that sends a byte now and then would hold a connection for ever, one whose headers have no
end would fill the memory. uvicorn bounds neither. A request that comes in one piece, as nearly
all do, costs three short calls more.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEAD = 64 << 10
"""Bytes of request line and headers; up to one more read of the socket may slip through."""


class Receiving(HttpToolsProtocol):
    """``within`` is in seconds, from a request's first byte to its last."""

    within = 60.0

    _whole = False
    _in_head = True
    _head = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._whole:
            return
        if self._in_head:
            self._head += len(data)
            if self._head > LARGEST_HEAD:
                self._refuse(431, "Request Header Fields Too Large", _TOO_LARGE)
                return
        if self._timer is None:
            self._wait()

    def on_message_begin(self) -> None:
        self._whole, self._in_head, self._head = False, True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._whole = True
        self._came()
        super().on_message_complete()

    def _wait(self) -> None:
        self._timer = self.loop.call_later(self.within, self._too_late)

    def _came(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_late(self) -> None:
        begun = self._head or not self._in_head
        answered = not self._in_head and getattr(self.cycle, "response_started", True)
        if not begun or answered:
            self.transport.close()
        else:
            self._refuse(408, "Request Timeout", _too_late(self.within))

    def _refuse(self, status: int, title: str, message: str) -> None:
        self._came()
        if self.transport.is_closing():
            return
        body = json.dumps(_body(status, title, message)).encode()
        head = (
            f"HTTP/1.1 {status} {title}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


_TOO_LARGE = (
    f"the request line and the headers have more than {LARGEST_HEAD:,} bytes (fixed); "
    "send data in the body"
)


def _too_late(seconds: float) -> str:
    return (
        f"the request did not come in whole within {seconds:g} seconds, the limit here (receive); "
        "send it faster, or in parts, or raise the limit"
    )


def _body(status: int, title: str, message: str) -> dict[str, Any]:
    """The members that the door's own errors have."""
    name = title.replace(" ", "") + "Error"
    return {
        "type": f"urn:ostinato:problem:{name}", "title": title, "status": status,
        "detail": message, "instance": "", "errors": [],
        "error": {"statusCode": status, "name": name, "message": message},
    }  # fmt: skip


def receiving(seconds: float) -> type[Receiving]:
    return type("Receiving", (Receiving,), {"within": seconds})
