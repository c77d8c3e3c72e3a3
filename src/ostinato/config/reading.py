"""The sources laid over each other: later ones win, each value remembers who gave it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from ostinato.config.aliases import from_aliases
from ostinato.config.buses import BUS, read_buses
from ostinato.config.given import Given
from ostinato.config.settings import Settings, settings_table
from ostinato.config.sources import PREFIX, from_arguments, from_environ, from_file
from ostinato.config.table import Setting
from ostinato.errors import Problem, SettingsError


def read_settings(
    arguments: Mapping[str, Any] | None = None,
    *,
    by: str = "argument {name}",
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Settings:
    """``arguments`` may be nested or dotted; ``by`` names them as origin.

    Everything that is wrong is told at once, in ``problems``.
    """
    environ = os.environ if environ is None else environ
    own = [
        *from_file(environ, folder or Path()),
        *from_environ(environ),
        *from_arguments(arguments or {}, by),
    ]
    return _laid_over(Settings(), [*from_aliases(environ, own), *own])


def override_settings(settings: Settings, arguments: Mapping[str, Any], *, by: str) -> Settings:
    """For what was read before these arguments were known."""
    return _laid_over(settings, from_arguments(arguments, by))


def _laid_over(settings: Settings, given: Iterable[Given]) -> Settings:
    found = list(given)
    of_buses = [each for each in found if each.name.startswith(BUS)]
    values, origins, problems = _read(each for each in found if not each.name.startswith(BUS))
    buses, wrong = read_buses(of_buses, settings.bus)
    if problems := problems + wrong:
        raise SettingsError("; ".join(map(str, problems)), problems=tuple(problems))
    changed = _changed(settings, values, {**settings.origins, **origins})
    return replace(changed, bus=buses)


def _read(given: Iterable[Given]) -> tuple[dict[str, Any], dict[str, str], list[Problem]]:
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    problems: list[Problem] = []
    for each in given:
        setting = settings_table().get(each.name)
        if setting is None:
            problems.append(_unknown(each))
            continue
        try:
            value = setting.kind.read(each.value)
            before = values.get(each.name)
            if isinstance(value, Mapping) and isinstance(before, Mapping):
                value = {**before, **value}
            values[each.name] = value
            origins[each.name] = each.origin
        except SettingsError as error:
            problems.append(Problem(error.message, _where(each)))
    return values, origins, problems


def _where(given: Given) -> str:
    return given.written if given.written == given.origin else f"{given.written} ({given.origin})"


def _changed(settings: Settings, values: Mapping[str, Any], origins: Mapping[str, str]) -> Settings:
    def changed(table: Any, prefix: str) -> Any:
        members: dict[str, Any] = {}
        for each in fields(table):
            name = prefix + each.name
            if is_dataclass(each.default):
                members[each.name] = changed(getattr(table, each.name), f"{name}.")
            elif name in values:
                members[each.name] = values[name]
        return replace(table, **members)

    new: Settings = changed(settings, "")
    return replace(new, origins=origins)


# What Kubernetes puts into every container when a service is called "ostinato".
_SERVICE_LINK = re.compile(r"OSTINATO_(SERVICE_(HOST|PORT.*)|PORT_[0-9]+_.*)")


def _unknown(given: Given) -> Problem:
    if _SERVICE_LINK.fullmatch(given.written):
        hint = "Kubernetes sets it for a service named ostinato: enableServiceLinks: false"
        return Problem("no setting has this name", given.written, hint=hint)
    variable = given.written.startswith(PREFIX)
    nearest = _nearest(given.name)
    shown = nearest.variable if variable and nearest else nearest.name if nearest else ""
    hint = f"did you mean {shown}?" if shown else "`ostinato settings` lists them all"
    return Problem("no setting has this name", _where(given), hint=hint)


def _nearest(name: str) -> Setting | None:
    """By the whole name, else by its last part: ``event`` is ``limits.event``."""
    from difflib import get_close_matches

    table = settings_table()
    tail = name.rpartition(".")[2]
    flat = {each.replace(".", "_"): each for each in table}
    tails = {each.rpartition(".")[2]: each for each in table}
    for wanted, among in ((name.replace(".", "_"), flat), (tail, tails)):
        found = get_close_matches(wanted, among, n=1, cutoff=0.7)
        if found:
            return table[among[found[0]]]
    return None
