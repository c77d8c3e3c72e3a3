"""`ostinato new`: what it writes works."""

import json
import os
import subprocess
import sys

from tests.powerless import without_powers


def test_a_project_is_made_and_its_document_is_fine(ostinato, tmp_path):
    done = ostinato("new", "shop")
    assert done.code == 0
    assert "cd shop && ostinato serve hello.yaml app:app" in done.out
    made = {path.name for path in (tmp_path / "shop").iterdir()}
    assert made == {"hello.yaml", "app.py", "test_hello.py", "README.md"}
    assert ostinato("check", "shop/hello.yaml", "--app", "shop/app.py", "--strict").code == 0


def test_data_names_the_files(ostinato, tmp_path):
    data = json.loads(ostinato("new", "shop", "--json").out)
    assert data["directory"] == str(tmp_path / "shop")
    assert "app.py" in data["files"]


def test_its_own_test_passes(ostinato, tmp_path):
    ostinato("new", "shop")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_hello.py"]
    done = subprocess.run(
        command, cwd=tmp_path / "shop", capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_directory_that_is_not_empty_is_left_alone(ostinato, tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/mine.txt").write_text("mine")
    done = ostinato("new", "shop")
    assert done.code == 2
    assert "nothing was written" in done.err
    assert [path.name for path in (tmp_path / "shop").iterdir()] == ["mine.txt"]


def test_an_empty_directory_is_taken(ostinato, tmp_path):
    (tmp_path / "shop").mkdir()
    assert ostinato("new", "shop").code == 0


def test_a_file_in_the_way_is_named(ostinato, tmp_path):
    (tmp_path / "shop").touch()
    done = ostinato("new", "shop")
    assert done.code == 2
    assert "shop is a file" in done.err


def test_a_place_that_cannot_be_written_is_named(ostinato, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o555)
    done = without_powers(lambda: ostinato("new", "closed/shop"))
    assert done.code == 1
    assert "cannot be written" in done.err
