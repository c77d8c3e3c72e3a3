"""Runs as lines of JSON, for an archive: the run as everyone sees it, and its whole history."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw, structs

from ostinato.core.cloudevents import rfc3339
from ostinato.core.codec import decode_facts
from ostinato.core.fold import replay
from ostinato.core.graph import Graph
from ostinato.core.views import history_view, run_view
from ostinato.errors import OstinatoError
from ostinato.ports import Archive, Head, Record, Storage
from ostinato.runtime.catalog import Catalog


class Exporter:
    def __init__(self, storage: Storage, catalog: Catalog, archive: Archive) -> None:
        self._storage = storage
        self._catalog = catalog
        self._archive = archive

    async def export(self, runs: Sequence[str]) -> None:
        """Durable when this returns, in the file of the day on which each run ended."""
        days: dict[str, list[bytes]] = defaultdict(list)
        for run_id in runs:
            head = await self._storage.head(run_id)
            if head is None or head.ended_at is None:
                continue
            records = await self._storage.history(run_id)
            line = await asyncio.to_thread(line_of, head, records, self._graph(head))
            days[rfc3339(head.ended_at)[:10]].append(line)
        for day, lines in days.items():
            await self._archive.keep(day, lines)

    def _graph(self, head: Head) -> Graph | None:
        try:
            return self._catalog.graph(head.workflow, head.version)
        except OstinatoError:
            return None


def line_of(head: Head, records: Sequence[Record], graph: Graph | None) -> bytes:
    """``{"run": …, "history": […]}``; what this version cannot read goes as it is stored."""
    try:
        return msgspec.json.encode(_readable(records, graph))
    except Exception:  # facts of a newer version, a document that is refused now
        raw = [structs.asdict(record) | {"data": Raw(record.data)} for record in records]
        return msgspec.json.encode({"run": _shown(head), "history": [], "records": raw})


def _readable(records: Sequence[Record], graph: Graph | None) -> dict[str, Any]:
    if graph is None:
        raise ValueError("no graph")
    decoded = [(one, decode_facts(one.data, one.version)) for one in records]
    state = replay(graph, [(record.at, facts) for record, facts in decoded])
    views = [
        view for record, facts in decoded for view in history_view(record.seq, record.at, facts)
    ]
    return {"run": run_view(state), "history": views}


def _shown(head: Head) -> dict[str, Any]:
    error = {"name": head.error_name, "message": head.error_message} if head.error_name else None
    return {
        "id": head.run_id, "workflow": head.workflow, "version": head.version, "uid": head.uid,
        "status": head.status, "startedAt": head.started_at, "endedAt": head.ended_at,
        "error": error,
    }  # fmt: skip
