"""`ostinato settings`."""

import json

from ostinato.config import settings_table


def test_each_value_says_where_it_came_from(ostinato, tmp_path, monkeypatch):
    (tmp_path / "ostinato.toml").write_text('[limits]\nevent = "2 MB"')
    monkeypatch.setenv("OSTINATO_PORT", "9000")
    done = ostinato("settings", "--store", "sqlite:///x.db", "--json")
    lines = {line["name"]: line for line in json.loads(done.out)}
    assert set(lines) == set(settings_table())
    assert lines["limits.event"]["value"] == "2 MB"
    assert lines["limits.event"]["from"].endswith("ostinato.toml")
    assert (lines["port"]["value"], lines["port"]["from"]) == ("9000", "OSTINATO_PORT")
    assert lines["store"]["from"] == "--store"
    assert lines["drain"]["from"] == "default"


def test_people_see_a_table(ostinato):
    lines = ostinato("settings").out.splitlines()
    assert lines[0].split() == ["setting", "value", "from"]
    assert ["port", "8085", "default"] in [line.split() for line in lines]


def test_secrets_are_not_shown(ostinato, monkeypatch):
    monkeypatch.setenv("OSTINATO_KEY", "hunter2hunter2hunter2")
    monkeypatch.setenv("OSTINATO_AUTH__KEYS", "hunter2hunter2hunter2")
    for options in ([], ["--json"]):
        done = ostinato("settings", *options)
        assert done.code == 0
        assert "hunter2" not in done.out
        assert "key-1" in done.out


def test_a_wrong_setting_is_told_with_its_source(ostinato, tmp_path):
    (tmp_path / "ostinato.toml").write_text("port = 'many'")
    done = ostinato("settings")
    assert done.code == 2
    assert "ostinato.toml" in done.err
    assert "0 to 65535" in done.err
