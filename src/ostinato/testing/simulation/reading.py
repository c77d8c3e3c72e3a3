"""Documents are read once, not in every simulated process: what they mean has no part in chance.

Half of the time of a simulation went into reading the same few documents again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import msgspec

from ostinato.app import deploying, orchestrator
from ostinato.definitions import Document, read, registry


@lru_cache(maxsize=512)
def _read(text: bytes) -> Document:
    return read(msgspec.json.decode(text))


def _remembered(document: Mapping[str, Any]) -> Document:
    return _read(msgspec.json.encode(document))


@contextmanager
def documents_remembered() -> Iterator[None]:
    places: tuple[Any, ...] = (deploying, orchestrator, registry)
    for place in places:
        place.read = _remembered
    try:
        yield
    finally:
        for place in places:
            place.read = read
