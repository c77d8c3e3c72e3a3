"""The tenants of the demo, and the forms in which their events are sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

TYPE = "TENANT_PROVISIONING"
SOURCE = "saas/subscriptions"


class Order(NamedTuple):
    tenant: str
    tier: str
    form: str
    regions: tuple[str, ...] = ("eu",)
    size: str = "M"
    fails: bool = False

    @property
    def id(self) -> str:
        return f"order-{self.tenant}"

    @property
    def data(self) -> dict[str, Any]:
        return {
            "tenant": {"id": self.tenant, "name": self.tenant.title()},
            "planConfig": {"tier": self.tier, "size": self.size},
            "builderConfig": {"type": "CODE_BUILD"},
            "regions": list(self.regions),
        }


ORDERS = (
    Order("acme", "basic", "CloudEvent"),
    Order("globex", "standard", "EventBridge", ("eu", "us", "ap")),
    Order("umbrella", "premium", "{type, data}", ("eu", "us", "ap", "sa")),
    Order("hooli", "premium", "CloudEvent", size="XXL", fails=True),
)
SENT_TWICE = ORDERS[2]
HELD = ("globex", "umbrella")  # their builds end when the story wants them to


def wire(order: Order) -> tuple[dict[str, str], str]:
    """Headers and body."""
    content_type, members = _FORMS[order.form](order)
    return {"content-type": content_type}, json.dumps(members)


def _cloud_event(order: Order) -> tuple[str, dict[str, Any]]:
    members = {"specversion": "1.0", "id": order.id, "source": SOURCE, "type": TYPE}
    return "application/cloudevents+json", {**members, "data": order.data}


def _event_bridge(order: Order) -> tuple[str, dict[str, Any]]:
    members = {"version": "0", "id": order.id, "source": SOURCE, "detail-type": TYPE}
    return "application/json", {**members, "detail": order.data}


def _short(order: Order) -> tuple[str, dict[str, Any]]:
    members = {"id": order.id, "source": SOURCE, "type": TYPE}
    return "application/json", {**members, "data": order.data}


_FORMS: dict[str, Callable[[Order], tuple[str, dict[str, Any]]]] = {
    "CloudEvent": _cloud_event,
    "EventBridge": _event_bridge,
    "{type, data}": _short,
}
