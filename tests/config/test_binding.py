"""Beyond loopback there is a key, or no server."""

import subprocess
import sys

import pytest

from ostinato.config import ApiKey, AuthSettings, Settings, require_keys_beyond_loopback
from ostinato.errors import SettingsError


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_loopback_needs_no_key(host):
    require_keys_beyond_loopback(Settings(host=host))


@pytest.mark.parametrize("host", ["::", "10.0.0.1", "example.org", "localhost.evil"])
def test_another_address_needs_a_key_and_is_told_how(host):
    with pytest.raises(SettingsError, match="OSTINATO_AUTH__KEYS_FILE"):
        require_keys_beyond_loopback(Settings(host=host))
    keys = AuthSettings(keys=(ApiKey.of("ci", "0123456789abcdef"),))
    require_keys_beyond_loopback(Settings(host=host, auth=keys))


SLOW = {"pydantic", "pydantic_core", "msgspec", "structlog", "rich", "typer", "starlette", "httpx2"}


def test_commands_do_not_wait_long_for_settings():
    """By what it brings along: every command imports it first, and a clock would be noisy here."""
    code = "import sys, ostinato.config; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not SLOW & set(done.stdout.split())
