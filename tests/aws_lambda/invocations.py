"""What AWS hands to a function, in the shapes of its developer guide."""

import base64
import json
from itertools import count

REGION = "arn:aws:{service}:eu-west-1:123456789012:{name}"
_numbers = count(1)


class Context:
    """``left``: milliseconds until Lambda ends it."""

    def __init__(self, left=60_000):
        self.left = left

    def get_remaining_time_in_millis(self):
        return self.left


def arn(service, name):
    return REGION.format(service=service, name=name)


def http_api(method, path, body=None, key=None, headers=None):
    """An HTTP API, or a function URL: payload format 2.0."""
    given = {"host": "abc.lambda-url.eu-west-1.on.aws", **(headers or {})}
    if key is not None:
        given["authorization"] = f"Bearer {key}"
    if body is not None:
        given.setdefault("content-type", "application/json")
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": given,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc",
            "domainName": given["host"],
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.9",
                "userAgent": "test",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "timeEpoch": 1_800_000_000_000,
        },
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


def rest_api(method, path):
    """A REST API: payload format 1.0."""
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": {"Host": "abc.execute-api.eu-west-1.amazonaws.com"},
        "multiValueHeaders": {"Host": ["abc.execute-api.eu-west-1.amazonaws.com"]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "requestContext": {
            "resourcePath": "/{proxy+}",
            "httpMethod": method,
            "path": f"/prod{path}",
            "stage": "prod",
            "identity": {"sourceIp": "203.0.113.9", "userAgent": "test"},
            "requestId": "c6af9ac6",
        },
        "body": None,
        "isBase64Encoded": False,
    }


def balancer(method, path):
    return {
        "requestContext": {
            "elb": {"targetGroupArn": arn("elasticloadbalancing", "targetgroup/t/50dc6c495c0c9188")}
        },
        "httpMethod": method,
        "path": path,
        "queryStringParameters": {},
        "headers": {"host": "t.eu-west-1.elb.amazonaws.com", "x-forwarded-for": "203.0.113.9"},
        "body": "",
        "isBase64Encoded": False,
    }


def queued(*bodies, queue="orders", **attributes):
    """Of a queue of SQS; ``attributes`` are the message's."""
    return {"Records": [_queued(body, queue, attributes) for body in bodies]}


def _queued(body, queue, attributes):
    number = next(_numbers)
    return {
        "messageId": f"19dd0b57-b21e-4ac1-bd88-{number:012d}",
        "receiptHandle": "MessageReceiptHandle",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1800000000000",
            "SenderId": "123456789012",
            "ApproximateFirstReceiveTimestamp": "1800000000001",
        },
        "messageAttributes": {
            name: {
                "stringValue": value, "stringListValues": [], "binaryListValues": [],
                "dataType": "String",
            }
            for name, value in attributes.items()
        },
        "md5OfBody": "7b270e59b47ff90a553787216d55d91d",
        "eventSource": "aws:sqs",
        "eventSourceARN": arn("sqs", queue),
        "awsRegion": "eu-west-1",
    }  # fmt: skip


def notified(message, topic="orders", **attributes):
    """Of a topic of SNS."""
    number = next(_numbers)
    return {
        "Records": [
            {
                "EventVersion": "1.0",
                "EventSubscriptionArn": arn("sns", f"{topic}:21be56ed"),
                "EventSource": "aws:sns",
                "Sns": {
                    "SignatureVersion": "1",
                    "Timestamp": "2027-01-15T08:00:00.000Z",
                    "Signature": "EXAMPLE",
                    "SigningCertURL": "EXAMPLE",
                    "MessageId": f"95df01b4-ee98-5cb9-9903-{number:012d}",
                    "Message": message,
                    "MessageAttributes": {
                        name: {"Type": "String", "Value": value}
                        for name, value in attributes.items()
                    },
                    "Type": "Notification",
                    "UnsubscribeUrl": "EXAMPLE",
                    "TopicArn": arn("sns", topic),
                    "Subject": None,
                },
            }
        ]
    }


def ruled(type, detail, source="shop"):
    """A target of a rule of EventBridge."""
    number = next(_numbers)
    return {
        "version": "0",
        "id": f"6a7e8feb-b491-4cf7-a9f1-{number:012d}",
        "detail-type": type,
        "source": source,
        "account": "123456789012",
        "time": "2027-01-15T08:00:00Z",
        "region": "eu-west-1",
        "resources": [],
        "detail": detail,
    }


def ticked():
    """A rule of EventBridge that has a schedule."""
    rule = arn("events", "rule/every-minute")
    return ruled("Scheduled Event", {}, source="aws.events") | {"resources": [rule]}


def streamed(topic, *values, source="aws:kafka", key=None, headers=None):
    """Of a topic of Kafka."""
    spelled = [{name: list(value.encode())} for name, value in (headers or {}).items()]
    records = [
        {
            "topic": topic,
            "partition": 0,
            "offset": next(_numbers),
            "timestamp": 1_800_000_000_000,
            "timestampType": "CREATE_TIME",
            **({} if key is None else {"key": base64.b64encode(key.encode()).decode()}),
            "value": base64.b64encode(value).decode(),
            "headers": spelled,
        }
        for value in values
    ]
    return {
        "eventSource": source,
        "eventSourceArn": arn("kafka", "cluster/c/uuid"),
        "bootstrapServers": "b-1.c.kafka.eu-west-1.amazonaws.com:9092",
        "records": {f"{topic}-0": records},
    }
