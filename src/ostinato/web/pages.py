"""What a browser sees: a home page, the list of operations, and the document behind it.

No script and nothing from another host: the pages work on a machine without a network.
"""

from __future__ import annotations

from functools import cache
from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ostinato import __version__
from ostinato.ports import RunQuery
from ostinato.web.answers import encode, url_of
from ostinato.web.door import door_of
from ostinato.web.openapi import document
from ostinato.web.operation import KNOWN, Operations, Table

doors = Operations("pages")

HTML = "text/html"
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
}
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width">
<style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
code {{ font: 0.9em ui-monospace, monospace }}
td {{ padding: 0.1rem 1rem 0.1rem 0; vertical-align: top }}
</style></head><body>
{body}
</body></html>
"""


@doors.get("/", may=KNOWN, seed=True, answers={200: HTML})
async def home(request: Request) -> Response:
    """Say what is here, and where to go."""
    app = door_of(request).app
    links = [
        ("/docs", "every route"),
        ("/openapi.json", "the same for machines"),
        ("/workflows", "workflows"),
        ("/runs", "runs"),
        ("/events", "events"),
        ("/metrics", "metrics"),
    ]
    listed = "".join(
        f'<li><a href="{escape(url_of(request, path))}">{text}</a></li>' for path, text in links
    )
    runs = await app.count_runs(RunQuery())
    body = (
        f"<h1>Ostinato {escape(__version__)}</h1>"
        f"<p>{len(await app.workflows())} workflows, {runs} runs.</p><ul>{listed}</ul>"
    )
    return _page("Ostinato", body)


@doors.get("/docs", may=KNOWN, answers={200: HTML})
@doors.get("/explorer", may=KNOWN, seed=True, answers={200: HTML})
async def show_operations(request: Request) -> Response:
    """List every route, with what it takes."""
    shown = _document(request)
    parts = ["<h1>Routes</h1>"]
    for tag in dict.fromkeys(tag for one in _operations(shown) for tag in one[2]["tags"]):
        rows = [_row(*one) for one in _operations(shown) if tag in one[2]["tags"]]
        parts.append(f"<h2>{escape(tag)}</h2><table>{''.join(rows)}</table>")
    link = escape(url_of(request, "/openapi.json"))
    parts.append(f'<p>For machines: <a href="{link}">openapi.json</a></p>')
    return _page("Ostinato: routes", "".join(parts))


@doors.get("/openapi.json", may=KNOWN, seed=True, answers={200: dict[str, Any]})
async def get_openapi(request: Request) -> Response:
    """The OpenAPI document of every route."""
    root = url_of(request, "")
    shown = _document(request) | ({"servers": [{"url": root}]} if root else {})
    return Response(encode(shown), 200, media_type="application/json")


def _page(title: str, body: str) -> Response:
    return Response(PAGE.format(title=title, body=body), 200, HEADERS, HTML)


def _operations(shown: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    paths = shown["paths"].items()
    return [(verb.upper(), path, one) for path, verbs in paths for verb, one in verbs.items()]


def _row(verb: str, path: str, operation: dict[str, Any]) -> str:
    query = [one["name"] for one in operation["parameters"] if one["in"] == "query"]
    takes = f" <small>?{escape(' '.join(query))}</small>" if query else ""
    where = f"<code>{verb} {escape(path)}</code>{takes}"
    return f"<tr><td>{where}</td><td>{escape(operation['summary'])}</td></tr>"


def _document(request: Request) -> dict[str, Any]:
    return _made(request.scope["ostinato"].table)


@cache
def _made(table: Table) -> dict[str, Any]:
    return document(table.operations)
