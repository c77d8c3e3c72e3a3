"""Texts that something is found by: types, topics, keys, names of tasks.

What they may hold is the same on every store, and PostgreSQL keeps no U+0000 in its text. What is
data goes through as it came.
"""

from __future__ import annotations

NUL = "\0"

LONGEST_TOPIC = 200
"""Characters of a topic, and of a worker's name."""


def is_label(text: str, longest: int) -> bool:
    """What travels in headers, addresses and logs prints, all of it."""
    return 0 < len(text) <= longest and text.isprintable()


def label_problem(text: str, longest: int) -> str:
    """Why this is none; empty when it is one."""
    if not text:
        return "is empty"
    if len(text) > longest:
        return f"has {len(text):,} characters, at most {longest:,}"
    return "" if text.isprintable() else f"holds a character that cannot be printed: {text!r:.80}"


def nul_problem(text: str) -> str:
    """Why nothing can be found by this; empty when it can."""
    return f"holds the character U+0000: {text!r:.80}" if NUL in text else ""
