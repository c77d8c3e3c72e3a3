"""What this machine cannot have; a test that needs it is skipped by name, and fails in CI."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar

import pytest

T = TypeVar("T")


class Missing(Exception):
    pass


def unless_missing(what: str, made: Callable[[], AbstractContextManager[T]]) -> Iterator[T]:
    """What a fixture yields."""
    try:
        with made() as part:
            yield part
    except Missing as error:
        pytest.skip(f"missing {what}: {error}")
