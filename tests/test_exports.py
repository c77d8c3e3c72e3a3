"""What users import from `ostinato`: it is there, it is listed, it is documented, it is light."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import ostinato

REFERENCE = Path(__file__).resolve().parent.parent / "docs/reference/python.md"

# What a command or a script that only defines handlers should not wait for.
HEAVY = {"fastapi", "httpx2", "opentelemetry", "pydantic", "rich", "starlette", "typer", "uvicorn"}


@pytest.mark.parametrize("name", ostinato.__all__)
def test_every_export_is_there_and_documented(name):
    assert hasattr(ostinato, name)
    assert re.search(rf"`{re.escape(name)}\b", REFERENCE.read_text())


def test_exports_are_few_and_named_once():
    assert len(ostinato.__all__) == len(set(ostinato.__all__))
    assert len(ostinato.__all__) <= 25


def test_importing_ostinato_is_light():
    code = "import sys, ostinato; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & HEAVY == set()
