"""What a build is told: the parameters of its order, and how it reports. No secret but that."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ostinato.errors import InvalidInput

TOKEN = "OSTINATO_TOKEN"  # noqa: S105 - a name
CALLBACK = "OSTINATO_CALLBACK_URL"
KEY = "OSTINATO_KEY"
RESULT = "OSTINATO_RESULT"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_OWN = frozenset((TOKEN, CALLBACK, KEY, RESULT))


def texts(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Maps, lists and numbers as JSON. Raises ``InvalidInput`` for a name that no environment
    has, and for one of ours."""
    return {_named(name): _text(value) for name, value in parameters.items() if value is not None}


def told(
    environment: Mapping[str, str], *, token: str, callback_url: str, key: str
) -> dict[str, str]:
    return {**environment, TOKEN: token, CALLBACK: callback_url, KEY: key}


def _named(name: str) -> str:
    if not _NAME.fullmatch(name) or name in _OWN:
        raise InvalidInput(
            f"{name[:64]!r} cannot be a variable of a build: letters, digits and _, and no "
            "OSTINATO_ name of ours"
        )
    return name


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if "\0" in text:
        raise InvalidInput("a variable of a build cannot hold NUL")
    return text
