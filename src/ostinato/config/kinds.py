"""How values of settings are written and shown.

A ``Kind`` reads what stands in the file (typed by TOML), in a variable (text) or in an argument,
and refuses with a message that shows a right form.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ostinato.core.durations import format_duration, parse_duration
from ostinato.errors import DefinitionError, SettingsError


@dataclass(frozen=True, slots=True)
class ApiKey:
    """Only the SHA-256 of the secret is kept. The permission ``*`` is every one."""

    name: str
    sha256: str = field(repr=False)
    permissions: frozenset[str] = frozenset({"*"})

    @classmethod
    def of(cls, name: str, secret: str, *permissions: str) -> ApiKey:
        from hashlib import sha256

        digest = sha256(secret.encode()).hexdigest()
        return cls(name, digest, frozenset(permissions or {"*"}))


@dataclass(frozen=True, slots=True)
class Kind:
    """``form`` is how such a value is written, for messages and the reference page."""

    form: str
    read: Callable[[Any], Any]
    show: Callable[[Any], str] = str
    secret: bool = False


_UNITS = {"": 1, "B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
_SIZE = re.compile(r"([0-9][0-9_]*(?:\.[0-9]+)?) ?([KMG]?i?B?)", re.IGNORECASE)


def refusal(value: Any, form: str) -> SettingsError:
    return SettingsError(f"{str(value)[:60]!r} does not fit; write {form}")


def as_text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise refusal(value, "a text")
    return value.strip()


def _secret(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise SettingsError("does not fit; write a text")  # and never show what stood there
    return value.strip()


def _whole(lowest: int, highest: int, form: str) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, str) and re.fullmatch(r"[0-9][0-9_]*", value.strip()):
            value = int(value)
        if type(value) is not int or not lowest <= value <= highest:
            raise refusal(value, form)
        return value

    return read


def _size(value: Any) -> int:
    if type(value) is int and value > 0:
        return value
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    unit = found[2].upper().replace("I", "") if found else ""
    unit = unit if unit.endswith("B") or not unit else unit + "B"
    size = int(float(found[1].replace("_", "")) * _UNITS[unit]) if found else 0
    if size <= 0:
        raise refusal(value, SIZE.form)
    return size


def show_size(size: int) -> str:
    for unit in ("GB", "MB", "KB"):
        if size >= _UNITS[unit] and size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]} {unit}"
    return f"{size} B"


def _duration(value: Any) -> timedelta:
    if isinstance(value, timedelta) and value >= timedelta():
        return value
    try:
        return timedelta(milliseconds=parse_duration(value))
    except (DefinitionError, OverflowError, TypeError):
        raise refusal(value, DURATION.form) from None


def _show_duration(value: timedelta) -> str:
    return format_duration(value // timedelta(milliseconds=1))


FOREVER = timedelta.max


def _keep(value: Any) -> timedelta:
    if isinstance(value, str) and value.strip().lower() == "forever":
        return FOREVER
    kept = _duration(value) if value != FOREVER else FOREVER
    if not kept:
        raise refusal(value, KEEP.form)
    return kept


def _show_keep(value: timedelta) -> str:
    return "forever" if value == FOREVER else _show_duration(value)


@dataclass(frozen=True, slots=True)
class KeepOf:
    """How long the ended runs of one workflow are kept; None: as those of any other."""

    workflow: str
    runs: timedelta | None = None
    failed: timedelta | None = None


def _keeps(value: Any) -> tuple[KeepOf, ...]:
    if isinstance(value, str):
        value = _object(value)
    if isinstance(value, tuple) and all(isinstance(each, KeepOf) for each in value):
        return value
    if not isinstance(value, dict):
        raise refusal(value, KEEPS.form)
    return tuple(_keep_of(name, given) for name, given in value.items())


def _object(text: str) -> Any:
    import json

    try:
        return json.loads(text)
    except ValueError:
        raise refusal(text, KEEPS.form) from None


def _keep_of(workflow: str, given: Any) -> KeepOf:
    if not isinstance(given, dict) or not given or set(given) - {"runs", "failed"}:
        raise SettingsError(f"{workflow}: {given!r:.60} does not fit; write {KEEPS.form}")
    try:
        return KeepOf(workflow, **{name: _keep(value) for name, value in given.items()})
    except SettingsError as error:
        raise SettingsError(f"{workflow}: {error.message}") from None


def _show_keeps(keeps: tuple[KeepOf, ...]) -> str:
    return "; ".join(map(_show_keep_of, keeps)) or "none"


def _show_keep_of(keep: KeepOf) -> str:
    spans = (("runs", keep.runs), ("failed", keep.failed))
    told = [f"{name} {_show_keep(span)}" for name, span in spans if span is not None]
    return f"{keep.workflow}: {', '.join(told)}"


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = listed(value)
    if not isinstance(value, list | tuple):
        raise refusal(value, TEXTS.form)
    return tuple(as_text(item) for item in value)


def _once_each(value: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_texts(value)))


def listed(value: str) -> Any:
    """A variable or a secret's file: JSON, or items between commas or line ends."""
    if value.lstrip().startswith("["):
        import json

        try:
            return json.loads(value)
        except ValueError:
            raise SettingsError("begins like a JSON list and is none") from None
    return [item.strip() for item in re.split(r"[,\n]", value) if item.strip()]


def _keys(value: Any) -> tuple[ApiKey, ...]:
    items = listed(value) if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        raise SettingsError(f"keys do not fit; write {KEYS.form}")
    keys = tuple(_key(item, number) for number, item in enumerate(items, 1))
    if len({key.name for key in keys}) < len(keys):
        raise SettingsError("two keys have the same name")
    return keys


_SHORTEST_KEY = 16  # characters; a shorter one can be guessed over the network


def _key(item: Any, number: int) -> ApiKey:
    if isinstance(item, ApiKey):
        return item
    if isinstance(item, str):
        item = {"secret": item}
    given = set(item) if isinstance(item, dict) else set()
    if given - {"name", "permissions"} not in ({"secret"}, {"sha256"}):
        raise SettingsError(f"key {number} does not fit; write {KEYS.form}")
    name = as_text(item.get("name", f"key-{number}"))
    permissions = _texts(item.get("permissions", ["*"]))
    if "sha256" in item:
        return ApiKey(name, _digest(item["sha256"], number), frozenset(permissions))
    secret = item["secret"]
    if not isinstance(secret, str) or len(secret.strip()) < _SHORTEST_KEY:
        raise SettingsError(f"key {number} is shorter than {_SHORTEST_KEY} characters")
    return ApiKey.of(name, secret.strip(), *permissions)


def _digest(value: Any, number: int) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9a-fA-F]{64}", value.strip()):
        raise SettingsError(f"key {number}: sha256 has 64 hexadecimal digits")
    return value.strip().lower()


def _show_keys(keys: tuple[ApiKey, ...]) -> str:
    return ", ".join(f"{key.name} ({' '.join(sorted(key.permissions))})" for key in keys) or "none"


_SECRET_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def _secrets(value: Any) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        raise SettingsError(f"secrets do not fit; write {SECRETS.form}")
    for name, secret in value.items():
        if not _SECRET_NAME.fullmatch(name):
            raise SettingsError(f"{name[:64]!r} is no name of a secret: letters, digits and _")
        if not isinstance(secret, str) or not secret:
            raise SettingsError(f"the secret {name} does not fit; write a text")
    return dict(value)


def _show_secrets(secrets: Mapping[str, str]) -> str:
    return ", ".join(f"{name} (***)" for name in sorted(secrets)) or "none"


def _map(value: Any) -> Mapping[str, Any]:
    """As a variable: JSON."""
    import json

    with contextlib.suppress(ValueError):
        value = json.loads(value) if isinstance(value, str) else value
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise SettingsError(f"does not fit; write {MAP.form}")  # and never show what stood there
    return dict(value)


def _show_map(value: Mapping[str, Any]) -> str:
    import json

    return json.dumps(value)


def one_of(*choices: str) -> Kind:
    form = " | ".join(choices)

    def read(value: Any) -> str:
        if not isinstance(value, str) or value.lower() not in choices:
            raise refusal(value, form)
        return value.lower()

    return Kind(form, read)


def _flag(value: Any) -> bool:
    text = str(value).strip().lower()
    if text not in ("true", "false"):
        raise refusal(value, "true or false")
    return text == "true"


def _lease(value: Any) -> timedelta:
    """Renewed three times before it is over: shorter ones would end in any pause."""
    lease = _duration(value)
    if lease < timedelta(seconds=1):
        raise refusal(value, LEASE.form)
    return lease


TEXT = Kind("a text", as_text)
FLAG = Kind("true or false", _flag, lambda value: str(value).lower())
SECRET = Kind("a text", _secret, lambda _: "***", secret=True)
PORT = Kind("a port, 0 to 65535 (0: any free one)", _whole(0, 65535, "a port, 0 to 65535"))
COUNT = Kind("a whole number from 1", _whole(1, 2**53, "a whole number from 1"))
SIZE = Kind("bytes, or as 64 KB or 1 MB (1 KB is 1024 bytes)", _size, show_size)
DURATION = Kind("a duration as 30s, 5m, 24h", _duration, _show_duration)
LEASE = Kind("a duration from 1s on", _lease, _show_duration)
KEEP = Kind("a duration as 30d, or forever", _keep, _show_keep)
KEEPS = Kind('{NAME = {runs = "7d", failed = "30d"}}; either may be left out', _keeps, _show_keeps)
PLACES = Kind("a list of texts", _once_each, lambda texts: ", ".join(texts) or "none")
MAP = Kind("a map (as a variable: JSON)", _map, _show_map)
OPTIONS = Kind("a map (as a variable: JSON)", _map, lambda held: _show_secrets(held), secret=True)
TEXTS = Kind("a list of texts", _texts, lambda texts: ", ".join(texts) or "none")
SECRETS = Kind("a map of names to texts", _secrets, _show_secrets)
KEYS = Kind(
    "a list of secrets, or of {name, secret or sha256, permissions}", _keys, _show_keys, secret=True
)
