"""The little HTTP that a worker needs: lengths, chunks, connections that stay or have gone."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from msgspec import Raw

from ostinato.app.desk import HttpDesk
from ostinato.app.wire import Broken, Wire
from ostinato.errors import (
    ConflictError,
    InvalidInput,
    NotFoundError,
    NothingIsRunning,
    ProtocolMismatch,
    UsageError,
)
from ostinato.runtime.desk import Done, Extend, Fetch, Release

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKS = CHUNKED + b"1;x=y\r\no\r\n1\r\nk\r\n0\r\na: b\r\n\r\n"
CLOSES = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"


@asynccontextmanager
async def served(*answers):
    """A server that gives these answers in turn; None: it hangs up. What it was sent, by line."""
    seen, lines, left = [], [], list(answers)

    async def serve(reader, writer):
        lines.append(writer)
        try:
            while left:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                seen.append((len(lines), head, await reader.readexactly(size)))
                if (answer := left.pop(0)) is None:
                    return
                writer.write(answer)
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/flows/", seen
    finally:
        for line in lines:
            line.close()
        server.close()


def wire_of(url):
    return Wire(url, {"authorization": "Bearer k"}, 20.0)


@pytest.mark.parametrize("answer", [LENGTH, CHUNKS, CLOSES])
async def test_an_answer_comes_in_either_form(answer):
    async with served(answer, answer) as (url, seen):
        wire = wire_of(url)
        for _ in range(2):
            assert await wire.post("/jobs", b"body") == (200, b"ok")
        await wire.close()
    connections = [connection for connection, _, _ in seen]
    assert connections == ([1, 2] if answer is CLOSES else [1, 1])
    _, head, body = seen[0]
    assert head.startswith(b"POST /flows/jobs HTTP/1.1\r\nhost: 127.0.0.1:")
    assert b"\r\nauthorization: Bearer k\r\n" in head
    assert body == b"body"


async def test_a_connection_that_has_gone_is_made_anew():
    async with served(EMPTY, None, LENGTH) as (url, seen):
        wire = wire_of(url)
        assert (await wire.post("/a", b"")).status == 204
        assert (await wire.post("/b", b"")).body == b"ok"
        await wire.close()
    assert [connection for connection, _, _ in seen] == [1, 1, 2]


@pytest.mark.parametrize("answer", [None, b"SSH-2.0\r\n\r\n", b"HTTP/1.1 x OK\r\n\r\n"])
async def test_what_is_no_answer_is_said(answer):
    async with served(answer) as (url, _):
        with pytest.raises(Broken):
            await wire_of(url).post("/a", b"")


async def test_nobody_listens():
    async with served(LENGTH) as (url, _):
        pass
    with pytest.raises(NothingIsRunning, match="does not answer"):
        await HttpDesk(url).fetch(Fetch(["a"], "w"))


@pytest.mark.parametrize("url", ["ftp://a", "localhost:80", "http://"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(UsageError, match="no address of a server"):
        wire_of(url)


def refused(status, name):
    body = b'{"error":{"name":"%b","message":"why"}}' % name.encode()
    return b"HTTP/1.1 %d No\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)


@pytest.mark.parametrize(
    ("status", "name", "error"),
    [
        (404, "NotFoundError", NotFoundError),
        (409, "ConflictError", ConflictError),
        (409, "ProtocolMismatch", ProtocolMismatch),
        (422, "InvalidInput", InvalidInput),
        (413, "TooLarge", InvalidInput),
        (401, "UnauthorizedError", UsageError),
        (429, "Busy", NothingIsRunning),
        (500, "InternalServerError", NothingIsRunning),
        (503, "Unready", NothingIsRunning),
    ],
)
async def test_a_refusal_is_an_error_of_ours(status, name, error):
    async with served(refused(status, name)) as (url, _):
        desk = HttpDesk(url)
        with pytest.raises(error, match="why"):
            await desk.release("j", Release("t"))
        await desk.close()


async def test_a_refusal_of_something_in_between_is_told_by_its_status():
    async with served(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 2\r\n\r\nno") as (url, _):
        desk = HttpDesk(url)
        with pytest.raises(NothingIsRunning, match="status 502"):
            await desk.fetch(Fetch(["a"], "w"))
        await desk.close()


async def test_what_a_desk_says_is_the_protocol():
    told = b'{"cancelled":true}'
    stop = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(told), told)
    async with served(EMPTY, EMPTY, stop) as (url, seen):
        desk = HttpDesk(url, "key")
        assert await desk.complete("j", Done("t", Raw(b"1"))) == []
        assert await desk.extend("j", Extend("t")) is False
        assert await desk.extend("j", Extend("t", 5_000, beat=True)) is True
        await desk.close()
    assert [body for _, _, body in seen] == [
        b'{"token":"t","output":1}',
        b'{"token":"t"}',
        b'{"token":"t","lease":5000,"beat":true}',
    ]


async def test_a_desk_that_is_elsewhere_by_now_is_found():
    """Once for all who asked in vain; who was told an address stays with it."""
    standing = refused(503, "NothingIsRunning")
    async with served(standing, standing) as (first, _), served(EMPTY, EMPTY) as (second, seen):
        looked = []

        async def look():
            looked.append(len(seen))
            return [first, second][min(len(looked), 2) - 1]

        desk = HttpDesk(first, look=look)
        with pytest.raises(NothingIsRunning, match="why"):
            await desk.fetch(Fetch(["a"], "w"))
        assert desk.url == first  # nobody has taken over yet
        with pytest.raises(NothingIsRunning, match="why"):
            await desk.fetch(Fetch(["a"], "w"))
        assert await desk.fetch(Fetch(["a"], "w")) == []
        assert (desk.url, len(looked)) == (second, 2)
        await desk.close()


def standing_by(address):
    body = b'{"error":{"name":"NothingIsRunning","message":"why","address":"%b"}}' % address
    return b"HTTP/1.1 503 No\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


async def test_a_server_that_stands_by_says_where_to_go():
    """And when that place is gone as well, the one that was named at first is asked again."""
    async with served(EMPTY) as (holder, seen):
        told = standing_by(holder.encode())
        async with served(told, standing_by(b"nowhere"), EMPTY) as (url, _):
            desk = HttpDesk(url)
            with pytest.raises(NothingIsRunning, match="why"):
                await desk.fetch(Fetch(["a"], "w"))
            assert await desk.fetch(Fetch(["a"], "w")) == []
            assert (desk.url, len(seen)) == (holder, 1)
            with pytest.raises(NothingIsRunning, match="does not answer"):
                await desk.fetch(Fetch(["a"], "w"))  # it hangs up
            assert desk.url == url
            with pytest.raises(NothingIsRunning, match="why"):
                await desk.fetch(Fetch(["a"], "w"))
            assert desk.url == url  # that was no address
            assert await desk.fetch(Fetch(["a"], "w")) == []
            await desk.close()


async def test_those_who_asked_in_vain_look_once():
    async with served(LENGTH) as (gone, _):
        pass
    async with served(EMPTY) as (url, _):
        looked = []

        async def look():
            looked.append(1)
            return url

        desk = HttpDesk(gone, look=look)
        asks = [desk.release(f"j{n}", Release("t")) for n in range(5)]
        told = await asyncio.gather(*asks, return_exceptions=True)
        assert {type(one) for one in told} == {NothingIsRunning}
        assert len(looked) == 1
        await desk.release("j", Release("t"))
        await desk.close()
