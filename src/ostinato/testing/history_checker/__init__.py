"""Judges stored histories against what is promised: whatever happened, it must not show here.

``check_history`` looks at one run, ``check_store`` at all of a store that has come to rest, and
at what clients were told (``Journal``). Each ``Violation`` names the run, the fact and the rule.

violation  what was found; what clients were told
rules      rules about the facts of one history
history    one run
store      a store at rest
"""

from ostinato.testing.history_checker.history import GraphOf, check_history, replayed
from ostinato.testing.history_checker.rules import ENDS, STEP_ENDS
from ostinato.testing.history_checker.store import check_store, planned_for, unheard
from ostinato.testing.history_checker.violation import Journal, Pair, Violation

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
