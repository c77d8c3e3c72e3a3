"""Adapters by name: the built-in ones and those that other packages bring, from one table."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any
from urllib.parse import urlsplit

from ostinato.errors import SettingsError
from ostinato.ports import Storage

STORES = {
    "sqlite": "ostinato.storage.sqlite:from_url",
    "memory": "ostinato.storage.memory:from_url",
}
"""URL scheme → the function that makes a store from the URL. Entry-point group: ostinato.storage."""


def open_store(url: str) -> Storage:
    """The store that ``url`` names; nothing is opened yet."""
    scheme = urlsplit(url).scheme
    make = _find("ostinato.storage", scheme, STORES)
    if make is None:
        known = ", ".join(f"{name}://" for name in STORES)
        raise SettingsError(
            f"store = {url!r}: no store is known for {scheme or 'an empty scheme'!r}; known are "
            f"{known} as in sqlite:///ostinato.db"
        )
    store: Storage = make(url)
    return store


def _find(group: str, name: str, built_in: dict[str, str]) -> Callable[..., Any] | None:
    if name in built_in:
        module, _, attribute = built_in[name].partition(":")
        found: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
        return found
    for entry in entry_points(group=group, name=name):
        loaded: Callable[..., Any] = entry.load()
        return loaded
    return None
