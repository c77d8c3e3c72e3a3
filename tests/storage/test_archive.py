"""Runs before they are removed: whole lines, whatever a crash left half written."""

import gzip
import json
import os

import pytest

from ostinato.errors import StoreError
from ostinato.storage.archive import FolderArchive, whole_bytes

DAY = "2027-01-31"


def lines_of(folder):
    with gzip.open(folder / f"runs-{DAY}.jsonl.gz") as file:
        return [json.loads(line) for line in file]


async def test_lines_are_added_to_the_file_of_their_day(tmp_path):
    folder = tmp_path / "a" / "b"
    archive = FolderArchive(folder)
    await archive.keep(DAY, [b'{"n": 1}', b'{"n": 2}'])
    await archive.keep(DAY, [b'{"n": 3}'])
    await archive.keep("2027-02-01", [b"{}"])
    await FolderArchive(folder).keep(DAY, [b'{"n": 4}'])
    assert [line["n"] for line in lines_of(folder)] == [1, 2, 3, 4]
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("left", range(1, 25, 3))
async def test_what_a_crash_left_half_written_is_cut_off(tmp_path, left):
    await FolderArchive(tmp_path).keep(DAY, [b'{"n": 1}'])
    file = tmp_path / f"runs-{DAY}.jsonl.gz"
    whole = file.read_bytes()
    file.write_bytes(whole + whole[:left])
    await FolderArchive(tmp_path).keep(DAY, [b'{"n": 2}'])
    assert [line["n"] for line in lines_of(tmp_path)] == [1, 2]


async def test_a_whole_file_of_many_parts_is_not_cut(tmp_path):
    archive, noise = FolderArchive(tmp_path), os.urandom(3_000_000).hex()
    for _ in range(3):
        await archive.keep(DAY, [json.dumps({"n": noise}).encode()])
    file = tmp_path / f"runs-{DAY}.jsonl.gz"
    assert whole_bytes(file) == file.stat().st_size


async def test_a_write_that_fails_is_told_and_leaves_no_half_line(tmp_path, monkeypatch):
    archive = FolderArchive(tmp_path)
    await archive.keep(DAY, [b'{"n": 1}'])

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"none is removed.*No space.*retention\.export"):
        await archive.keep(DAY, [b'{"n": 2}'])
    monkeypatch.undo()
    await archive.keep(DAY, [b'{"n": 2}'])
    assert {line["n"] for line in lines_of(tmp_path)} == {1, 2}


async def test_a_place_that_is_no_directory_is_told(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="choose another directory"):
        await FolderArchive(tmp_path / "file").keep(DAY, [b"{}"])
