"""Many runs over HTTP: a preview, the repair, how far it is, stopping it."""

import asyncio

import pytest

FAILS = b"{workflow: fails, phases: [{phase: p, jobs: [{job: j, run: fail, with: {message: m}}]}]}"
WAITS = b"{workflow: waits, phases: [{phase: p, jobs: [{job: j, wait: 1h}]}]}"
YAML = {"content-type": "application/yaml"}


async def deployed(http, text, name, count=3):
    await http.post("/workflows", content=text, headers=YAML)
    return [
        (await http.post("/runs?wait=5s" if name == "fails" else "/runs", json={"workflow": name}))
        for _ in range(count)
    ]


async def ended(http, operation_id):
    while True:
        found = (await http.get(f"/operations/{operation_id}")).json()
        if found["status"] != "running":
            return found
        await asyncio.sleep(0)


async def bulk(http, **body):
    return await http.post("/runs/bulk", json=body)


async def test_a_preview_says_what_fits_and_its_token_repairs_that(http):
    await deployed(http, FAILS, "fails")
    where = {"status": "failed", "workflow": "fails"}
    seen = await bulk(http, action="retry", where=where, dryRun=True)
    preview = seen.json()
    assert (seen.status_code, preview["matched"], len(preview["sample"])) == (200, 3, 3)
    assert preview["sample"][0]["error"] == "Failed: m"
    token = preview["previewToken"]
    begun = await bulk(http, previewToken=token, rate=1000, why="again", where=where)
    assert begun.status_code == 202
    assert begun.headers["location"].endswith(f"/operations/{token}")
    found = await ended(http, token)
    assert (found["done"], found["left"], found["why"]) == (3, 0, "again")
    assert found["where"] == {"status": ["failed"], "workflow": "fails"}
    listed = (await http.get("/operations")).json()
    assert [one["id"] for one in listed] == [token]


async def test_filters_are_those_of_lists_and_the_fingerprint(http):
    await deployed(http, FAILS, "fails")
    [group] = (await http.get("/stuck?workflow=fails")).json()["failures"]
    for where, count in (
        ({"fingerprint": group["fingerprint"]}, 3), ({"fingerprint": "none"}, 0),
        ({"failedSince": "1h", "workflow": "fails"}, 3), ({"text": "nobody"}, 0),
        ({"status": ["failed", "waiting"], "workflow": "fails"}, 3),
    ):  # fmt: skip
        seen = await bulk(http, action="retry", where=where, dryRun=True)
        assert seen.json()["matched"] == count, where


async def test_it_can_be_stopped(http):
    await deployed(http, WAITS, "waits")
    where = {"workflow": "waits"}
    token = (await bulk(http, action="cancel", where=where, dryRun=True)).json()["previewToken"]
    await bulk(http, previewToken=token, rate=0.01)
    bogus = await http.post(f"/operations/{token}/stop", json={"bogus": 1})
    assert (bogus.status_code, "bogus" in bogus.text) == (422, True)
    stopped = await http.post(f"/operations/{token}/stop", json={"why": "too early"})
    assert (stopped.status_code, stopped.json()["status"]) == (200, "stopped")
    assert stopped.json()["stoppedWhy"] == "too early"
    assert (await http.post(f"/operations/{token}/stop")).status_code == 409
    assert (await http.post("/operations/nobody/stop")).status_code == 404
    assert (await http.get("/operations/nobody")).status_code == 404


async def test_what_is_wrong_is_said(http):
    await deployed(http, WAITS, "waits", 1)
    where = {"workflow": "waits"}
    token = (await bulk(http, action="cancel", where=where, dryRun=True)).json()["previewToken"]
    for body, status, said in (
        ({"action": "cancel", "where": where}, 422, "dryRun: true first"),
        ({"where": where, "dryRun": True}, 422, "`action` and `where`"),
        ({"action": "explode", "where": where, "dryRun": True}, 422, "one of cancel"),
        ({"action": "cancel", "where": {}, "dryRun": True}, 422, "say which runs"),
        ({"action": "cancel", "where": {"stauts": "x"}, "dryRun": True}, 422, "stauts"),
        ({"action": "retry", "previewToken": token}, 409, "for something else"),
        ({"previewToken": token, "dryRun": True}, 422, "only looks"),
        ({"previewToken": token, "rate": 0}, 422, "runs per second"),
        ({"previewToken": "nobody"}, 409, "no preview has this token"),
        ({"action": "cancel", "where": where, "dryRun": True, "rate": -5}, 422, "runs per second"),
        ({"action": "cancel", "where": where, "dryRun": True, "why": "x" * 2001}, 422, "2,001"),
    ):
        answer = await bulk(http, **body)
        assert (answer.status_code, said in answer.text) == (status, True), (body, answer.text)


async def test_what_stands_beside_a_token_is_what_its_preview_was_about(http):
    await deployed(http, FAILS, "fails", 1)
    where = {"status": "failed", "failedSince": "1h"}
    asked = {"action": "skip", "where": where, "job": "p/j", "output": {"a": 1, "b": 2}}
    token = (await bulk(http, **asked, dryRun=True)).json()["previewToken"]
    for other, named in (
        ({"where": {"failedSince": "1h", "workflow": "OTHER"}}, "where"),
        ({"where": where | {"failedSince": "2h"}}, "where"),
        ({"job": "p/nosuch"}, "job"), ({"job": ""}, "job"),
        ({"output": {"a": 1}}, "output"), ({"output": None}, "output"),
        ({"action": "retry"}, "action"),
    ):  # fmt: skip
        answer = await bulk(http, **asked | other, previewToken=token, rate=1000)
        assert (answer.status_code, f"its `{named}`" in answer.text) == (409, True), answer.text
    assert (await http.get("/operations")).json() == []
    same = asked | {"output": {"b": 2, "a": 1}}
    assert (await bulk(http, **same, previewToken=token, rate=1000)).status_code == 202
    assert (await ended(http, token))["done"] == 1


async def test_an_output_beside_a_token_of_a_preview_that_had_none_is_refused(http):
    await deployed(http, FAILS, "fails", 1)
    asked = {"action": "skip", "where": {"status": "failed"}, "job": "p/j"}
    token = (await bulk(http, **asked, dryRun=True)).json()["previewToken"]
    answer = await bulk(http, previewToken=token, output=None)
    assert (answer.status_code, "its `output`" in answer.text) == (409, True)


@pytest.mark.parametrize("output", [b"1e400", b'"\\ud800"', b'"\xff"'])
async def test_an_output_that_readers_of_json_refuse_is_refused(http, output):
    await deployed(http, WAITS, "waits", 1)
    ask = b'{"action":"skip","job":"p/j","dryRun":true,"where":{"workflow":"waits"},"output":'
    headers = {"content-type": "application/json"}
    answer = await http.post("/runs/bulk", content=ask + output + b"}", headers=headers)
    assert answer.status_code in (400, 422), answer.text


async def test_an_output_beside_a_token_that_is_no_json_is_refused(http):
    await deployed(http, FAILS, "fails", 1)
    asked = {"action": "skip", "where": {"status": "failed"}, "job": "p/j", "output": 1}
    token = (await bulk(http, **asked, dryRun=True)).json()["previewToken"]
    body = b'{"previewToken":"%s","output":1e400}' % token.encode()
    answer = await http.post(
        "/runs/bulk", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code in (400, 422), answer.text
