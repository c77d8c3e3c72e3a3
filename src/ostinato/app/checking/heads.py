"""What lists show of a run, against what its history says."""

from __future__ import annotations

from ostinato.core.state import State
from ostinato.core.views import status_of
from ostinato.ports import Head


def shown_differs(head: Head, state: State) -> str:
    """How; empty when it does not."""
    shown = (head.status, head.waiting_for, head.ended_at, head.doing)
    folded = (status_of(state), state.waiting_for, state.ended_at, state.doing)
    return "" if shown == folded else f"it shows {shown}, its history says {folded}"
