"""A store that no server holds, opened here through App: lists and shows, stores what is given,
and runs nothing."""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from ostinato.app import App, letter_view
from ostinato.app.marks import marks_of, refuse_part
from ostinato.app.shards import merging
from ostinato.app.wiring import open_store
from ostinato.cli.client import Data
from ostinato.cli.words import now_ms
from ostinato.config import Settings
from ostinato.config.settings import shown_store
from ostinato.core.cloudevents import to_json
from ostinato.core.durations import parse_duration
from ostinato.core.instants import parse_instant
from ostinato.core.run_ids import PARTITIONS
from ostinato.core.shards import refuse_new
from ostinato.ports import (
    EventQuery,
    Head,
    LetterQuery,
    Page,
    Roll,
    RunFilter,
    RunQuery,
    TaskQuery,
)
from ostinato.telemetry.logs import warn_on_stderr

FACTS = 1_000
"""That are read at once."""

OPERATOR = "local operator"
"""Who answers a task, when nobody says who."""


@asynccontextmanager
async def opened(settings: Settings, *, creates: bool = False) -> AsyncIterator[LocalClient]:
    """Without ``begin``, no run goes on here. Only a server adds a store to a set."""
    app, restore = App(settings), warn_on_stderr()
    try:
        await app.open(begins=creates, adds=False)
        try:
            yield LocalClient(app, settings)
        finally:
            await app.close(drain=0)
    finally:
        restore()


async def buses(settings: Settings) -> list[Data]:
    """As the settings name them; nothing is opened."""
    found: list[Data] = _plain(await App(settings).buses())
    return found


async def members(settings: Settings) -> Data:
    """Who is at the stores; this process joins nobody."""
    restore = warn_on_stderr()
    try:
        rolls = [await _roll(settings, number) for number in range(len(settings.stores))]
    finally:
        restore()
    found: Data = _plain(rolls[0] if len(rolls) == 1 else merging.roll(rolls))
    return found


async def _roll(settings: Settings, number: int) -> Roll:
    """A file has no members: who works on it, has locked it. The first store says how many there
    are."""
    url, count = settings.stores[number], len(settings.stores)
    storage = open_store(url)
    await storage.open()
    try:
        if count == 1:
            await refuse_part(storage, shown_store(url))
        elif number == 0:
            first = await marks_of(storage)
            refuse_new(first, count, shown_store(url), begins=False, adds=False)
        if storage.members is None:
            return Roll(now_ms(), (), free=PARTITIONS)
        return await storage.members.roll()
    finally:
        await storage.close()


class LocalClient:
    running = False

    def __init__(self, app: App, settings: Settings) -> None:
        self._app = app
        self.place = settings.store_shown

    # -- workflows

    async def deploy(self, documents: Sequence[Path]) -> list[Data]:
        return [
            _plain(each)
            for each in await self._app.deploy_texts([path.read_bytes() for path in documents])
        ]

    async def workflows(self) -> list[Data]:
        return [_plain(each) for each in await self._app.workflows()]

    async def workflow(self, name: str) -> Data:
        deployed, version = await self._app.workflow(name)
        found: Data = _plain(deployed)
        return found | {"document": version.document.decode()}

    # -- runs

    async def start(
        self, workflow: str, input: Any, *, uid: str | None, version: int | None
    ) -> Data:
        run = await self._app.start_run(workflow, input, uid=uid, version=version, wait=False)
        return await self.run(run.id) | {"duplicate": run.duplicate}

    async def runs(self, query: Mapping[str, Any], limit: int) -> list[Data]:
        status = query.get("status")
        wanted = RunQuery(
            status=tuple(status.split(",")) if status else (),
            workflow=query.get("workflow"),
            uid=query.get("uid"),
            waiting_for=query.get("waitingFor"),
            text=query.get("text"),
        )
        return [head_data(head) for head in await self._app.runs(wanted, Page(limit))]

    async def run(self, name: str) -> Data:
        head = await self._app.find_run(name)
        run: Data = _plain(await self._app.run_view(head.run_id))
        return run

    async def stuck(self, span: int | None, workflow: str | None) -> Data:
        since = None if span is None else self._app.now() - span
        found: Data = _plain(await self._app.stuck(since, workflow))
        return found

    async def history(self, run_id: str) -> list[Data]:
        return [fact async for fact in self.follow(run_id)]

    async def follow(self, run_id: str) -> AsyncGenerator[Data, None]:
        after = -1
        while page := await self._app.history(run_id, after, FACTS):
            for fact in page:
                yield _plain(fact)
            after = page[-1]["seq"]

    async def cancel(self, run_id: str, why: str) -> Data:
        run: Data = _plain(await self._app.cancel(run_id, by="ostinato cancel", why=why))
        return run

    async def repair(self, run_id: str, verb: str, asked: Data) -> Data:
        given = {"by": f"ostinato {verb}"} | asked
        positional = [given.pop(name) for name in ("job", "type") if name in given]
        told = await getattr(self._app, verb)(run_id, *positional, **given)
        run: Data = _plain(await self._app.run_view(told.id))
        return run

    # -- many runs

    async def bulk(self, asked: Mapping[str, Any]) -> Data:
        begun: Data
        if token := asked.get("previewToken"):
            more = {"rate": asked["rate"], "why": asked["why"], "by": "ostinato bulk"}
            begun = _plain(await self._app.start_bulk(token, **more))
            return begun
        where, given = self._filter(asked["where"]), {"job": asked["job"]}
        if "output" in asked:
            given["output"] = asked["output"]
        begun = _plain(await self._app.preview_bulk(asked["action"], where, **given))
        return begun

    def _filter(self, where: Mapping[str, Any]) -> RunFilter:
        since = where.get("failedSince")
        at = {} if since is None else {"failedSince": self._app.now() - parse_duration(since)}
        return msgspec.convert({**where, **at}, RunFilter)

    async def operations(self, limit: int) -> list[Data]:
        return [_plain(one) for one in await self._app.operations(Page(limit))]

    async def operation(self, operation_id: str) -> Data:
        found: Data = _plain(await self._app.operation(operation_id))
        return found

    async def stop_operation(self, operation_id: str) -> Data:
        done: Data = _plain(await self._app.stop_operation(operation_id, by="ostinato operations"))
        return done

    # -- schedules

    async def schedules(self) -> list[Data]:
        return [_plain(each) for each in await self._app.schedules()]

    async def schedule(self, name: str, upcoming: int) -> Data:
        found: Data = _plain(await self._app.schedule(name, upcoming))
        return found

    async def change_schedule(self, name: str, verb: str, asked: Mapping[str, Any]) -> Data:
        done: Data = _plain(await CHANGES[verb](self._app, name, asked))
        return done

    # -- events

    async def emit(self, event: Mapping[str, Any]) -> Data:
        members = {name: value for name, value in event.items() if name not in ("type", "data")}
        answer: Data = _plain(await self._app.emit(event["type"], event["data"], **members))
        return answer

    async def events(self, query: Mapping[str, Any], limit: int) -> list[Data]:
        wanted = EventQuery(type=query.get("type"), source=query.get("source"))
        return [to_json(kept.event) for kept in await self._app.events(wanted, Page(limit))]

    # -- retention

    async def clean(self) -> Data:
        gone: Data = _plain(await self._app.clean())
        return gone

    # -- workers

    async def workers(self) -> list[Data]:
        return [_plain(each) for each in await self._app.workers()]

    async def topics(self) -> list[Data]:
        return [_plain(each) for each in await self._app.topics()]

    # -- members

    async def members(self) -> Data:
        found: Data = _plain(await self._app.members())
        return found

    async def promote(self) -> bool:
        """Nobody else is there."""
        return False

    # -- tasks

    async def tasks(self, query: Mapping[str, Any], limit: int) -> list[Data]:
        status, run = query.get("status"), query.get("run")
        wanted = TaskQuery(
            status=tuple(status.split(",")) if status else (),
            assignee=query.get("assignee"),
            candidate=query.get("candidate"),
            group=query.get("group"),
            workflow=query.get("workflow"),
            run_id=None if run is None else (await self._app.find_run(run)).run_id,
            overdue_at=self._app.now() if query.get("overdue") else None,
        )
        return [_plain(each) for each in await self._app.tasks(wanted, Page(limit))]

    async def task(self, name: str) -> Data:
        found: Data = _plain(await self._app.task(name))
        return found

    async def complete(self, name: str, said: Mapping[str, Any]) -> Data:
        done: Data = _plain(await self._app.complete(name, **{"by": OPERATOR, **said}))
        return done

    # -- dead letters

    async def dead_letters(self, query: Mapping[str, Any], limit: int) -> list[Data]:
        wanted = self._letters(query, redriven=query.get("redriven") == "true")
        return [
            _plain(letter_view(one)) for one in await self._app.dead_letters(wanted, Page(limit))
        ]

    async def dead_letter(self, letter_id: str) -> Data:
        letter: Data = _plain(letter_view(await self._app.dead_letter(letter_id)))
        return letter

    async def redrive(self, asked: Mapping[str, Any]) -> Data:
        where = asked.get("where")
        done: Data = _plain(
            await self._app.redrive(
                *(asked.get("ids") or ()),
                where=None if where is None else self._letters(where),
                dry_run=asked.get("dryRun", False),
                by="ostinato redrive",
                limit=asked.get("limit"),
                cursor=asked.get("cursor"),
            )
        )
        return done

    def _letters(self, query: Mapping[str, Any], redriven: bool = False) -> LetterQuery:
        since = query.get("since")
        at = None if since is None else self._app.now() - parse_duration(since)
        return LetterQuery(query.get("kind"), query.get("target"), at, query.get("text"), redriven)


BY = "ostinato schedules"


def _backfill(app: App, name: str, asked: Mapping[str, Any]) -> Awaitable[Any]:
    until = asked.get("to")
    return app.backfill_schedule(
        name,
        parse_instant(asked["from"]),
        None if until is None else parse_instant(until),
        by=BY,
        dry_run=asked["dryRun"],
    )


CHANGES: dict[str, Callable[[App, str, Mapping[str, Any]], Awaitable[Any]]] = {
    "pause": lambda app, name, asked: app.pause_schedule(name, by=BY, why=asked["why"]),
    "resume": lambda app, name, asked: app.resume_schedule(name, by=BY, why=asked["why"]),
    "fire": lambda app, name, asked: app.fire_schedule(name, by=BY, why=asked["why"]),
    "backfill": _backfill,
}


def head_data(head: Head) -> Data:
    """As ``GET /runs`` lists it."""
    error = {"name": head.error_name, "message": head.error_message} if head.error_name else None
    return {
        "id": head.run_id,
        "workflow": head.workflow,
        "version": head.version,
        "uid": head.uid,
        "status": head.status,
        "doing": head.doing,
        "waitingFor": head.waiting_for,
        "startedAt": head.started_at,
        "endedAt": head.ended_at,
        "error": error,
    }


def _plain(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))
