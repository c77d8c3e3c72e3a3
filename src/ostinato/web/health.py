"""Whether the server lives, whether it takes work, and what it counts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from ostinato.telemetry.metrics import CONTENT_TYPE
from ostinato.web.answers import json_answer
from ostinato.web.door import Door, door_of, headers_of
from ostinato.web.operation import PUBLIC, Operations

doors = Operations("health")

SECRET_HEADERS = frozenset(
    ("authorization", "cookie", "proxy-authorization", "x-api-key", "x-api-secret")
)


class Ping(Struct):
    greeting: str
    date: str
    url: str
    headers: dict[str, str]


class Health(Struct):
    status: str


@doors.get("/ping", may=PUBLIC, seed=True, answers={200: Ping})
async def ping(request: Request) -> Response:
    """Greet, and show what arrived, but for what is secret."""
    headers = {n: text for n, text in headers_of(request).items() if n not in SECRET_HEADERS}
    date = datetime.now(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
    url = request.url.path
    return json_answer(
        {"greeting": "Hello from Ostinato", "date": date, "url": url, "headers": headers}
    )


@doors.get("/healthz", may=PUBLIC, answers={200: Health})
@doors.get("/health/live", may=PUBLIC, answers={200: Health})
async def is_alive(request: Request) -> Response:
    """200 as long as the process answers."""
    return json_answer({"status": "ok"})


@doors.get("/health/ready", may=PUBLIC, answers={200: Health, 503: Health})
@doors.get("/readyz", may=PUBLIC, answers={200: Health, 503: Health})
async def is_ready(request: Request) -> Response:
    """200 only when starts are taken; 503 while starting, joining, on standby or stopping."""
    door = door_of(request)
    if door.stopping:
        return json_answer({"status": "stopping"}, 503)
    if door.app.stands_by:
        return json_answer({"status": _health(door)["reason"]}, 503)
    if not _health(door).get("ready"):
        return json_answer({"status": "not ready"}, 503)
    return json_answer({"status": "ok"})


@doors.get("/metrics", may="metrics:read", answers={200: "text/plain"})
async def metrics(request: Request) -> Response:
    """Counters and gauges for Prometheus."""
    door = door_of(request)
    return Response(door.metrics.text(_health(door)), 200, {"content-type": CONTENT_TYPE})


def _health(door: Door) -> dict[str, Any]:
    return door.app.health()
