"""Runs that were exported before they were removed: lines of JSON, compressed or not."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ostinato.cli.failure import USAGE, Stop

Data = dict[str, Any]


def exported_run(file: Path, name: str) -> tuple[Data, list[Data]]:
    """The run and its history, by id, unique beginning, uid or ``last``; the later line wins."""
    found: dict[str, Data] = {}
    for line in _lines(file):
        run = line["run"]
        if name in ("last", run["id"], run.get("uid")) or run["id"].startswith(name):
            if name == "last" or name in (run["id"], run.get("uid")):
                found.clear()
            found[run["id"]] = line
    if len(found) > 1:
        raise Stop(f"more than one run in {file} begins with {name!r}", code=USAGE)
    if not found:
        raise Stop(f"there is no run {name!r} in {file}", code=USAGE)
    (line,) = found.values()
    return {"jobs": [], "input": None, "waits": []} | line["run"], line["history"]


def _lines(file: Path) -> Iterator[Data]:
    try:
        with file.open("rb") as data:
            packed = data.read(2) == b"\x1f\x8b"
        with gzip.open(file, "rb") if packed else file.open("rb") as lines:
            for line in lines:
                yield json.loads(line)
    except (OSError, EOFError, ValueError) as error:
        hint = "name a file that [retention] export has made: runs-2027-01-31.jsonl.gz"
        raise Stop(f"{file} cannot be read: {error}", hint=hint, code=USAGE) from error
