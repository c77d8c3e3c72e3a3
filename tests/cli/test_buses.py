"""``ostinato buses``, with a server and without."""

import json

import pytest

from tests.cli.live import serving

TOML = """
[bus.in]
kind = "memory"
receive = ["orders"]

[bus.out]
kind = "memory"
send = ["ORDER_*", "BILLED"]
"""


@pytest.fixture
def _settings(tmp_path):
    (tmp_path / "ostinato.toml").write_text(TOML)


def test_without_any_the_setting_that_makes_one_is_named(ostinato):
    done = ostinato("buses")
    assert "no bus is in the settings: [bus.NAME] kind = … makes one" in done.err
    assert json.loads(ostinato("buses", "--json").out) == []


@pytest.mark.usefixtures("_settings")
def test_without_a_server_the_settings_are_told(ostinato):
    lines = ostinato("buses").out.splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["in", "memory", "in", "orders", "0", "0", "0"],
        ["in", "memory", "out", "what", "names", "it", "0", "0", "0"],
        ["out", "memory", "out", "ORDER_*,", "BILLED", "0", "0", "0"],
    ]


@pytest.mark.usefixtures("_settings")
def test_with_a_server_what_it_has_counted_is_told(ostinato, tmp_path):
    emits = "workflow: w\nphases: [{phase: p, jobs: [{job: a, emit: {type: BILLED, bus: out}}]}]\n"
    (tmp_path / "w.yaml").write_text(emits)
    with serving(tmp_path, "w.yaml", "--port", 0, "--json") as server:
        server.facts()
        assert ostinato("start", "w", "--wait").code == 0
        sent = 0
        while not sent:
            found = {one["name"]: one for one in json.loads(ostinato("buses", "--json").out)}
            sent = found["out"]["sent"]
        assert found["in"]["receives"][0]["trouble"] == ""


def test_a_setting_that_no_bus_has_is_refused(ostinato, tmp_path):
    (tmp_path / "ostinato.toml").write_text('[bus.in]\nkind = "memory"\nrecieve = ["a"]\n')
    done = ostinato("buses")
    assert done.code == 2
    assert "did you mean receive?" in done.err
