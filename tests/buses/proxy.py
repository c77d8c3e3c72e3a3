"""Between a client of AWS and its server: entries of batches fail as the test says, and all that is
asked is written down."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp import web

Fails = Callable[[str, dict[str, Any]], dict[str, Any] | None]
"""Of an operation and one entry: how it fails, in the words of the service; None: it does not."""


class Proxy:
    """For services that speak JSON: SQS, EventBridge."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.fails: Fails = lambda operation, entry: None
        self.refuses: Callable[[str], dict[str, Any] | None] = lambda operation: None
        """Of an operation: an error for all of it."""

    def requests(self, operation: str) -> list[dict[str, Any]]:
        return [body for name, body in self.asked if name == operation]

    async def __aenter__(self) -> Proxy:
        self._client = aiohttp.ClientSession(auto_decompress=False)
        app = web.Application(client_max_size=4 << 20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._runner.cleanup()
        await self._client.close()

    async def _handle(self, request: web.Request) -> web.Response:
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        body = json.loads(await request.read())
        self.asked.append((operation, dict(body)))
        if (error := self.refuses(operation)) is not None:
            return web.json_response(error, status=400)
        if operation == "PutEvents":
            return await self._put_events(request, body)
        entries = body.get("Entries", ())
        failed = {
            entry["Id"]: why for entry in entries if (why := self.fails(operation, entry))
        }  # fmt: skip
        if len(failed) == len(entries) and entries:
            return web.json_response({"Failed": _named(failed)})
        if failed:
            body["Entries"] = [entry for entry in entries if entry["Id"] not in failed]
        status, answer = await self._forward(request, body)
        if failed:
            answer["Failed"] = [*answer.get("Failed", ()), *_named(failed)]
        return web.json_response(answer, status=status)

    async def _put_events(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        entries = body["Entries"]
        failed = [self.fails("PutEvents", entry) for entry in entries]
        body["Entries"] = [one for one, why in zip(entries, failed, strict=True) if why is None]
        answer: dict[str, Any] = {"Entries": []}
        if body["Entries"]:
            _, answer = await self._forward(request, body)
        sent = iter(answer["Entries"])
        told = [next(sent) if why is None else why for why in failed]
        count = sum(why is not None for why in failed)
        return web.json_response({"FailedEntryCount": count, "Entries": told})

    async def _forward(self, request: web.Request, body: dict[str, Any]) -> tuple[int, Any]:
        left = ("host", "content-length", "transfer-encoding")
        headers = {
            name: value for name, value in request.headers.items() if name.lower() not in left
        }
        url = self.target + request.path_qs
        data = json.dumps(body).encode()
        async with self._client.post(url, data=data, headers=headers) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else {}


def _named(failed: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"Id": name, **why} for name, why in failed.items()]
