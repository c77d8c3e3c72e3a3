"""Versions of workflows: which document a name means, and the graph it makes.

Pure: rows come from the store and go to it in the caller's hands. Deploying has two steps, because
a version is one only when it is stored: ``propose`` says which rows there would be, the caller
commits them, ``add`` makes them known. Nothing else may be proposed between the two.

``-`` and ``_`` are the same in a name. A retired version is found no more, and a workflow without
others neither; runs that have started with it still load it.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from ostinato.core.graph import Graph
from ostinato.core.routes import Routes
from ostinato.definitions.compile import HandlerDefaults, compile
from ostinato.definitions.document import Document, TriggerSpec
from ostinato.definitions.input import Check, input_check
from ostinato.definitions.load import read
from ostinato.definitions.reader import nearest
from ostinato.errors import WorkflowNotFound, WorkflowVersionNotFound

__all__ = ["Proposal", "Registry", "Row", "digest_of", "id_of"]

_NAMESPACE = uuid.UUID("8d4ae1f2-93c8-5b0e-a8a4-0f3a5f7c21b6")  # workflow ids are made in it


class Row(Protocol):
    """One stored version, as ``ports.Version``; ``document`` is JSON."""

    @property
    def workflow(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def digest(self) -> str: ...
    @property
    def document(self) -> bytes: ...
    @property
    def created_at(self) -> int: ...
    @property
    def workflow_id(self) -> str: ...
    @property
    def retired(self) -> bool: ...


R = TypeVar("R", bound=Row)
Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Proposal:
    """``row`` has the members of ``ports.Version``; ``new`` is false when it is stored already."""

    document: Document
    row: dict[str, Any]
    new: bool


def digest_of(document: Document) -> str:
    """Equal for equal content: the order of members, layout and comments do not count."""
    content = msgspec.json.encode(document.data, order="deterministic")
    return hashlib.sha256(content).hexdigest()


def id_of(workflow: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, _plain(workflow)))


def _plain(name: str) -> str:
    return name.replace("-", "_")


class Registry(Generic[R]):
    """``address`` is where callbacks arrive, ``here`` holds the names of handlers that are in this
    process (None: all are), ``routes`` say where emitted events go; graphs that are loaded carry
    them."""

    def __init__(
        self,
        rows: Iterable[R] = (),
        *,
        handlers: Mapping[str, HandlerDefaults] | None = None,
        address: str = "",
        here: Container[str] | None = None,
        routes: Routes | None = None,
        most_steps: int = 100_000,
        most_deaths: int = 3,
        most_depth: int = 50,
        most_output: int = 20 << 20,
    ) -> None:
        self.handlers = handlers or {}
        self.address = address
        self.here = here
        self.routes = routes or Routes()
        self.most_steps = most_steps
        self.most_deaths = most_deaths
        self.most_depth = most_depth
        self.most_output = most_output
        self._rows: dict[str, dict[int, R]] = {}
        self._names: dict[str, str] = {}  # plain name or id → plain name
        self._retired: set[Key] = set()
        self._unreadable: dict[Key, str] = {}
        self._documents: dict[Key, Document] = {}
        self._graphs: dict[Key, Graph] = {}
        self._checks: dict[Key, Check] = {}
        self.add(rows)

    def propose(self, documents: Sequence[Document], now: int) -> list[Proposal]:
        """What deploying these would store; those with ``new`` are to be committed, then added."""
        made: dict[str, Proposal] = {}
        proposals = []
        for document in documents:
            plain = _plain(document.workflow)
            proposal = self._propose(document, plain, made.get(plain), now)
            made[plain] = proposal
            proposals.append(proposal)
        return proposals

    def _propose(
        self, document: Document, plain: str, earlier: Proposal | None, now: int
    ) -> Proposal:
        versions = self._rows.get(plain, {})
        latest = versions[max(versions)] if versions else None
        last = _members(latest) if earlier is None and latest is not None else None
        if earlier is not None:
            last = earlier.row
        digest = digest_of(document)
        gone = earlier is None and latest is not None and (plain, latest.version) in self._retired
        if last is not None and last["digest"] == digest and not gone:
            return Proposal(document, last, earlier is not None and earlier.new)
        row = {
            "workflow": document.workflow if last is None else last["workflow"],
            "version": 1 if last is None else last["version"] + 1,
            "digest": digest,
            "document": msgspec.json.encode(document.data),
            "created_at": now,
            "workflow_id": id_of(document.workflow) if last is None else last["workflow_id"],
        }
        return Proposal(document, row, True)

    def add(self, rows: Iterable[R]) -> None:
        """Stored versions, retired ones too."""
        for row in rows:
            plain = _plain(row.workflow)
            self._rows.setdefault(plain, {})[row.version] = row
            self._names[plain] = self._names[row.workflow_id] = plain
            if row.retired:
                self._retired.add((plain, row.version))
            else:
                self._retired.discard((plain, row.version))

    def retire(self, rows: Iterable[R]) -> None:
        """These versions are found no more."""
        self._retired.update((_plain(row.workflow), row.version) for row in rows)

    def knows(self, row: R) -> bool:
        """Also as retired or not, as it is stored."""
        plain = _plain(row.workflow)
        there = row.version in self._rows.get(plain, {})
        return there and (row.retired or (plain, row.version) not in self._retired)

    def is_retired(self, row: R) -> bool:
        return (_plain(row.workflow), row.version) in self._retired

    def _found(self, plain: str) -> dict[int, R]:
        """The versions that are not retired."""
        return {
            number: row
            for number, row in self._rows.get(plain, {}).items()
            if (plain, number) not in self._retired
        }

    def find(self, name: str, version: int | None = None) -> R:
        """By name, by id, or by ``key:version:uuid`` as engines of old wrote it."""
        plain = self._names.get(name) or self._names.get(_plain(name))
        if plain is None and name.count(":") == 2:
            key, written, _ = name.split(":")
            if _plain(key) in self._names and written.isdigit():
                return self.find(key, int(written) if version is None else version)
        if plain is None or not self._found(plain):
            raise self._not_found(name)
        return self._version(plain, self._found(plain), version)

    def _version(self, plain: str, versions: dict[int, R], version: int | None) -> R:
        latest = max(versions)
        if version is not None and version not in versions:
            name = versions[latest].workflow
            raise WorkflowVersionNotFound(
                f"workflow {name!r} has no version {version}; the latest is {latest}",
                workflow=name,
                version=version,
                latest=latest,
            )
        return versions[latest if version is None else version]

    def _not_found(self, name: str) -> WorkflowNotFound:
        known = [row.workflow for row in self.latest()]
        hint = nearest(name, known).replace("`", "'")
        if not hint:
            hint = "none is deployed" if not known else "known are " + ", ".join(sorted(known)[:10])
        return WorkflowNotFound(f"no workflow is called {name[:100]!r}: {hint}", workflow=name)

    def latest(self) -> list[R]:
        """The newest version of each workflow that is not retired, by name."""
        found = [self._found(plain) for plain in self._rows]
        rows = [versions[max(versions)] for versions in found if versions]
        return sorted(rows, key=lambda row: row.workflow)

    def versions(self, name: str) -> list[R]:
        """Every version of a workflow, newest first."""
        plain = _plain(self.find(name).workflow)
        found = self._found(plain)
        return [found[number] for number in sorted(found, reverse=True)]

    def readable(self) -> Iterator[R]:
        """The newest versions that start runs now."""
        for row in self.latest():
            if self.unreadable(row.workflow, row.version) is None:
                yield row

    def triggers(self) -> Iterator[tuple[R, TriggerSpec]]:
        """What starts runs now: of the newest versions only."""
        for row in self.readable():
            for trigger in self.document(row.workflow, row.version).triggers:
                yield row, trigger

    def leave_out(self, workflow: str, version: int, reason: str) -> None:
        """A stored version that cannot be read: it is listed, and starts nothing."""
        self._unreadable[_plain(workflow), version] = reason

    def names(self) -> list[str]:
        """Of every workflow that was ever stored, retired ones too."""
        return [next(iter(versions.values())).workflow for versions in self._rows.values()]

    def unreadable_names(self) -> list[str]:
        """Workflows of which some version cannot be read."""
        plains = {plain for plain, _ in self._unreadable}
        return [name for name in self.names() if _plain(name) in plains]

    def unreadable(self, workflow: str, version: int) -> str | None:
        return self._unreadable.get((_plain(workflow), version))

    # what is made of a version; retired workflows included

    def document(self, workflow: str, version: int) -> Document:
        key = self._key(workflow, version)
        if key not in self._documents:
            self._documents[key] = read(msgspec.json.decode(self._rows[key[0]][version].document))
        return self._documents[key]

    def graph(self, workflow: str, version: int) -> Graph:
        key = self._key(workflow, version)
        if key not in self._graphs:
            graph = compile(self.document(workflow, version), self.handlers, version)
            graph.workflow = self._rows[key[0]][version].workflow
            graph.address, graph.here = self.address, self.here
            graph.routes = self.routes
            graph.most_steps, graph.most_deaths = self.most_steps, self.most_deaths
            graph.most_depth = self.most_depth
            graph.most_output = self.most_output
            self._graphs[key] = graph
        return self._graphs[key]

    def newest(self, name: str) -> Document | None:
        """The newest document of a name; None when there is none that can be read."""
        plain = self._names.get(name) or self._names.get(_plain(name))
        versions = self._found(plain) if plain is not None else {}
        if plain is None or not versions or (plain, max(versions)) in self._unreadable:
            return None
        return self.document(plain, max(versions))

    def input_check(self, workflow: str, version: int) -> Check:
        key = self._key(workflow, version)
        if key not in self._checks:
            self._checks[key] = input_check(self.document(workflow, version).input_schema)
        return self._checks[key]

    def invalidate(self, handlers: Mapping[str, HandlerDefaults] | None = None) -> None:
        """Handlers have changed: graphs are made anew. Runs in memory keep the one they have."""
        if handlers is not None:
            self.handlers = handlers
        self._graphs.clear()

    def _key(self, workflow: str, version: int) -> Key:
        plain = self._names.get(workflow) or self._names.get(_plain(workflow))
        if plain is None:
            raise self._not_found(workflow)
        self._version(plain, self._rows[plain], version)
        return plain, version


def _members(row: Row) -> dict[str, Any]:
    return {
        "workflow": row.workflow,
        "version": row.version,
        "digest": row.digest,
        "document": row.document,
        "created_at": row.created_at,
        "workflow_id": row.workflow_id,
    }
