"""Commands on a store in PostgreSQL, with a server and without."""

import json
import secrets

import psycopg
import pytest

from tests.cli.live import command, serving

pytestmark = pytest.mark.real

HELLO = "workflow: hello\nphases: [{phase: p, jobs: [{job: a, run: noop}]}]\n"


@pytest.fixture
def place(tmp_path, new_database, monkeypatch):
    url = new_database()
    monkeypatch.setenv("OSTINATO_STORE", url)
    monkeypatch.setenv("OSTINATO_LEASE", "1s")
    (tmp_path / "hello.yaml").write_text(HELLO)
    return url


def asked(folder, *arguments):
    done = command(folder, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_commands_find_the_server_by_what_it_says_in_the_store(place, tmp_path):
    with serving(tmp_path, "hello.yaml", "--port", 0, "--json") as server:
        facts = server.facts()
        assert facts["data"] == place
        run = asked(tmp_path, "start", "hello", "--wait")
        assert run["status"] == "succeeded"
        [seat] = asked(tmp_path, "members")["seats"]
        assert (seat["address"], seat["partitions"]) == (facts["address"], 64)
        assert server.end()[0] == 0
    listed = command(tmp_path, "runs")  # the store itself
    assert run["id"] in listed.stdout, listed.stderr


def test_a_second_server_has_its_half_and_all_when_the_first_is_killed(place, tmp_path):
    with serving(tmp_path, "hello.yaml", "--port", 0, "--json") as first:
        first.facts()
        with serving(tmp_path, "--port", 0, "--json") as second:
            url = second.facts()["address"]
            while _seats(tmp_path, url).get(url) != 32:
                pass
            first.process.kill()
            first.process.wait()
            while _seats(tmp_path, url).get(url) != 64:
                pass
            assert asked(tmp_path, "start", "hello", "--wait")["status"] == "succeeded"
            assert second.end()[0] == 0


def _seats(folder, url):
    seats = asked(folder, "members", "--url", url)["seats"]
    return {seat["address"]: seat["partitions"] for seat in seats}


def test_a_server_that_cannot_be_reached_is_told_without_its_password(tmp_path):
    wrong = "postgresql://me:hidden@127.0.0.1:1/nowhere"
    for arguments, code in ((("runs",), 3), (("start", "x"), 3), (("serve", "--port", "0"), 1)):
        done = command(tmp_path, *arguments, OSTINATO_STORE=wrong)
        assert done.returncode in (1, code), done.stderr
        assert "start the server, or mend host and port" in done.stderr
        assert "hidden" not in done.stderr


def test_tables_are_made_once(postgres_server, tmp_path):
    name = "tables_of_a_command"
    url = postgres_server.url(name)
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as db:
        db.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
        assert asked(tmp_path, "tables", "--store", url)["applied"] == [
            "0001_initial.pre.sql",
            "0002_stores.pre.sql",
            "0003_buses.pre.sql",
            "0004_outbox.post.sql",
        ]
        assert "up to date" in command(tmp_path, "tables", "--finish", "--store", url).stdout
        db.execute(f"DROP DATABASE {name} WITH (FORCE)")
    done = command(tmp_path, "tables", "--store", "sqlite:///x.db")
    assert (done.returncode, "by itself" in done.stderr) == (2, True)


@pytest.fixture
def empty(postgres_server):
    """A database in which nothing is."""
    name = f"empty_{secrets.token_hex(4)}"
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as db:
        db.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
        yield postgres_server.url(name)
        db.execute(f"DROP DATABASE {name} WITH (FORCE)")


def schemas(url):
    with psycopg.connect(url) as db:
        return db.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'ostinato'").fetchall()


@pytest.mark.parametrize("reading", ["runs", "members", "show x", "start hello", "stuck"])
def test_a_database_without_a_store_is_told_and_left_as_it_is(empty, tmp_path, reading):
    done = command(tmp_path, *reading.split(), "--store", empty)
    assert (done.returncode, "there is no store here yet" in done.stderr) == (3, True)
    assert "ostinato serve or deploy makes one, and ostinato tables" in done.stderr
    assert schemas(empty) == []


def test_a_deployment_makes_a_store(empty, tmp_path):
    (tmp_path / "hello.yaml").write_text(HELLO)
    assert command(tmp_path, "deploy", "hello.yaml", "--store", empty).returncode == 0
    assert "no runs" in command(tmp_path, "runs", "--store", empty).stderr


def test_whoever_asks_who_is_there_joins_nobody(place, tmp_path):
    assert asked(tmp_path, "members")["seats"] == []
    done = command(tmp_path, "members")
    assert "nobody is there" in done.stderr
    assert "64 of 64 partitions have no process" in done.stderr
    assert "nobody works: start `ostinato serve`" in done.stderr
    with serving(tmp_path, "--standby", "--port", 0, "--json") as standby:
        url = standby.facts()["address"]
        [seat] = asked(tmp_path, "members")["seats"]
        assert (seat["address"], seat["partitions"], seat["waits"]) == (url, 0, True)
        assert f"members promote --url {url}" in command(tmp_path, "members").stderr


def test_of_several_stores_each_says_who_is_there(place, new_database, tmp_path):
    stores = {"OSTINATO_STORE": json.dumps([place, new_database()])}
    done = command(tmp_path, "members", **stores)
    assert (done.returncode, "these 2 stores are no set yet" in done.stderr) == (2, True)
    assert command(tmp_path, "deploy", "hello.yaml", **stores).returncode == 0
    done = command(tmp_path, "members", **stores)
    assert (done.returncode, "128 of 128 partitions have no process" in done.stderr) == (0, True)
