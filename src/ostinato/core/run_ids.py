"""Run ids: 26 characters, 48 bits of time in ms and 80 bits that nobody else has."""

from __future__ import annotations

import hashlib
from zlib import crc32

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no letter that looks like a digit."""

PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
_BASE_32 = str.maketrans(ALPHABET, "0123456789abcdefghijklmnopqrstuv")
SHIFTS = range(120, -1, -10)
"""Ten bits, a pair of digits, at a time."""

LATEST = (1 << 48) - 1

LENGTH, TIME = 26, 10
"""Digits, and how many of them are the time."""


PARTITIONS = 64
"""Parts that runs are dealt out in. Stores keep a run's partition beside it: the number stays."""

HUB = 0
"""The partition whose owner looks after what concerns all runs."""


def partition_of(run_id: str) -> int:
    """Which partition a run is in, by its id alone."""
    return crc32(run_id.encode()) % PARTITIONS


def partition_of_uid(uid: str) -> int:
    """That of all runs that begin under this uid: whoever has it knows the others."""
    return crc32(b"uid " + uid.encode()) % PARTITIONS


def in_partition(run_id: str, partition: int) -> str:
    """The id that differs from this one in its last two digits at most, and is there."""
    first = run_id[:-2]
    before, at = crc32(first.encode()), PAIRS.index(run_id[-2:])
    for n in range(len(PAIRS)):
        pair = PAIRS[(at + n) % len(PAIRS)]
        if crc32(pair.encode(), before) % PARTITIONS == partition:
            return first + pair
    raise AssertionError("1,024 pairs reach all of the partitions")


def chosen_at(run_id: str) -> int:
    """When this id was chosen (ms); ``LATEST`` for one that does not say."""
    if len(run_id) != LENGTH:
        return LATEST
    return int(run_id[:TIME].translate(_BASE_32), 32)


def derived(now: int, name: str, partition: int) -> str:
    """The same for the same moment and name: whoever asks twice asks for one run."""
    tail = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=10).digest())
    number = min(max(now, 0), LATEST) << 80 | tail
    return in_partition("".join([PAIRS[number >> shift & 1023] for shift in SHIFTS]), partition)
