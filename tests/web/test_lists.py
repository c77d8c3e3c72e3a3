"""Lists: plain arrays, pages, and what a query may say."""

import pytest

from ostinato.app.pages import sealed
from tests.web.conftest import DOCUMENTS, token_of


async def pages(http, path):
    while path:
        answer = await http.get(path)
        assert answer.status_code == 200
        yield answer.json()
        path = answer.links.get("next", {}).get("url")


@pytest.mark.parametrize("path", ["/runs?limit=2&workflow=hello", "/events?limit=2"])
async def test_the_pages_of_a_list_are_the_whole_list(http, path):
    await http.post("/events", json=[{"type": "ORDER_PLACED", "id": f"e{n}"} for n in range(5)])
    found = [page async for page in pages(http, path)]
    assert [len(page) for page in found] == [2, 2, 1]
    ids = [item["id"] for page in found for item in page]
    assert len(set(ids)) == 5


async def test_history_has_pages(http):
    run = (await http.post("/runs?wait=5s", json={"workflow": "hello"})).json()
    whole = (await http.get(f"/runs/{run['id']}/history")).json()
    found = [page async for page in pages(http, f"/runs/{run['id']}/history?limit=2")]
    assert len(found) > 1
    assert [fact for page in found for fact in page] == whole


async def test_workflows_and_versions_have_pages(http, app):
    await app.deploy_texts([DOCUMENTS[0].replace(b"job: a", b"job: b")])
    found = [page async for page in pages(http, "/workflows/hello/versions?limit=1")]
    assert [[one["version"] for one in page] for page in found] == [[1], [2]]
    found = [page async for page in pages(http, "/workflows?limit=3")]
    names = [[one["name"] for one in page] for page in found]
    assert names == [["broken", "hello", "slow"], ["strict"]]


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
        ("status=done", "known are pending, running"),
        ("waitingFor=evnt", "known are event, timer"),
        ("failedSince=yesterday", "failedSince"),
        ("failedSince=" + "9" * 5000, "failedSince"),
    ],
)
async def test_a_query_that_does_not_fit_is_refused_by_name(http, query, said):
    answer = await http.get(f"/runs?{query}")
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


LISTS = {
    "/runs": "01m81k6n2e977k22ww9mgbs7t8",
    "/runs/last/history": "12",
    "/events": "1795350030297/ostinato/http/a/b",
    "/dead-letters": "1795350030297/01a2031ed0c6bdba0f1a38113662b2b3",
    "/tasks": "1795350030297/7086d1dcd394572e2ef79a5d",
    "/operations": "01a2031ed0c6bdba0f1a38113662b2b3",
    "/workflows": "nightly-batch",
    "/workflows/hello/versions": "000000000012",
    "/schedules": "nightly-batch/on/0",
}
ODD = ["", "AAAA", "W10", "eyJhIjoxfQ", "WzFd", "-", "%00", "%C3%A4", "x" * 5000, "%F0%9F%98%80"]


@pytest.mark.parametrize("path", LISTS)
async def test_a_cursor_is_one_of_this_list(http, path):
    await http.post("/runs", json={"workflow": "hello"})
    assert (await http.get(path, params={"cursor": sealed(LISTS[path])})).status_code == 200
    others = [sealed(one) for other, one in LISTS.items() if order_of(other) != order_of(path)]
    for cursor in [*ODD, *others]:
        answer = await http.get(f"{path}?cursor={cursor}")
        assert (answer.status_code, cursor) == (422, cursor)
        assert "not a cursor of this list (take it from rel=" in answer.json()["detail"]


def order_of(path):
    """Facts and versions are numbered alike."""
    return "numbers" if "history" in path or "versions" in path else path


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
async def test_runs_are_filtered_and_counted(http, app, query, count):
    for name in ("hello", "broken"):
        await http.post("/runs?wait=5s", json={"workflow": name})
    run = await http.post("/runs", json={"workflow": "slow", "uid": "u-1"})
    await token_of(app, run.json()["id"])
    assert (await http.get(f"/runs/count?{query}")).json() == {"count": count}
    assert len((await http.get(f"/runs?{query}")).json()) == count


async def test_limits_are_checked_on_every_list(http):
    for path in ("/events", "/workflows", "/runs/last/history", "/workflows/hello/versions"):
        assert (await http.get(f"{path}?limit=1001")).status_code == 422
