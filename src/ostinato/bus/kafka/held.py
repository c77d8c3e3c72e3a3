"""What a consumer has in hand of one partition."""

from __future__ import annotations

from collections import deque

from confluent_kafka import TopicPartition


class Held:
    """One partition that is ours: what was given out of it, and what of that is done."""

    __slots__ = ("done", "given", "ours", "partition", "topic")

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.ours = True
        self.given: deque[int] = deque()
        self.done: set[int] = set()

    def finish(self, offset: int) -> None:
        if self.ours and self.given and self.given[0] <= offset:
            self.done.add(offset)

    def reached(self) -> TopicPartition | None:
        """Where the group goes on, when all before it is done; None: nowhere else."""
        last = None
        while self.given and self.given[0] in self.done:
            last = self.given.popleft()
            self.done.discard(last)
        return None if last is None else TopicPartition(self.topic, self.partition, last + 1)

    def back_to(self, offset: int) -> TopicPartition:
        while self.given and self.given[-1] >= offset:
            self.done.discard(self.given.pop())
        return TopicPartition(self.topic, self.partition, offset)
