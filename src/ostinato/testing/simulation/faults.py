"""What goes wrong, and when: armed by the plan, met by stores and buses, counted when met."""

from __future__ import annotations

from collections import Counter, deque
from random import Random

from ostinato.errors import StoreError
from ostinato.ports import Batch
from ostinato.testing.simulation.loop import VirtualLoop

COMMIT_FAULTS = (
    "commit.error", "commit.lost", "commit.kept", "commit.late", "commit.gone", "commit.odd",
)  # fmt: skip
"""Nothing kept; not known: not kept, kept, kept only later, or kept by a store that then is gone
for a while. ``odd``: the adapter has a bug, and raises what no port allows."""

MEETING = {"find_waits": "read.waits", "early_events": "read.early", "outbox": "outbox.error"}
"""Faults of one read only, when it finds something: there waits and events look for each other, and
what was emitted is sent."""

READ_FAULTS = ("read.error", "read.odd", *MEETING.values())

WINDOWS = ("outage", "slow")

BUS_FAULTS = ("bus.error", "bus.partial", "bus.twice", "bus.hang", "bus.refuses")

ARCHIVE_FAULTS = ("archive.error", "archive.kept")

FALL = "fall"
"""A commit that is kept, and takes its process down before it hears so."""

REDRIVEN, TAKEN, ANSWERED, ASKED = b"redriven", b"taken", b"answered", b"asked"
"""What commits say that write no record: that of a redrive, that of events, one that brings nothing
but answers to what other processes have asked, and one that only asks them."""

FAULTS = (*COMMIT_FAULTS, *READ_FAULTS, *WINDOWS, *BUS_FAULTS, *ARCHIVE_FAULTS)


class AdapterBug(Exception):
    """What no port allows, and no client can tell from a store that has hiccuped."""


class Faults:
    """``met`` counts those that have really happened."""

    def __init__(self, loop: VirtualLoop, random: Random) -> None:
        self._loop = loop
        self._random = random
        self._commits: deque[str] = deque()
        self._upon: list[tuple[bytes, str]] = []
        self._reads: deque[str] = deque()
        self._meetings = {kind: deque[str]() for kind in MEETING.values()}
        self._bus: deque[str] = deque()
        self._archive: deque[str] = deque()
        self._until = dict.fromkeys(WINDOWS, 0.0)
        self._untold = 0
        self._unheard: set[str] = set()
        self.met: Counter[str] = Counter()

    def arm(self, kind: str, amount: float) -> None:
        """``amount``: how many times, or for windows how many seconds."""
        if kind in WINDOWS:
            self._until[kind] = self._loop.time() + amount
            return
        queues = {
            "commit": self._commits, "read": self._reads, "bus": self._bus,
            "archive": self._archive,
        }  # fmt: skip
        queue = (
            queues[kind.partition(".")[0]] if kind not in self._meetings else self._meetings[kind]
        )
        queue.extend([kind] * max(1, int(amount)))

    def expect(self, said: bytes, kind: str, times: int) -> None:
        """``kind`` befalls the next commits with a record that says this: an event does not."""
        self._upon += [(said, kind)] * times

    def lose_answer(self, times: int) -> None:
        """Who takes partitions is not told that it has them."""
        self._untold += times

    def mute(self, word: str) -> None:
        """No process hears hints that begin with it any more."""
        self._unheard.add(word)

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        self._untold = 0
        self._unheard.clear()
        queues = (self._commits, self._reads, self._bus, self._archive, *self._meetings.values())
        for queue in queues:
            queue.clear()
        self._upon.clear()
        self._until = dict.fromkeys(WINDOWS, 0.0)

    def next_commit(self, batch: Batch) -> str:
        for one in self._upon:
            if _says(batch, one[0]):
                self._upon.remove(one)
                self.met[one[1]] += 1
                return one[1]
        return self._next(self._commits)

    def next_read(self, name: str) -> str:
        """``name`` of what is read, if there is any."""
        return self._next(self._meetings.get(MEETING.get(name, "")) or self._reads)

    def next_send(self) -> str:
        return self._next(self._bus)

    def next_export(self) -> str:
        return self._next(self._archive)

    def _next(self, queue: deque[str]) -> str:
        if not queue:
            return ""
        kind = queue.popleft()
        self.met[kind] += 1
        return kind

    def check_reachable(self) -> None:
        if self._until["outage"] > self._loop.time():
            self.met["outage"] += 1
            raise StoreError("the store cannot be reached (simulated); it will come back")

    def next_taking(self) -> bool:
        """Whether the answer is lost."""
        if not self._untold:
            return False
        self._untold -= 1
        self.met["untold"] += 1
        return True

    def is_heard(self, hint: str) -> bool:
        if hint.partition(" ")[0] not in self._unheard:
            return True
        self.met["unheard"] += 1
        return False

    def latency(self) -> float:
        """Seconds that one way to the store takes."""
        seconds = self._random.choice((0.0, 0.000_1, 0.000_3, 0.001, 0.004))
        if self._until["slow"] > self._loop.time():
            self.met["slow"] += 1
            seconds += self._random.random() * 0.2
        return seconds


def _says(batch: Batch, said: bytes) -> bool:
    if batch.records:
        return any(said in record.data for record in batch.records)
    if batch.redriven or batch.events:
        return bool(batch.redriven if said == REDRIVEN else batch.events and said == TAKEN)
    if batch.replies:
        return said == ANSWERED
    return said == ASKED and any(mail is not None for mail in batch.mail.values())
