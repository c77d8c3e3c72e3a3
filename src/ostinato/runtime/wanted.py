"""A start as it is asked for, and what came of it."""

from __future__ import annotations

import msgspec

from ostinato.core.graph import Graph
from ostinato.core.model import Again, Meanwhile, UidRule
from ostinato.core.run_ids import partition_of_uid
from ostinato.core.state import State
from ostinato.runtime.posts import Pair
from ostinato.runtime.resident import Resident

PLAIN = UidRule()


class Begun(msgspec.Struct):
    """A run that was started, or that was there already. ``answer`` replays an idempotent one.

    ``state`` is there unless the run is one that nobody had to load.
    """

    run_id: str
    duplicate: bool = False
    answer: bytes | None = None
    state: State | None = None


class Wanted:
    """A start as it is asked for, and what was read for it.

    ``taken`` is the run that is open under its uid and not in memory; ``before`` the run that
    counts, where its rule needs more than the name. ``mark`` (scope, key) stands for all starts
    that are one with this; ``double`` is the run of the first of them.
    """

    __slots__ = ("before", "double", "far", "graph", "mark", "rule", "taken", "uid")

    def __init__(self, graph: Graph, uid: str | None, rule: UidRule | None) -> None:
        self.graph = graph
        self.uid = uid
        self.rule = rule or graph.uid or PLAIN
        self.mark: Pair | None = None
        self.taken: str | None = None
        self.double: str | None = None
        self.before: Resident | None = None
        self.far = False

    @property
    def home(self) -> int | None:
        """The partition of all runs of its uid."""
        return None if self.uid is None else partition_of_uid(self.uid)

    @property
    def pair(self) -> Pair:
        return self.graph.workflow, self.uid or ""

    @property
    def asks(self) -> bool:
        """Whether anything has to be read for it."""
        return self.uid is not None or self.mark is not None

    @property
    def loads(self) -> bool:
        """Its rule needs to see the run that counts, not only its name."""
        rule = self.rule
        return rule.again is not Again.NEW or rule.open in (Meanwhile.SIGNAL, Meanwhile.QUEUE)
