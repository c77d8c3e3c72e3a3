"""A provisioning event, in any form that ARC's services give it, as one order.

The reference application wraps its request once more as ``{type, data}``, the tenant service sends
``{tenant, subscription}``, and a build that reports hands on its environment. Here all are read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ostinato.errors import InvalidInput

SECRETS = ("secret", "context")
"""What the control plane gave for its callback: no builder has a use for it."""

CODE_BUILD = "CODE_BUILD"


def read_order(request: Mapping[str, Any]) -> dict[str, Any]:
    """``{tenantId, tenant, tier, plan, builder, environment, context}``.

    There is no secret in it. Raises ``InvalidInput`` for a request without a tenant or a tier.
    """
    request = _inner(request)
    plan = _plan(request)
    tenant = _tenant(request) | _identity(plan)
    tenant_id, tier = tenant.get("id"), plan.get("tier")
    if not isinstance(tenant_id, str) or not tenant_id:
        raise InvalidInput("the request names no tenant: tenant.id is a text")
    if not isinstance(tier, str) or not tier:
        raise InvalidInput("the request names no tier: planConfig.tier is a text")
    builder = _map(request.get("builderConfig"))
    given = _override(request)
    environment = {name: value for name, value in given.items() if name not in SECRETS}
    return {
        "tenantId": tenant_id,
        "tenant": tenant,
        "tier": tier,
        "plan": plan,
        "builder": builder.get("type") or CODE_BUILD,
        "environment": environment | {"tenant": _compact(tenant)},
        "context": of_callback(request, "context"),
    }


def of_callback(request: Mapping[str, Any], name: str) -> str | None:
    """``secret`` or ``context``, wherever the control plane has put it."""
    request = _inner(request)
    for place in (request, _override(request)):
        if isinstance(found := place.get(name), str) and found:
            return found
    return None


def _inner(request: Any) -> Mapping[str, Any]:
    if not isinstance(request, Mapping):
        raise InvalidInput("the request is a map with tenant, planConfig and builderConfig")
    inner = request.get("data")
    return inner if "tenant" not in request and isinstance(inner, Mapping) else request


def _map(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _override(request: Mapping[str, Any]) -> dict[str, Any]:
    config = _map(_map(request.get("builderConfig")).get("config"))
    return _map(config.get("environmentOverride"))


def _tenant(request: Mapping[str, Any]) -> dict[str, Any]:
    """As a map, or as the JSON text that builds hand on."""
    tenant = request.get("tenant")
    if isinstance(tenant, str):
        try:
            tenant = json.loads(tenant)
        except ValueError:
            raise InvalidInput("tenant is a text that is no JSON") from None
    return _map(tenant)


def _plan(request: Mapping[str, Any]) -> dict[str, Any]:
    plan = request.get("planConfig")
    return _map(_map(request.get("subscription")).get("plan") if plan is None else plan)


def _identity(plan: Mapping[str, Any]) -> dict[str, Any]:
    """The plan's feature IdP says who knows the tenant's users."""
    features = plan.get("features")
    for feature in features if isinstance(features, list) else ():
        if isinstance(feature, Mapping) and feature.get("key") == "IdP":
            chosen = _map(feature.get("value")).get("value") or feature.get("defaultValue")
            return {"identityProvider": chosen}
    return {}


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
