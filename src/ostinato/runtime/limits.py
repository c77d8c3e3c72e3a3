"""How much one process takes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ostinato.core.decide.calls import CallBudget
from ostinato.core.state import LARGE


@dataclass(frozen=True, slots=True)
class Limits:
    """``ready`` jobs may wait for a slot before starts are refused; ``drain`` is in seconds;
    ``uid_queue`` runs may wait for the end of another of their uid.
    """

    ready: int = 10_000
    slots: int = 1_000
    threads: int = 32
    processes: int = 1
    drain: float = 10.0
    result: int = 5_000_000
    uid_queue: int = 1_000
    calls: CallBudget = field(default_factory=CallBudget)
    inline: int = LARGE
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
