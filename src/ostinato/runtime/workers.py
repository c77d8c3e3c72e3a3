"""Workers elsewhere, as they were heard of by this process: who, which version, when last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ostinato.errors import ProtocolMismatch
from ostinato.ports import Clock

PROTOCOL = 1
"""The number of what is said between workers and servers. Another one is refused."""

MOST = 1_000
"""Workers, and topics, that are remembered: those that were heard of last."""


@dataclass(slots=True)
class Seen:
    """``version`` is empty for a worker that does not say it, as one that is not ours. ``lease`` is
    in ms, and for how long it may say nothing: that of its jobs, and what it waits for them.
    """

    name: str
    topics: tuple[str, ...]
    version: str
    protocol: int
    seen_at: int
    lease: int


class Workers:
    """``version`` is this program's."""

    def __init__(self, clock: Clock, version: str) -> None:
        self._clock = clock
        self.version = version
        self.since = clock.now()
        self._seen: dict[str, Seen] = {}
        self._asked: dict[str, int] = {}

    def asks(
        self, name: str, topics: Iterable[str], version: str, protocol: int, lease: int
    ) -> None:
        """Somebody asks for work. Raises ``ProtocolMismatch``."""
        told = Seen(name, tuple(topics), version, protocol, self._clock.now(), lease)
        self._seen.pop(name, None)
        self._seen[name] = told
        _shorten(self._seen)
        if protocol != PROTOCOL:
            raise ProtocolMismatch(_mismatch(told, self.version))
        for topic in told.topics:
            self._asked.pop(topic, None)
            self._asked[topic] = told.seen_at
        _shorten(self._asked)

    def heard(self, name: str) -> None:
        """It has said something of a job."""
        if (seen := self._seen.get(name)) is not None:
            seen.seen_at = self._clock.now()

    def is_late(self, seen: Seen) -> bool:
        """Nothing was heard of it here for longer than its lease."""
        return self._clock.now() - seen.seen_at > seen.lease

    def all(self) -> list[Seen]:
        """Who was heard of last comes first."""
        return sorted(self._seen.values(), key=lambda one: (-one.seen_at, one.name))

    def asked_at(self, topic: str) -> int | None:
        """When somebody last asked for it; None: nobody since this process began."""
        return self._asked.get(topic)

    def skew(self, seen: Seen) -> str:
        """What is wrong with its version; empty when it is this one's, or none was told."""
        if seen.protocol != PROTOCOL:
            return _mismatch(seen, self.version)
        if seen.version in ("", self.version):
            return ""
        return (
            f"it runs Ostinato {seen.version}, this server {self.version}: they understand each "
            "other, but install one version for both"
        )


def _mismatch(seen: Seen, version: str) -> str:
    told = f"Ostinato {seen.version}" if seen.version else "a program that does not say its version"
    older = "worker" if seen.protocol < PROTOCOL else "server"
    return (
        f"worker {seen.name} runs {told} and speaks protocol {seen.protocol}; this server runs "
        f"Ostinato {version} and speaks protocol {PROTOCOL}: install the newer version on the "
        f"{older}, then start it again"
    )


def _shorten(seen: dict[str, Seen] | dict[str, int]) -> None:
    if len(seen) > MOST:
        del seen[next(iter(seen))]
