"""The routes with which people mend runs."""

import pytest


async def started(http):
    return (await http.post("/runs", json={"workflow": "slow"})).json()["id"]


async def test_a_run_is_paused_and_resumed(http):
    run_id = await started(http)
    paused = await http.post(f"/runs/{run_id}/pause", json={"why": "lunch"})
    assert (paused.status_code, paused.json()["status"]) == (200, "paused")
    assert (await http.post(f"/runs/{run_id}/pause")).status_code == 409
    assert (await http.post(f"/runs/{run_id}/resume")).json()["status"] != "paused"
    facts = (await http.get(f"/runs/{run_id}/history")).json()
    assert [fact["why"] for fact in facts if fact["type"] == "run.paused"] == ["lunch"]


async def test_a_job_is_skipped_with_a_value(http):
    run_id = await started(http)
    key = (await http.get(f"/runs/{run_id}")).json()["jobs"][0]["key"]
    answer = await http.post(f"/runs/{run_id}/skip", json={"job": key, "output": {"x": 1}})
    (job, *_) = answer.json()["jobs"]
    assert (job["status"], job["output"]) == ("skipped", {"x": 1})
    assert (await http.post(f"/runs/{run_id}/skip", json={"job": key})).status_code == 409
    assert (await http.post(f"/runs/{run_id}/skip", json={"job": "no/such"})).status_code in (
        404,
        409,
    )


async def test_a_run_is_forked_from_a_step(http):
    run_id = await started(http)
    key = (await http.get(f"/runs/{run_id}")).json()["jobs"][0]["key"]
    answer = await http.post(f"/runs/{run_id}/fork", json={"job": key, "why": "try"})
    assert (answer.status_code, answer.json()["forkedFrom"]) == (201, run_id)


@pytest.mark.parametrize(
    ("verb", "body", "status"),
    [
        ("retry", {}, 409),
        ("retry", {"job": "no/such"}, 404),
        ("resume", {}, 409),
        ("signal", {"type": "NOBODY"}, 409),
        ("signal", {}, 422),
        ("skip", {}, 422),
        ("skip", {"job": "no/such"}, 404),
        ("fork", {}, 409),
        ("pause", {"wy": "x"}, 422),
    ],
)
async def test_what_cannot_be_done_is_refused(http, verb, body, status):
    run_id = await started(http)
    answer = await http.post(f"/runs/{run_id}/{verb}", json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("verb", ["pause", "resume", "retry", "fork"])
async def test_an_unknown_run_is_404(http, verb):
    assert (await http.post(f"/runs/nobody/{verb}")).status_code == 404
