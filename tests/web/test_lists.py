"""Lists: plain arrays, pages, and what a query may say."""

import pytest


async def pages(http, path):
    while path:
        answer = await http.get(path)
        assert answer.status_code == 200
        yield answer.json()
        path = answer.links.get("next", {}).get("url")


@pytest.mark.parametrize("path", ["/runs?limit=2&status=succeeded", "/events?limit=2"])
async def test_the_pages_of_a_list_are_the_whole_list(http, path):
    await http.post("/events", json=[{"type": "ORDER_PLACED", "id": f"e{n}"} for n in range(5)])
    found = [page async for page in pages(http, path)]
    assert [len(page) for page in found] == [2, 2, 1]
    ids = [item["id"] for page in found for item in page]
    assert len(set(ids)) == 5
    assert ids == sorted(ids, reverse=True)


async def test_history_and_versions_have_pages(http, app):
    await http.post("/events", json={"type": "ORDER_PLACED"})
    found = [page async for page in pages(http, "/runs/run-001/history?limit=3")]
    assert [[fact["seq"] for fact in page] for page in found] == [[0, 1, 2], [3]]
    await app.deploy([b"workflow: hello\nphases: [one]\n"])
    found = [page async for page in pages(http, "/workflows/hello/versions?limit=1")]
    assert [[one["version"] for one in page] for page in found] == [[1], [2]]
    found = [page async for page in pages(http, "/workflows?limit=3")]
    assert [[one["name"] for one in page] for page in found] == [
        ["broken", "hello", "slow"],
        ["strict"],
    ]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("limit=1&limit=2", "twice"),
        ("cursor=%C3%A4", "cursor"),
        ("stat=failed", "did you mean 'status'"),
        ("zzz=red", "known are"),
        ("status=done", "status"),
        ("failedSince=yesterday", "failedSince"),
        ("failedSince=" + "9" * 5000, "failedSince"),
    ],
)
async def test_a_query_that_does_not_fit_is_refused_by_name(http, query, said):
    answer = await http.get(f"/runs?{query}")
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


@pytest.mark.parametrize("since", ["1h", "1800000000000", "2027-01-15T08:00:00Z"])
async def test_instants_are_written_in_three_ways(http, since):
    assert (await http.get("/runs", params={"failedSince": since})).status_code == 200


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 3),
        ("status=succeeded", 1),
        ("status=succeeded,failed", 2),
        ("status=succeeded&status=waiting", 2),
        ("workflow=hello", 1),
        ("waitingFor=callback", 1),
        ("uid=u-1", 1),
    ],
)
async def test_runs_are_filtered_and_counted(http, query, count):
    for name in ("hello", "broken"):
        await http.post("/runs", json={"workflow": name})
    await http.post("/runs", json={"workflow": "slow", "uid": "u-1"})
    assert (await http.get(f"/runs/count?{query}")).json() == {"count": count}
    assert len((await http.get(f"/runs?{query}")).json()) == count


async def test_limits_are_checked_on_every_list(http):
    for path in ("/events", "/workflows", "/runs/last/history", "/workflows/hello/versions"):
        assert (await http.get(f"{path}?limit=1001")).status_code == 422
