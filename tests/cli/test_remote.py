"""The HTTP side: how names are found, pages followed, refusals told, a lost server waited for."""

import json

import httpx2
import pytest

from ostinato.cli.failure import Stop
from ostinato.cli.refusal import refusal
from ostinato.cli.remote import RemoteClient

RUN = {"id": "r1", "workflow": "hello", "status": "succeeded"}


def client(answer):
    return RemoteClient("http://h:1", "k" * 16, transport=httpx2.MockTransport(answer))


def answers(routes, asked=None):
    def answer(request):
        if asked is not None:
            asked.append(request)
        found = routes.get((request.method, request.url.raw_path.decode()))
        return found or httpx2.Response(404, json={"detail": f"no {request.url.path}"})

    return answer


async def stopped(work):
    with pytest.raises(Stop) as caught:
        await work
    return caught.value


async def test_the_key_travels_with_every_request():
    asked: list[httpx2.Request] = []
    there = client(answers({("GET", "/runs/r1"): httpx2.Response(200, json=RUN)}, asked))
    assert await there.run("r1") == RUN
    assert asked[0].headers["authorization"] == "Bearer " + "k" * 16


async def test_an_unknown_run_is_wrong_use_in_the_servers_words():
    stop = await stopped(client(answers({})).run("zz/..?"))
    assert (stop.exit_code, str(stop)) == (2, "no /runs/zz/..?")


async def test_pages_are_followed_to_the_limit():
    link = {"link": '<http://h:1/events?cursor=c>; rel="next"'}
    routes = {
        ("GET", "/events?limit=3"): httpx2.Response(200, json=[1, 2], headers=link),
        ("GET", "/events?cursor=c"): httpx2.Response(200, json=[3, 4]),
    }
    assert await client(answers(routes)).events({}, 3) == [1, 2, 3]


async def test_a_history_is_read_to_its_end():
    pages = 12

    def answer(request):
        page = int(request.url.params.get("cursor", 0))
        link = f'<http://h:1/runs/r1/history?cursor={page + 1}>; rel="next"'
        headers = {"link": link} if page + 1 < pages else {}
        facts = [{"seq": page * 1_000 + n} for n in range(1_000)]
        return httpx2.Response(200, json=facts, headers=headers)

    facts = await client(answer).history("r1")
    assert [fact["seq"] for fact in facts] == list(range(pages * 1_000))


async def test_a_server_that_is_not_there_is_exit_3():
    def refuse(request):
        raise httpx2.ConnectError("Connection refused")

    stop = await stopped(client(refuse).runs({}, 1))
    assert stop.exit_code == 3
    assert "http://h:1 cannot be reached: Connection refused" in str(stop)


async def test_a_server_that_comes_back_is_followed_on(monkeypatch):
    """A stream that breaks is asked for again, after the last fact that was seen."""

    async def no_pause(seconds):
        pass

    monkeypatch.setattr("ostinato.cli.remote.asyncio.sleep", no_pause)
    asked = []

    def answer(request):
        asked.append(str(request.url))
        match len(asked):
            case 1:
                return httpx2.Response(200, text='id: 0\ndata: {"seq": 0, "type": "a"}\n\n')
            case 2:
                return httpx2.Response(200, json={"status": "running"})
            case 3 | 4:
                raise httpx2.ConnectError("Connection refused")
            case 5:
                facts = '{"seq": 0, "type": "a"}', '{"seq": 1, "type": "b"}'
                return httpx2.Response(200, text="".join(f"data: {fact}\n\n" for fact in facts))
        return httpx2.Response(200, json={"status": "succeeded"})

    seen = [fact["type"] async for fact in client(answer).follow("r1")]
    assert seen == ["a", "b"]
    assert asked[4].endswith("/runs/r1/stream?after=0")


async def test_a_run_is_followed_to_the_server_that_took_over(monkeypatch):
    async def no_pause(seconds):
        pass

    monkeypatch.setattr("ostinato.cli.remote.asyncio.sleep", no_pause)
    found = [None, "http://dead:1", "http://next:1"]

    def answer(request):
        if request.url.host != "next":
            raise httpx2.ConnectError("Connection refused")
        if request.url.path.endswith("/stream"):
            return httpx2.Response(200, text='data: {"seq": 0, "type": "a"}\n\n')
        return httpx2.Response(200, json={"status": "succeeded"})

    async def look():
        return found.pop(0)

    remote = RemoteClient("http://dead:1", transport=httpx2.MockTransport(answer), look=look)
    assert [fact["type"] async for fact in remote.follow("r1")] == ["a"]
    assert (remote.place, found) == ("http://next:1", [])


async def test_a_server_that_stays_away_is_exit_3(monkeypatch):
    async def no_pause(seconds):
        pass

    monkeypatch.setattr("ostinato.cli.remote.asyncio.sleep", no_pause)

    def refuse(request):
        raise httpx2.ConnectError("Connection refused")

    async def follow():
        async for _ in client(refuse).follow("r1"):
            pass

    assert (await stopped(follow())).exit_code == 3


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, 2), (401, 2), (403, 2), (404, 2), (409, 1), (422, 2), (429, 1), (500, 1), (503, 3)],
)
def test_each_status_has_its_exit_code(status, code):
    stop = refusal(status, b'{"detail": "so"}')
    assert (stop.exit_code, str(stop)) == (code, "so")


def test_a_refusal_keeps_each_problem():
    errors = [{"pointer": "#/input/n", "message": "too small", "hint": "from 1"}, {"message": "x"}]
    stop = refusal(422, json.dumps({"detail": "no", "errors": errors}).encode())
    assert [str(each) for each in stop.problems] == ["/input/n: too small (from 1)", "x"]


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'{"error": "x"}', b'{"errors": [1]}'])
def test_a_refusal_in_no_known_form_is_still_told(content):
    assert str(refusal(502, content)) == "the server answered 502"
