"""Run ids: 26 characters, 48 bits of time in ms and 80 bits that nobody else has."""

from __future__ import annotations

import hashlib
from zlib import crc32

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no letter that looks like a digit."""

PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
SHIFTS = range(120, -1, -10)
"""Ten bits, a pair of digits, at a time."""

LATEST = (1 << 48) - 1


def derived(now: int, name: str) -> str:
    """The same for the same moment and name: whoever asks twice asks for one run."""
    tail = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=10).digest())
    number = min(max(now, 0), LATEST) << 80 | tail
    return "".join([PAIRS[number >> shift & 1023] for shift in SHIFTS])


PARTITIONS = 64
"""Parts that runs are dealt out in. Stores keep a run's part beside it, so the number stays."""


def partition_of(run_id: str) -> int:
    """Which part a run is in, by its id alone."""
    return crc32(run_id.encode()) % PARTITIONS
