"""Answers for moto, line by line, in an environment that has it (see `moto_sns.py`).

In: [scope, policy, [message, …]], where a message is {name: attribute} or the text of a body.
Out: why the policy is refused, as a text; or per message whether it fits, null where moto fails.
"""

import json
import sys

from moto.sns.models import SNSBackend
from moto.sns.utils import FilterPolicyMatcher

SCOPES = {"attributes": "MessageAttributes", "body": "MessageBody"}


def answers(scope, policy, messages):
    try:
        SNSBackend._validate_filter_policy(None, policy, SCOPES[scope])
    except Exception as error:
        return getattr(error, "description", "") or str(error) or type(error).__name__
    matcher = FilterPolicyMatcher(policy, SCOPES[scope])
    return [answer(matcher, scope, message) for message in messages]


def answer(matcher, scope, message):
    try:
        body = message if scope == "body" else ""
        return matcher.matches(None if scope == "body" else message, body)
    except Exception:
        return None


for line in sys.stdin:
    sys.stdout.write(json.dumps(answers(*json.loads(line))) + "\n")
    sys.stdout.flush()
