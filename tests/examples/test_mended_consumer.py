"""The example plays through, in this process and as the script that it is."""

import runpy
import subprocess
import sys
from pathlib import Path

APP = Path(__file__).resolve().parents[2] / "examples/mended_consumer/app.py"


async def test_the_event_is_refused_then_taken_once(tmp_path, capsys):
    example = runpy.run_path(str(APP))
    labels = await example["play"](f"sqlite:///{tmp_path}/parcels.db")
    assert labels == ["Ada: 2.0 kg", "Ada: 3.5 kg"]
    said = capsys.readouterr().out
    assert "UnknownWeight: cannot read the weight '3.5kg'" in said
    assert "redriven, then already" in said


def test_it_runs_as_a_script(tmp_path):
    subprocess.run([sys.executable, str(APP)], cwd=tmp_path, check=True, capture_output=True)
