"""``ostinato settings``: every setting, its value, and where the value came from."""

from __future__ import annotations

from typing import Any

from ostinato.cli import output
from ostinato.cli.options import Json, Store, settings_from
from ostinato.config import Setting, Settings, settings_table


def settings(json: Json = False, store: Store = None) -> None:
    """Show every setting and where its value came from. Secrets are not shown."""
    read = settings_from(store=store)
    if json:
        output.data([_data(setting, read) for setting in settings_table().values()])
        return
    rows = (
        (name, setting.shown(read.value(name)), read.origin(name))
        for name, setting in settings_table().items()
    )
    output.table(("setting", "value", "from"), rows)


def _data(setting: Setting, read: Settings) -> dict[str, Any]:
    return {
        "name": setting.name,
        "value": setting.shown(read.value(setting.name)),
        "from": read.origin(setting.name),
        "default": setting.shown(setting.default),
        "variable": setting.variable,
        "about": setting.about,
    }
