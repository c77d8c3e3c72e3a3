"""The example of a control plane, served and played end to end: on every store, by every bus."""

import json
import os
import socket
import subprocess
import sys
from uuid import uuid4

import boto3
import pytest

from tests.examples.playing import EXAMPLES

PLAY = EXAMPLES / "saas_control_plane" / "play.py"
PATIENCE = 55

AWS = {"region_name": "eu-west-1", "aws_access_key_id": "t", "aws_secret_access_key": "t"}


@pytest.fixture
def place():
    """A queue's or a topic's name that nobody else has."""
    return f"tenants-{uuid4().hex[:8]}"


def variables(kind, **members):
    return {f"OSTINATO_BUS__{kind}__{name}": value for name, value in members.items()}


def aws_variables(kind, url, **members):
    keys = {"ACCESS_KEY_ID": "t", "SECRET_ACCESS_KEY": "t", "REGION": "eu-west-1", "ENDPOINT": url}
    return variables(kind, **keys, **members)


def own(request, place):
    return [], {}


def http(request, place):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    return ["--port", port], variables("HTTP", URL=f"http://127.0.0.1:{port}/events")


def kafka(request, place):
    server = request.getfixturevalue("kafka_server")
    server.make(place)
    members = {"TOPIC": place, "RECEIVE": place, "GROUP": place}
    return [], variables("KAFKA", SERVERS=server.servers, **members)


def bullmq(request, place):
    url = request.getfixturevalue("redis_server").url
    return [], variables("BULLMQ", URL=url, QUEUE=place, RECEIVE=place)


def sqs(request, place):
    url = request.getfixturevalue("moto_server").url
    boto3.client("sqs", endpoint_url=url, **AWS).create_queue(QueueName=place)
    return [], aws_variables("SQS", url, QUEUE=place, RECEIVE=place)


def eventbridge(request, place):
    """What goes out comes back by a rule, through a queue."""
    url = request.getfixturevalue("moto_server").url
    queues, events = (boto3.client(name, endpoint_url=url, **AWS) for name in ("sqs", "events"))
    queue = queues.create_queue(QueueName=place)["QueueUrl"]
    asked = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    events.create_event_bus(Name=place)
    pattern = json.dumps({"detail-type": ["TENANT_PROVISIONING", "TENANT_DEPROVISIONING"]})
    events.put_rule(Name="both", EventBusName=place, EventPattern=pattern)
    target = {"Id": "1", "Arn": asked["Attributes"]["QueueArn"]}
    events.put_targets(Rule="both", EventBusName=place, Targets=[target])
    named = {"EVENT_BUS_NAME": place}  # as the older service has it
    back = aws_variables("SQS", url, RECEIVE=place)
    return [], aws_variables("EVENTBRIDGE", url) | back | named


BUSES = {
    "memory": own, "loop": own, "http": http, "kafka": kafka, "bullmq": bullmq, "sqs": sqs,
    "eventbridge": eventbridge,
}  # fmt: skip


@pytest.fixture(params=["sqlite", "postgres"])
def store(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/plane.db"
    return request.getfixturevalue("new_database")()


def play(folder, *arguments, **environ):
    return subprocess.run(
        [sys.executable, str(PLAY), *arguments],
        cwd=folder, env=os.environ | environ, capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip


@pytest.mark.real
@pytest.mark.timeout(120)
@pytest.mark.seed("A93", "A78", "A74", "A73", "B.8-18")
@pytest.mark.parametrize("bus", BUSES)
def test_three_tenants_are_paid_for_and_each_gets_a_definite_status(
    bus, store, tmp_path, place, request
):
    arguments, environ = BUSES[bus](request, place)
    done = play(tmp_path, "--bus", bus, "--store", store, *arguments, **environ)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'acme: succeeded, {"status": 0, "resources": [{"type": "bucket"' in done.stdout
    assert 'globex: failed, {"name": "Unexpected"' in done.stdout
    assert "acme leaves: succeeded" in done.stdout


@pytest.mark.real
def test_a_bus_that_is_not_in_the_settings_fails_every_tenant_and_says_why(tmp_path):
    done = play(tmp_path, "--bus", "pigeon")
    assert done.returncode == 1
    assert "pigeon" in done.stdout.partition("acme: failed")[2]
