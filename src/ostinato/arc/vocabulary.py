"""The words and numbers of ARC's services."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class EventTypes(StrEnum):
    """``DefaultEventTypes``. The set is open: an event may have any other type as well."""

    TENANT_PROVISIONING = "TENANT_PROVISIONING"
    TENANT_PROVISIONING_SUCCESS = "TENANT_PROVISIONING_SUCCESS"
    TENANT_PROVISIONING_FAILURE = "TENANT_PROVISIONING_FAILURE"
    TENANT_DEPLOYMENT = "TENANT_DEPLOYMENT"
    TENANT_DEPLOYMENT_SUCCESS = "TENANT_DEPLOYMENT_SUCCESS"
    TENANT_DEPLOYMENT_FAILURE = "TENANT_DEPLOYMENT_FAILURE"
    TENANT_DEPROVISIONING = "TENANT_DEPROVISIONING"


class TenantStatus(IntEnum):
    ACTIVE = 0
    PENDINGPROVISION = 1
    PROVISIONING = 2
    PROVISIONFAILED = 3
    DEPROVISIONING = 4
    INACTIVE = 5


class WebhookType(IntEnum):
    RESOURCES_PROVISIONED = 0


class WebhookStatus(IntEnum):
    FAILURE = 0
    SUCCESS = 1


_SETTING_UP = {
    "pending": TenantStatus.PENDINGPROVISION,
    "succeeded": TenantStatus.ACTIVE,
    "failed": TenantStatus.PROVISIONFAILED,
    "cancelled": TenantStatus.INACTIVE,
}
_TAKING_DOWN = {
    "succeeded": TenantStatus.INACTIVE,
    "failed": TenantStatus.PROVISIONFAILED,
    "cancelled": TenantStatus.ACTIVE,
}


def tenant_status(run_status: str, *, leaving: bool = False) -> TenantStatus:
    """Of the tenant whose newest run has this status. ``leaving``: the run takes it down.

    Who could not be taken down has no number of its own: it is as one that could not be set up.
    A run that was cancelled took down nothing.
    """
    if leaving:
        return _TAKING_DOWN.get(run_status, TenantStatus.DEPROVISIONING)
    return _SETTING_UP.get(run_status, TenantStatus.PROVISIONING)
