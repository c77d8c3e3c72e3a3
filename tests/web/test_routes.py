"""The table of routes: what is served is what the document says, and how paths are found."""

import re
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from ostinato.app import App
from ostinato.config import Settings
from ostinato.web.asgi import TABLE, application
from ostinato.web.operation import Operation, Table
from ostinato.web.reference import rewritten
from tests.web.conftest import DOCUMENTS, client_of

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
PAGE = Path(__file__).parents[2] / "docs/reference/doors.md"


async def served(http, path):
    """Asks the server, not the table."""
    answer = await http.options(path)
    assert answer.status_code == 204
    return set(answer.headers["allow"].split(", ")) & set(METHODS)


@pytest.mark.seed("A84")
async def test_the_document_is_what_is_served(http):
    paths = (await http.get("/openapi.json")).json()["paths"]
    assert paths.keys() == {operation.path for operation in TABLE.operations}
    for path in paths:
        listed = {
            method.upper()
            for template, operations in paths.items()
            if fits(template, path)
            for method in operations
        }
        assert await served(http, path) == listed, path


def fits(template, path):
    """`/events/{id}` also stands for `/events/count`, with the methods that this has not."""
    wanted, given = template.split("/"), path.split("/")
    return len(wanted) == len(given) and all(
        one == other or one.startswith("{") for one, other in zip(wanted, given, strict=True)
    )


@pytest.mark.seed("A84")
async def test_the_document_is_whole(http):
    document = (await http.get("/openapi.json")).json()
    operations = [one for verbs in document["paths"].values() for one in verbs.values()]
    assert len({one["operationId"] for one in operations}) == len(operations)
    for one in operations:
        assert one["summary"].endswith(".")
    refs = re.findall(r"#/components/schemas/(\w+)", str(document))
    assert set(refs) <= document["components"]["schemas"].keys()


def test_the_reference_page_is_current():
    page = PAGE.read_text()
    assert rewritten(page) == page, f"python -m ostinato.web.reference {PAGE.name} writes it"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/runs", "GET, HEAD, OPTIONS, POST"),
        ("POST", "/runs/count", "GET, HEAD, OPTIONS"),
        ("PUT", "/events/trigger", "GET, HEAD, OPTIONS, POST"),
        ("PUT", "/workflows/hello", "DELETE, GET, HEAD, OPTIONS, PATCH"),
    ],
)
async def test_a_method_that_a_path_has_not_is_405(http, method, path, allow):
    answer = await http.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    assert answer.json()["error"]["name"] == "MethodNotAllowedError"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/user-tasks"),
        ("POST", "/webhooks/subscribe"),
        ("POST", "/runs/last/pause"),
        ("GET", "/v1/runs"),
        ("GET", "/runs//history"),
        ("OPTIONS", "/nothing"),
    ],
)
async def test_what_is_not_there_is_an_ordinary_404(http, method, path):
    answer = await http.request(method, path)
    assert (answer.status_code, answer.json()["error"]["name"]) == (404, "NotFoundError")


@pytest.mark.parametrize("path", ["/runs", "/ping", "/", "/workflows/hello"])
async def test_head_is_get_without_its_body(http, path):
    got, head = await http.get(path), await http.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]


@pytest.mark.parametrize("path", ["/runs/", "/workflows/hello/"])
async def test_a_slash_at_the_end_means_nothing(http, path):
    assert (await http.get(path)).status_code == 200


async def nowhere(request): ...


def table(*paths):
    return Table([Operation("GET", path, nowhere, "", "t") for path in paths])


@pytest.mark.parametrize(
    ("path", "found", "values"),
    [
        ("/a/count", "/a/count", {}),
        ("/a/7", "/a/{id}", {"id": "7"}),
        ("/a/7%2F8/", "/a/{id}", {"id": "7/8"}),
        ("/a/count/b", "/a/{id}/b", {"id": "count"}),
        ("/a/%C3%A4/b", "/a/{id}/b", {"id": "ä"}),
        ("/a", None, {}),
        ("/a//b", None, {}),
    ],
)
def test_a_static_segment_wins_over_a_parameter(path, found, values):
    for order in (1, -1):
        routes = table(*["/a/{id}", "/a/count", "/a/{id}/b"][::order])
        operation, parameters, _ = routes.find("GET", path)
        assert (operation and operation.path, parameters) == (found, values)


def test_a_route_is_served_once():
    with pytest.raises(ValueError, match="twice"):
        table("/a/{id}", "/a/{name}")


# -- living


@pytest.mark.parametrize("root", ["", "/flows"])
async def test_it_lives_in_another_application(root):
    app = App(Settings(store="memory:"))
    door = application(app)
    host = Starlette(routes=[Mount(root or "/", door)], lifespan=door.lifespan)
    async with host.router.lifespan_context(host), client_of(host) as http:
        await app.deploy_texts(DOCUMENTS)
        assert (await http.get(f"{root}/readyz")).status_code == 200
        for _ in range(2):
            answer = await http.post(f"{root}/runs", json={"workflow": "hello"})
        assert answer.headers["location"] == f"{root}/runs/{answer.json()['id']}"
        assert (await http.get(answer.headers["location"])).status_code == 200
        page = await http.get(f"{root}/runs?limit=1")
        assert (await http.get(page.links["next"]["url"])).status_code == 200
        assert f'"{root}/openapi.json"' in (await http.get(f"{root}/docs")).text
    async with client_of(host) as http:
        answer = await http.post(f"{root}/runs", json={"workflow": "hello"})
        assert answer.status_code == 503


async def test_a_server_that_cannot_start_says_why(tmp_path):
    door = application(App(Settings(store=f"sqlite:///{tmp_path}/no/such/folder/x.db")))
    sent = []

    async def receive():
        return {"type": "lifespan.startup"}

    async def send(message):
        sent.append(message)

    await door({"type": "lifespan"}, receive, send)
    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert "folder" in sent[0]["message"]


async def test_sockets_are_refused(door):
    sent = []

    async def send(message):
        sent.append(message)

    await door({"type": "websocket", "path": "/"}, None, send)
    assert sent == [{"type": "websocket.close", "code": 1000}]
