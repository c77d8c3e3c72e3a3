"""A plan: what clients ask and what goes wrong, and when. The seed makes it; it can be made less.

Everything that is not in the plan (latencies, the order of turns, what handlers do) comes from the
seed too, so a plan with fewer actions plays as far as it can like the whole one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from ostinato.testing.simulation.aims import Need, aim_of
from ostinato.testing.simulation.documents import (
    BELOW,
    CONSUMERS,
    DOCUMENTS,
    LETTERS,
    NEIGHBOURS,
    SECOND,
    TRIGGERS,
    WAITS,
)
from ostinato.testing.simulation.faults import (
    ARCHIVE_FAULTS,
    BUS_FAULTS,
    COMMIT_FAULTS,
    READ_FAULTS,
    WINDOWS,
)
from ostinato.testing.simulation.happenings import OLD
from ostinato.testing.simulation.mending import NAMED, SPOILS, SPOILT
from ostinato.testing.simulation.parts import Data
from ostinato.testing.simulation.points import Point

SPAN = 6.0
"""Seconds in which everything is asked; what was asked may take longer."""

AIMLESS = 20
"""One seed in so many does not crash at a point of its own."""

LATER = (1, 1, 1, 3)
"""How often a point is met before the crash, from the second turn of the points on."""

FORGETS = 0.15
"""The share of seeds in which what is old goes."""

SQLITE = 0.1
"""The share of seeds whose data is in a SQLite file."""

STORES = ("memory", "sqlite", "postgres")

ANY = "any"
"""A seed's own choice of all stores; elsewhere it chooses among those that need no server."""

POSTGRES = 0.05
"""The share of the others whose data is on a PostgreSQL server, where there is one."""

CUTS = ("now", "commit", "all")
"""When connections break: those of a process, at once or in the middle of its next COMMIT; or those
of all processes.
"""


@dataclass(frozen=True, slots=True)
class Action:
    """``at`` seconds after the start, the world does ``kind``."""

    at: float
    kind: str
    args: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{self.at:7.3f}  {self.kind} {' '.join(map(str, self.args))}".rstrip()


CREWS = (1, 2, 2, 3)
"""Processes at a store that they share."""


@dataclass(frozen=True, slots=True)
class Plan:
    """``forgets``: what is old goes after seconds, not never. ``own`` are documents of this plan's
    own. ``crew``: so many processes work at once.
    """

    seed: int
    store: str
    shuffled: bool
    small: bool
    documents: tuple[str, ...]
    actions: tuple[Action, ...]
    forgets: bool = False
    own: Mapping[str, Data] = field(default_factory=dict)
    crew: int = 1

    @property
    def brings(self) -> bool:
        """Whether messages come in by a bus."""
        return any(action.kind == "bring" for action in self.actions)

    def only(self, actions: tuple[Action, ...]) -> Plan:
        return replace(self, actions=actions)

    def __str__(self) -> str:
        head = (
            f"store {self.store}, tasks {'shuffled' if self.shuffled else 'in order'}, "
            f"limits {'small' if self.small else 'large'}, "
            f"what is old {'goes' if self.forgets else 'stays'}, processes {self.crew}, "
            f"workflows {', '.join(self.documents)}"
        )
        return "\n".join([head, *map(str, self.actions)])


def plan_of(seed: int, store: str = "") -> Plan:
    """``store``: one of ``STORES``, or ``ANY``."""
    chance = Random(f"plan:{seed}")
    sqlite = chance.random() < SQLITE and store not in ("memory", "postgres")
    documents, actions, small = _documents(chance), [], chance.random() < 0.25
    crew = Random(f"crew:{seed}").choice(CREWS)
    forgets = chance.random() < FORGETS
    if (aim := aim_of_seed(seed)) is not None:
        turn, point, need = aim
        others = () if need.alone else documents
        documents = tuple(dict.fromkeys([*need.documents, *others]))
        small = small or need.small
        sqlite, crew = need.filed or (sqlite and not need.shared), need.crew or crew
        forgets = forgets or need.forgets
        actions.append(Action(0.0, "aim", (*point, chance.choice(LATER) if turn else 1)))
        actions += _needed(chance, need)
    actions += [*_work(chance, documents), *_trouble(chance, sqlite=sqlite)]
    actions += _letters(chance, documents)
    actions += _forgetting(chance) if forgets else []
    mending = _mending(Random(f"mending:{seed}"))
    actions += _brought(Random(f"brought:{seed}"))
    actions += [Action(_moment(chance), "deploy", (n,)) for n in documents if n in SECOND]
    own = SPOILT if mending else {}
    store = store if store in STORES else _store(seed, store, sqlite=sqlite)
    actions += _cuts(Random(f"cuts:{seed}")) if store == "postgres" else []
    return Plan(
        seed=seed,
        store=store,
        crew=1 if store == "sqlite" else crew,
        shuffled=chance.random() < 0.7,
        small=small,
        documents=(*documents, *own),
        actions=tuple(sorted([*actions, *mending], key=lambda action: action.at)),
        forgets=forgets,
        own=own,
    )


def aim_of_seed(seed: int) -> tuple[int, Point, Need] | None:
    """Which turn of the points it is, where its crash comes, and what that needs."""
    return None if seed % AIMLESS == AIMLESS - 1 else aim_of(seed - seed // AIMLESS)


def _store(seed: int, among: str, *, sqlite: bool) -> str:
    if sqlite:
        return "sqlite"
    on_server = among == ANY and Random(f"store:{seed}").random() < POSTGRES
    return "postgres" if on_server else "memory"


def _needed(chance: Random, need: Need) -> list[Action]:
    second = bool(need.later or need.scene)
    first, half = (0.5 if second else 1.0), SPAN / 2
    actions = [Action(0.0, *one) for one in need.first]
    actions += [Action(round(_moment(chance) * first, 3), *one) for one in need.happenings]
    moments = sorted(round(half + _moment(chance) / 2, 3) for _ in need.later)
    actions += [Action(at, *one) for at, one in zip(moments, need.later, strict=True)]
    begun = half + _moment(chance) / 12
    return actions + [Action(round(begun + after, 3), *one) for after, one in need.scene]


def _moment(chance: Random) -> float:
    return round(chance.random() * SPAN, 3)


def _documents(chance: Random) -> tuple[str, ...]:
    chosen = chance.sample(sorted(DOCUMENTS.keys() - set(BELOW)), chance.choice((1, 2, 2, 3)))
    if chosen == ["poisoned"]:
        chosen.append("plain")
    more = [other for name in chosen for other in NEIGHBOURS.get(name, ())]
    return tuple(dict.fromkeys([*chosen, *more]))


# what clients ask


def _work(chance: Random, documents: tuple[str, ...]) -> list[Action]:
    actions = []
    for number in range(1, chance.choice((2, 3, 4, 6)) + 1):
        name = documents[0] if number == 1 else chance.choice(_harmless(documents))
        at = _moment(chance)
        actions.append(Action(at, *_beginning(chance, name, number)))
        actions += _events(chance, name, number, at)
        if name == "asked":
            actions += _answers(chance, number)
        if chance.random() < 0.15:
            actions.append(Action(_moment(chance), "cancel", (number,)))
        if chance.random() < 0.2:
            actions.append(Action(_moment(chance), "watch", (number,)))
        if chance.random() < 0.2:
            how = chance.choice(("pause", "retry", "fork"))
            actions.append(Action(_moment(chance), "mend", (number, how)))
    if chance.random() < 0.1:
        actions.append(Action(_moment(chance), "burst", (chance.choice(_harmless(documents)), 60)))
    if chance.random() < 0.15:
        actions.append(Action(_moment(chance), "bulk", _bulk(chance, documents)))
    if "bad" in documents and chance.random() < 0.5:
        actions.append(Action(_moment(chance), "rush", ("bad", chance.choice((2_000, 3_000)))))
    if chance.random() < 0.3:
        actions.append(Action(_moment(chance), "nonsense", (chance.choice(documents),)))
    if chance.random() < 0.3:
        actions.append(Action(_moment(chance), "batch", (chance.choice((1, 3, 80)),)))
    for name, hands in HANDS.items():
        if name in documents and chance.random() < 0.6:
            actions.append(Action(_moment(chance), chance.choice(hands), (name,)))
    return actions


def _bulk(chance: Random, documents: tuple[str, ...]) -> tuple[str, str, bool]:
    action = chance.choice(("retry", "retry", "cancel"))
    return action, chance.choice(documents), chance.random() < 0.2


HANDS = {"ticking": ("fire", "backfill"), "turns": ("hold",)}
"""What people do to the schedules of a workflow."""


def _harmless(documents: tuple[str, ...]) -> tuple[str, ...]:
    """Without the one that takes its process down four times."""
    return tuple(name for name in documents if name != "poisoned") or documents


def _beginning(chance: Random, name: str, number: int) -> tuple[str, tuple[Any, ...]]:
    copies = chance.choice((1, 1, 2, 3))
    if name in CONSUMERS or (name in TRIGGERS and chance.random() < 0.8):
        return "emit", (TRIGGERS[name], number, copies)
    return "start", (name, number, chance.choice(("plain", "once", "once", "uid", "both")), copies)


def _events(chance: Random, name: str, number: int, begun: float) -> list[Action]:
    """What the run waits for: early or late, once or more often, in any order."""
    actions = []
    for type in WAITS.get(name, ()):
        if chance.random() < 0.75:
            at = max(0.0, begun + (chance.random() - 0.3) * 4)
            actions.append(Action(round(at, 3), "emit", (type, number, chance.choice((1, 1, 2)))))
    return actions


def _answers(chance: Random, number: int) -> list[Action]:
    hows = ("right", "right", "right", "wrong", "late")
    return [
        Action(_moment(chance), "complete", (number, chance.choice(hows)))
        for _ in range(chance.choice((2, 5, 9)))
    ]


def _letters(chance: Random, documents: tuple[str, ...]) -> list[Action]:
    """Somebody looks at what could not be processed, and tries it again."""
    if not set(documents) & set(LETTERS) or chance.random() < 0.3:
        return []
    actions = [Action(_moment(chance), "letters")]
    return actions + [Action(_moment(chance), "redrive", (chance.choice((1, 2)),)) for _ in "12"]


def _brought(chance: Random) -> list[Action]:
    """Messages come in by a bus: some that nobody can read, some under the id of another."""
    if chance.random() < 0.75:
        return []
    kinds = ("fine", "fine", "fine", "broken", "other")
    return [
        Action(_moment(chance), "bring", (number, chance.choice(kinds)))
        for number in range(chance.randint(4, 16))
    ]


def _mending(chance: Random) -> list[Action]:
    """Somebody names steps of runs that are open by then, or over."""
    if chance.random() < 0.5:
        return []
    starts = [
        Action(round(_moment(chance) / 3, 3), "start", (name, number, "plain", 1))
        for number, name in SPOILS.items()
    ]
    hows, numbers = (*NAMED, *NAMED, "retry"), (1, 2, *SPOILS, *SPOILS)
    return starts + [
        Action(_moment(chance), "mend", (chance.choice(numbers), chance.choice(hows)))
        for _ in range(chance.choice((2, 4, 8)))
    ]


def _forgetting(chance: Random) -> list[Action]:
    """Time goes on, so that much is old at once."""
    actions = [Action(_moment(chance), "jump", (OLD,)), Action(_moment(chance), "clean")]
    if chance.random() < 0.5:
        actions.append(Action(_moment(chance), "fault", (chance.choice(ARCHIVE_FAULTS), 1)))
    return actions


# what goes wrong


def _trouble(chance: Random, *, sqlite: bool) -> list[Action]:
    actions = [Action(_moment(chance), "crash") for _ in range(chance.choice((0, 0, 1, 2, 3)))]
    if chance.random() < 0.25:
        actions.append(Action(_moment(chance), "stop", (chance.choice((0, 0.05, 2)),)))
    if chance.random() < 0.2 and not sqlite:
        actions.append(Action(_moment(chance), "pause", (round(chance.random() * 3, 3),)))
    if chance.random() < 0.25:
        actions.append(Action(_moment(chance), "jump", (chance.choice((-5_000, 700, 60_000)),)))
    if chance.random() < 0.05:
        actions.append(Action(_moment(chance), "blind"))
    if chance.random() < 0.2:
        actions.append(Action(_moment(chance), "fault", ("outbox.error", 1)))
    if chance.random() < 0.06:
        actions += _stop_while_the_store_is_away(chance)
    return actions + [_fault(chance) for _ in range(chance.choice((0, 0, 1, 2, 4)))]


def _cuts(chance: Random) -> list[Action]:
    """Connections break, and come back."""
    whens = [chance.choice(CUTS) for _ in range(chance.choice((0, 0, 1, 3)))]
    return [Action(_moment(chance), "cut", (when,)) for when in whens]


def _stop_while_the_store_is_away(chance: Random) -> list[Action]:
    """Somebody waits for what nobody knows is kept."""
    at = _moment(chance)
    stop = Action(round(at + 0.2, 3), "stop", (0.05,))
    return [Action(at, "fault", ("commit.gone", 1)), Action(at, "batch", (2,)), stop]


def _fault(chance: Random) -> Action:
    kinds = (COMMIT_FAULTS, COMMIT_FAULTS, READ_FAULTS, WINDOWS, BUS_FAULTS)
    kind = chance.choice(chance.choice(kinds))
    amount = round(chance.random() * 2, 3) if kind in WINDOWS else chance.choice((1, 1, 2, 5))
    return Action(_moment(chance), "fault", (kind, amount))
