"""Commands on several stores, with a server and without."""

import json
import signal

import psycopg
import pytest

from tests.cli.live import command, serving

HELLO = "workflow: hello\nphases: [{phase: p, jobs: [{job: a, run: noop}]}]\n"
STORES = ("--store", "sqlite:///a.db", "--store", "sqlite:///b.db")


@pytest.fixture(autouse=True)
def _document(tmp_path):
    (tmp_path / "hello.yaml").write_text(HELLO)


def test_without_a_server_the_stores_are_opened(ostinato, tmp_path):
    assert ostinato("deploy", "hello.yaml", *STORES).code == 0
    for number in range(4):
        assert ostinato("start", "hello", "--uid", f"u{number}", *STORES).code == 0
    listed = json.loads(ostinato("runs", "--json", *STORES).out)
    assert {run["uid"] for run in listed} == {f"u{number}" for number in range(4)}
    assert json.loads(ostinato("show", "u1", "--json", *STORES).out)["uid"] == "u1"
    assert (tmp_path / "a.db").exists()
    assert (tmp_path / "b.db").exists()


def test_one_of_them_alone_is_refused(ostinato):
    ostinato("deploy", "hello.yaml", *STORES)
    done = ostinato("runs", *STORES[:2])
    assert (done.code, "a.db is store 1 of 2 of a set" in done.err) == (2, True)


def test_what_takes_one_store_says_so(ostinato):
    done = ostinato("tables", "--store", "postgresql://h/a", "--store", "postgresql://h/b")
    assert done.code == 2
    assert "one store at a time, and `store` names 2 (--store)" in done.err


def test_the_same_store_twice_is_refused(ostinato):
    done = ostinato("runs", *STORES, *STORES[2:])
    assert (done.code, "sqlite:///b.db is there twice; name each of them once" in done.err) == (
        2,
        True,
    )
    url = "postgresql://ann:secret@" + "long." * 20 + "example/o"
    done = ostinato("runs", "--store", url, "--store", url)
    assert (done.code, "example/o is there twice" in done.err, "secret" in done.err) == (
        2,
        True,
        False,
    )


@pytest.mark.real
def test_a_server_has_them_and_commands_find_it(tmp_path, new_database):
    environ = {"OSTINATO_STORE": json.dumps([new_database(), new_database()])}
    with serving(tmp_path, "hello.yaml", "--port", 0, "--json", **environ) as server:
        url = server.facts()["address"]
        for uid in ("a", "b", "c", "d"):
            done = command(tmp_path, "start", "hello", "--uid", uid, "--wait", **environ)
            assert done.returncode == 0, done.stderr
        members = command(tmp_path, "members", "--json", **environ)
        seats = json.loads(members.stdout)["seats"]
        assert [(seat["address"], seat["partitions"]) for seat in seats] == [(url, 64)] * 2
        assert server.end()[0] == 0
    listed = command(tmp_path, "runs", "--json", **environ)
    assert sorted(run["uid"] for run in json.loads(listed.stdout)) == ["a", "b", "c", "d"]


@pytest.mark.real
def test_a_server_that_slept_while_a_store_was_added_ends(tmp_path, new_database):
    stores = [new_database() for _ in range(3)]
    few, all_of_them = ({"OSTINATO_STORE": json.dumps(these)} for these in (stores[:2], stores))
    with serving(tmp_path, "hello.yaml", "--port", 0, "--json", **few) as old:
        old.facts()
        old.process.send_signal(signal.SIGSTOP)
        for url in stores[:2]:
            with psycopg.connect(url) as db:
                db.execute("UPDATE ostinato.lease SET expires_at = 0")
        with serving(tmp_path, "--port", 0, "--json", **all_of_them) as new:
            new.facts()
            code, _, err = old.end(signal.SIGCONT)
            assert (code, "has 3 stores by now, and this process works with 2" in err) == (2, True)
            assert new.end()[0] == 0


READING = (
    "runs", "events", "members", "stuck", "workers", "dead-letters", "tasks", "schedules",
    "workflows", "operations", "show x", "clean",
)  # fmt: skip


@pytest.mark.parametrize("reading", READING)
def test_a_command_that_reads_makes_no_set(ostinato, tmp_path, reading):
    ostinato("deploy", "hello.yaml", *STORES)
    (tmp_path / "c.db").touch()
    done = ostinato(*reading.split(), *STORES, "--store", "sqlite:///c.db")
    assert done.code == 2
    assert "a.db is in a set of 2 stores, and `store` names 3: this adds none" in done.err
    assert "start `ostinato serve` with the new one last" in done.err
    assert (tmp_path / "c.db").stat().st_size == 0
    assert ostinato("runs", *STORES).code == 0


def test_nor_does_one_that_writes_add_a_store(ostinato):
    ostinato("deploy", "hello.yaml", *STORES[:2])
    for command_ in (("start", "hello"), ("emit", "X"), ("deploy", "hello.yaml")):
        done = ostinato(*command_, *STORES)
        assert done.code in (2, 3), done.err
        assert "a store of its own, and `store` names 2" in done.err or "no store here" in done.err
    assert ostinato("runs", *STORES[:2]).code == 0


def test_stores_that_are_not_there_are_not_made(ostinato, tmp_path):
    (tmp_path / "a.db").touch()
    done = ostinato("runs", *STORES)
    assert (done.code, "b.db: there is no store here yet" in done.err) == (3, True)
    assert not (tmp_path / "b.db").exists()
