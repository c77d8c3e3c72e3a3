"""``ostinato migrate-store``: what it says, what it refuses, and what is left when it is killed."""

import json
import signal
import sqlite3
import subprocess

import psycopg
import pytest

from ostinato.cli import migrate_store
from tests.cli.live import COMMAND, serving

ASK = "workflow: ask\nphases: [{phase: p, jobs: [{job: a, wait: {event: X}}]}]\n"


@pytest.fixture(autouse=True)
def _store(tmp_path, ostinato):
    (tmp_path / "ask.yaml").write_text(ASK)
    ostinato("deploy", "ask.yaml")
    ostinato("start", "ask", "--uid", "one")


FROM = ("migrate-store", "--from", "sqlite:///ostinato.db")


@pytest.mark.real
def test_runs_go_on_in_the_other_store(ostinato, new_database, monkeypatch):
    url = new_database()
    told = ostinato(*FROM, "--to", url)
    assert (told.code, "1 history judged" in told.out) == (0, True)
    assert f"1 run goes on with: export OSTINATO_STORE={url}" in told.out
    monkeypatch.setenv("OSTINATO_STORE", url)
    ostinato("emit", "X")
    [run] = json.loads(ostinato("runs", "--json").out)
    assert (run["uid"], run["status"]) == ("one", "waiting")  # nobody works on it here


def test_a_script_is_told_by_json(ostinato, tmp_path):
    found = json.loads(ostinato(*FROM, "--to", "sqlite:///new.db", "--json").out)
    assert found.pop("seconds") > 0
    assert {name: count for name, count in found.pop("rows").items() if count} == {
        "version": 1, "run": 1, "history": 1, "wait": 1,
    }  # fmt: skip
    assert found == {
        "source": f"sqlite:///{tmp_path}/ostinato.db", "target": f"sqlite:///{tmp_path}/new.db",
        "runs": 1, "open": 1, "violations": [], "again": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["migrate-store"], "--from is missing"),
        (FROM, "--to is missing"),
        ([*FROM, "--to", "sqlite:///ostinato.db"], "both source and target"),
        ([*FROM, "--to", "memory:"], "not a store that can be moved"),
        ([*FROM, "--to", "new.db"], "sqlite:///new.db"),
        (["migrate-store", "--from", "mysql://x", "--to", "sqlite:///new.db"], "--from"),
        ([*FROM, "--undo"], "nothing to undo"),
        ([*FROM, "--undo", "--force"], "nothing to undo"),
        ([*FROM, "--to", "sqlite:///new.db", "--force"], "--force is for --undo"),
    ],
)
def test_what_is_wrong_is_said_with_its_mend(ostinato, tmp_path, arguments, said):
    done = ostinato(*arguments)
    assert (done.code, said in done.err) == (2, True), done
    assert not (tmp_path / "new.db").exists()


def test_a_store_that_is_not_there_is_not_made(ostinato, tmp_path):
    done = ostinato("migrate-store", "--from", "sqlite:///none.db", "--to", "sqlite:///new.db")
    assert (done.code, "there is no store here" in done.err) == (3, True)
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(("none", "new"))]


@pytest.mark.real
def test_a_server_at_work_is_in_the_way(ostinato, tmp_path):
    with serving(tmp_path, "ask.yaml", "--port", 0, "--json") as server:
        assert server.facts()["address"]
        done = ostinato(*FROM, "--to", "sqlite:///new.db")
        assert (done.code, "is in use by process" in done.err) == (3, True)
        server.end(signal.SIGKILL)
    assert ostinato(*FROM, "--to", "sqlite:///new.db").code == 0


@pytest.mark.real
def test_a_server_does_not_start_on_what_was_moved(ostinato, tmp_path):
    ostinato(*FROM, "--to", "sqlite:///new.db")
    with serving(tmp_path, "ask.yaml", "--port", 0, "--json") as server:
        code, _, said = server.ended()
    assert (code, "was moved to sqlite:////" in said, "--undo --from" in said) == (1, True, True)
    assert "take another place" not in said  # that would be an empty one
    assert ostinato("runs").code == 3
    undone = ostinato(*FROM, "--undo")
    assert (undone.code, "let nobody start one there" in undone.out) == (0, True)
    with serving(tmp_path, "ask.yaml", "--port", 0, "--json") as server:
        assert server.facts()["address"]


def test_an_undo_is_refused_once_something_has_happened(ostinato, tmp_path):
    ostinato(*FROM, "--to", "sqlite:///new.db")
    ostinato("start", "ask", "--store", "sqlite:///new.db")
    undone = ostinato(*FROM, "--undo")
    assert (undone.code, f"sqlite:///{tmp_path}/new.db has gone on since" in undone.err) == (
        1,
        True,
    )
    assert ostinato("runs").code == 3
    undone = ostinato(*FROM, "--undo", "--force")
    assert (undone.code, "what happened there is forgotten" in undone.out) == (0, True)
    assert ostinato("runs").code == 0


def test_on_a_terminal_a_line_says_how_far_it_is(ostinato, monkeypatch):
    monkeypatch.setattr(migrate_store.sys.stderr, "isatty", lambda: True)
    said = ostinato(*FROM, "--to", "sqlite:///new.db").err
    assert "copying run: 1 of 1" in said
    assert "judging history: 1 of 1" in said
    assert said.endswith("\r\x1b[K")


def more_runs(file, count):
    """Rows of one run, under many names."""
    with sqlite3.connect(file) as db:
        names = [(f"z{n:08}",) for n in range(count)]
        heads = "SELECT ?, workflow, version, status, started_at, NULL, doing, waiting_for, busy, "
        heads += "ended_at, error_name, error_message, event_source, event_id FROM run LIMIT 1"
        db.executemany(f"INSERT INTO run {heads}", names)


@pytest.mark.real
@pytest.mark.parametrize("to", ["sqlite", "postgres"])
def test_one_that_is_killed_has_changed_nothing(ostinato, tmp_path, new_database, to):
    more_runs(tmp_path / "ostinato.db", 30_000)
    url = new_database() if to == "postgres" else f"sqlite:///{tmp_path}/new.db"
    arguments = [*COMMAND, *FROM, "--to", url, "--faulty", "--json"]
    with subprocess.Popen(arguments, cwd=tmp_path, stdout=subprocess.PIPE) as process:
        while process.poll() is None and not _at_it(tmp_path, url):
            pass
        process.kill()
        assert process.communicate()[0] == b""
    assert not (tmp_path / "new.db").exists()
    assert len(json.loads(ostinato("runs", "--json", "--limit", 5).out)) == 5  # nothing was moved
    again = json.loads(ostinato(*FROM, "--to", url, "--faulty", "--json").out)
    assert (again["rows"]["run"], again["again"]) == (30_001, False)
    assert not (tmp_path / "new.db.filling").exists()


def _at_it(folder, url):
    if url.startswith("sqlite"):
        return (folder / "new.db.filling").exists()
    with psycopg.connect(url) as db:
        asked = (
            "SELECT 1 FROM pg_stat_activity WHERE position('INTO run' in query) > 0 AND pid <> %s"
        )
        return db.execute(asked, (db.info.backend_pid,)).fetchone() is not None
