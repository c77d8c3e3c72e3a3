"""Beyond loopback there is a key, or no server."""

import subprocess
import sys
import time

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


def test_commands_do_not_wait_long_for_settings():
    """60 ms alone on a quiet machine; the best of some, compared with bare Python."""
    assert _best("import ostinato.config") - _best("pass") < 0.06


def _best(code):
    def once():
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - began

    return min(once() for _ in range(5))
