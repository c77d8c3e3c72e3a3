"""One run, by its history alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ostinato.app.checking.rules import RULES, Entry, given_up_in_time
from ostinato.app.checking.violation import Violation
from ostinato.core.codec import decode_facts
from ostinato.core.fold import replay
from ostinato.core.graph import Graph
from ostinato.core.state import State
from ostinato.ports import Record

GraphOf = Callable[[str, int], Graph]


def check_history(graph_of: GraphOf, run_id: str, records: Sequence[Record]) -> list[Violation]:
    return judge_history(graph_of, run_id, records)[1]


def judge_history(
    graph_of: GraphOf, run_id: str, records: Sequence[Record]
) -> tuple[State | None, list[Violation]]:
    """The state that it makes, if it makes one, and what is wrong."""
    try:
        entries = [
            Entry(record.seq + place, record.at, fact)
            for record in records
            for place, fact in enumerate(decode_facts(record.data, record.version))
        ]
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        return None, [Violation(run_id, -1, "history.unreadable", reason)]
    found = [Violation(run_id, *one) for rule in RULES for one in rule(entries)]
    state, broken = replayed(graph_of, run_id, records)
    if state is not None:
        most = state.graph.most_deaths
        found += [Violation(run_id, *one) for one in given_up_in_time(entries, most)]
    return state, found + broken


def replayed(
    graph_of: GraphOf, run_id: str, records: Sequence[Record]
) -> tuple[State | None, list[Violation]]:
    try:
        decoded = [(record.at, decode_facts(record.data, record.version)) for record in records]
        start: Any = decoded[0][1][0]
        return replay(graph_of(start.workflow, start.version), decoded), []
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        return None, [Violation(run_id, -1, "history.replay", reason)]
