"""The verbs about workflows: deploy, list, retire, draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ostinato.app.catalog import DeployedWorkflows, plans_of
from ostinato.app.hub import AtHub, at_hub
from ostinato.app.run import Deployed
from ostinato.core.codec import encode_value
from ostinato.core.outline import outline
from ostinato.core.schedules import Plan
from ostinato.definitions import Document, check, compile, load, read
from ostinato.definitions.calls import Find, finding
from ostinato.definitions.registry import Registry, id_of
from ostinato.definitions.source import too_long
from ostinato.errors import ConflictError, DefinitionError, Overtaken, UsageError
from ostinato.ports import Storage, Version
from ostinato.runtime.planning import Settle
from ostinato.telemetry.logger import logger

log = logger("ostinato.deploying")


class Deploying(AtHub):
    async def deploy(self, document: Any) -> int:
        """The version of a document (a mapping, its text, or the path of a file)."""
        deployed = await self.deploy_documents(
            documents_in(document, self.settings.limits.document)
        )
        return deployed[-1].version

    async def deploy_texts(self, texts: Sequence[bytes]) -> list[Deployed]:
        """Documents by their content, all or none."""
        limit = self.settings.limits.document
        return await self.deploy_documents(
            [each for text in texts for each in load(text, limit=limit)]
        )

    async def update_workflow(self, name: str, text: bytes) -> Deployed:
        """A new version of a workflow that is there; the same content is no new one."""
        row = self._registry.find(name)
        documents = load(text, limit=self.settings.limits.document)
        if [id_of(document.workflow) for document in documents] != [row.workflow_id]:
            found = ", ".join(repr(document.workflow) for document in documents)
            raise UsageError(f"this document is of {found}, not of {row.workflow!r} alone")
        return (await self.deploy_documents(documents))[0]

    async def deploy_part(self, data: dict[str, Any]) -> str:
        """A workflow that Ostinato itself makes; its name."""
        deployed = await self.deploy_documents([read(data)])
        return deployed[0].name

    async def deploy_documents(self, documents: Sequence[Any]) -> list[Deployed]:
        return list(await self._deploy_all([document.data for document in documents]))

    @at_hub
    async def _deploy_all(self, documents: list[dict[str, Any]]) -> list[Deployed]:
        async with self._deploying:
            return await self._deploy_now([read(data) for data in documents])

    async def _deploy_now(self, documents: Sequence[Any]) -> list[Deployed]:
        try:
            return await self._propose(documents)
        except Overtaken:  # whoever led before has deployed something that is not known here
            await self._learn_deployed()
            return await self._propose(documents)

    async def _propose(self, documents: Sequence[Any]) -> list[Deployed]:
        proposals = self._registry.propose(documents, self._clock.now())
        find = finding(documents, self._registry.newest)
        for document in documents:
            self._refuse_broken(document, find)
        rows = [Version(**one.row) for one in proposals if one.new]
        if rows:
            plans = {
                one.row["workflow"]: plans_of(Version(**one.row), one.document) for one in proposals
            }
            await self._settle(plans, lambda: self._add(rows), versions=rows)
            self.service.news.tell("deployed")
        return [self._deployed(Version(**one.row), one.new) for one in proposals]

    def _add(self, rows: Sequence[Version]) -> None:
        self._registry.add(rows)
        self._warned.clear()
        for row in rows:
            self._learn(row)
        self._catalog.refresh()

    def _refuse_broken(self, document: Document, find: Find) -> None:
        errors, _ = check(document, self._handler_names(), find=find)
        if errors:
            more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
            raise DefinitionError(f"{document.workflow}: {errors[0]}{more}", problems=tuple(errors))
        compile(document, self._handler_defaults)

    def _handler_names(self) -> list[str]:
        return list(self.handlers.names())

    async def _settle(
        self,
        plans: Mapping[str, Mapping[str, Plan]],
        then: Callable[[], None],
        *,
        once: bool = False,
        **rows: Any,
    ) -> None:
        """Rows of versions and what they say of schedules, stored and made known as one; ``once``:
        it is all that a verb changes."""
        role = self.service.schedules
        ask = self._ask_once if once else self.service.ask
        await ask(lambda answer: Settle(role, plans, answer, then=then, **rows))

    def _learn(self, row: Version) -> None:
        self._catalog.learn_waits(self._registry.document(row.workflow, row.version))

    def _deployed(self, row: Version, created: bool = False) -> Deployed:
        if (reason := self._registry.unreadable(row.workflow, row.version)) is not None:
            return Deployed(
                id=row.workflow_id,
                name=row.workflow,
                version=row.version,
                created=created,
                created_at=row.created_at,
                description="",
                input_schema=None,
                warnings=[f"this version cannot be read and starts nothing: {reason}"],
            )
        document = self._registry.document(row.workflow, row.version)
        return Deployed(
            id=row.workflow_id,
            name=row.workflow,
            version=row.version,
            created=created,
            created_at=row.created_at,
            description=document.description,
            input_schema=document.input_schema,
            warnings=self._warnings(document, row.version),
        )

    def _warnings(self, document: Document, version: int) -> list[str]:
        """Looked for once, until the handlers or the workflows change."""
        key = (document.workflow, version)
        if key not in self._warned:
            find = finding([document], self._registry.newest)
            _, warnings = check(document, self._handler_names(), find=find)
            told = [str(one) for one in warnings]
            self._warned[key] = [*told, *self._connected.warnings(document)]
        return self._warned[key]

    async def workflows(self) -> list[Deployed]:
        return [self._deployed(row) for row in self._registry.latest()]

    async def workflow(self, name: str, version: int | None = None) -> tuple[Deployed, Version]:
        row = self._registry.find(name, version)
        return self._deployed(row), row

    async def versions(self, name: str) -> list[Version]:
        return self._registry.versions(name)

    @at_hub
    async def delete_workflow(self, name: str) -> None:
        """Found no more and started no more, by events or by the clock; its runs go on."""
        versions = self._registry.versions(name)
        await self._retire(versions, {versions[0].workflow: {}}, once=True)

    @at_hub
    async def delete_version(self, name: str, version: int) -> None:
        """Found no more; its runs go on. Raises ``ConflictError`` for the latest version."""
        row = self._registry.find(name, version)
        latest = self._registry.find(name)
        if row.version == latest.version:
            raise ConflictError(
                f"version {version} is the latest of {row.workflow!r}: delete the workflow, or "
                "deploy another version first"
            )
        await self._retire([row], {}, once=True)

    async def _retire(
        self,
        rows: Sequence[Version],
        plans: Mapping[str, Mapping[str, Plan]],
        *,
        once: bool = False,
    ) -> None:
        def known() -> None:
            self._registry.retire(rows)
            self._catalog.refresh()

        async with self._deploying:
            retired = [(row.workflow, row.version) for row in rows]
            await self._settle(plans, known, once=once, retired=retired)
            self.service.news.tell("deployed")

    @at_hub
    async def _adopt(self, rows: list[Version]) -> None:
        """Have the versions that another store has, under their numbers; nothing is scheduled."""
        async with self._deploying:
            known = self._registry.knows
            if new := [replace(row, retired=False) for row in rows if not known(row)]:
                await self._settle({}, lambda: self._add(new), versions=new)
        if gone := [row for row in rows if self._differs(row)]:
            await self._retire(gone, {})
        self.service.news.tell("deployed")

    def _differs(self, row: Version) -> bool:
        """It is not here, or not as retired as there."""
        registry = self._registry
        return not registry.knows(row) or (row.retired and not registry.is_retired(row))

    async def _learn_deployed(self) -> bool:
        if self.storage.members is None:
            return False
        known = self._deployed_number
        number = await self.storage.deployed()  # first: what comes after it is looked for again
        if number == known:
            return False
        rows = await self.storage.versions()
        registry = self._registry  # which it is only now: it may have been read anew meanwhile
        if new := [row for row in rows if not registry.knows(row)]:
            self._add(new)
        if retired := [row for row in rows if row.retired and not registry.is_retired(row)]:
            registry.retire(retired)
            self._catalog.refresh()
        self._deployed_number = max(number, self._deployed_number or 0)
        return True

    def graph(self, name: str, version: int | None = None) -> dict[str, Any]:
        return outline(self._catalog.graph(*self._catalog.resolve(name, version)))

    async def _read_workflows(self, storage: Storage) -> None:
        self._deployed_number = None if storage.members is None else await storage.deployed()
        rows = await storage.versions()
        limits = self.settings.limits
        self._registry = Registry(
            rows,
            handlers=self._handler_defaults,
            address=self.address,
            here=self.handlers.names(),
            routes=self._connected.routes,
            most_steps=limits.steps,
            most_deaths=limits.abandoned,
            most_depth=limits.call_depth,
            most_output=limits.output,
        )
        self._catalog = DeployedWorkflows(self._registry, limits.input, scheduling=self._scheduling)
        self._catalog.messages = self._connected.read
        for row in rows:
            try:
                self._learn(row)
            except Exception as error:  # written by an older version, or by another hand
                reason = f"{type(error).__name__}: {error}"
                self._registry.leave_out(row.workflow, row.version, reason)
                log.error(
                    "workflow.unreadable",
                    workflow=row.workflow,
                    version=row.version,
                    error=reason,
                    mend="deploy a document that this version reads",
                )
        self._catalog.refresh()


def documents_in(document: Any, limit: int) -> list[Document]:
    """From a mapping, a text, bytes, or the path of a file; ``limit`` is in bytes."""
    if isinstance(document, Mapping):
        found = read(document)
        if (size := len(encode_value(found.data))) > limit:
            raise too_long(size, limit)
        return [found]
    if isinstance(document, Path) or (isinstance(document, str) and _is_path(document)):
        return load(Path(document).read_bytes(), limit=limit)
    if isinstance(document, str | bytes):
        return load(document, limit=limit)
    raise UsageError(f"a document is a map, a text or a path, not {type(document).__name__}")


def _is_path(text: str) -> bool:
    return "\n" not in text and text.endswith((".yaml", ".yml", ".json"))
