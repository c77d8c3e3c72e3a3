"""Which of several stores has what: a pure function of a key, and of how many there ever were.

A key goes to a store by jump consistent hashing (Lamping and Veach, "A Fast, Minimal Memory,
Consistent Hash Algorithm", 2014): when a store is added, a key stays where it was or goes to the
new one. What was begun stays where it is all the same: so a key has a home for each count of
stores that there was, and is looked for in the older ones first.

A set of stores is written down in the stores themselves (``Marks``), so that nobody works with
fewer of them, with others, or in another order.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from msgspec import Struct

from ostinato.errors import SettingsError

_MASK = (1 << 64) - 1
_STEP = 2862933555777941757
"""The multiplier of the paper's generator, 64 bits."""


def jump(key: int, count: int) -> int:
    """The one of ``count`` buckets for a key of 64 bits."""
    bucket, ahead = -1, 0
    while ahead < count:
        bucket = ahead
        key = (key * _STEP + 1) & _MASK
        ahead = int((bucket + 1) * ((1 << 31) / ((key >> 33) + 1)))
    return bucket


def number_of(key: str) -> int:
    """64 bits that nobody has chosen."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest())


def homes(key: str, counts: Sequence[int]) -> tuple[int, ...]:
    """Where this may be: the store it had when there were that many, the oldest first."""
    number = number_of(key)
    return tuple(dict.fromkeys(jump(number, count) for count in counts))


def uid_key(uid: str) -> str:
    return f"uid {uid}"


def event_key(source: str, id: str) -> str:
    return f"event {len(source)} {source} {id}"


def request_key(scope: str, key: str) -> str:
    """Of an ``Idempotency-Key``, or of starts that are one (``dedup``)."""
    return f"reply {len(scope)} {scope} {key}"


class Place(Struct, frozen=True):
    """This store is the one with this ``number`` (from 0) of this ``set``."""

    set: str
    number: int


class Marks(Struct, frozen=True):
    """What one store says. ``counts``: how many there were, one after the other; ``begun``: of
    these sizes the set was to be. ``empty``: it holds nothing else."""

    place: Place | None = None
    counts: tuple[int, ...] = ()
    begun: tuple[int, ...] = ()
    empty: bool = True


class Mark(Struct, frozen=True):
    """What is to be written down in the store with this number: a ``place``, a ``count``, or how
    many there are to be (``begun``)."""

    number: int
    place: Place | None = None
    count: int | None = None
    begun: int | None = None


def refuse_alone(marks: Marks, name: str) -> None:
    """Raises ``SettingsError`` when this store may not be used without others."""
    place = marks.place
    if place is not None and (place.number or marks.counts[-1:] > (1,)):
        of = f" of {marks.counts[-1]}" if marks.counts else ""
        raise SettingsError(
            f"{name} is store {place.number + 1}{of} of a set, and would work alone: name all of "
            "them in `store`, in their order"
        )


def refuse_outgrown(counts: Sequence[int], stores: int, name: str) -> None:
    """Raises ``SettingsError`` when a process that works with so many ``stores`` may do so no
    longer."""
    if counts and counts[-1] > stores:
        raise SettingsError(
            f"the set of {name} has {counts[-1]} stores by now, and this process works with "
            f"{stores}: start it again with all of them in `store`, in their order"
        )


def refuse_new(first: Marks, stores: int, name: str, *, begins: bool, adds: bool) -> None:
    """What the ``first`` of so many ``stores`` says. Raises ``SettingsError`` when they are no set
    yet, or one of fewer, for whom does not make one (``begins``) or add to one (``adds``)."""
    known = first.counts[-1] if first.counts else int(not first.empty)
    if known >= stores or (first.place is not None and first.place.number):
        return
    if not known and not begins:
        raise SettingsError(
            f"these {stores} stores are no set yet: `ostinato serve` or `ostinato deploy` with all "
            "of them makes one"
        )
    if known and not adds:
        has = f"is in a set of {known} stores" if known > 1 else "is a store of its own"
        raise SettingsError(
            f"{name} {has}, and `store` names {stores}: this adds none. Name those that there are; "
            "to add one, stop every server, then start `ostinato serve` with the new one last"
        )


def next_marks(marks: Sequence[Marks], names: Sequence[str], new_set: str) -> list[Mark]:
    """What is to be written down next, before these stores may work together; empty: nothing.

    A set grows in three steps, each safe to repeat: it is to be of that size, each new store says
    where it belongs, it is of that size. Raises ``SettingsError`` for stores that are no set.
    """
    first, size = marks[0], len(marks)
    if first.place is None:
        _refuse_places(marks, names)
        begins = [Mark(0, Place(new_set, 0))]
        return begins if first.empty else [*begins, Mark(0, count=1)]
    known = first.counts[-1] if first.counts else 0
    _refuse_others(marks, names, known)
    if known == size:
        return []
    if size not in first.begun:
        return [Mark(0, begun=size)]
    new = [number for number in range(1, size) if marks[number].place is None]
    if new:
        return [Mark(number, Place(first.place.set, number)) for number in new]
    return [Mark(0, count=size)]


def grows(marks: Sequence[Marks]) -> int:
    """How many of these stores worked together until now, where more are to; 0: no set grows."""
    counts = marks[0].counts
    before = counts[-1] if counts else int(not marks[0].empty)
    return before if 0 < before < len(marks) else 0


def _refuse_places(marks: Sequence[Marks], names: Sequence[str]) -> None:
    """None of them may belong anywhere."""
    for number, other in enumerate(marks):
        if other.place is not None:
            raise SettingsError(
                f"{names[number]} is store {other.place.number + 1} of a set, and {names[0]}, "
                "named first, is none of it: keep the order they always had"
            )
    _refuse_full(marks, names, 0)


def _refuse_others(marks: Sequence[Marks], names: Sequence[str], known: int) -> None:
    first = marks[0].place
    if first is None or first.number:
        at = "" if first is None else f" is store {first.number + 1} of its set and"
        raise SettingsError(
            f"{names[0]}{at} is named first: name the stores of `store` in the order they always "
            "had, new ones behind"
        )
    if known > len(marks):
        raise SettingsError(
            f"`store` names {len(marks)} stores, and there are {known} in the set of {names[0]}: "
            "name all of them; a store cannot be taken away"
        )
    for number, other in enumerate(marks):
        if other.place is None and number < known:
            raise SettingsError(
                f"{names[number]} should be store {number + 1} of the set of {names[0]}, and does "
                "not say so: is it another database, or was it emptied? Bring the right one back; "
                "a new one goes last"
            )
        if other.place is not None and other.place != Place(first.set, number):
            whose = "this set" if other.place.set == first.set else "another set"
            raise SettingsError(
                f"{names[number]} is store {other.place.number + 1} of {whose}, and is named as "
                f"number {number + 1}: name the stores of `store` in the order they always had"
            )
    _refuse_full(marks, names, known)


def _refuse_full(marks: Sequence[Marks], names: Sequence[str], known: int) -> None:
    for number in range(max(known, 1), len(marks)):
        if marks[number].place is None and not marks[number].empty:
            raise SettingsError(
                f"{names[number]} is to be store {number + 1}, and is not empty: what it holds was "
                "begun elsewhere; name an empty database or a file that is not there yet"
            )
