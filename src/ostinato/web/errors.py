"""The one error body: the members of RFC 9457, and beside them the envelope of the seeds.

``{type, title, status, detail, instance, errors[], error: {statusCode, name, message, …}}``.
An error of ours has its status in ``STATUS``; what is not in it is 500 and says nothing of what
went on inside.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from ostinato import errors
from ostinato.core.cloudevents import MalformedBody
from ostinato.errors import OstinatoError, Problem
from ostinato.telemetry.logger import logger
from ostinato.web.answers import encode

PROBLEM = "application/problem+json"

# The first that fits.
STATUS: tuple[tuple[type[OstinatoError], int], ...] = (
    (errors.SignatureError, 401),
    (errors.NotFoundError, 404),
    (errors.Gone, 410),
    (errors.Busy, 429),
    (errors.ConflictError, 409),
    (errors.TooLarge, 413),
    (MalformedBody, 400),
    (errors.NothingIsRunning, 503),
    (errors.Unready, 503),
    (errors.UsageError, 422),
    (errors.DefinitionError, 422),
    (errors.AdapterError, 503),
)

# What older services call the same thing; their clients look at it.
SEED_CODES = {404: "ENTITY_NOT_FOUND", 422: "VALIDATION_FAILED"}

log = logger("ostinato.web")


class Refusal(Exception):
    """A request that the door itself refuses. ``seed``: in the form of the older services;
    ``address``: who would not refuse it."""

    def __init__(
        self,
        status: int,
        name: str,
        message: str,
        *,
        problems: Sequence[Problem] = (),
        headers: Mapping[str, str] | None = None,
        seed: bool = False,
        address: str = "",
    ) -> None:
        super().__init__(message)
        self.seed = seed
        self.address = address
        self.status = status
        self.name = name
        self.message = message
        self.problems = problems
        self.headers = dict(headers or {})


def not_yet(what: str) -> Refusal:
    return Refusal(422, "NotYet", f"{what}: not yet")


def again(message: str) -> Refusal:
    """Not here and now: another process, or this one in a moment, has the answer."""
    return Refusal(503, "Unready", message, headers={"retry-after": "1"})


def unfit(message: str, path: str = "", hint: str = "") -> Refusal:
    problem = Problem(message, path, hint=hint)
    return Refusal(422, "UnprocessableEntityError", str(problem), problems=(problem,))


def refusal_of(error: Exception) -> Refusal:
    """What the caller is told of an error, whatever it is."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, errors.Fenced):
        log.info("request.refused", error=error.code, reason=error.message)
        return again("another process has taken over what this one was doing; ask again")
    if isinstance(error, errors.AdapterError):
        _log_refused(error)
        which = error.details.get("which", "the store")
        message = f"{which} cannot answer now; the server's log says why"
        return Refusal(503, error.code, message, headers={"retry-after": "1"})
    if isinstance(error, OstinatoError):
        for kind, status in STATUS:
            if isinstance(error, kind):
                return _known(error, status)
    log.error("request.failed", exc_info=error)
    return Refusal(500, "InternalServerError", "an error that nobody expected; it is in the log")


def _log_refused(error: errors.AdapterError) -> None:
    """That a store is away, its own log line has told with all there is to it."""
    if isinstance(error, errors.ShardAway):
        log.warning("request.refused", error=error.code, reason=error.message)
    else:
        log.error("request.refused", error=error.code, exc_info=error)


def _known(error: OstinatoError, status: int) -> Refusal:
    headers = {}
    if isinstance(error, errors.Busy):
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after)))
    elif isinstance(error, errors.Unready):
        headers["retry-after"] = "1"
    address = str(error.details.get("address", ""))
    told = (status, error.code, error.message)
    return Refusal(*told, problems=error.problems, headers=headers, address=address)


def error_answer(error: Exception, path: str, *, seed: bool = False) -> Response:
    refusal = refusal_of(error)
    content_type = "application/json" if seed or refusal.seed else PROBLEM
    body = encode(error_body(refusal, path))
    return Response(body, refusal.status, refusal.headers, content_type)


def error_body(refusal: Refusal, path: str) -> dict[str, Any]:
    status, problems = refusal.status, refusal.problems
    inner: dict[str, Any] = {
        "statusCode": status,
        "name": refusal.name,
        "message": refusal.message,
    }
    if status in SEED_CODES:
        inner["code"] = SEED_CODES[status]
    if refusal.address:
        inner["address"] = refusal.address
    if problems:
        inner["details"] = [_detail(problem, refusal.name) for problem in problems]
    return {
        "type": f"urn:ostinato:problem:{refusal.name}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": refusal.message,
        "instance": path,
        "errors": [_error(problem) for problem in problems],
        "error": inner,
    }


def _error(problem: Problem) -> dict[str, Any]:
    shown: dict[str, Any] = {"pointer": pointer(problem.path), "message": problem.message}
    for name in ("line", "column", "hint"):
        if value := getattr(problem, name):
            shown[name] = value
    return shown


def _detail(problem: Problem, code: str) -> dict[str, Any]:
    return {"path": pointer(problem.path), "code": code, "message": problem.message, "info": {}}


def pointer(path: str) -> str:
    """`data.regions[3].name` as a JSON pointer: `/data/regions/3/name`."""
    if not path or path.startswith("/"):
        return path
    parts = re.findall(r"\[(\d+)\]|([^.\[\]]+)", path)
    escaped = [(number or name).replace("~", "~0").replace("/", "~1") for number, name in parts]
    return "".join(f"/{part}" for part in escaped)
