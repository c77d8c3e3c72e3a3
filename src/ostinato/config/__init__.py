"""Settings: ``ostinato.toml``, overridden by ``OSTINATO_*``, overridden by arguments and flags.

settings  the tables: every setting with its default and what it is for
buses     the tables of [bus.NAME], one for each kind of bus
table     rows of such tables           given  a value as a source gives it
kinds     how a value is written and shown: sizes, durations, keys
addresses … of servers, stores, queues
sources   where values come from: the file, the environment, arguments; secrets from files
aliases   the older services' names for settings
reading   the sources laid over each other; what fits nothing is refused with the nearest name
binding   an address beyond this machine needs keys

Every command waits for this import, so nothing slow is imported here.
"""

from ostinato.config.aliases import ALIASES, Alias
from ostinato.config.binding import is_loopback, require_keys_beyond_loopback
from ostinato.config.buses import KINDS, BusSettings, bus_rows
from ostinato.config.kinds import ApiKey
from ostinato.config.reading import override_settings, read_settings
from ostinato.config.settings import (
    ArcSettings,
    AuthSettings,
    LimitSettings,
    LogSettings,
    RetentionSettings,
    Settings,
    SlotSettings,
    settings_table,
)
from ostinato.config.table import Setting

__all__ = [
    "ALIASES",
    "KINDS",
    "Alias",
    "ApiKey",
    "ArcSettings",
    "AuthSettings",
    "BusSettings",
    "LimitSettings",
    "LogSettings",
    "RetentionSettings",
    "Setting",
    "Settings",
    "SlotSettings",
    "bus_rows",
    "is_loopback",
    "override_settings",
    "read_settings",
    "require_keys_beyond_loopback",
    "settings_table",
]
