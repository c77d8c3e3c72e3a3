"""Documents as ``check`` sees them: entries with errors and warnings, and how they are told."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from ostinato.cli.failure import FAILED, Stop
from ostinato.definitions.check import check_texts

Entry = dict[str, Any]


def check_files(
    paths: Sequence[Path], handlers: Collection[str] | None = None, strict: bool = False
) -> tuple[list[Entry], bool]:
    """An entry per workflow, and whether every file could be read."""
    unreadable: list[Entry] = []
    texts: list[tuple[str, bytes]] = []
    for path in paths:
        try:
            content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        except OSError as error:
            unreadable.append(_unreadable(path, error))
        else:
            texts.append((str(path), content))
    order = [str(path) for path in paths]
    found = [*unreadable, *check_texts(texts, handlers, strict)]
    return sorted(found, key=lambda entry: order.index(entry["file"])), not unreadable


def _unreadable(path: Path, error: OSError) -> Entry:
    message = f"cannot be read: {error.strerror or error}"
    problem = {"path": "", "line": 0, "column": 0, "message": message}
    return {"file": str(path), "workflow": None, "errors": [problem], "warnings": []}


def told(entry: Entry) -> Iterator[str]:
    """``hello.yaml:3:7: error: phases[0]: message`` and the mend below, as compilers do."""
    for kind in ("errors", "warnings"):
        for problem in entry[kind]:
            yield from _told(entry["file"], kind.removesuffix("s"), problem)


def _told(file: str, kind: str, problem: dict[str, Any]) -> Iterator[str]:
    place = f"{file}:{problem['line']}:{problem['column']}" if problem["line"] else file
    path = f"{problem['path']}: " if problem["path"] else ""
    yield f"{place}: {kind}: {path}{problem['message']}"
    if hint := problem.get("hint"):
        yield f"    {hint}"


def refuse_broken(paths: Sequence[Path]) -> None:
    """Before anything begins: documents with errors stop the command, told like ``check`` does."""
    entries, _ = check_files(paths)
    broken = [entry for entry in entries if entry["errors"]]
    if not broken:
        return
    for entry in broken:
        for line in told(entry | {"warnings": []}):
            print(line, file=sys.stderr)
    count = sum(len(entry["errors"]) for entry in broken)
    errors = "1 error" if count == 1 else f"{count} errors"
    raise Stop(f"{errors} in the documents; nothing of them was taken", code=FAILED)
