"""Signatures: the vectors of the systems we speak to, and what a verifier refuses."""

import json
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato import signing
from ostinato.errors import UsageError
from ostinato.signing import (
    LONGEST_REWRITTEN,
    ArcCall,
    SignatureError,
    _stringified,
    sign_arc,
    sign_standard,
    sign_task,
    verify_arc,
    verify_standard,
    verify_task,
)

SECRET = "00112233445566778899aabbccddeeff"
AT = 1_700_000_000_000

WEBHOOK = (
    b'{"initiatorId":"t-1","type":0,"data":{"status":1,"resources":[{"type":"s3","metadata":'
    b'{"bucket":"b","path":"p"}}],"appPlaneUrl":"https://a.example/home"}}'
)
WEBHOOK_SIGNED = "a5ac4ee53ad998137518d3e99b34f79534f7a705f5d99ffec61e69d305c00975"
CALLBACK = b'{"tenant":{"id":"t-1"},"plan":{}}'
CALLBACK_SIGNED = "9305e358d031e14fb7a9812c8a972d8a233ea158426e5b7d4caab3b95e6526fb"
TASK = (
    '{"key":"task-created","payload":{"createdTasks":[{"id":"t1","name":"Ünï"}]},'
    '"timestamp":1700000000000,"source":"task-service"}'
).encode()
TASK_SIGNED = "a1794eea623349071d65bee923bd323b4c2e8d272eb1cac3e2d0634782a80db2"

PUBLIC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "QUJD" * 8
STANDARD = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
STANDARD_BODY = b'{"test": 2432232314}'
STANDARD_AT = 1_614_265_330


def arc(signature=WEBHOOK_SIGNED, timestamp=AT):
    return {"x-signature": signature, "x-timestamp": str(timestamp)}


def task(signature=TASK_SIGNED, timestamp=AT + 1):
    return {"x-task-signature": signature, "x-task-timestamp": str(timestamp)}


@pytest.mark.seed("B.8-1")
class TestVectors:
    def test_the_webhook_of_the_control_plane(self):
        assert sign_arc(SECRET, WEBHOOK, AT, "ctx-1") == WEBHOOK_SIGNED
        verify_arc(SECRET, WEBHOOK, arc(), "ctx-1", now=AT)

    def test_the_callback_of_the_control_plane(self):
        assert sign_arc(SECRET, CALLBACK, AT) == CALLBACK_SIGNED
        verify_arc(SECRET, CALLBACK, arc(CALLBACK_SIGNED), now=AT)

    def test_the_webhook_of_the_task_service(self):
        assert sign_task("s3cr3t", TASK, AT + 1) == TASK_SIGNED
        verify_task("s3cr3t", TASK, task(), now=AT + 1)

    def test_the_public_example_of_standard_webhooks(self):
        id = STANDARD["webhook-id"]
        signed = sign_standard(PUBLIC, id, STANDARD_AT, STANDARD_BODY)
        assert signed == STANDARD["webhook-signature"]
        verify_standard(PUBLIC, STANDARD_BODY, STANDARD, now=STANDARD_AT)


class TestTolerance:
    @pytest.mark.seed("B.8-2")
    @pytest.mark.parametrize("sign", [1, -1])
    def test_of_the_control_plane_is_exactly_20_seconds(self, sign):
        verify_arc(SECRET, WEBHOOK, arc(), "ctx-1", now=AT + sign * 20_000)
        with pytest.raises(SignatureError, match="too far"):
            verify_arc(SECRET, WEBHOOK, arc(), "ctx-1", now=AT + sign * 20_001)
        verify_arc(SECRET, WEBHOOK, arc(), "ctx-1", now=AT + sign * 20_001, tolerance=20_001)

    @pytest.mark.parametrize("sign", [1, -1])
    def test_of_the_others_is_five_minutes(self, sign):
        verify_standard(PUBLIC, STANDARD_BODY, STANDARD, now=STANDARD_AT + sign * 300)
        with pytest.raises(SignatureError, match="too far"):
            verify_standard(PUBLIC, STANDARD_BODY, STANDARD, now=STANDARD_AT + sign * 301)
        verify_task("s3cr3t", TASK, task(), now=AT + 1 + sign * 300_000)
        with pytest.raises(SignatureError, match="too far"):
            verify_task("s3cr3t", TASK, task(), now=AT + 1 + sign * 300_001)

    def test_without_a_now_the_clock_says_it(self):
        for call in (
            lambda: verify_arc(SECRET, WEBHOOK, arc(), "ctx-1"),
            lambda: verify_task("s3cr3t", TASK, task()),
            lambda: verify_standard(PUBLIC, STANDARD_BODY, STANDARD),
        ):
            with pytest.raises(SignatureError, match="too far"):
                call()

    def test_of_any_age_is_said(self):
        verify_task("s3cr3t", TASK, task(), tolerance=None)
        verify_standard(PUBLIC, STANDARD_BODY, STANDARD, tolerance=None)


class TestRefused:
    @pytest.mark.parametrize(
        "headers",
        [
            {}, {"x-timestamp": str(AT)}, {"x-signature": WEBHOOK_SIGNED},
            arc(signature=""), arc(signature=WEBHOOK_SIGNED[:-1]),
            arc(signature=WEBHOOK_SIGNED.upper()), arc(signature="ü\udc80" * 32),
            arc(timestamp=AT + 1), arc(timestamp="soon"), arc(timestamp="-1"),
            arc(timestamp="1e12"), arc(timestamp="٣"), arc(timestamp=f" {AT}"),
            arc(timestamp="9" * 5000),
        ],
    )  # fmt: skip
    def test_whatever_does_not_fit(self, headers):
        with pytest.raises(SignatureError):
            verify_arc(SECRET, WEBHOOK, headers, "ctx-1", now=AT)

    def test_another_secret_context_or_body(self):
        for secret, body, context in (
            ("other", WEBHOOK, "ctx-1"), (SECRET, WEBHOOK, "ctx-2"), (SECRET, WEBHOOK, ""),
            (SECRET, WEBHOOK.replace(b'"status":1', b'"status":0'), "ctx-1"),
            (SECRET, b"", "ctx-1"),
        ):  # fmt: skip
            with pytest.raises(SignatureError, match="does not fit"):
                verify_arc(secret, body, arc(), context, now=AT)

    def test_the_text_does_not_say_what_would_fit(self):
        with pytest.raises(SignatureError) as raised:
            verify_arc(SECRET, WEBHOOK, arc("0" * 64), "ctx-1", now=AT)
        assert WEBHOOK_SIGNED not in str(raised.value)
        assert SECRET not in str(raised.value)

    @pytest.mark.parametrize("body", [b"[" * 100_000, b"\xff", b"NaN", b'{"a":', b"\xef\xbb\xbf{}"])
    def test_a_body_that_is_no_json_is_not_written_anew(self, body):
        with pytest.raises(SignatureError, match="does not fit"):
            verify_arc(SECRET, body, arc(), now=AT)

    def test_names_of_headers_have_no_case(self):
        verify_arc(
            SECRET, CALLBACK, {"X-Signature": CALLBACK_SIGNED, "X-TIMESTAMP": str(AT)}, now=AT
        )


class TestStandard:
    def test_one_signature_that_fits_one_secret_is_enough(self):
        """While one secret takes the place of another, either side may be the first to know."""
        id = STANDARD["webhook-id"]
        old, new = (sign_standard(one, id, STANDARD_AT, STANDARD_BODY) for one in (PUBLIC, OTHER))
        assert sign_standard([PUBLIC, OTHER], id, STANDARD_AT, STANDARD_BODY) == f"{old} {new}"
        for given_, secrets in ((f"{new} {old}", PUBLIC), (f"v1a,x {old}", [OTHER, PUBLIC])):
            headers = {**STANDARD, "webhook-signature": given_}
            verify_standard(secrets, STANDARD_BODY, headers, now=STANDARD_AT)
        for given_ in (new, "v1,", "v1a," + old.removeprefix("v1,"), old.removeprefix("v1,")):
            headers = {**STANDARD, "webhook-signature": given_}
            with pytest.raises(SignatureError, match="does not fit"):
                verify_standard(PUBLIC, STANDARD_BODY, headers, now=STANDARD_AT)

    def test_the_id_is_signed_too(self):
        headers = {**STANDARD, "webhook-id": "msg_other"}
        with pytest.raises(SignatureError, match="does not fit"):
            verify_standard(PUBLIC, STANDARD_BODY, headers, now=STANDARD_AT)
        with pytest.raises(SignatureError, match="webhook-id is missing"):
            verify_standard(PUBLIC, STANDARD_BODY, {**headers, "webhook-id": ""}, now=STANDARD_AT)

    @pytest.mark.parametrize("secret", ["", "whsec_", "whsec_no base64!", "ünï", []])
    def test_a_secret_that_is_not_one_is_the_callers_mistake(self, secret):
        with pytest.raises(UsageError, match="secret"):
            sign_standard(secret, "id", 1, b"")


SAME = ["Ünï ☃ \U0001f600", '\u2028\x7f\x1f\b"\\/', "", "\x00"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.text() | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**70), 2**70),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text() | st.integers(0, 2**33).map(str), inner, max_size=4),
)  # fmt: skip


class TestAsJavaScriptWritesIt:
    def test_a_body_that_was_laid_out_anew_still_fits(self):
        """The sender signs ``JSON.stringify`` of what it means, and sends it with spaces."""
        spaced = json.dumps(json.loads(WEBHOOK), indent=2).encode()
        verify_arc(SECRET, spaced, arc(), "ctx-1", now=AT)
        escaped = json.dumps({"name": "Ünï ☃", "n": 1.0, "7": 1e21}).encode()
        meant = '{"7":1e+21,"name":"Ünï ☃","n":1}'.encode()
        verify_arc(SECRET, escaped, arc(sign_arc(SECRET, meant, AT)), now=AT)

    def test_its_bytes_are_tried_first(self):
        spaced = b'{ "n": 1.0 }'
        verify_arc(SECRET, spaced, arc(sign_arc(SECRET, spaced, AT)), now=AT)

    def test_a_body_is_written_anew_only_for_who_may_have_signed_it_and_once(self, monkeypatch):
        """Anybody may send one: what is of another time, or fits, costs no more than a digest."""
        written = []
        monkeypatch.setattr(signing, "_stringified", lambda value: written.append(value) or "")
        with pytest.raises(SignatureError, match="too far"):
            verify_arc(SECRET, CALLBACK, arc(timestamp=1), now=AT)
        verify_arc(SECRET, CALLBACK, arc(CALLBACK_SIGNED), now=AT)
        assert written == []
        with pytest.raises(SignatureError, match="does not fit"):
            ArcCall(CALLBACK, arc("0" * 64), AT).verify([(f"{n}", "") for n in range(20)])
        assert len(written) == 1

    def test_the_bytes_are_held_against_every_secret_before_that(self, monkeypatch):
        monkeypatch.setattr(signing, "_stringified", None)
        call = ArcCall(CALLBACK, arc(CALLBACK_SIGNED), AT)
        assert call.verify([("other", ""), (SECRET, "")]) == (1, CALLBACK_SIGNED)

    @pytest.mark.parametrize("more", [0, 1])
    def test_a_body_over_64_kib_must_fit_as_it_is(self, more):
        meant = b'{"name":"%b"}' % (b"x" * 65_000)
        spaced = meant + b" " * (LONGEST_REWRITTEN - len(meant) + more)
        headers = arc(sign_arc(SECRET, meant, AT))
        if not more:
            verify_arc(SECRET, spaced, headers, now=AT)
            return
        with pytest.raises(SignatureError, match="does not fit"):
            verify_arc(SECRET, spaced, headers, now=AT)
        verify_arc(SECRET, spaced, arc(sign_arc(SECRET, spaced, AT)), now=AT)

    @given(VALUES)
    def test_what_is_written_is_read_as_the_same(self, value):
        written = _stringified(json.loads(json.dumps(value), parse_int=float))
        assert json.loads(written, parse_int=float) == json.loads(
            json.dumps(value), parse_int=float
        )

    @pytest.mark.skipif(shutil.which("node") is None, reason="missing node")
    def test_node_writes_the_same(self):
        samples = [
            0.0, -0.0, 1e-6, 1e-7, -1.5e-7, 123456789012345680000.0, 1e21, 1.5e300, 5e-324, 0.1,
            2.0**53 + 2, 2**70, 10**400, -(10**400), *SAME, [[], {}, None, True],
            {"b": 1, "2": 2, "10": 3, "1": 4, "01": 5}, {"__proto__": 1},
            {"4294967295": 1, "4294967294": 2, "-1": 3, "": 4},
            "\ud83d", "\ude00\ud83d", 100.0, 1234.5, -0.001, 1e20, 12e20,
        ]  # fmt: skip
        texts = [json.dumps(each) for each in samples]
        script = (
            "for (const text of JSON.parse(process.argv[1]))"
            " console.log(JSON.stringify(JSON.parse(text)))"
        )
        done = subprocess.run(
            ["node", "-e", script, json.dumps(texts)], capture_output=True, check=True
        )
        ours = [
            _stringified(json.loads(text, parse_int=float)).encode("utf-8", "backslashreplace")
            for text in texts
        ]
        assert ours == done.stdout.splitlines()
