"""Judges stored histories against what is promised: whatever happened, it must not show here.

``check_history`` looks at one run, ``check_store`` at all of a store that has come to rest, and
at what clients were told (``Journal``). Each ``Violation`` names the run, the fact and the rule.

The rules about one history are those of ``app.checking``: a store that is moved is judged by them.

store      a store at rest
"""

from ostinato.app.checking import (
    ENDS,
    STEP_ENDS,
    GraphOf,
    Journal,
    Pair,
    Violation,
    check_history,
    replayed,
)
from ostinato.testing.history_checker.store import check_store, planned_for, unheard

__all__ = [
    "ENDS",
    "STEP_ENDS",
    "GraphOf",
    "Journal",
    "Pair",
    "Violation",
    "check_history",
    "check_store",
    "planned_for",
    "replayed",
    "unheard",
]
