"""``ostinato show --file``: runs that are gone from the store."""

import asyncio
import gzip
import json
from datetime import timedelta

import pytest

from ostinato.app import App
from ostinato.config import Settings
from ostinato.config.settings import RetentionSettings
from tests.stage import Clock, one_job


@pytest.fixture
def file(tmp_path):
    """Two runs, exported by a real janitor."""

    async def export():
        kept = RetentionSettings(runs=timedelta(days=1), export=str(tmp_path / "old"))
        app = App(Settings(store="memory:", retention=kept), clock=Clock())
        app.workflow_document(one_job({"run": "echo", "with": {"n": "${ input.n }"}}))
        async with app:
            for n in range(2):
                await (await app.start("w", uid=f"u-{n}", input={"n": n})).result(5)
            app._clock.time += 2 * 86_400_000
            assert (await app.clean()).runs == 2

    asyncio.run(export())
    (file,) = (tmp_path / "old").iterdir()
    return file


def test_an_exported_run_is_shown_as_it_was(ostinato, file):
    shown = ostinato("show", "u-0", "--file", file)
    assert shown.code == 0
    assert "succeeded" in shown.out
    assert '{"n": 0}' in shown.out
    assert json.loads(ostinato("show", "last", "--file", file, "--json").out)["uid"] == "u-1"
    assert "run.succeeded" in ostinato("show", "u-1", "--history", "--file", file).out


def test_an_exported_run_is_named_by_id_and_beginning(ostinato, file):
    lines = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    run_id = lines[0]["run"]["id"]
    assert run_id in ostinato("show", run_id, "--file", file).out
    common = len([1 for a, b in zip(run_id, lines[1]["run"]["id"], strict=True) if a == b])
    assert common
    assert "more than one run" in ostinato("show", run_id[0], "--file", file).err
    assert "there is no run 'nobody'" in ostinato("show", "nobody", "--file", file).err


def test_a_file_without_compression_is_read_too(ostinato, file, tmp_path):
    plain = tmp_path / "runs.jsonl"
    plain.write_bytes(gzip.decompress(file.read_bytes()))
    assert ostinato("show", "u-0", "--file", plain).code == 0


@pytest.mark.parametrize("content", [None, b"no json", b"\x1f\x8b broken"])
def test_a_file_that_is_none_is_told(ostinato, tmp_path, content):
    file = tmp_path / "x.gz"
    if content is not None:
        file.write_bytes(content)
    done = ostinato("show", "last", "--file", file)
    assert (done.code, "cannot be read" in done.err) == (2, True)
