"""What every fact is."""

from __future__ import annotations

from msgspec import Struct


class Fact(Struct, frozen=True, array_like=True, gc=False, tag_field="type"):
    pass
