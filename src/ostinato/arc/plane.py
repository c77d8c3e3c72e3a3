"""ControlPlane: what an app has of ARC. It registers handlers and documents, and runs nothing."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, cast

from ostinato import App, Fail, Job, Later, Retry
from ostinato.arc import results
from ostinato.arc.builders import Build, Builder, Result
from ostinato.arc.builders.environment import texts
from ostinato.arc.callbacks import Callbacks, Webhook, WebhookHandler, provisioned
from ostinato.arc.orders import of_callback, read_order
from ostinato.arc.outgoing import Caller, CallFailed, CallRefused, report
from ostinato.arc.secrets import issue, secret_of
from ostinato.arc.tenants import RunTenants, TenantStore
from ostinato.arc.vocabulary import TenantStatus, WebhookType, tenant_status
from ostinato.errors import (
    ConflictError,
    InvalidInput,
    NotFoundError,
    NothingIsRunning,
    SettingsError,
    StoreError,
    UsageError,
)
from ostinato.ports import Page, RunQuery
from ostinato.telemetry.logger import logger

log = logger("ostinato.arc")

TierDetails = Callable[[str], "Mapping[str, Any] | Awaitable[Mapping[str, Any]]"]
Users = Callable[[Mapping[str, Any], Mapping[str, Any]], Awaitable[str]]


class ControlPlane:
    """``tiers``: by tier, ``{jobName, …}``, or a function of it; ``builders``: by the ``type`` of a
    builderConfig; ``tenants``: where their data is kept. ``transport``: see ``outgoing.Caller``.

    Handlers for documents: ``arc.order``, ``arc.tier``, ``arc.keep``, ``arc.kept``, ``arc.build``,
    ``arc.request``, ``arc.tell``, ``arc.call``, ``arc.report``.
    """

    def __init__(
        self,
        app: App,
        *,
        tiers: Mapping[str, Mapping[str, Any]] | TierDetails | None = None,
        builders: Mapping[str, Builder] | None = None,
        tenants: TenantStore | None = None,
        transport: Any = None,
    ) -> None:
        if ControlPlane in app.mounted:
            raise UsageError("this app has a ControlPlane already")
        app.mounted[ControlPlane] = self
        self.app = app
        self.builders = dict(builders or {})
        self.tenants = tenants if tenants is not None else RunTenants(app)
        self.callbacks = Callbacks(app)
        self._tiers = tiers
        self.transport = transport
        self._users: Users | None = None
        self.callbacks.handlers[WebhookType.RESOURCES_PROVISIONED] = provisioned
        app.workflow_document(results.DOCUMENT)
        for name in ("order", "tier", "keep", "kept", "build", "request", "tell", "call", "report"):
            app.handler(f"arc.{name}")(getattr(self, f"_{name}"))

    @staticmethod
    def of(app: App) -> ControlPlane | None:
        return cast("ControlPlane | None", app.mounted.get(ControlPlane))

    # what an application says

    def on_webhook(self, type: int) -> Callable[[WebhookHandler], WebhookHandler]:
        """Register the handler of a webhook's numeric ``type``; one that is there is replaced."""

        def register(handler: WebhookHandler) -> WebhookHandler:
            self.callbacks.handlers[int(type)] = handler
            return handler

        return register

    def on_users(self, users: Users) -> Users:
        """Register what ``POST /manage/users`` calls with tenant and plan; it gives an authId."""
        self._users = users
        return users

    async def manage_users(self, said: Mapping[str, Any]) -> dict[str, str]:
        """Without a handler the authId is empty, as for a provider that is not known."""
        if self._users is None:
            return {"authId": ""}
        return {"authId": await self._users(said["tenant"], said.get("plan") or {})}

    async def status(self, tenant_id: str, setting_up: str, taking_down: str) -> TenantStatus:
        """By the newest run of these two workflows with the tenant's id as uid.

        Raises ``NotFoundError`` for a tenant that none of them knows.
        """
        heads = []
        for workflow in (setting_up, taking_down):
            heads += await self.app.runs(RunQuery(workflow=workflow, uid=tenant_id), Page(1))
        if not heads:
            raise NotFoundError(f"there is no tenant {tenant_id!r}")
        newest = max(heads, key=lambda head: head.run_id)
        return tenant_status(newest.status, leaving=newest.workflow == taking_down)

    # the handlers

    async def _order(self, request: dict[str, Any]) -> dict[str, Any]:
        order: dict[str, Any] = _final(lambda: read_order(request))
        return order

    async def _tier(self, tier: str) -> dict[str, Any]:
        """What is known of a tier, with its ``jobIdentifier``."""
        found = await self._details(tier)
        if not isinstance(found, Mapping):
            raise Fail(f"there is no tier {tier!r}", "UnknownTier")
        details = dict(found)
        job = details.get("jobIdentifier") or details.get("jobName")
        if not isinstance(job, str) or not job:
            raise Fail(f"the tier {tier!r} names no job: jobName is missing", "UnknownTier")
        return details | {"jobIdentifier": job}

    async def _details(self, tier: str) -> Any:
        if self._tiers is None:
            return {"jobIdentifier": f"{tier}-job"}
        if isinstance(self._tiers, Mapping):
            return self._tiers.get(tier)
        found = self._tiers(tier)
        return await found if inspect.isawaitable(found) else found

    async def _keep(self, tenant_id: str, data: dict[str, Any]) -> None:
        await self.tenants.put(tenant_id, data)

    async def _kept(self, tenant_id: str) -> dict[str, Any]:
        found = await self.tenants.get(tenant_id)
        if found is None:
            raise Fail(f"nothing is kept of tenant {tenant_id!r}", "UnknownTenant")
        return found

    async def _build(
        self, builder: str, tier: dict[str, Any], environment: dict[str, Any], job: Job
    ) -> Later:
        """Start the tier's job, and see it through: a job with ``callback: true``.

        Whoever is first ends it: a report under its token, or the builder that has looked.
        """
        if builder not in self.builders:
            known = ", ".join(sorted(self.builders)) or "none"
            raise Fail(f"no builder is set for {builder!r}; known are {known}", "UnknownBuilder")
        more = {
            name: value for name, value in tier.items() if name not in ("jobIdentifier", "tier")
        }
        given = _final(lambda: texts({**more, **environment}))
        build = Build(
            tier["jobIdentifier"], given, job.idempotency_key, job.token, job.callback_url
        )
        try:
            result = await self.builders[builder].run(build)
        except (InvalidInput, UsageError, SettingsError) as error:
            raise Fail(str(error), type(error).__name__) from error
        if result is not None:
            await self._over(job, result)
        return Later()

    async def _over(self, job: Job, result: Result) -> None:
        """A builder forgets its build when that is stored, or the job is over; not when it could
        not be stored, as the next attempt asks again."""
        try:
            await self._end(job, result.as_output())
        except asyncio.CancelledError:
            await asyncio.shield(result.forget())
            raise
        await asyncio.shield(result.forget())

    async def _end(self, job: Job, output: dict[str, Any]) -> None:
        """Where the engine is in another process, by the way that a build has, too."""
        try:
            with contextlib.suppress(ConflictError):
                await self.app.answer(job.token, output=output)
        except (NothingIsRunning, StoreError):
            await report(job.callback_url, output)

    async def _request(
        self, type: str, data: dict[str, Any], job: Job, bus: str | None = None
    ) -> Later:
        """Ask the orchestrator for something about a tenant, and wait for the control plane's
        webhook: a job with ``callback: true``, in a run whose uid is the tenant's id."""
        issued = _final(lambda: issue(self.app.settings, job.token))
        if not job.uid:
            raise Fail("this run has no uid; it is the tenant's id: uid: …tenant.id", "NoInitiator")
        given = {"context": issued.context}
        if self.app.settings.arc.send_secret:
            given["secret"] = issued.secret
        sent = _with_environment(data, given)
        await self.app.producer(bus or self.app.settings.arc.bus).send(
            type, sent, id=job.idempotency_key, source="CONTROL-PLANE", subject=job.uid
        )
        return Later()

    async def _tell(
        self,
        initiator: str,
        status: int,
        job: Job,
        resources: list[Any] | None = None,
        app_plane_url: str | None = None,
        context: str | None = None,
        url: str | None = None,
    ) -> Any:
        """The control plane's webhook: what has become of its request."""
        context = context or self._given(job, "context")
        secret = self._given(job, "secret")
        if not context:
            raise Fail("the request had no context, so nobody waits for a webhook", "NoContext")
        data: dict[str, Any] = {"status": status, "resources": resources or []}
        if app_plane_url:
            data["appPlaneUrl"] = app_plane_url
        body = {"initiatorId": initiator, "type": WebhookType.RESOURCES_PROVISIONED, "data": data}
        address = url or f"{self.app.settings.arc.control_plane or self.app.address}/webhook"
        secret = secret or _final(partial(secret_of, self.app.settings, context))
        return await self._posted(address, body, secret, context)

    async def _call(
        self, url: str, body: dict[str, Any], job: Job, context: str | None = None
    ) -> Any:
        """A POST with the signature of callbacks (no context in it); its answer."""
        context = context or self._given(job, "context")
        secret = self._given(job, "secret")
        if not (secret or context):
            raise Fail("the request had no context, so nothing can be signed", "NoContext")
        secret = secret or _final(lambda: secret_of(self.app.settings, str(context)))
        return await self._posted(url, body, secret, "")

    async def _posted(self, url: str, body: Any, secret: str, context: str) -> Any:
        arc = self.app.settings.arc
        caller = Caller(arc.signature_header, arc.timestamp_header, self.app.now, self.transport)
        try:
            return await caller.post(url, body, secret, context)
        except CallRefused as error:
            raise Fail(str(error), "CallRefused") from error
        except CallFailed as error:
            if error.after is None:
                raise
            return Retry(error.after, str(error))

    def _given(self, job: Job, name: str) -> str | None:
        """Of the event that started the run: a secret is in no other place of its history."""
        data = (job.trigger or {}).get("data")
        return of_callback(data, name) if isinstance(data, Mapping) else None

    async def _report(self, type: str, data: dict[str, Any]) -> dict[str, Any]:
        report = results.read_report(type, data)
        if report is None:
            return {"matched": False, "why": "it has no token of ours"}
        try:
            await self.app.answer(report.token, output=report.result.as_output())
        except (ConflictError, NotFoundError) as error:
            log.warning("arc.report_too_late", why=error.message)
            return {"matched": False, "why": error.message}
        return {"matched": True}


def _final(make: Callable[[], Any]) -> Any:
    """What is wrong with a request, or with the settings, is so at the next attempt, too."""
    try:
        return make()
    except (InvalidInput, SettingsError) as error:
        raise Fail(str(error), type(error).__name__) from error


def _with_environment(data: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """As the reference application writes it: also where its builds look for it."""
    builder = dict(data.get("builderConfig") or {})
    config = dict(builder.get("config") or {})
    config["environmentOverride"] = {**(config.get("environmentOverride") or {}), **given}
    return {**data, **given, "builderConfig": {**builder, "config": config}}


__all__ = ["ControlPlane", "TierDetails", "Users", "Webhook"]
