"""Sending in lots: as many at once as the service takes, and those of one group one by one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ostinato.bus.aws.troubles import Absent, Unfit, entry_error
from ostinato.errors import BusError, UsageError

ENTRIES = 10
"""That one request holds."""
BYTES = 256 << 10
"""That several entries have together; every service and region takes them. A larger one goes
alone."""
LARGEST = 1 << 20
"""Bytes that an entry has, with its attributes."""
AT_ONCE = 8
"""Requests."""


class Entry(NamedTuple):
    """``number`` is its place among the messages; those of one ``group`` keep their order."""

    number: int
    body: dict[str, Any]
    size: int
    group: str | None = None


Send = Callable[[Sequence[Entry]], Awaitable[Mapping[int, Exception]]]
"""One request; why entries were not taken, by their numbers. Raises ``BusError``."""


class Sending:
    """``answers`` has an error for each number that was not taken."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._turn = asyncio.Semaphore(AT_ONCE)
        self.answers: dict[int, Exception] = {}
        self._broken: list[BusError] = []
        self._held: set[str] = set()

    async def all(self, entries: Sequence[Entry]) -> None:
        """Raises ``BusError`` when the service has taken none."""
        for turn in _turns(entries):
            free = [entry for entry in turn if entry.group not in self._held]
            for entry in turn:
                if entry.group in self._held:
                    self.answers[entry.number] = BusError(
                        "one before it of its group was not taken"
                    )
            await asyncio.gather(*(self._chunk(chunk) for chunk in chunks(free)))
        if self._broken and len(self.answers) == len(entries) and self._only_broken(entries):
            raise self._broken[0]

    def _only_broken(self, entries: Sequence[Entry]) -> bool:
        return not any(isinstance(self.answers[one.number], UsageError) for one in entries)

    async def _chunk(self, chunk: Sequence[Entry]) -> None:
        try:
            async with self._turn:
                failed = await self._send(chunk)
        except Unfit as error:
            await self._apart(chunk, error)
        except BusError as error:
            self._broken.append(error)
            self._failed(chunk, {entry.number: error for entry in chunk})
        else:
            self._failed(chunk, failed)

    async def _apart(self, chunk: Sequence[Entry], error: Unfit) -> None:
        """One of them is at fault; halves find it."""
        if len(chunk) == 1:
            self.answers[chunk[0].number] = UsageError(str(error))
            return
        half = len(chunk) // 2
        await self._chunk(chunk[:half])
        await self._chunk(chunk[half:])

    def _failed(self, chunk: Sequence[Entry], failed: Mapping[int, Exception]) -> None:
        """Who comes after one that will be tried again waits for it; a refused one never goes."""
        self.answers.update(failed)
        for entry in chunk:
            why = failed.get(entry.number)
            if entry.group is not None and why is not None and not isinstance(why, UsageError):
                self._held.add(entry.group)


def _turns(entries: Sequence[Entry]) -> list[list[Entry]]:
    """The first of each group, then the second ones: what a service has taken of a request, and
    what not, has no order."""
    turns: list[list[Entry]] = []
    seen: Counter[str] = Counter()
    for entry in entries:
        turn = 0
        if entry.group is not None:
            turn = seen[entry.group]
            seen[entry.group] += 1
        while len(turns) <= turn:
            turns.append([])
        turns[turn].append(entry)
    return turns


def chunks(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    chunk: list[Entry] = []
    size = 0
    for entry in entries:
        if chunk and (len(chunk) == ENTRIES or size + entry.size > BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(entry)
        size += entry.size
    if chunk:
        yield chunk


def check_size(size: int, largest: int = LARGEST) -> None:
    """Raises ``UsageError``."""
    if size > largest:
        raise UsageError(
            f"a message of {size:,} bytes with its attributes; AWS takes {largest:,}: store it "
            "elsewhere and send a link"
        )


async def send_all(
    messages: Sequence[Any], entry: Callable[[int, Any], Entry], send: Send
) -> list[Exception | None]:
    """For each message None, or why it was not taken; ``entry`` raises ``UsageError`` for one that
    cannot be sent at all."""
    entries: list[Entry] = []
    sending = Sending(send)
    refused: dict[int, Exception] = {}
    for number, message in enumerate(messages):
        try:
            entries.append(entry(number, message))
        except UsageError as error:
            refused[number] = error
    await sending.all(entries)
    told = sending.answers | refused
    return [told.get(number) for number in range(len(messages))]


def failures(service: str, answer: Mapping[str, Any]) -> dict[int, Exception]:
    """Of a batch of SQS or SNS, whose entries are called ``msg-NUMBER``."""
    return {
        int(one["Id"].removeprefix("msg-")): entry_error(service, one)
        for one in answer.get("Failed", ())
    }


SendTo = Callable[[str, Sequence[Any]], Awaitable[Sequence[Exception | None]]]


async def to_places(
    messages: Sequence[Any], default: str, send: SendTo
) -> Sequence[Exception | None]:
    """Each where it says, or to ``default``. A place that a message says wrongly will never be
    right; the one of the settings may yet be made."""
    places: dict[str, list[int]] = {}
    for number, message in enumerate(messages):
        places.setdefault(message.place or default, []).append(number)
    answers: list[Exception | None] = [None] * len(messages)
    for place, numbers in places.items():
        told = await _told(send, place, default, messages, numbers)
        for number, why in zip(numbers, told, strict=True):
            answers[number] = why
    first = answers[0] if answers else None
    if isinstance(first, BusError) and all(why is first for why in answers):
        raise first
    return answers


async def _told(
    send: SendTo, place: str, default: str, messages: Sequence[Any], numbers: Sequence[int]
) -> Sequence[Exception | None]:
    why: Exception
    try:
        return await send(place, [messages[number] for number in numbers])
    except Absent as error:
        why = error if place == default else UsageError(error.message)
    except (BusError, UsageError) as error:
        why = error
    return [why] * len(numbers)
