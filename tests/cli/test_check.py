"""`ostinato check`: contract form 7.10."""

import io
import json

import pytest

GOOD = "workflow: hello\nphases: [{phase: one, jobs: [{job: hi, run: noop}]}]\n"
BAD = "workflow: hello\nphases:\n  - phase: one\n    jobs: [{job: hi, run: noop, wen: 'true'}]\n"
TOPIC = "workflow: other\nphases: [{phase: one, jobs: [{job: hi, run: elsewhere.do}]}]\n"


@pytest.fixture
def write(tmp_path):
    def write(**files):
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_text(text)

    return write


def test_a_good_document_is_fine(ostinato, write):
    write(good=GOOD)
    done = ostinato("check", "good.yaml")
    assert (done.code, done.out) == (0, "good.yaml: hello is fine\n")


def test_an_error_is_told_as_compilers_do(ostinato, write):
    write(bad=BAD)
    done = ostinato("check", "bad.yaml")
    assert done.code == 1
    assert done.out.startswith("bad.yaml:4:")
    assert "error: phases[0].jobs[0]" in done.out
    assert "wen" in done.out


def test_data_has_the_form_of_the_contract(ostinato, write):
    write(good=GOOD, bad=BAD, topic=TOPIC)
    done = ostinato("check", "good.yaml", "bad.yaml", "topic.yaml", "--json")
    report = json.loads(done.out)
    assert done.code == 1
    assert set(report) == {"ok", "files"}
    assert report["ok"] is False
    good, bad, topic = report["files"]
    assert good == {"file": "good.yaml", "workflow": "hello", "errors": [], "warnings": []}
    (error,) = bad["errors"]
    assert set(error) - {"hint"} == {"path", "line", "column", "message"}
    assert error["line"] == 4
    assert len(topic["warnings"]) == 1


def test_an_unknown_handler_warns_and_strict_makes_it_an_error(ostinato, write):
    write(topic=TOPIC)
    assert ostinato("check", "topic.yaml").code == 0
    assert "warning" in ostinato("check", "topic.yaml").out
    assert ostinato("check", "topic.yaml", "--strict").code == 1


def test_a_file_that_cannot_be_read_is_exit_2(ostinato, write):
    write(good=GOOD)
    done = ostinato("check", "good.yaml", "nowhere.yaml", "--json")
    assert done.code == 2
    assert [len(file["errors"]) for file in json.loads(done.out)["files"]] == [0, 1]


def test_stdin_and_directories(ostinato, write, monkeypatch):
    write(good=GOOD, compose="services: {}")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(BAD.encode())))
    assert ostinato("check", "-").code == 1
    done = ostinato("check", ".")
    assert (done.code, done.out) == (0, "good.yaml: hello is fine\n")


def test_a_directory_without_documents_is_wrong_use(ostinato, tmp_path):
    (tmp_path / "empty").mkdir()
    done = ostinato("check", "empty")
    assert done.code == 2
    assert "no workflow document" in done.err


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", b"a: &a [*a]", b"x" * 2_000_000])
def test_no_document_makes_a_traceback(ostinato, tmp_path, content):
    (tmp_path / "odd.yaml").write_bytes(content)
    done = ostinato("check", "odd.yaml")
    assert done.code == 1
    assert "odd.yaml" in done.out
    assert "Traceback" not in done.err
