"""``ostinato buses``: what comes in by buses and goes out on them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from ostinato.cli import output
from ostinato.cli.connect import buses_of
from ostinato.cli.options import Json, Store, Url, settings_from

Data = dict[str, Any]

COLUMNS = ("bus", "kind", "way", "where", "done", "waiting", "dropped", "dead", "trouble")


def buses(json: Json = False, store: Store = None, url: Url = None) -> None:
    """List buses: what has come in and gone out since the server began, and what is wrong."""
    found = asyncio.run(buses_of(settings_from(store=store, url=url)))
    if json:
        output.data(found)
        return
    rows = [row for bus in found for row in _rows(bus)]
    output.table(COLUMNS, rows, empty="no bus is in the settings: [bus.NAME] kind = … makes one")


def _rows(bus: Data) -> Iterator[tuple[Any, ...]]:
    named = bus["name"], bus["kind"]
    for one in bus["receives"]:
        done = one["accepted"] + one["duplicate"]
        yield (*named, "in", one["place"], done, "", one["dropped"], one["dead"], one["trouble"])
    if bus["out"]:
        types = ", ".join(bus["send"]) or "what names it"
        done, waiting = bus["sent"], bus["waiting"]
        yield (*named, "out", types, done, waiting, "", bus["refused"], bus["trouble"])
