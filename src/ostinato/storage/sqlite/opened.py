"""What a store has while it is open, beside the connection that writes: readers, and threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ostinato.storage.sqlite import connection

STEPS = 10_000
"""Instructions of SQLite after which a list looks whether the store closes: about 0.1 ms."""


class Opened:
    def __init__(self, file: Path) -> None:
        self.aside = connection.reader(file)
        self.lists = connection.reader(file)
        self.closing = False
        # Asked as it goes: an interrupt that comes before the statement has begun is lost.
        self.lists.set_progress_handler(lambda: self.closing, STEPS)
        self.writing = ThreadPoolExecutor(1, "sqlite-write")
        self.listing = ThreadPoolExecutor(1, "sqlite-list")

    def close(self) -> None:
        self.closing = True  # nobody waits for a list of a store that closes
        self.writing.shutdown()
        self.listing.shutdown(cancel_futures=True)
        self.aside.close()
        self.lists.close()
