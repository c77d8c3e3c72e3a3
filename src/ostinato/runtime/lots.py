"""Messages in hand, and what each of them is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from ostinato.core.cloudevents import Event, Message
from ostinato.errors import UsageError
from ostinato.ports import DeadLetter
from ostinato.ports.buses import Received


class Mouth(Protocol):
    """What messages of one bus mean."""

    def read(self, message: Message) -> Sequence[Event]:
        """The events in it that are wanted: none, when it is none of ours. ``UsageError``: it is
        none, and never will be; any other error may pass."""
        ...

    def letter(self, message: Message, error: Exception) -> DeadLetter: ...


TURN = 0.01
"""Seconds for which messages are read in one go."""


class Lot:
    """Read as often as somebody tries; what has been read stays so."""

    def __init__(self, received: Sequence[Received], mouth: Mouth) -> None:
        self.received = received
        self._mouth = mouth
        self.answered = False
        """Its events are stored."""
        self._found: dict[int, Sequence[Event]] = {}
        self._errors: dict[int, Exception] = {}

    async def read(self) -> bool:
        """Try what is not read; whoever else is at work has a turn now and then. Whether another
        try may help."""
        time = asyncio.get_running_loop().time
        begun = time()
        for number, one in enumerate(self.received):
            if number not in self._found and not _is_final(self._errors.get(number)):
                self._read(number, one.message)
                if time() - begun > TURN:
                    await asyncio.sleep(0)
                    begun = time()
        return not all(map(_is_final, self._errors.values()))

    def fail(self, number: int, error: Exception) -> None:
        """It was read, and cannot be stored."""
        self._found.pop(number, None)
        self._errors[number] = error

    def events_of(self, number: int) -> Sequence[Event]:
        return self._found.get(number, ())

    def _read(self, number: int, message: Message) -> None:
        try:
            self._found[number] = self._mouth.read(message)
        except Exception as error:  # also of an adapter that somebody has written
            self._errors[number] = error
        except BaseException as error:  # an adapter's, too: nothing is awaited here
            self._errors[number] = RuntimeError(repr(error))
        else:
            self._errors.pop(number, None)

    @property
    def events(self) -> list[Event]:
        return [event for found in self._in_order() for event in found]

    def _in_order(self) -> Iterator[Sequence[Event]]:
        for number in range(len(self.received)):
            yield self._found.get(number, ())

    def letters(self) -> list[DeadLetter]:
        """Of what cannot be read."""
        failed = sorted(self._errors.items())
        return [self._mouth.letter(self.received[n].message, error) for n, error in failed]

    @property
    def failed(self) -> int:
        return len(self._errors)

    @property
    def dropped(self) -> int:
        """How many were not wanted."""
        return sum(not found for found in self._found.values())

    def answer(self, answers: Sequence[Any]) -> None:
        """What became of the events, in their order, to whom they came in."""
        told = iter(answers)
        for one, found in zip(self.received, self._in_order(), strict=True):
            one.answers = [next(told) for _ in found]


def _is_final(error: Exception | None) -> bool:
    return isinstance(error, UsageError)
