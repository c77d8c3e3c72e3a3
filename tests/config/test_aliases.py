"""The older services' names for settings: read where ours are silent, none by surprise."""

import json
from datetime import timedelta

import pytest

from ostinato.cli import settings as settings_command
from ostinato.config import ALIASES, Settings, bus_rows, read_settings, settings_table
from ostinato.config.buses import KINDS, bus_table
from ostinato.errors import SettingsError

pytestmark = pytest.mark.seed("A92")

BUSES = {
    "eventbridge": "[bus.control]\nkind = 'eventbridge'\n",
    "kafka": "[bus.kafka]\n",
    "sqs": "[bus.queue]\nkind = 'sqs'\n",
    "bullmq": "[bus.jobs]\nkind = 'bullmq'\n",
}

# Each variable that is read: its value as the older services write it, and what we make of it.
READ = [
    ("EVENT_BUS_NAME", "tenants", "tenants"),
    ("KAFKA_SERVER", "a:9092,b:9092", "a:9092,b:9092"),
    ("KAFKA_CLIENT_ID", "tasks", {"client.id": "tasks"}),
    ("KAFKA_GROUP_ID", "task-service", "task-service"),
    ("KAFKA_SSL", "true", True),
    ("AWS_QUEUE_URL", "https://sqs.example/1/q", "https://sqs.example/1/q"),
    ("AWS_SQS_REGION", "eu-west-1", "eu-west-1"),
    ("AWS_SQS_ACCESS_KEY", "AKIA", "AKIA"),
    ("AWS_SQS_SECRET_KEY", "shh", "shh"),
    ("REDIS_URL", "redis://r:1", "redis://r:1"),
    ("REDIS_HOST", "r", "redis://r:6379"),
    ("WEBHOOK_SECRET_EXPIRY", "1200000", timedelta(minutes=20)),
    ("WEBHOOK_API_MAX_ATTEMPTS", "7", 7),
    ("WEBHOOK_USERNAME", "shop", "shop"),
    ("WEBHOOK_PASSWORD", "shh", "shh"),
    ("LOG_LEVEL", "warn", "warning"),
    ("HOST", "0.0.0.0", "0.0.0.0"),  # noqa: S104
    ("PORT", "3000", 3000),
]


@pytest.fixture
def read(tmp_path):
    def read(toml="", **environ):
        (tmp_path / "ostinato.toml").write_text(toml)
        return read_settings(environ=environ, folder=tmp_path)

    return read


def alias_of(variable):
    return next(alias for alias in ALIASES if alias.variable == variable)


def value_of(settings, alias):
    """The value, and who gave it."""
    if not alias.bus:
        return settings.value(alias.setting), settings.origin(alias.setting)
    [bus] = settings.bus.values()
    return getattr(bus, alias.setting), bus.origin(alias.setting)


@pytest.mark.parametrize(("variable", "written", "meant"), READ, ids=[row[0] for row in READ])
def test_an_older_name_gives_the_value_and_is_named_as_its_origin(read, variable, written, meant):
    alias = alias_of(variable)
    toml = "aliases = true\n" + BUSES.get(alias.bus, "")
    assert value_of(read(toml, **{variable: written}), alias) == (meant, variable)


def test_every_name_that_is_read_has_a_row_above():
    assert {alias.variable for alias in ALIASES if alias.setting} - {"DB_HOST"} == {
        variable for variable, _, _ in READ
    }


@pytest.mark.parametrize("alias", ALIASES, ids=lambda alias: alias.variable)
def test_every_alias_is_of_a_setting_or_says_why_not(alias):
    table = bus_table(alias.bus) if alias.bus else settings_table()
    assert alias.setting in table if alias.setting else alias.about
    assert alias.bus in (*KINDS, "")


@pytest.mark.parametrize(
    "alias", [alias for alias in ALIASES if alias.common or not alias.setting],
    ids=lambda alias: alias.variable,
)  # fmt: skip
def test_what_many_machines_have_for_something_else_is_left_alone(read, alias):
    buses = "".join(BUSES.values())
    assert read(buses, **{alias.variable: "something else"}) == read(buses)


@pytest.mark.parametrize("variable", ["KAFKA_SERVER", "EVENT_BUS_NAME", "AWS_QUEUE_URL"])
def test_a_variable_of_a_bus_makes_none(read, variable):
    assert read(**{variable: "x"}).bus == {}


def test_a_machines_own_log_level_stops_nothing(read):
    assert read(LOG_LEVEL="trace") == Settings()


def test_our_names_beat_the_older_ones_in_the_file_and_among_the_variables(read):
    toml = "[arc]\nattempts = 3\n[bus.kafka]\ngroup = 'ours'\n"
    older = {"WEBHOOK_API_MAX_ATTEMPTS": "9", "KAFKA_GROUP_ID": "theirs", "LOG_LEVEL": "error"}
    settings = read(toml, OSTINATO_LOG__LEVEL="debug", **older)
    assert (settings.arc.attempts, settings.bus["kafka"].group) == (3, "ours")
    assert (settings.log.level, settings.origin("log.level")) == ("debug", "OSTINATO_LOG__LEVEL")


def test_a_database_is_put_together_of_its_parts(read):
    parts = {"DB_HOST": "db", "DB_USER": "task", "DB_PASSWORD": "p@ss", "DB_DATABASE": "tasks"}
    settings = read(OSTINATO_ALIASES="true", **parts)
    assert settings.store == "postgresql://task:p%40ss@db:5432/tasks"
    assert settings.origin("store") == "DB_HOST"
    assert read(OSTINATO_ALIASES="true", DB_HOST="db").store == Settings().store


def test_a_redis_with_a_password_is_put_together(read):
    parts = {"REDIS_HOST": "r", "REDIS_PORT": "7", "REDIS_PASSWORD": "p:w"}
    settings = read("aliases = true\n" + BUSES["bullmq"], **parts)
    assert settings.bus["jobs"].url == "redis://:p%3Aw@r:7"


def test_a_value_that_does_not_fit_names_the_variable(read):
    with pytest.raises(SettingsError, match="WEBHOOK_API_MAX_ATTEMPTS: 'many' does not fit"):
        read(WEBHOOK_API_MAX_ATTEMPTS="many")


def test_a_secret_is_shown_nowhere(read):
    settings = read(BUSES["sqs"], AWS_SQS_SECRET_KEY="hush-hush", WEBHOOK_PASSWORD="hush-hush")
    shown = [text for bus in settings.bus.values() for _, text, _ in bus_rows(bus)]
    assert "hush-hush" not in repr(settings) + repr(shown)


def test_the_command_shows_the_older_name_as_origin(read, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEBHOOK_SECRET_EXPIRY", "60000")
    settings_command.settings(json=True)
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    shown = rows["arc.secret_expiry"]
    assert (shown["value"], shown["from"]) == ("1m", "WEBHOOK_SECRET_EXPIRY")
