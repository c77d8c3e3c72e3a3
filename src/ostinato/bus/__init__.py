"""Buses: one technology per file, each with ``inlets(settings)`` and ``outlet(settings)``.

kafka  topics and consumer groups          sqs  queues of AWS
memory  inside one process                 sns  topics of AWS
aws  what those of AWS share               eventbridge  event buses of AWS

A file is imported when a setting asks for it: what it needs is an extra. Other packages add kinds
under the entry point ``ostinato.buses``.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Protocol, cast

from ostinato.errors import SettingsError
from ostinato.ports.buses import Guard, Inlet, Outlet

EXTRAS: dict[str, str] = {
    "kafka": "kafka",
    "sqs": "aws",
    "sns": "aws",
    "eventbridge": "aws",
    "bullmq": "bullmq",
    "http": "",
    "memory": "",
}
"""Kind → the extra that it needs. Its file is called as the kind."""


class Adapter(Protocol):
    """What a file here has. Nothing is connected by asking; what cannot be right of the settings
    is refused (``SettingsError``). One may have ``by_type(settings)``, too: whether an event goes
    to the place that is called as its type."""

    READS: str
    """How a message is read that does not say itself what it is, of ``READINGS``.

    ``KEYED = True`` beside it: what goes out has a key; without another, that is the event's type.
    """

    def inlets(self, settings: Any) -> Sequence[Inlet]: ...

    def outlet(self, settings: Any) -> Outlet | None:
        """None when the settings say of no place where events would go."""

    def form(self, settings: Any) -> str:
        """How events are written, of ``WRITINGS``."""
        ...


def guard(kind: Adapter, settings: Any) -> Guard | None:
    """Of a bus that posts its messages to us: its file has ``guard(settings)``, too."""
    made = getattr(kind, "guard", None)
    return None if made is None else cast(Guard, made(settings))


def adapter(kind: str) -> Adapter:
    """Raises ``SettingsError`` when what it needs is not installed."""
    if kind not in EXTRAS:
        for entry in entry_points(group="ostinato.buses", name=kind):
            return cast(Adapter, entry.load())
        raise SettingsError(f"no kind of bus is called {kind!r}; known are {', '.join(EXTRAS)}")
    try:
        return cast(Adapter, import_module(f"ostinato.bus.{kind}"))
    except ImportError as error:
        raise SettingsError(
            f"a bus of kind {kind} needs more than is installed ({error}); "
            f'pip install "ostinato[{EXTRAS[kind]}]"'
        ) from error
