"""What no store would take: rows that are there already, and values that no column holds."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from itertools import chain
from typing import Any

import msgspec

from ostinato.core.cloudevents import Event
from ostinato.errors import Outdated, Overtaken, Refused
from ostinato.ports import Batch, Head, JobEnd, JobFree
from ostinato.storage.memory.disk import Disk, changed_heads

_INTEGERS = range(-(2**63), 2**63)
_APART = ("epoch", "inline", "known", "removal")


def check(disk: Disk, batch: Batch) -> None:
    """Raises ``Refused`` before anything is changed."""
    if batch.events and batch.known not in (None, disk.deployed):
        raise Outdated("workflows were deployed since; read them, and look again")
    _check_values(batch)
    events = (_event_key(stored.event) for stored in batch.events)
    _check_new("event", events, disk.known, Overtaken)
    _check_replies(disk, batch)
    _check_records(disk, batch)
    _check_heads(disk, batch)
    _check_new("dead letter", (letter.id for letter in batch.dead_letters), disk.dead_letters)
    _check_redriven(disk, batch)
    _check_versions(disk, batch)
    _check_places(disk, batch)
    _check_operations(disk, batch)
    _check_jobs(disk, batch)


def _check_jobs(disk: Disk, batch: Batch) -> None:
    held: dict[str, str | None] = {}
    for change in batch.jobs:
        kept = disk.jobs.rows.get(change.id)
        token = held.get(change.id, None if kept is None else kept.token)
        if isinstance(change, JobFree) or (isinstance(change, JobEnd) and change.token is not None):
            if token != change.token:
                raise Refused(f"job {change.id!r} is not held by {change.token!r}")
            held[change.id] = None
        elif isinstance(change, JobEnd):
            held[change.id] = None


def _check_places(disk: Disk, batch: Batch) -> None:
    if not batch.places:
        return
    freed = set(batch.freed)
    kept = [at for at, one in disk.places.items() if (one.run_id, one.key) not in freed]
    _check_new("place", ((place.name, place.n) for place in batch.places), kept, Overtaken)


def _event_key(event: Event) -> tuple[str, str]:
    return event.source, event.id


def _check_new(
    noun: str, keys: Iterable[Hashable], present: Any, error: type[Refused] = Refused
) -> None:
    seen = set()
    for key in keys:
        if key in present or key in seen:
            raise error(f"the store has {noun} {key!r} already")
        seen.add(key)


def _check_records(disk: Disk, batch: Batch) -> None:
    seen = set()
    for record in batch.records:
        key = (record.run_id, record.seq)
        if record.seq in disk.records.get(record.run_id, ()) or key in seen:
            raise Refused(f"the store has record {key!r} already")
        seen.add(key)


def _check_replies(disk: Disk, batch: Batch) -> None:
    live = dict[tuple[str, str], int]()
    for reply in batch.replies:
        key = (reply.scope, reply.key)
        before = disk.replies.get(key)
        expires_at = live.get(key, before[0].expires_at if before is not None else reply.at)
        if expires_at > reply.at:
            raise Overtaken(f"the store has a reply under {key!r} already")
        live[key] = reply.expires_at


def _check_heads(disk: Disk, batch: Batch) -> None:
    _check_new("run", (head.run_id for head in batch.new_heads), disk.heads)
    new = {head.run_id for head in batch.new_heads}
    for run_id in batch.heads:
        if run_id not in disk.heads and run_id not in new:
            raise Refused(f"run {run_id!r} was never started, so its head cannot change")
    _check_uids(disk, changed_heads(disk, batch))


def _check_uids(disk: Disk, heads: list[Head]) -> None:
    changed = {head.run_id for head in heads}
    taken: set[tuple[str, str]] = set()
    for head in heads:
        if head.uid is None or head.ended_at is not None or head.in_line:
            continue
        key = (head.workflow, head.uid)
        if key in taken or disk.open_uids.get(key, head.run_id) not in changed:
            raise Overtaken(f"an open run of {head.workflow!r} has uid {head.uid!r} already")
        taken.add(key)


def _check_redriven(disk: Disk, batch: Batch) -> None:
    if not batch.redriven:
        return
    letters = disk.dead_letters | {letter.id: letter for letter in batch.dead_letters}
    for letter in batch.redriven:
        kept = letters.get(letter.id)
        if kept is None or kept.redriven_at is not None:
            raise Overtaken(f"dead letter {letter.id!r} is gone, or was redriven already")
        letters[letter.id] = letter


def _check_operations(disk: Disk, batch: Batch) -> None:
    if not batch.settled:
        return
    left = {
        (operation_id, run_id): settled is None
        for operation_id, runs in disk.operation_runs.items()
        for run_id, settled in runs.items()
    }
    left = dict.fromkeys(batch.matched, True) | left
    for one in batch.settled:
        key = (one.operation, one.run_id)
        if not left.get(key):
            raise Refused(f"run {one.run_id!r} is not left in operation {one.operation!r}")
        left[key] = False


def _check_versions(disk: Disk, batch: Batch) -> None:
    if not batch.versions:
        return
    digests = {key: version.digest for key, version in disk.versions.items()}
    for version in batch.versions:
        key = (version.workflow, version.version)
        if digests.setdefault(key, version.digest) != version.digest:
            raise Overtaken(f"version {key!r} is another document already")


def _check_values(batch: Batch) -> None:
    lists = [getattr(batch, name) for name in batch.__struct_fields__ if name not in _APART]
    for item in chain.from_iterable(
        part.items() if isinstance(part, dict) else part for part in lists
    ):
        _check_value(item)


def _check_value(value: Any) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, int):
        if value not in _INTEGERS:
            raise Refused(f"{value} does not fit 64 bits")
    elif isinstance(value, (tuple, list)):
        for member in value:
            _check_value(member)
    elif isinstance(value, dict):
        _check_value(list(value.items()))
    elif not isinstance(value, (bytes, float, msgspec.Raw, type(None))):
        _check_members(value)


def _check_text(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Refused(f"{value!r:.80} is not text that UTF-8 can hold") from error


def _check_members(value: Any) -> None:
    names = getattr(type(value), "__slots__", None) or getattr(value, "__struct_fields__", None)
    if names is None:
        raise Refused(f"a {type(value).__name__} cannot be stored")
    for name in names:
        _check_value(getattr(value, name))
