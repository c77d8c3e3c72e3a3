"""What is told when AWS does not answer as it should: how to mend it, and no secret."""

import asyncio

import pytest
from botocore import exceptions as boto

from ostinato.bus.aws.clients import Service
from ostinato.bus.aws.troubles import entry_error, trouble
from ostinato.bus.sqs.queue import Queue, name_of
from ostinato.errors import UsageError
from tests.buses.aws import app_with, settings, table, until

SECRETS = ["TOPSECRET", "a/TOPSECRET#b", "TOPSECRET@c", 'TOPSECRET"d', "TOPSECRET e"]


def address(secret):
    return f"http://user:{secret}@127.0.0.1:9/x?key=TOPSECRET"


def told(secret, error):
    given = settings("sqs", address(secret))
    return str(trouble(error, given, "sqs", "there is no queue"))


@pytest.mark.parametrize("secret", SECRETS)
class TestAnEndpointWithAPassword:
    @pytest.mark.parametrize("kind", [boto.EndpointConnectionError, boto.ConnectTimeoutError])
    def test_that_cannot_be_reached(self, secret, kind):
        text = told(secret, kind(endpoint_url=address(secret), error="away"))
        assert "http://127.0.0.1:9/x cannot be reached" in text
        assert "TOPSECRET" not in text

    def test_that_is_none(self, secret):
        text = told(secret, ValueError(f"Invalid endpoint: {address(secret)}"))
        assert text == "sqs: Invalid endpoint: http://127.0.0.1:9/x"

    @pytest.mark.parametrize("code", ["InternalError", "AccessDenied", "ExpiredToken"])
    def test_that_answers_with_it(self, secret, code):
        said = {"Code": code, "Message": f"not at {address(secret)}"}
        text = told(secret, boto.ClientError({"Error": said}, "SendMessage"))
        assert "not at http://127.0.0.1:9/x" in text
        assert "TOPSECRET" not in text


class TestAQueueWithAPassword:
    URL = "https://user:TOPSECRET@sqs.example/123/orders"

    def test_that_is_missing(self):
        queue = Queue(Service(settings("sqs", "http://127.0.0.1:9"), "sqs"), self.URL)
        why = queue._missing()
        assert why.startswith("there is no queue orders at https://sqs.example/123/orders in")

    def test_that_is_none(self):
        with pytest.raises(UsageError, match=r"'https://sqs.example/123/orders!' is no queue"):
            name_of(f"{self.URL}!")

    def test_that_an_entry_was_refused_for(self):
        failed = {"Code": "InternalError", "Message": f"not at {self.URL}"}
        assert str(entry_error("sqs", failed)) == (
            "sqs: InternalError: not at https://sqs.example/123/orders"
        )


async def test_neither_the_log_nor_the_view_of_a_bus_shows_it(capfd):
    address = "http://user:TOPSECRET@127.0.0.1:9/"
    queue = "http://other:TOPSECRET@127.0.0.1:9/123/orders"
    app = app_with(table("sqs", address, queue=queue, receive=[queue]))

    async def in_trouble():
        [bus] = await app.buses()
        return (bus, bus.receives[0]) if bus.trouble and bus.receives[0].trouble else None

    async with app:
        await app.producer("sqs").send("ORDER", {})
        found = await until(in_trouble)
        await asyncio.sleep(0)
    out, err = capfd.readouterr()
    assert "TOPSECRET" not in out + err + repr(found)
    assert "http://127.0.0.1:9 cannot be reached" in found[1].trouble
