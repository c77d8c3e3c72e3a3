"""``ostinato settings``: every setting, its value, and where the value came from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ostinato.cli import output
from ostinato.cli.options import Json, Store, settings_from
from ostinato.config import Setting, Settings, bus_rows, settings_table


def settings(json: Json = False, store: Store = None) -> None:
    """Show every setting and where its value came from. Secrets are not shown."""
    read = settings_from(store=store)
    rows = list(_rows(read))
    if json:
        output.data([_data(*row) for row in rows])
        return
    table = ((setting.name, value, origin) for setting, value, origin in rows)
    output.table(("setting", "value", "from"), table)


def _rows(read: Settings) -> Iterator[tuple[Setting, str, str]]:
    """And those of each bus."""
    for name, setting in settings_table().items():
        yield setting, setting.shown(read.value(name)), read.origin(name)
    for bus in read.bus.values():
        yield from bus_rows(bus)


def _data(setting: Setting, value: str, origin: str) -> dict[str, Any]:
    return {
        "name": setting.name,
        "value": value,
        "from": origin,
        "default": setting.shown(setting.default),
        "variable": setting.variable,
        "about": setting.about,
    }
