"""Workflows made by chance: documents that use everything, and graphs of any shape.

The same ``random.Random`` makes the same workflow, so a seed is enough to have it again; a
property test and a seeded simulation draw from the same place.

vocabulary   the few names, values and spans that are used, so that whoever plays can answer
chance       draws: nothing, few and first is what the smallest draws give
texts        expressions that are known where they stand
jobs         one job: what it does, and what stands beside it
triggers     what starts it: events, and the clock
documents    a whole workflow document
graphs       any graph, also one that locks or never ends by itself
pairs        which construct stands in or beside which: what is allowed, and what a document has
"""

from ostinato.testing.generate.documents import any_document
from ostinato.testing.generate.graphs import any_graph
from ostinato.testing.generate.pairs import Pair, pairs, pairs_in
from ostinato.testing.generate.vocabulary import (
    EMITTED,
    EVENTS,
    HANDLERS,
    KEYS,
    TRIGGERS,
    any_data,
    any_event,
)

__all__ = [
    "EMITTED",
    "EVENTS",
    "HANDLERS",
    "KEYS",
    "TRIGGERS",
    "Pair",
    "any_data",
    "any_document",
    "any_event",
    "any_graph",
    "pairs",
    "pairs_in",
]
