"""Addresses: of servers, stores, queues. Any of them may hold a secret, which is never shown."""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import urlsplit

from ostinato.config.kinds import Kind, as_text, listed, refusal
from ostinato.errors import SettingsError


def _url(value: Any) -> str:
    found = urlsplit(as_text(value))
    if found.scheme not in ("http", "https") or not found.hostname:
        raise _refused(value, URL.form)
    return found.geturl().rstrip("/")


def _show_url(value: str) -> str:
    """With neither user nor query: either may hold a secret, of any letters."""
    scheme, there, rest = value.rpartition("://") if "://" in value else ("", "", value)
    _, user, place = rest.rpartition("@")
    place, query, _ = place.partition("?")
    return scheme + there + ("***@" if user else "") + place + ("?***" if query else "")


def _refused(value: Any, form: str) -> SettingsError:
    """Where it may hold a secret it is not shown: what is no address has no known parts."""
    text = str(value)
    shown = "" if "@" in text or "?" in text else text
    return refusal(shown, form) if shown else SettingsError(f"does not fit; write {form}")


def without_secrets(value: str) -> str:
    """An address as anybody may see it."""
    return _show_url(value).replace("***@", "").removesuffix("?***")


def _store(value: Any) -> str:
    text = as_text(value)
    if text.partition("://")[0] in ("postgresql", "postgres"):
        return text
    if text == "memory:" or re.fullmatch(r"sqlite:///[^?#]+", text):
        return text
    hint = f"sqlite:///{text}" if re.fullmatch(r"[\w./-]+", text) else STORE.form
    raise refusal(_show_store(text), hint)


def _stores(value: Any) -> str | tuple[str, ...]:
    """One as a text; several as a tuple, in their order."""
    if isinstance(value, list | tuple) and len(value) == 1:
        [value] = value
    if isinstance(value, str):
        value = listed(value) if value.lstrip().startswith("[") else _NEXT_STORE.split(value)
    if not isinstance(value, list | tuple) or not value:
        raise refusal(value, STORE.form)
    stores = tuple(map(_store, value))
    if len(stores) == 1:
        return stores[0]
    if "memory:" in stores:
        raise refusal(_show_stores(stores), "files or databases, each of them once")
    places = list(map(_place, stores))
    if twice := next((one for one in stores if places.count(_place(one)) > 1), None):
        raise SettingsError(f"{_show_store(twice)} is there twice; name each of them once")
    return stores


def _place(store: str) -> str:
    """A file has many names."""
    file = store.removeprefix("sqlite:///")
    return store if file == store else os.path.realpath(file)


_NEXT_STORE = re.compile(r"\s+(?=[a-z]+:)")


def _show_stores(value: str | tuple[str, ...]) -> str:
    return _show_store(value) if isinstance(value, str) else " ".join(map(_show_store, value))


def _show_store(value: str) -> str:
    """Without passwords, as part of the user or as an option."""
    value = re.sub(r"(://[^:/?@]*:)[^@/]+@", r"\1***@", value)
    return re.sub(r"([?&](?:ssl)?password=)[^&]*", r"\1***", value)


_SERVER_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/]+.*")


def _server(value: Any) -> str:
    text = as_text(value)
    if not _SERVER_SCHEME.fullmatch(text):
        raise _refused(text, SERVER.form)
    return text


URL = Kind("an address as http://127.0.0.1:8085", _url, _show_url)
ADDRESS = Kind(URL.form, _url, _show_url, secret=True)
STORE = Kind(
    "sqlite:///FILE (four slashes: from the root), postgresql://… or memory:, or a list of them",
    _stores,
    _show_stores,
    True,
)
SERVER = Kind("an address as redis://127.0.0.1:6379", _server, _show_url, True)
PLACE = Kind("a text", as_text, _show_url, True)
HOSTS = Kind("a text", as_text, _show_url, True)
