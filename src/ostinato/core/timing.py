"""Retry delays. Chance is an argument: the seed of the run, the key and the attempt."""

from __future__ import annotations

import fnmatch
import hashlib

from ostinato.core.model import Retry

NEVER = frozenset({"WrongArguments", "ExpressionError", "ExpressionTooCostly"})
"""What another attempt would only repeat, so that no policy asks for one."""


def retries(policy: Retry, error: str) -> bool:
    """Whether an error of this name is tried again at all: ``never`` beats ``on``."""
    if error in NEVER or any(fnmatch.fnmatchcase(error, glob) for glob in policy.never):
        return False
    return any(fnmatch.fnmatchcase(error, glob) for glob in policy.on)


def delay(policy: Retry, failures: int, seed: str) -> int:
    """Milliseconds before the attempt after ``failures`` failed ones.

    delay · factor^(failures−1), at most ``max_delay``, then spread by ±``jitter``.
    """
    try:
        grown = policy.delay * policy.factor ** (failures - 1)
    except OverflowError:
        grown = policy.max_delay
    spread = 1 + policy.jitter * (2 * chance(seed) - 1)
    return max(0, round(min(grown, policy.max_delay) * spread))


def next_attempt(
    policy: Retry,
    error: str,
    failures: int,
    begun_at: int,
    now: int,
    seed: str,
    after: int | None = None,
) -> int | None:
    """When to try again after ``failures`` failed attempts, or None when this was the last.

    ``after``: the handler asked for another attempt at this distance, whatever its error's name.
    """
    if failures >= policy.attempts or (after is None and not retries(policy, error)):
        return None
    due_at = now + (delay(policy, failures, seed) if after is None else after)
    if policy.within is not None and due_at > begun_at + policy.within:
        return None
    return due_at


def chance(seed: str) -> float:
    """A number in [0, 1) that the seed alone decides."""
    digest = hashlib.blake2b(seed.encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
