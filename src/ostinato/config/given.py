"""A value as a source gives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Given:
    """``name`` may fit no setting yet; ``written`` is the name as its writer wrote it."""

    name: str
    value: Any
    written: str
    origin: str
