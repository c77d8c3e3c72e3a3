"""The SQL of a move: each kind of row in the form that is the same for all stores, and back."""

from __future__ import annotations

from ostinato.storage.moving import COUNTER, KIND, TABLES, Kind
from ostinato.storage.postgres import moved
from ostinato.storage.postgres.statements import unnested

STAYS = {
    "migration": "each store has its own",
    "member": "who may write begins anew",
    "partition": "nobody has a part of a store that is moved",
    "lease": "nobody is at work while a store is moved",
    "era": "a number of this database alone",
    "deployed": "a number of this database alone",
    "moved": "it says where from, not what",
}
"""Tables that are not moved, and why."""

DERIVED = {
    "timer": ("partition",), "outbox": ("partition",),
    "run": ("partition", "era", "by"), "event": ("era", "by"),
    "wait": ("partition", "era", "by", "opened"),
    "event_key": ("era", "by"), "dead_letter": ("event_type",),
    "task": ("candidates", "groups"), "value_loose": ("lot",),
}  # fmt: skip
"""Columns that are made anew, of others."""

SEQUENCES = ("event", "outbox", "turn", "mail", "job")
"""Tables whose column ``number`` is given by the server."""

# Nobody else, for as long as this lasts. Readers wait, too: they would see an empty store.
# The table of migrations stays free: who starts meanwhile looks into it first.
ALONE = "SELECT pg_try_advisory_xact_lock(1330861127)"
HOLD = "LOCK TABLE {} IN ACCESS EXCLUSIVE MODE"
SETTINGS = """
SET LOCAL lock_timeout = '10s'; SET LOCAL idle_in_transaction_session_timeout = 0;
SET LOCAL jit = off
"""
TABLES_THERE = """
SELECT tablename FROM pg_tables WHERE schemaname = $1::text AND tablename <> 'migration' ORDER BY 1
"""
AT_WORK = """
SELECT address, expires_at - clock_ms() FROM lease WHERE expires_at > clock_ms() LIMIT 1
"""
MOVED = moved.ASK
MARK = "INSERT INTO moved (place, at) VALUES ($1::text, $2::int8)"
UNMARK = "DELETE FROM moved"
VALUE = "SELECT data FROM value WHERE digest = $1::bytea"
COUNTS = " UNION ALL ".join(f"SELECT '{kind.name}', count(*) FROM {kind.name}" for kind in TABLES)

# An event came after a wait when the wait's transaction could not see it, or brought it itself.
# Rows that were moved have numbers of events in the place of numbers of transactions, and a wait's
# own is 0, which no transaction has.
_LATER = """(
    its.era > wait.era OR its.era = wait.era AND (
        its.by = wait.by OR NOT pg_visible_in_snapshot(its.by, wait.opened)
    )
)"""
_FIRST_LATER = f"""
SELECT min(coalesce(moved_to.place, its.number)) FROM event_key AS its
LEFT JOIN pg_temp.moved_to ON moved_to.number = its.number
WHERE its.type = wait.type AND its.values_key = wait.values_key AND {_LATER}
"""
_AFTER = f"""
CASE WHEN wait.by = '0' THEN pg_snapshot_xmin(wait.opened)::text::int8 - 1
    ELSE coalesce(({_FIRST_LATER}) - 1, (SELECT max(number) FROM event), 0)
END
"""

# Where several processes write, numbers of events are not quite the order of their transactions.
# Where a wait sees that, the events around it are given each other's numbers.
MOVED_TO = "CREATE TEMPORARY TABLE moved_to (number int8 PRIMARY KEY, place int8 NOT NULL)"
OUT_OF_ORDER = f"""
SELECT min(its.number) FILTER (WHERE {_LATER}), max(its.number) FILTER (WHERE NOT {_LATER})
FROM wait JOIN event_key AS its ON its.type = wait.type AND its.values_key = wait.values_key
WHERE wait.by <> '0' GROUP BY wait.run_id, wait.key, wait.type
HAVING min(its.number) FILTER (WHERE {_LATER}) < max(its.number) FILTER (WHERE NOT {_LATER})
ORDER BY 1
"""
RANKED = f"""
SELECT DISTINCT its.number, (
    SELECT count(*) FROM wait WHERE wait.by <> '0' AND {_LATER}
) AS unseen FROM event_key AS its WHERE its.number BETWEEN $1::int8 AND $2::int8
ORDER BY unseen, its.number
"""
SET_PLACES = f"""
INSERT INTO pg_temp.moved_to SELECT * FROM {unnested("ii", "new")}
"""

_SEQUENCE = """
SELECT '{0}', CASE WHEN is_called THEN last_value ELSE 0 END FROM {0}_number_seq
"""
COUNTERS = " UNION ALL ".join(_SEQUENCE.format(name) for name in ("job", "outbox"))
COUNT_ON = """
SELECT setval('{0}_number_seq', greatest($1::int8, 1), $1::int8 > 0)
"""
LAST = "SELECT coalesce(max(number), 0) FROM {0}"

ERA = "SELECT number FROM era"
NEXT_ERA = "UPDATE era SET number = number + 1, last = pg_snapshot_xmax(pg_current_snapshot())"
"""What is brought from now on came after all that was moved."""


def select(kind: Kind, renumbered: bool) -> str:
    """In the order of its keys. ``renumbered``: some events have other numbers."""
    if kind.name == COUNTER:
        return f"{COUNTERS} ORDER BY 1"
    columns = [f"its.{name}" for name in kind.columns]
    source = f"{kind.name} AS its"
    if kind.name == "wait":
        columns, source = [f"wait.{name}" for name in kind.columns[:-1]] + [_AFTER], "wait"
    elif renumbered and kind.name in ("event", "event_key"):
        at = kind.columns.index("number")
        columns[at] = "coalesce(moved_to.place, its.number)"
        source = f"{source} LEFT JOIN pg_temp.moved_to ON moved_to.number = its.number"
    order = ", ".join(str(at) for at in range(1, kind.key + 1))
    return f"SELECT {', '.join(columns)} FROM {source} ORDER BY {order}"


def insert(kind: Kind) -> str:
    """One array per column; those of ``DERIVED`` that are made here come last."""
    names = list(kind.columns)
    if kind.name == "wait":
        names.remove("after")
        return f"""
        INSERT INTO wait ({", ".join(names)}, partition, era, by, opened)
        SELECT run_id, key, type, values_key, since, part, (SELECT number FROM era), '0',
            (after + 1 || ':' || after + 1 || ':')::pg_snapshot
        FROM {unnested(kind.types + "i", "new")} ({", ".join(kind.columns)}, part)
        """
    if kind.name in ("event", "event_key"):
        return f"""
        INSERT INTO {kind.name} ({", ".join(names)}, era, by)
        SELECT new.*, (SELECT number FROM era), new.number::text::xid8
        FROM {unnested(kind.types, "new")} ({", ".join(names)})
        """
    if kind.name == "run":
        return f"""
        INSERT INTO run ({", ".join(names)}, partition, era, by)
        SELECT new.*, (SELECT number FROM era), NULL FROM {unnested(kind.types + "i", "new")}
        """
    more = DERIVED.get(kind.name, ()) if kind.name != "value_loose" else ()
    types = kind.types + "".join("i" if name == "partition" else "t" for name in more)
    into = ", ".join([*names, *more])
    return f"INSERT INTO {kind.name} ({into}) SELECT * FROM {unnested(types, 'new')}"


INSERTS = {name: insert(kind) for name, kind in KIND.items() if name not in (COUNTER, "task")}
