"""Events as the services send them, whole: what AWS hands to a function, and what the triggers of
a document database put on a bus. They start what is waiting for them, by every route."""

import asyncio
import json

import pytest

from ostinato import App
from ostinato.config import Settings
from ostinato.ports import Page, RunQuery
from ostinato.web.asgi import application
from tests.web.conftest import client_of, events_of

STAGE = {"type": "STAGE_DONE", "data": {"uid": "u-1", "activity": "fulfil"}}

SNS = {
    "EventVersion": "1.0",
    "EventSubscriptionArn": "arn:aws:sns:us-east-1:123456789012:stages:21be56ed-a058",
    "EventSource": "aws:sns",
    "Sns": {
        "SignatureVersion": "1",
        "Timestamp": "2027-01-02T12:45:07.000Z",
        "Signature": "tcc6faL2yUC6dgZdmrwh1Y4cGa/ebXEkAi6RibDsvpi+tE/1+82j...65r==",
        "SigningCertUrl": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-ac565b8b.pem",
        "MessageId": "95df01b4-ee98-5cb9-9903-4c221d41eb5e",
        "Message": json.dumps(STAGE),
        "MessageAttributes": {
            "Test": {"Type": "String", "Value": "TestString"},
            "TestBinary": {"Type": "Binary", "Value": "TestBinary"},
        },
        "Type": "Notification",
        "UnsubscribeUrl": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
        "TopicArn": "arn:aws:sns:us-east-1:123456789012:stages",
        "Subject": "TestInvoke",
    },
}
SQS = {
    "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
    "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a...",
    "body": json.dumps(STAGE),
    "attributes": {
        "ApproximateReceiveCount": "1",
        "SentTimestamp": "1545082649183",
        "SenderId": "AIDAIENQZJOLO23YVJ4VO",
        "ApproximateFirstReceiveTimestamp": "1545082649185",
    },
    "messageAttributes": {},
    "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
    "eventSource": "aws:sqs",
    "eventSourceARN": "arn:aws:sqs:us-east-2:123456789012:my-queue",
    "awsRegion": "us-east-2",
}
ORCHESTRATOR = {"Sqs": {"Message": json.dumps(STAGE)}}

CHANGE = {
    "_id": {"_data": "8263A1B2C3000000012B022C0100296E5A1004"},
    "operationType": "insert",
    "clusterTime": {"$timestamp": {"t": 1798884307, "i": 1}},
    "wallTime": "2027-01-02T12:45:07.000Z",
    "ns": {"db": "fishing", "coll": "statuses"},
    "documentKey": {"_id": "6595f0d38f2b4a0012a3b4c5"},
    "fullDocument": {
        "_id": "6595f0d38f2b4a0012a3b4c5",
        "stateId": "1",
        "status": "success",
        "job": "thinking",
        "date": "2027-01-02T12:45:07.000Z",
        "lake": "Balaton",
    },
}
INSERTED = "MongoDB Database Trigger for fishing.statuses"
ENVELOPE = {
    "version": "0",
    "id": "b2dd8a5f-2b2c-4d3e-9f0a-0f1e2d3c4b5a",
    "detail-type": INSERTED,
    "source": "aws.partner/mongodb.com/stitch.trigger/5f3c",
    "account": "123456789012",
    "time": "2027-01-02T12:45:08Z",
    "region": "eu-central-1",
    "resources": ["arn:aws:events:eu-central-1::event-source/aws.partner/mongodb.com"],
    "detail": CHANGE,
}

DOCUMENT = f"""
workflow: fishing
on:
  - event: {INSERTED}
    pattern: &done {{detail: {{operationType: [insert], fullDocument: {{status: [success]}}}}}}
    input: &found
      job: "${{ event.data.fullDocument.job }}"
      lake: "${{ event.data.fullDocument.lake }}"
  - event: STATUS
    pattern: *done
    input: *found
phases: [{{phase: one, jobs: [{{job: said, run: echo, with: {{input: "${{ input }}"}}}}]}}]
output: jobs.said.output
"""


@pytest.fixture
async def app():
    async with App(Settings(store="memory:")) as app:
        await app.deploy(DOCUMENT)
        yield app


@pytest.fixture
async def http(app):
    async with client_of(application(app)) as http:
        yield http


async def output_of(app):
    """Of the one run of this workflow, once it has ended."""
    async with asyncio.timeout(10):
        while not (
            runs := await app.runs(RunQuery(workflow="fishing", status=("succeeded",)), Page())
        ):
            await asyncio.sleep(0.005)
    (run,) = runs
    return json.loads(bytes((await app.run_view(run.run_id)).output))


FOUND = {"input": {"job": "thinking", "lake": "Balaton"}}


@pytest.mark.seed("A15")
@pytest.mark.parametrize("record", [SNS, SQS, ORCHESTRATOR], ids=["sns", "sqs", "orchestrator"])
async def test_a_record_of_a_function_is_the_event_in_it(http, app, record):
    answer = await http.post("/events", json={"Records": [record]})
    assert answer.status_code == 202, answer.text
    (stored,) = await events_of(app)
    assert (stored.event.type, json.loads(bytes(stored.event.data))) == (
        "STAGE_DONE", {"uid": "u-1", "activity": "fulfil"},
    )  # fmt: skip
    named = record.get("messageId") or record.get("Sns", {}).get("MessageId")
    assert named in (None, stored.event.id)


@pytest.mark.seed("A15")
async def test_a_record_that_is_delivered_twice_is_one_event(http, app):
    for duplicate in (False, True):
        answers = (await http.post("/events", json={"Records": [SNS, SQS]})).json()
        assert [one["duplicate"] for one in answers] == [duplicate] * 2
    assert len(await events_of(app)) == 2


@pytest.mark.seed("A16", "A3")
async def test_a_database_trigger_starts_what_its_document_fits(http, app):
    """The envelope of the database's own integration: ``detail.fullDocument`` is the status."""
    await http.post("/events", json=ENVELOPE)
    assert await output_of(app) == FOUND
    failed = json.loads(json.dumps(ENVELOPE).replace('"success"', '"failed"'))
    assert (await http.post("/events", json=failed | {"id": "2"})).json()["runs"] == []


@pytest.mark.seed("A16")
@pytest.mark.parametrize("route", ["/events/STATUS", "/event-bridge/events/STATUS"])
@pytest.mark.parametrize("body", [ENVELOPE, CHANGE], ids=["envelope", "bare"])
async def test_a_database_trigger_by_the_routes_of_the_older_services(http, app, route, body):
    answer = await http.post(route, json=body)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    (stored,) = await events_of(app)
    assert json.loads(bytes(stored.event.data)) == CHANGE
    assert await output_of(app) == FOUND


@pytest.mark.seed("A16")
async def test_the_same_document_by_the_outbox_of_a_run(http, app):
    """What inserts a status may be a job here: its event is what the database would have said."""
    await app.deploy(
        {
            "workflow": "inserts",
            "phases": [
                {"phase": "p", "jobs": [{"job": "e", "emit": {"type": "STATUS", "data": CHANGE}}]}
            ],
        }
    )
    await (await app.start("inserts")).result(timeout=10)
    assert await output_of(app) == FOUND
