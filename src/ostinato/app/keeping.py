"""How long things are kept, as the rules take it: in ms, None for ever."""

from __future__ import annotations

from datetime import timedelta

from ostinato.config.kinds import FOREVER
from ostinato.config.settings import Settings
from ostinato.core.retention import Keep, Retention, plain
from ostinato.errors import SettingsError

_MS = timedelta(milliseconds=1)


def retention_of(settings: Settings) -> Retention:
    """Raises ``SettingsError`` when events would go while their duplicates must be known."""
    retention = settings.retention
    if retention.events < retention.duplicates:
        raise SettingsError(
            f"retention.events ({settings.origin('retention.events')}) is less than "
            f"retention.duplicates ({settings.origin('retention.duplicates')}): an event that is "
            "gone would be taken again. Keep events longer, or set retention.duplicates lower"
        )
    return Retention(
        runs=Keep(_ms(retention.runs), _ms(retention.failed)),
        workflows={
            plain(each.workflow): Keep(
                _ms(retention.runs if each.runs is None else each.runs),
                _ms(retention.failed if each.failed is None else each.failed),
            )
            for each in retention.workflows
        },
        events=_ms(retention.events),
        duplicates=retention.duplicates // _MS,
        dead_letters=_ms(retention.dead_letters),
        operations=_ms(retention.operations),
    )


def _ms(kept: timedelta) -> int | None:
    return None if kept == FOREVER else kept // _MS
