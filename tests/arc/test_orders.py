"""A provisioning event in each of its forms is one order, and no order holds a secret."""

import json

import pytest

from ostinato.arc.orders import of_callback, read_order
from ostinato.errors import InvalidInput

TENANT = {"id": "t-1", "name": "Ada"}
PLAN = {"tier": "basic"}
OVERRIDE = {"size": "M", "secret": "hush", "context": "ctx-1"}
PLAIN = {
    "tenant": TENANT, "planConfig": PLAN,
    "builderConfig": {"type": "JENKINS", "config": {"environmentOverride": OVERRIDE}},
}  # fmt: skip
FORMS = {
    "as the reference consumer reads it": PLAIN,
    "one level deeper, as the sandbox sends it": {"type": "TENANT_PROVISIONING", "data": PLAIN},
    "with the tenant as text": PLAIN | {"tenant": json.dumps(TENANT)},
    "as the tenant service publishes it": {
        "type": "TENANT_PROVISIONING", "tenant": TENANT, "secret": "hush", "context": "ctx-1",
        "subscription": {"id": "s-1", "plan": PLAN},
        "builderConfig": {"type": "JENKINS", "config": {"environmentOverride": {"size": "M"}}},
    },
}  # fmt: skip


@pytest.mark.seed("A57")
@pytest.mark.parametrize("request_", FORMS.values(), ids=FORMS)
def test_every_form_is_the_same_order(request_):
    order = read_order(request_)
    assert order == {
        "tenantId": "t-1", "tenant": TENANT, "tier": "basic", "plan": PLAN, "builder": "JENKINS",
        "environment": {"size": "M", "tenant": '{"id":"t-1","name":"Ada"}'}, "context": "ctx-1",
    }  # fmt: skip
    assert of_callback(request_, "secret") == "hush"
    assert "hush" not in json.dumps(order)


def test_without_a_builder_it_is_code_build():
    order = read_order({"tenant": TENANT, "planConfig": PLAN})
    assert (order["builder"], order["context"]) == ("CODE_BUILD", None)


@pytest.mark.parametrize(
    ("feature", "known"),
    [({"key": "IdP", "value": {"value": "keycloak"}, "defaultValue": "auth0"}, "keycloak"),
     ({"key": "IdP", "defaultValue": "auth0"}, "auth0"),
     ({"key": "IdP", "value": None, "defaultValue": "auth0"}, "auth0")],
    ids=["overridden", "default", "null"],
)  # fmt: skip
def test_the_plan_says_who_knows_the_users(feature, known):
    plan = PLAN | {"features": [{"key": "size"}, feature]}
    order = read_order({"tenant": TENANT, "planConfig": plan})
    assert order["tenant"]["identityProvider"] == known
    assert json.loads(order["environment"]["tenant"])["identityProvider"] == known


@pytest.mark.parametrize(
    ("request_", "said"),
    [([], "is a map"), ({}, "tenant.id"), ({"tenant": TENANT}, "planConfig.tier"),
     ({"tenant": {"id": 7}, "planConfig": PLAN}, "tenant.id"),
     ({"tenant": "{", "planConfig": PLAN}, "no JSON"),
     ({"tenant": TENANT, "planConfig": "basic"}, "planConfig.tier"),
     ({"tenant": TENANT, "planConfig": {"tier": ""}}, "planConfig.tier")],
    ids=["list", "nothing", "no plan", "number", "broken text", "text", "empty"],
)  # fmt: skip
def test_what_is_no_request_says_what_is_missing(request_, said):
    with pytest.raises(InvalidInput, match=said):
        read_order(request_)
