"""Topics of Amazon SNS.

outlet      what is published, in batches     guard  what SNS posts here, and whether it is from SNS
signatures  who has signed a notification

What a topic delivers to a queue comes in by that queue: see ``sqs``.
"""

from __future__ import annotations

from ostinato.bus.sns.guard import SnsGuard
from ostinato.bus.sns.outlet import SnsOutlet, check_arn
from ostinato.config.buses import SnsSettings
from ostinato.errors import SettingsError, UsageError
from ostinato.ports.buses import Guard, Inlet, Outlet

READS = "body"
KEYED = True


def inlets(settings: SnsSettings) -> list[Inlet]:
    """None: SNS comes to us."""
    _check(settings)
    return []


def guard(settings: SnsSettings) -> Guard:
    return SnsGuard(settings)


def outlet(settings: SnsSettings) -> Outlet | None:
    _check(settings)
    return None if settings.topic is None else SnsOutlet(settings, settings.topic)


def form(settings: SnsSettings) -> str:
    return "structured" if settings.form == "cloudevents" else settings.form


def _check(settings: SnsSettings) -> None:
    topics = () if settings.topic is None else (settings.topic,)
    for member, arns in (("receive", settings.receive), ("topic", topics)):
        for arn in arns:
            try:
                check_arn(arn)
            except UsageError as error:
                raise SettingsError(f"bus.{settings.name}.{member}: {error}") from None


__all__ = ["KEYED", "READS", "SnsGuard", "SnsOutlet", "form", "guard", "inlets", "outlet"]
