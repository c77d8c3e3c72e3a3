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


OF_THE_DOORS = {
    "accept", "address", "at_work", "begin", "close", "complete_job", "configure",
    "deploy_documents", "deploy_part", "deploy_texts", "expects", "extend_job", "fail_job",
    "fetch_jobs", "go_on", "new_id", "now", "open", "own_handlers", "previewed", "read_bridged",
    "release_job", "rest", "send", "send_multiple", "service", "settings", "start_run",
    "state_at_end", "storage", "take_messages", "take_posted", "task_rows", "update_workflow",
    "use_up", "workflow_document",
}  # fmt: skip


def test_every_verb_of_an_app_is_documented():
    section = REFERENCE.read_text().partition("## The verbs of `App`")[2].partition("\n#")[0]
    table = [line.rpartition(" | ")[2] for line in section.splitlines() if line.startswith("| ")]
    told = [word for row in table for word in re.findall(r"`(\w+)`", row)]
    assert sorted(told) == sorted(set(told))
    assert set(told) == {name for name in dir(ostinato.App) if name[0] != "_"} - OF_THE_DOORS


def test_exports_are_few_and_named_once():
    assert len(ostinato.__all__) == len(set(ostinato.__all__))
    assert len(ostinato.__all__) <= 25


def test_importing_ostinato_is_light():
    code = "import sys, ostinato; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & HEAVY == set()
