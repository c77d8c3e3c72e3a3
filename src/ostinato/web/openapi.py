"""The OpenAPI document of a table of operations. Schemas are those of the values themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from ostinato import __version__
from ostinato.web.auth import PERMISSIONS
from ostinato.web.errors import PROBLEM
from ostinato.web.operation import JSON, KNOWN, PUBLIC, Operation

REF = "#/components/schemas/{name}"

PHRASES = {
    200: "done",
    201: "made",
    202: "accepted and stored",
    204: "done; there is nothing to say",
    503: "not now",
}


class ErrorItem(msgspec.Struct):
    pointer: str
    message: str
    line: int | msgspec.UnsetType = msgspec.UNSET
    column: int | msgspec.UnsetType = msgspec.UNSET
    hint: str | msgspec.UnsetType = msgspec.UNSET


class SeedError(msgspec.Struct, rename="camel"):
    status_code: int
    name: str
    message: str
    code: str | msgspec.UnsetType = msgspec.UNSET
    details: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET


class ErrorBody(msgspec.Struct):
    """RFC 9457, and the older services' envelope beside it."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[ErrorItem]
    error: SeedError


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    listed = list(operations)
    kinds = [kind for operation in listed for kind in _kinds(operation)]
    schemas, components = msgspec.json.schema_components([ErrorBody, *kinds], ref_template=REF)
    known = dict(zip(map(_key, [ErrorBody, *kinds]), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    names: set[str] = set()
    for operation in listed:
        name = operation.name if operation.name not in names else _alias(operation)
        names.add(name)
        here = paths.setdefault(operation.path, {})
        here[operation.method.lower()] = _operation(operation, name, known)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Ostinato", "version": __version__, "description": DESCRIPTION},
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": components,
            "securitySchemes": {"HTTPBearer": {"type": "http", "scheme": "bearer"}},
        },
    }


DESCRIPTION = (
    "An event-driven, durable workflow orchestrator. On this machine no key is needed; "
    "elsewhere an API key is the bearer token."
)


def _alias(operation: Operation) -> str:
    return operation.name + "_at_" + re.sub(r"\W+", "_", operation.path).strip("_")


def _kinds(operation: Operation) -> Iterable[Any]:
    if operation.query is not None:
        yield from (field.type for field in msgspec.structs.fields(operation.query))
    for kind in (*operation.bodies.values(), *operation.answers.values()):
        if not isinstance(kind, (dict, str)) and kind is not None:
            yield kind


def _key(kind: Any) -> str:
    return repr(kind)


def _operation(operation: Operation, name: str, known: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "operationId": name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": list(_parameters(operation, known)),
        "responses": _responses(operation, known),
    }
    if operation.description:
        shown["description"] = operation.description
    if operation.bodies:
        content = {kind: {"schema": _schema(of, known)} for kind, of in operation.bodies.items()}
        shown["requestBody"] = {"content": content}
    if operation.may != PUBLIC:
        shown["security"] = [{"HTTPBearer": []}]
        shown["x-permissions"] = permissions(operation)
    return shown


def permissions(operation: Operation) -> list[str]:
    """Any one of them is enough."""
    if operation.may in (PUBLIC, KNOWN):
        return []
    return [operation.may, *PERMISSIONS[operation.may]]


def _parameters(operation: Operation, known: dict[str, Any]) -> Iterable[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", operation.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    if operation.query is not None:
        for field in msgspec.structs.fields(operation.query):
            yield _query_parameter(field, known[_key(field.type)])
    for name, about in operation.headers.items():
        yield {"name": name, "in": "header", "description": about, "schema": {"type": "string"}}


def _query_parameter(field: msgspec.structs.FieldInfo, schema: dict[str, Any]) -> dict[str, Any]:
    schema = dict(schema)
    choices = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(choices) == 1:  # absent is how a query says null
        del schema["anyOf"]
        schema = choices[0] | schema
    about = schema.pop("description", "")
    if field.default is not msgspec.NODEFAULT and field.default not in (None, ()):
        schema["default"] = field.default
    shown = {"name": field.encode_name, "in": "query", "schema": schema}
    return shown | {"description": about} if about else shown


def _responses(operation: Operation, known: dict[str, Any]) -> dict[str, Any]:
    error_type = JSON if operation.seed else PROBLEM
    responses: dict[str, Any] = {}
    for status, kind in operation.answers.items():
        responses[str(status)] = {"description": PHRASES[status]} | _content(kind, known)
    failed = {error_type: {"schema": known[_key(ErrorBody)]}}
    responses["default"] = {"description": "an error, in the one form of all", "content": failed}
    return responses


def _content(kind: Any, known: dict[str, Any]) -> dict[str, Any]:
    if kind is None:
        return {}
    if isinstance(kind, str):
        return {"content": {kind: {"schema": {"type": "string"}}}}
    return {"content": {JSON: {"schema": _schema(kind, known)}}}


def _schema(kind: Any, known: dict[str, Any]) -> Any:
    return kind if isinstance(kind, dict) else known[_key(kind)]
