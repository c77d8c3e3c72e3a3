"""ARC's SaaS control plane, on either side of the bus: an app mounts it.

    app = App()
    arc = ControlPlane(app, tiers={"premium": {"jobName": "silo"}}, builders={"JENKINS": …})

It brings handlers for workflow documents (``arc.order``, ``arc.tier``, ``arc.build``, ``arc.tell``
…) and answers the control plane's routes.

plane       ControlPlane: the handlers, and what an application says of them
vocabulary  event types, status numbers
orders      a provisioning event in any of its forms, as one order
tenants     the port of the tenant data store, and the one in this engine's own store
secrets     the secret and context of a run
callbacks   signed calls that come in
refusals    who guesses is kept waiting
outgoing    signed calls that go out
results     what builders say on a bus, matched to the job that waits
builders    CodeBuild, Jenkins, a process here, a container, HTTP
"""

from ostinato.arc.builders import Build, Builder, Result
from ostinato.arc.builders.code_build import CodeBuild
from ostinato.arc.builders.container import Container
from ostinato.arc.builders.http import HttpBuilder
from ostinato.arc.builders.jenkins import Jenkins
from ostinato.arc.builders.process import LocalProcess
from ostinato.arc.callbacks import UnknownType, Webhook
from ostinato.arc.plane import ControlPlane
from ostinato.arc.refusals import Refusals, TooMany
from ostinato.arc.tenants import RunTenants, TenantStore
from ostinato.arc.vocabulary import EventTypes, TenantStatus, WebhookStatus, WebhookType

__all__ = [
    "Build",
    "Builder",
    "CodeBuild",
    "Container",
    "ControlPlane",
    "EventTypes",
    "HttpBuilder",
    "Jenkins",
    "LocalProcess",
    "Refusals",
    "Result",
    "RunTenants",
    "TenantStatus",
    "TenantStore",
    "TooMany",
    "UnknownType",
    "Webhook",
    "WebhookStatus",
    "WebhookType",
]
