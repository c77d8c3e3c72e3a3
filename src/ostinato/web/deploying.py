"""``POST /workflows``: one document, or several of which all or none are deployed.

The content type says how it is written; of JSON, the members say what it is. What is written for
other engines is recognised and refused by name until it is understood.
"""

from __future__ import annotations

from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP

from starlette.requests import Request
from starlette.responses import Response

from ostinato.web.answers import json_answer, nothing, url_of
from ostinato.web.bodies import malformed, members, read_body
from ostinato.web.door import door_of, headers_of
from ostinato.web.errors import Refusal, not_yet, unfit
from ostinato.web.operation import JSON, Operations
from ostinato.web.workflows import WorkflowView, workflow_view

doors = Operations("workflows")

YAML = frozenset(("", "application/yaml", "text/yaml", "application/x-yaml", "text/x-yaml"))
XML = frozenset(("application/xml", "text/xml", "application/bpmn+xml"))

_TEXT = {"type": "string", "examples": ["workflow: hello\nphases: [{phase: one, jobs: []}]\n"]}
_OURS = {"type": "object", "required": ["workflow"]}
ONE_OR_MORE = WorkflowView | list[WorkflowView]
DOCUMENT = {"application/yaml": _TEXT, "text/yaml": _TEXT, JSON: _OURS}
BODIES = {
    **DOCUMENT,
    "multipart/form-data": {"type": "object", "description": "each part one document"},
}


@doors.post(
    "/workflows",
    may="workflow:write",
    bodies=BODIES,
    answers={201: ONE_OR_MORE, 200: ONE_OR_MORE},
)
async def deploy_workflow(request: Request) -> Response:
    """Deploy a document: 201 a new version, 200 nothing new. A known name gets a new version.

    multipart/form-data holds several documents, of which all or none are deployed, and is answered
    with an array.
    """
    door = door_of(request)
    body = await read_body(request, door.bounds.documents)
    kind, parameters = _kind(headers_of(request).get("content-type", ""))
    if kind == "multipart/form-data":
        documents, many = _parts(body, parameters), True
    else:
        documents, many = [_document(kind, body)], False
    deployed = await door.app.deploy_texts(documents)
    status = 201 if any(one.created for one in deployed) else 200
    shown = [workflow_view(one) for one in deployed]
    if many or len(shown) != 1:
        return json_answer(shown, status)
    where = {"location": url_of(request, f"/workflows/{deployed[0].name}")}
    return json_answer(shown[0], status, where)


@doors.patch(
    "/workflows/{name}", may="workflow:write", seed=True, bodies=DOCUMENT, answers={204: None}
)
async def update_workflow(request: Request) -> Response:
    """Deploy another version of a workflow that is there; the same content changes nothing."""
    door = door_of(request)
    body = await read_body(request, door.bounds.documents)
    kind, _ = _kind(headers_of(request).get("content-type", ""))
    await door.app.update_workflow(request.path_params["name"], _document(kind, body))
    return nothing()


def _kind(content_type: str) -> tuple[str, str]:
    kind, _, parameters = content_type.partition(";")
    return kind.strip().lower(), parameters


def _document(kind: str, body: bytes) -> bytes:
    """The text goes on as it is: its reader knows of lines, and of keys that stand twice."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        message = f"the document is not UTF-8: byte {error.start} is {body[error.start]:#04x}"
        raise Refusal(400, "BadRequestError", message) from None
    if not body.strip():
        raise Refusal(400, "BadRequestError", "the body is empty; it is a workflow document")
    if kind == JSON or kind.endswith("+json") or (not kind and body.lstrip()[:1] == b"{"):
        _check_members(body)
    elif kind in XML:
        raise not_yet(f"BPMN ({kind})")
    elif kind not in YAML:
        hint = "send -H 'content-type: application/yaml' or application/json"
        message = f"a workflow in {kind[:80]!r} is not understood; {hint}"
        raise Refusal(415, "UnsupportedMediaTypeError", message)
    return body


def _check_members(body: bytes) -> None:
    if body.lstrip()[:1] not in (b"{", b"["):
        raise malformed("it begins neither as an object nor as an array")
    found = members(body)
    if "workflow" in found:
        return
    if "bpmnFile" in found:
        raise _as_seed(not_yet("`bpmnFile`, the workflow service's body"))
    if "StartAt" in found and "States" in found:
        raise not_yet("`StartAt` and `States`, Amazon States Language")
    if "purposeId" in found or bytes(found.get("phases", b"")).lstrip()[:1] == b"{":
        raise not_yet("`purposeId` and `phases` as a map, the phase machine's document")
    names = ", ".join(sorted(found)[:10]) or "nothing"
    raise unfit(f"a workflow document has the member `workflow`; found {names[:200]}", "workflow")


def _as_seed(refusal: Refusal) -> Refusal:
    """To the workflow service's own body, every failure is 400 in its own form."""
    refusal.status, refusal.seed = 400, True
    return refusal


def _parts(body: bytes, parameters: str) -> list[bytes]:
    """The parts of multipart/form-data, each one document, by its own content type or file name."""
    head = b"content-type: multipart/form-data;" + parameters.encode("latin-1") + b"\r\n\r\n"
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    if not message.is_multipart():
        raise Refusal(400, "BadRequestError", "the body is not multipart/form-data as announced")
    documents = []
    for part in message.iter_parts():
        content = part.get_payload(decode=True)
        text = content if isinstance(content, bytes) else b""
        documents.append(_document(_kind_of(part), text))
    if not documents:
        raise Refusal(400, "BadRequestError", "the body has no part; each is one document")
    return documents


def _kind_of(part: Message) -> str:
    """Many clients know no type for YAML; then the name of the file says it, or the text."""
    kind = part.get_content_type()
    if kind not in ("text/plain", "application/octet-stream"):
        return kind
    return JSON if (part.get_filename() or "").endswith(".json") else ""
