"""What redriving a dead letter would start, without a store."""

import pytest
from msgspec import Raw

from ostinato.core import events as e
from ostinato.core.cloudevents import Event
from ostinato.core.decide.repairs import ACTIONS, request
from ostinato.core.letters import CONSUMER, KINDS, NO_EVENT, OUTGOING, judge

EVENT = Event("1", "shop", "GO", 0, None, Raw(b"{}"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_letter_without_its_event_stays(kind):
    assert judge(None, kind, "t", None, None).reasons == (NO_EVENT,)


def test_an_outgoing_one_asks_no_trigger():
    assert judge(None, OUTGOING, "r1", EVENT, ("r1", "succeeded")).reasons == ()


@pytest.mark.parametrize("status", ["running", "succeeded", "waiting"])
def test_a_consumer_whose_run_goes_on_is_not_started_again(status):
    (reason,) = judge(None, CONSUMER, "consumer-c", EVENT, ("r1", status)).reasons
    assert reason.message == f"its run r1 did not stay failed: it is {status} now"


def test_every_action_is_an_event_with_who_and_why():
    asked = [request(action, "ada", "mended", "p/j", Raw(b"1")) for action in ACTIONS]
    assert {(one.by, one.why) for one in asked} == {("ada", "mended")}
    assert [type(one) for one in asked] == [
        e.CancelRequested, e.PauseRequested, e.ResumeRequested, e.RetryRequested, e.SkipRequested,
    ]  # fmt: skip
    assert (asked[3].key, asked[4].key, bytes(asked[4].output)) == ("p/j", "p/j", b"1")
