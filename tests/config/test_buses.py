"""``[bus.NAME]``: read from the file and from variables, refused with what would be right."""

import pytest

from ostinato.config import bus_rows, read_settings
from ostinato.config.addresses import without_secrets
from ostinato.errors import SettingsError

HUSH = "sek@/ret?x"


def read(tmp_path, toml="", **environ):
    (tmp_path / "ostinato.toml").write_text(toml)
    return read_settings(environ=environ, folder=tmp_path)


def test_a_table_and_variables_make_one_bus_and_say_who_gave_what(tmp_path):
    toml = """
        [bus.orders]
        kind = "kafka"
        receive = ["a", "b", "a"]
        options = {"a.b" = "c"}
    """
    (tmp_path / "secret").write_text("hush\n")
    bus = read(
        tmp_path,
        toml,
        OSTINATO_BUS__ORDERS__GROUP="g",
        OSTINATO_BUS__ORDERS__SEND="A*, B",
        OSTINATO_BUS__ORDERS__PASSWORD_FILE=str(tmp_path / "secret"),
    ).bus["orders"]
    assert (bus.name, bus.kind, bus.receive, bus.group) == ("orders", "kafka", ("a", "b"), "g")
    assert (bus.send, bus.options, bus.password) == (("A*", "B"), {"a.b": "c"}, "hush")
    assert bus.origin("group") == "OSTINATO_BUS__ORDERS__GROUP"
    assert bus.origin("receive") == str(tmp_path / "ostinato.toml")
    assert bus.origin("since") == "default"


def test_a_bus_is_of_the_kind_that_it_is_called_by(tmp_path):
    assert read(tmp_path, "[bus.sqs]\n").bus["sqs"].kind == "sqs"


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ('[bus.x]\nkind = "nats"', "no kind of bus is called 'nats' (one of kafka, sqs"),
        ('[bus.x]\nkind = ["a"]', "no kind of bus is called"),
        ("[bus.x]\n", "no kind of bus is called 'x'"),
        ('[bus.kafka]\nrecieve = ["a"]', "did you mean receive?"),
        ('[bus.kafka]\nform = "xml"', "cloudevents | task | data"),
        ("[bus.kafka]\nmost = 0", "a whole number from 1"),
        ("[bus]\nkafka = 7", "[bus.kafka]"),
        ('[bus.memory]\nkind = "memory"', "`memory` is the engine's own"),
        ('[bus.""]\nkind = "memory"', "no name of a bus"),
        ('[bus.Shop]\nkind = "memory"', "small letters, digits"),
    ],
)
def test_what_cannot_be_is_refused_with_what_would_be_right(tmp_path, toml, told):
    with pytest.raises(SettingsError) as error:
        read(tmp_path, toml)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("kind", "member", "value"),
    [
        ("http", "url", "https://u:sek%40ret@h/x?token=sek"),
        ("bullmq", "url", f"redis://:{HUSH}@h:6379"),
        ("sqs", "queue", f"https://u:{HUSH}@h/q"),
        ("sqs", "endpoint", "https://u:sekret@h"),
        ("kafka", "servers", f"u:{HUSH}@h:9092"),
        ("kafka", "password", HUSH),
        ("kafka", "options", f'{{"sasl.password": "{HUSH}"}}'),
    ],
)
def test_a_secret_is_shown_nowhere(tmp_path, kind, member, value):
    name = f"OSTINATO_BUS__X__{member.upper()}"
    settings = read(tmp_path, **{"OSTINATO_BUS__X__KIND": kind, name: value})
    shown = [text for _, text, _ in bus_rows(settings.bus["x"])]
    assert not any("sek" in text or "ret" in text.replace("secret", "") for text in shown), shown
    assert "sek" not in repr(settings)


@pytest.mark.parametrize(
    ("kind", "member", "value"),
    [
        ("http", "url", f"htp://u:{HUSH}@h/x"),
        ("bullmq", "url", f"redis//u:{HUSH}@h"),
        ("kafka", "options", '{"sasl.password":"sekret"'),
        ("kafka", "password", " "),
    ],
)
def test_neither_does_a_refusal(tmp_path, kind, member, value):
    name = f"OSTINATO_BUS__X__{member.upper()}"
    with pytest.raises(SettingsError) as error:
        read(tmp_path, **{"OSTINATO_BUS__X__KIND": kind, name: value, "OSTINATO_BUS__X__MOST": "x"})
    assert "sek" not in str(error.value)


def test_an_address_that_everybody_may_see_has_neither_user_nor_query():
    assert without_secrets("https://u:p@ss/w?rd@h:8/x?token=y") == "https://h:8/x"
    assert without_secrets("redis://127.0.0.1:6379") == "redis://127.0.0.1:6379"
    assert without_secrets("https://h/a?b") == "https://h/a"
    assert without_secrets("h1:9092,h2:9092") == "h1:9092,h2:9092"
