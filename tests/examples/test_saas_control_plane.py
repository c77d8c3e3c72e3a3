"""The example of a control plane, served and played end to end: on every store, by every bus."""

import os
import subprocess
import sys

import pytest

from tests.examples.playing import EXAMPLES

PLAY = EXAMPLES / "saas_control_plane" / "play.py"
PATIENCE = 50

BUSES = {"memory": {}, "loop": {}}
"""By the name of the bus: what the settings of the example do not say of it."""


@pytest.fixture(params=["sqlite", "postgres"])
def store(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/plane.db"
    return request.getfixturevalue("new_database")()


@pytest.mark.real
@pytest.mark.seed("A93", "A78", "A74", "A73", "B.8-18")
@pytest.mark.parametrize("bus", BUSES)
def test_three_tenants_are_paid_for_and_each_gets_a_definite_status(bus, store, tmp_path):
    done = subprocess.run(
        [sys.executable, str(PLAY), "--bus", bus, "--store", store],
        cwd=tmp_path, env=os.environ | BUSES[bus], capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'acme: succeeded, {"status": 0, "resources": [{"type": "bucket"' in done.stdout
    assert 'globex: failed, {"name": "Unexpected"' in done.stdout
    assert "acme leaves: succeeded" in done.stdout


@pytest.mark.real
def test_a_bus_that_is_not_in_the_settings_fails_every_tenant_and_says_why(tmp_path):
    done = subprocess.run(
        [sys.executable, str(PLAY), "--bus", "pigeon"],
        cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 1
    assert "pigeon" in done.stdout.partition("acme: failed")[2]
