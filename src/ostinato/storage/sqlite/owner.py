"""Exactly one process owns a store's file: an operating-system lock on ``<file>.lock``.

The kernel frees it when the process dies, however it dies, so a restart goes on at once. The lock
file is never removed: whoever had it open would hold a lock that the next one cannot see.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any
from weakref import WeakSet

from ostinato.errors import StoreError, StoreLocked


class Owner:
    """``address`` is where this process can be talked to, for those who are turned away."""

    def __init__(self, file: Path, address: str | None = None) -> None:
        self._file = file
        self._path = file.with_name(file.name + ".lock")
        self._address = address
        self._descriptor: int | None = None

    def take(self) -> None:
        descriptor = self._open()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            other = _read(descriptor)
            os.close(descriptor)
            raise _locked(self._file, other) from error
        self._descriptor = descriptor
        _held.add(self)
        self._introduce()

    def announce(self, address: str) -> None:
        """The address may be known only after the file was opened."""
        self._address = address
        if self._descriptor is not None:
            self._introduce()

    def release(self) -> None:
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            self.forget()

    def forget(self) -> None:
        """Without a word in the file: a forked child must not keep its parent's lock alive."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        _held.discard(self)

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreError(_cannot_lock(self._path, error)) from error

    def _introduce(self) -> None:
        assert self._descriptor is not None  # noqa: S101
        about = {"pid": os.getpid(), "address": self._address, "since": int(time.time() * 1000)}
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, json.dumps(about).encode(), 0)
        except OSError:  # a full disk; the lock holds all the same, only its owner has no name
            pass


def _read(descriptor: int) -> dict[str, Any]:
    """Nothing when the owner has not written yet, or somebody else wrote into the file."""
    try:
        about = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:
        return {}
    return about if isinstance(about, dict) else {}


def _locked(file: Path, other: dict[str, Any]) -> StoreLocked:
    pid, address = other.get("pid"), other.get("address")
    who = f"process {pid}" if pid else "another process"
    at = f" ({address})" if address else ""
    talk = f"talk to it at {address}" if address else "talk to it over its address"
    return StoreLocked(
        f"{file} is in use by {who}{at}; {talk}, stop it, or choose another store",
        pid=pid,
        address=address,
    )


def _cannot_lock(path: Path, error: OSError) -> str:
    return (
        f"{path} cannot be opened: {error.strerror}; choose a store in a directory that exists "
        "and that this user may write to"
    )


_held: WeakSet[Owner] = WeakSet()


def _forget_all() -> None:
    for owner in list(_held):
        owner.forget()


os.register_at_fork(after_in_child=_forget_all)


def inode(file: Path) -> tuple[int, int] | None:
    """Which file this is, whatever it is called; None when it is gone."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino
