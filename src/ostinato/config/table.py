"""A table of settings is a dataclass; each field is a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import Any, TypeVar

from ostinato.config.kinds import Kind

T = TypeVar("T")


def row(default: T, kind: Kind, about: str) -> T:
    about_it = {"kind": kind, "about": about}
    value: T = field(default=default, metadata=about_it, repr=not kind.secret)
    return value


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the tables. ``name`` is the full one, ``limits.event``."""

    name: str
    kind: Kind
    default: Any
    about: str

    @property
    def variable(self) -> str:
        return "OSTINATO_" + self.name.replace(".", "__").upper()

    def shown(self, value: Any) -> str:
        return "none" if value is None else self.kind.show(value)


def rows_of(table: Any, prefix: str = "") -> Iterator[Setting]:
    """Those of tables inside it, too."""
    for each in fields(table):
        if each.metadata:
            about, kind = each.metadata["about"], each.metadata["kind"]
            default = {} if each.default is MISSING else each.default
            yield Setting(prefix + each.name, kind, default, about)
        elif each.default is not MISSING and is_dataclass(each.default):
            yield from rows_of(each.default, f"{prefix}{each.name}.")
