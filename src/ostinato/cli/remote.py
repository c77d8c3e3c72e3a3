"""A running server, over HTTP."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2

from ostinato.app.address import Look
from ostinato.cli.client import Data
from ostinato.cli.failure import UNREACHABLE, Stop
from ostinato.cli.refusal import refusal
from ostinato.core.state import OVER

_PATIENCE = httpx2.Timeout(30, connect=3)
_AS_LONG_AS_IT_TAKES = httpx2.Timeout(None, connect=3)
_RETURNS_WITHIN = 30  # seconds that a followed server may be away, as for a restart
_YAML, _JSON = "application/yaml", "application/json"


class RemoteClient:
    running = True

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        look: Look | None = None,
    ) -> None:
        self.place = url
        self._look = look
        headers = {"authorization": f"Bearer {key}"} if key else {}
        self._http = httpx2.AsyncClient(
            base_url=url, headers=headers, timeout=_PATIENCE, transport=transport, trust_env=False
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def answers(self) -> bool:
        try:
            return (await self._http.get("/ping", timeout=2)).is_success
        except httpx2.HTTPError:
            return False

    # -- workflows

    async def deploy(self, documents: Sequence[Path]) -> list[Data]:
        if len(documents) == 1:
            path = documents[0]
            headers = {"content-type": _content_type(path)}
            answer = await self._send(
                "POST", "/workflows", content=path.read_bytes(), headers=headers
            )
        else:
            files = [("file", (p.name, p.read_bytes(), _content_type(p))) for p in documents]
            answer = await self._send("POST", "/workflows", files=files)
        return answer if isinstance(answer, list) else [answer]

    async def workflows(self) -> list[Data]:
        return await self._list("/workflows")

    async def workflow(self, name: str) -> Data:
        return await self._get(f"/workflows/{_segment(name)}")

    # -- runs

    async def start(
        self, workflow: str, input: Any, *, uid: str | None, version: int | None
    ) -> Data:
        more = {"uid": uid, "version": version}
        given = {name: value for name, value in more.items() if value is not None}
        body = {"workflow": workflow, "input": input, **given}
        return _object(await self._send("POST", "/runs", json=body))

    async def runs(self, query: Mapping[str, Any], limit: int) -> list[Data]:
        return await self._list("/runs", query, limit)

    async def run(self, name: str) -> Data:
        return await self._get(f"/runs/{_segment(name)}")

    async def stuck(self, span: int | None, workflow: str | None) -> Data:
        query = {"since": f"{span}ms" if span is not None else None, "workflow": workflow}
        given = {name: value for name, value in query.items() if value is not None}
        return _object(await self._send("GET", "/stuck", params=given))

    async def history(self, run_id: str) -> list[Data]:
        return await self._list(f"/runs/{_segment(run_id)}/history")

    async def cancel(self, run_id: str, why: str) -> Data:
        body = {"why": why} if why else {}
        return _object(await self._send("POST", f"/runs/{_segment(run_id)}/cancel", json=body))

    async def repair(self, run_id: str, verb: str, asked: Data) -> Data:
        given = {name: value for name, value in asked.items() if value != ""}
        return _object(await self._send("POST", f"/runs/{_segment(run_id)}/{verb}", json=given))

    async def follow(self, run_id: str) -> AsyncGenerator[Data, None]:
        """A server that goes away is expected back: runs outlive it."""
        after, away = -1, 0.0
        while True:
            try:
                async for fact in self._stream(run_id, after):
                    after, away = fact["seq"], 0.0
                    yield fact
                if (await self._get(f"/runs/{run_id}"))["status"] in OVER:
                    return
            except (httpx2.TransportError, Stop) as error:
                if isinstance(error, Stop) and error.exit_code != UNREACHABLE:
                    raise
                if away >= _RETURNS_WITHIN:
                    raise self._gone(error) from error
                await self._look_again()
            await asyncio.sleep(0.25)
            away += 0.25

    async def _look_again(self) -> None:
        """Another server may have taken over."""
        if self._look is not None and (url := await self._look()) is not None:
            self.place, self._http.base_url = url, httpx2.URL(url)

    async def _stream(self, run_id: str, after: int) -> AsyncIterator[Data]:
        timeout = httpx2.Timeout(60, connect=3)  # the server's keep-alive is far below
        headers = {"accept": "text/event-stream", "last-event-id": str(after)}
        path = f"/runs/{_segment(run_id)}/stream"
        async with self._http.stream(
            "GET", path, params={"after": after}, headers=headers, timeout=timeout
        ) as answer:
            if not answer.is_success:
                await answer.aread()
                _content(answer)
            async for line in answer.aiter_lines():
                if line.startswith("data:"):
                    fact = json.loads(line[5:])
                    if isinstance(fact, dict) and fact.get("seq", -1) > after:
                        yield fact

    # -- events

    async def emit(self, event: Mapping[str, Any]) -> Data:
        return _object(await self._send("POST", "/events", json=dict(event)))

    async def events(self, query: Mapping[str, Any], limit: int) -> list[Data]:
        return await self._list("/events", query, limit)

    # -- many runs

    async def bulk(self, asked: Mapping[str, Any]) -> Data:
        return _object(await self._send("POST", "/runs/bulk", json=dict(asked)))

    async def operations(self, limit: int) -> list[Data]:
        return await self._list("/operations", {}, limit)

    async def operation(self, operation_id: str) -> Data:
        return await self._get(f"/operations/{_segment(operation_id)}")

    async def stop_operation(self, operation_id: str) -> Data:
        return _object(await self._send("POST", f"/operations/{_segment(operation_id)}/stop"))

    # -- schedules

    async def schedules(self) -> list[Data]:
        return await self._list("/schedules")

    async def schedule(self, name: str, upcoming: int) -> Data:
        return await self._get(f"/schedules/{_segment(name)}?next={upcoming}")

    async def change_schedule(self, name: str, verb: str, asked: Mapping[str, Any]) -> Data:
        path = f"/schedules/{_segment(name)}/{verb}"
        return _object(await self._send("POST", path, json=dict(asked)))

    # -- dead letters

    async def dead_letters(self, query: Mapping[str, Any], limit: int) -> list[Data]:
        return await self._list("/dead-letters", query, limit)

    async def dead_letter(self, letter_id: str) -> Data:
        return await self._get(f"/dead-letters/{_segment(letter_id)}")

    async def redrive(self, asked: Mapping[str, Any]) -> Data:
        return _object(await self._send("POST", "/dead-letters/redrive", json=dict(asked)))

    # -- retention

    async def clean(self) -> Data:
        return _object(await self._send("POST", "/clean", timeout=_AS_LONG_AS_IT_TAKES))

    # -- workers

    async def workers(self) -> list[Data]:
        return list(await self._send("GET", "/workers"))

    async def topics(self) -> list[Data]:
        return list(await self._send("GET", "/topics"))

    async def buses(self) -> list[Data]:
        return list(await self._send("GET", "/buses"))

    # -- members

    async def members(self) -> Data:
        return await self._get("/members")

    async def promote(self) -> bool:
        told = await self._send("POST", "/members/promote")
        return bool(told.get("promoted", True))

    # -- tasks

    async def tasks(self, query: Mapping[str, Any], limit: int) -> list[Data]:
        return await self._list("/tasks", query, limit)

    async def task(self, name: str) -> Data:
        return await self._get(f"/tasks/{_segment(name)}")

    async def complete(self, name: str, said: Mapping[str, Any]) -> Data:
        path = f"/tasks/{_segment(name)}/complete"
        return _object(await self._send("POST", path, json=dict(said)))

    # -- HTTP

    async def _get(self, path: str) -> Data:
        return _object(await self._send("GET", path))

    async def _list(
        self, path: str, query: Mapping[str, Any] | None = None, limit: int = sys.maxsize
    ) -> list[Data]:
        """As many pages as it takes; the next one is in the Link header."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        params: dict[str, Any] | None = {**given, "limit": min(limit, 1000)}
        found: list[Data] = []
        while len(found) < limit:
            answer = await self._ask("GET", path, params=params)
            found += _content(answer)
            following = answer.links.get("next", {}).get("url")
            if not following:
                break
            path, params = following, None
        return found[:limit]

    async def _send(self, method: str, path: str, **options: Any) -> Any:
        return _content(await self._ask(method, path, **options))

    async def _ask(self, method: str, path: str, **options: Any) -> httpx2.Response:
        try:
            return await self._http.request(method, path, **options)
        except httpx2.TransportError as error:
            raise self._gone(error) from error

    def _gone(self, error: Exception) -> Stop:
        said = " ".join(str(error).split()) or type(error).__name__
        hint = "is it running? `ostinato serve` starts one"
        return Stop(f"{self.place} cannot be reached: {said}", hint=hint, code=UNREACHABLE)


def _content(answer: httpx2.Response) -> Any:
    if not answer.is_success:
        raise refusal(answer.status_code, answer.content)
    try:
        return answer.json()
    except ValueError:
        raise Stop(f"{answer.url} answered something that is not JSON") from None


def _object(value: Any) -> Data:
    if not isinstance(value, dict):
        raise Stop("the server answered in a form this version does not know")
    return value


def _segment(name: str) -> str:
    from urllib.parse import quote

    return quote(name, safe="")


def _content_type(path: Path) -> str:
    return _JSON if path.suffix == ".json" else _YAML
