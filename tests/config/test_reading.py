"""Settings come from the file, the environment and arguments, in this order of strength."""

from datetime import timedelta

import pytest

from ostinato.config import ApiKey, Settings, override_settings, read_settings, settings_table
from ostinato.errors import SettingsError


@pytest.fixture
def read(tmp_path):
    def read(toml="", environ=None, arguments=None, **options):
        if toml:
            (tmp_path / "ostinato.toml").write_text(toml)
        return read_settings(arguments, environ=environ or {}, folder=tmp_path, **options)

    return read


def refusal(read, *args, **options):
    with pytest.raises(SettingsError) as caught:
        read(*args, **options)
    return str(caught.value)


def test_without_any_source_the_defaults_hold(read):
    settings = read()
    assert settings == Settings()
    assert settings.store == "sqlite:///ostinato.db"
    assert (settings.host, settings.port) == ("127.0.0.1", 8085)
    assert settings.limits.event == 1 << 20
    assert settings.origin("limits.event") == "default"


def test_arguments_beat_variables_beat_the_file(read):
    toml = 'port = 1\nhost = "::1"\n[limits]\nevent = "2 MB"\nsteps = 5'
    environ = {"OSTINATO_PORT": "2", "OSTINATO_LIMITS__EVENT": "3 MB"}
    settings = read(toml, environ, {"port": 3}, by="--{name}")
    assert (settings.port, settings.host) == (3, "::1")
    assert (settings.limits.event, settings.limits.steps) == (3 << 20, 5)
    assert settings.origin("port") == "--port"
    assert settings.origin("limits.event") == "OSTINATO_LIMITS__EVENT"
    assert settings.origin("limits.steps").endswith("ostinato.toml")


def test_arguments_may_be_nested_or_dotted(read):
    assert read(arguments={"limits": {"steps": 7}}).limits.steps == 7
    assert read(arguments={"limits.steps": 7}).limits.steps == 7


def test_arguments_that_come_late_beat_what_was_read(read):
    settings = read("[limits]\nsteps = 5", arguments={"port": 1, "host": "::1"})
    late = override_settings(settings, {"port": 2, "store": None}, by="--{name}")
    assert (late.port, late.host, late.limits.steps) == (2, "::1", 5)
    assert (late.origin("port"), late.origin("host")) == ("--port", "argument host")


def test_an_argument_that_is_none_is_not_given(read):
    assert read("port = 1", arguments={"port": None}).port == 1


def test_an_empty_variable_is_not_set(read):
    assert read(environ={"OSTINATO_PORT": ""}).port == 8085


def test_variables_of_others_are_none_of_ours(read):
    assert read(environ={"PORT": "1", "OSTINATOR_PORT": "x"}) == Settings()


@pytest.mark.parametrize(
    ("environ", "nearest"),
    [
        ({"OSTINATO_PROT": "1"}, "OSTINATO_PORT"),
        ({"OSTINATO_LIMITS_EVENT": "1"}, "OSTINATO_LIMITS__EVENT"),
        ({"OSTINATO_EVENT": "1"}, "OSTINATO_LIMITS__EVENT"),
        ({"OSTINATO_LIMIT__EVENTS": "1"}, "OSTINATO_LIMITS__EVENT"),
        ({"OSTINATO_SERVICE_HOST": "10.0.0.1"}, "enableServiceLinks: false"),
        ({"OSTINATO_XYZZY": "1"}, "`ostinato settings`"),
    ],
)
def test_an_unknown_variable_names_the_nearest(read, environ, nearest):
    (name,) = environ
    message = refusal(read, environ=environ)
    assert name in message
    assert nearest in message


@pytest.mark.parametrize(
    ("toml", "nearest"),
    [
        ("prot = 1", "port"),
        ("[limits]\nevnt = 1", "limits.event"),
        ("[limit]\nevent = 1", "limits.event"),
        ("[nonsense]", "`ostinato settings`"),
        ("limits = 3", "limits"),
    ],
)
def test_an_unknown_key_names_the_nearest_and_the_file(read, toml, nearest):
    message = refusal(read, toml)
    assert nearest in message
    assert "ostinato.toml" in message


def test_all_that_is_wrong_is_told_at_once(read):
    message = refusal(read, 'port = "x"\nprot = 1', {"OSTINATO_LOG__LEVEL": "loud"})
    assert "port" in message
    assert "prot" in message
    assert "debug | info | warning | error" in message


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("limits.event", "1 MB", 1 << 20),
        ("limits.event", "64kb", 64 << 10),
        ("limits.event", "1.5 MiB", 3 << 19),
        ("limits.event", 4096, 4096),
        ("limits.steps", "100_000", 100_000),
        ("drain", "90s", timedelta(seconds=90)),
        ("drain", "PT1M", timedelta(minutes=1)),
        ("drain", timedelta(seconds=1), timedelta(seconds=1)),
        ("url", "http://localhost:8085/", "http://localhost:8085"),
        ("store", "memory:", "memory:"),
        ("log.level", "WARNING", "warning"),
        ("auth.anonymous", "events, ping", ("events", "ping")),
        ("auth.anonymous", '["events"]', ("events",)),
    ],
)
def test_values_are_read_in_the_forms_people_write(read, name, written, value):
    assert read(arguments={name: written}).value(name) == value


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("limits.event", "much"),
        ("limits.event", -1),
        ("limits.event", True),
        ("limits.event", "0 MB"),
        ("limits.steps", "1.5"),
        ("limits.steps", 0),
        ("drain", "30"),
        ("drain", 1.5),
        ("drain", "P1M"),
        ("port", 70_000),
        ("port", True),
        ("url", "localhost:8085"),
        ("store", "ostinato.db"),
        ("store", "sqlite://ostinato.db"),
        ("store", "mysql://x"),
        ("host", " "),
        ("host", 3),
        ("auth.anonymous", 3),
        ("auth.anonymous", "[oops"),
        ("auth.keys", "short"),
        ("auth.keys", [{"name": "a"}]),
        ("auth.keys", [3]),
        ("auth.keys", [{"sha256": "abc"}]),
        ("auth.keys", {"a": "b"}),
        ("key", 12),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(read, name, written):
    assert name in refusal(read, arguments={name: written})


def test_a_store_written_as_a_file_shows_how_to_write_it(read):
    assert "sqlite:///data/x.db" in refusal(read, arguments={"store": "data/x.db"})


def test_a_database_is_shown_without_its_password(read):
    for url in ("postgresql://u:p@h/d?sslpassword=p&user=u", "postgres://u:p@h/d"):
        settings = read(arguments={"store": url})
        assert (settings.store, settings.store_is_server) == (url, True)
        assert settings.store_shown.startswith(url.partition(":")[0] + "://u:***@h/d")
        assert "=p" not in settings.store_shown


def test_a_file_that_is_not_toml_is_named_with_the_place(read):
    message = refusal(read, "port 8085")
    assert "ostinato.toml" in message
    assert "line 1" in message


def test_a_file_that_a_variable_names_must_be_there(read, tmp_path):
    other = tmp_path / "other.toml"
    environ = {"OSTINATO_CONFIG": str(other)}
    assert "no such file" in refusal(read, environ=environ)
    other.write_text("port = 5")
    assert read("port = 1", environ).port == 5


# Secrets


SECRET = "0123456789abcdef-secret"


def test_a_secret_can_come_from_a_file(read, tmp_path):
    (tmp_path / "key").write_text(f"{SECRET}\n")
    environ = {"OSTINATO_KEY_FILE": str(tmp_path / "key")}
    assert read(environ=environ).key == SECRET
    assert "OSTINATO_KEY_FILE" in read(environ=environ).origin("key")
    assert read(f"key_file = '{tmp_path / 'key'}'").key == SECRET


def test_keys_come_one_per_line_or_with_names(read, tmp_path):
    (tmp_path / "keys").write_text(f"{SECRET}1\n{SECRET}2\n")
    keys = read(environ={"OSTINATO_AUTH__KEYS_FILE": str(tmp_path / "keys")}).auth.keys
    assert keys == (ApiKey.of("key-1", SECRET + "1"), ApiKey.of("key-2", SECRET + "2"))
    toml = f'[[auth.keys]]\nname = "ci"\nsecret = "{SECRET}"\npermissions = ["run:read"]'
    assert read(toml).auth.keys == (ApiKey.of("ci", SECRET, "run:read"),)
    digest = ApiKey.of("ci", SECRET).sha256
    toml = f'[[auth.keys]]\nname = "ci"\nsha256 = "{digest}"'
    assert read(toml).auth.keys == (ApiKey.of("ci", SECRET),)


def test_a_secret_given_twice_in_one_source_is_refused(read, tmp_path):
    (tmp_path / "key").write_text(SECRET)
    both = {"OSTINATO_KEY": "x", "OSTINATO_KEY_FILE": str(tmp_path / "key")}
    assert "keep one" in refusal(read, environ=both)


def test_a_secret_file_that_is_missing_or_empty_is_named(read, tmp_path):
    assert "cannot read" in refusal(read, environ={"OSTINATO_KEY_FILE": str(tmp_path / "no")})
    (tmp_path / "empty").touch()
    assert "is empty" in refusal(read, environ={"OSTINATO_KEY_FILE": str(tmp_path / "empty")})


def test_what_is_no_secret_has_no_file_variant(read):
    assert "no setting" in refusal(read, environ={"OSTINATO_HOST_FILE": "x"})


def test_a_refused_secret_is_not_shown(read):
    assert "hunter2" not in refusal(read, arguments={"auth.keys": ["hunter2"]})
    assert "hunter2" not in refusal(read, environ={"OSTINATO_STORE": "mysql://me:hunter2@h/d"})


def test_settings_do_not_print_secrets(read):
    settings = read(arguments={"auth.keys": [SECRET], "key": SECRET})
    assert SECRET not in repr(settings)


# The tables


def test_every_setting_shows_a_value_that_can_be_read_again():
    for setting in settings_table().values():
        if setting.default is None or setting.kind.secret or setting.default in ((), {}):
            continue
        assert setting.kind.read(setting.shown(setting.default)) == setting.default


def test_the_store_is_a_file_or_not():
    assert str(Settings(store="sqlite:///a/b.db").store_file) == "a/b.db"
    assert str(Settings(store="sqlite:////a/b.db").store_file) == "/a/b.db"
    assert Settings(store="memory:").store_file is None
