"""What looks like a call or a literal and is neither: the parts that decide when they are run."""

from __future__ import annotations

from typing import Any

from ostinato.core.expressions.access import unknown
from ostinato.core.expressions.arguments import wanted
from ostinato.core.expressions.budget import Budget
from ostinato.core.expressions.closures import Context, Run, Slots
from ostinato.core.expressions.faults import failure
from ostinato.core.expressions.moments import instant
from ostinato.core.expressions.regex import Regex
from ostinato.core.expressions.values import kind

__all__ = ["collected", "defaulted", "mapped", "matched", "present"]


def collected(items: tuple[Run, ...]) -> Run:
    return lambda context, budget, slots: [item(context, budget, slots) for item in items]


def mapped(entries: tuple[tuple[Run, Run], ...]) -> Run:
    def run(context: Context, budget: Budget, slots: Slots) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key_of, item_of in entries:
            key = key_of(context, budget, slots)
            if type(key) is not str:
                raise failure(f"the keys of a map are texts, not {kind(key)}")
            if key in made:
                raise failure(f"a map has the key {key!r} twice")
            made[key] = item_of(context, budget, slots)
        return made

    return run


def defaulted(value_of: Run, otherwise: Run) -> Run:
    """The second is only looked at when the first is null."""

    def run(context: Context, budget: Budget, slots: Slots) -> Any:
        value = value_of(context, budget, slots)
        return otherwise(context, budget, slots) if value is None else value

    return run


def present() -> Run:
    """The instant that whoever evaluates calls now: asked for again on replay, it is the same."""

    def run(context: Context, budget: Budget, slots: Slots) -> str:
        try:
            moment = context["now"]
        except KeyError:
            raise unknown("now()", context) from None
        return instant(moment)

    return run


def matched(text: Run, regex: Run, written: Any) -> Run:
    """A regex that stands in the expression is read once, and its mistakes are found at once."""
    known = Regex(written) if type(written) is str else None

    def run(context: Context, budget: Budget, slots: Slots) -> bool:
        searched = wanted("matches", text(context, budget, slots), "text")
        if known is not None:
            return known.search(searched, budget)
        return Regex(wanted("matches", regex(context, budget, slots), "text"), budget).search(
            searched, budget
        )

    return run
