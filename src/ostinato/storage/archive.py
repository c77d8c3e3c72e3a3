"""Runs before they are removed: one file of JSON Lines per day, compressed, in one directory.

Lines are added as a gzip member of their own, and synced. What a crash left half written at the end
is cut off before more is added: those lines were not promised, and their runs are still there.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

from ostinato.errors import StoreError

_GZIP = 31  # zlib's word for "with a gzip header"
_PART = 1 << 20


class FolderArchive:
    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser()
        self._whole: set[Path] = set()

    async def keep(self, day: str, lines: Sequence[bytes]) -> None:
        await asyncio.to_thread(self._keep, self.folder / f"runs-{day}.jsonl.gz", lines)

    def _keep(self, file: Path, lines: Sequence[bytes]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if file not in self._whole and file.exists():
                cut_off(file)
            new = not file.exists()
            self._whole.discard(file)  # until this member is whole, too
            _append(file, gzip.compress(b"".join(line + b"\n" for line in lines), mtime=0))
            self._whole.add(file)
            if new:
                _sync(self.folder)
        except OSError as error:
            raise StoreError(
                f"{file}: runs cannot be exported, so none is removed: {error}; make room, or let "
                "this user write there, or choose another directory (retention.export)"
            ) from error


def _append(file: Path, data: bytes) -> None:
    with file.open("ab") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cut_off(file: Path) -> None:
    """Leaves the members that are whole."""
    whole = whole_bytes(file)
    if whole < file.stat().st_size:
        os.truncate(file, whole)


def whole_bytes(file: Path) -> int:
    """Where the last whole member ends."""
    whole = read = 0
    member = zlib.decompressobj(_GZIP)
    with file.open("rb") as data:
        while part := data.read(_PART):
            read += len(part)
            while part:
                try:
                    member.decompress(part)
                except zlib.error:
                    return whole
                part = member.unused_data
                if member.eof:
                    whole = read - len(part)
                    member = zlib.decompressobj(_GZIP)
    return whole
