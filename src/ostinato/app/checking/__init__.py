"""Judges stored histories against what is promised: whatever happened, it must not show here.

Each ``Violation`` names the run, the fact and the rule. ``testing.history_checker`` adds what holds
of a store that has come to rest.

violation  what was found; what clients were told
rules      rules about the facts of one history
history    one run
heads      what lists show of it
"""

from ostinato.app.checking.heads import shown_differs
from ostinato.app.checking.history import GraphOf, check_history, judge_history, replayed
from ostinato.app.checking.rules import ENDS, STEP_ENDS
from ostinato.app.checking.violation import Journal, Pair, Violation

__all__ = [
    "ENDS",
    "STEP_ENDS",
    "GraphOf",
    "Journal",
    "Pair",
    "Violation",
    "check_history",
    "judge_history",
    "replayed",
    "shown_differs",
]
