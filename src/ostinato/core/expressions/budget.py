"""What one evaluation may spend.

An operation is an operator, a call, a path that is read, an element that is visited, or 256
characters of text. The part known beforehand is charged at once, a loop before it starts: whether
an expression is too costly depends on the sizes of its values and never on where it would stop.
"""

from __future__ import annotations

from ostinato.errors import ExpressionTooCostly

__all__ = ["Budget"]

WHOLE = 20
"""How many times as much as may be made may be handed on: values are bounded where they come in,
and stored once, but a template may name one of them a thousand times."""

_CHUNK = 256  # characters that count as one operation


class Budget:
    """Spent by use; give one to several evaluations and they share it.

    ``left`` counts operations down; ``room`` is what results may still weigh, in bytes of JSON,
    and ``whole`` what may still be handed on as it is: a bare path makes nothing.
    """

    __slots__ = ("left", "operations", "room", "size", "whole")

    def __init__(self, operations: int = 10_000, size: int = 1_000_000) -> None:
        self.operations = self.left = operations
        self.size = self.room = size
        self.whole = size * WHOLE

    def charge(self, operations: int) -> None:
        self.left -= operations
        if self.left < 0:
            raise self.too_long()

    def charge_text(self, length: int) -> None:
        """Call it before the text is built: it bounds one text and, by ``left``, all of them."""
        if length > self.size:
            raise self.too_large()
        self.charge(length // _CHUNK + 1)

    def take(self, weight: int) -> None:
        self.room -= weight
        if self.room < 0:
            raise self.too_large()

    def hand_on(self, weight: int) -> None:
        self.whole -= weight
        if self.whole < 0:
            most = self.size * WHOLE
            raise ExpressionTooCostly(f"hands on more than {most:,} bytes")

    def too_long(self) -> ExpressionTooCostly:
        return ExpressionTooCostly(f"takes more than {self.operations:,} operations")

    def too_large(self) -> ExpressionTooCostly:
        return ExpressionTooCostly(f"makes a value larger than {self.size:,} bytes")
