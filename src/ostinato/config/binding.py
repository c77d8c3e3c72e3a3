"""On loopback everyone is the local operator; any other address needs keys."""

from __future__ import annotations

from ipaddress import ip_address

from ostinato.config.settings import Settings
from ostinato.errors import SettingsError


def is_loopback(host: str) -> bool:
    """A name other than localhost counts as beyond: what it resolves to may change."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]").partition("%")[0]).is_loopback
    except ValueError:
        return False


def require_keys_beyond_loopback(settings: Settings) -> None:
    if is_loopback(settings.host) or settings.auth.keys:
        return
    raise SettingsError(
        f"host {settings.host} ({settings.origin('host')}) can be reached from other machines, "
        "and no key is configured, so anyone there could do anything. "
        "Set OSTINATO_AUTH__KEYS_FILE to a file with one secret per line "
        "(openssl rand -hex 32 makes one), or [auth] keys in ostinato.toml, "
        "or keep host 127.0.0.1"
    )
