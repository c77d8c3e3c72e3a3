"""Where values come from: a file, the environment, arguments.

Each source gives ``Given`` values under full names (``limits.event``), not yet read or checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ostinato.config.buses import BUS, is_secret
from ostinato.config.given import Given
from ostinato.config.settings import settings_table
from ostinato.errors import SettingsError

PREFIX = "OSTINATO_"
FILE_VARIABLE = "OSTINATO_CONFIG"
FILE_NAME = "ostinato.toml"
OWN, OWN_PREFIX = "secrets", "OSTINATO_SECRETS__"


def from_file(environ: Mapping[str, str], folder: Path) -> Iterator[Given]:
    """The file that OSTINATO_CONFIG names must be there; the one in the folder may be."""
    named = environ.get(FILE_VARIABLE)
    path = Path(named) if named else folder / FILE_NAME
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        if named:
            raise SettingsError(f"{named}: no such file ({FILE_VARIABLE} names it)") from None
        return
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from error
    parsed = _parsed(text, path)
    if isinstance(own := parsed.get(OWN), Mapping):
        parsed[OWN] = _own_secrets(own, f"{OWN}.", str(path))
    yield from _with_secrets(_flat(parsed, "", str(path)))


def _parsed(text: str, path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not TOML: {error}") from error


def _flat(table: Mapping[str, Any], prefix: str, origin: str) -> Iterator[Given]:
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and not _is_whole(name):
            if not value:
                yield from _empty(name, origin)
            yield from _flat(value, f"{name}.", origin)
        else:
            yield Given(name, value, name, origin)


def _is_whole(name: str) -> bool:
    """Whether what stands there is one value, if it is a map: also each member of a bus."""
    return name in settings_table() or (name.startswith(BUS) and name.count(".") > 1)


def _empty(name: str, origin: str) -> Iterator[Given]:
    if not any(known.startswith(f"{name}.") for known in settings_table()):
        yield Given(name, {}, name, origin)


def from_environ(environ: Mapping[str, str]) -> Iterator[Given]:
    """An empty variable counts as not set, as shells and compose files write it."""
    yield from _own_variables(environ)
    given = (
        Given(variable[len(PREFIX) :].lower().replace("__", "."), value, variable, variable)
        for variable, value in sorted(environ.items())
        if variable.startswith(PREFIX) and variable != FILE_VARIABLE and value
        if not variable.startswith(OWN_PREFIX)
    )
    yield from _with_secrets(given)


def _own_variables(environ: Mapping[str, str]) -> Iterator[Given]:
    """``OSTINATO_SECRETS__API_KEY`` is the secret ``API_KEY``; its capitals count."""
    own = {
        variable[len(OWN_PREFIX) :]: value
        for variable, value in sorted(environ.items())
        if variable.startswith(OWN_PREFIX) and value
    }
    if own:
        found = _own_secrets(own, OWN_PREFIX, OWN_PREFIX + "…")
        yield Given(OWN, found, OWN_PREFIX + "…", "variables " + OWN_PREFIX + "…")


def _own_secrets(own: Mapping[str, Any], prefix: str, origin: str) -> dict[str, Any]:
    """``NAME_FILE`` gives what that file holds, under ``NAME``."""
    found: dict[str, Any] = {}
    for written, value in own.items():
        name = written.removesuffix("_FILE").removesuffix("_file")
        if name in found or (name != written and name in own):
            raise SettingsError(f"{prefix}{written} and {prefix}{name} are both set; keep one")
        given = Given(name, value, prefix + written, origin)
        found[name] = value if name == written else _from_secret_file(given, name).value
    return found


def from_arguments(arguments: Mapping[str, Any], origin: str) -> Iterator[Given]:
    """None, and an empty list, count as not given. ``origin`` may hold ``{name}``, as ``--{name}``
    does."""
    for given in _flat(arguments, "", ""):
        if given.value is not None and given.value != []:
            yield Given(given.name, given.value, given.name, origin.format(name=given.name))


def _with_secrets(given: Iterator[Given]) -> Iterator[Given]:
    """``key_file = …`` or ``OSTINATO_KEY_FILE`` gives what that file holds, for secrets only."""
    seen: dict[str, Given] = {}
    for each in given:
        name = _secret_behind(each.name)
        if name in seen:
            raise SettingsError(f"{each.written} and {seen[name].written} are both set; keep one")
        seen[name] = each
        yield each if name == each.name else _from_secret_file(each, name)


def _secret_behind(name: str) -> str:
    """The setting whose file this names, or the name itself."""
    short = name.removesuffix("_file")
    setting = settings_table().get(short)
    if setting is not None and setting.kind.secret:
        return short
    return short if short.startswith(BUS) and is_secret(short.rpartition(".")[2]) else name


def _from_secret_file(given: Given, name: str) -> Given:
    try:
        text = Path(given.value).read_text().strip()
    except (OSError, TypeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{given.written}: cannot read its file: {error}") from error
    if not text:
        raise SettingsError(f"{given.written}: {given.value} is empty")
    return Given(name, text, given.written, f"{given.origin} ({given.value})")
