"""Who is calling, and whether they may: one check, here, for every route.

A caller on this machine, talking to a server that only this machine can reach, is the local
operator and may do everything. Everyone else brings a key as a bearer token. A route names one
permission of ours; the names that older services give it are equal.
"""

from __future__ import annotations

import difflib
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from ostinato.config import ApiKey
from ostinato.errors import SettingsError
from ostinato.web.errors import Refusal
from ostinato.web.operation import KNOWN, PUBLIC, Operation

# Ours → what the task service (numbers) and the workflow service (words, digits) call it.
PERMISSIONS: dict[str, tuple[str, ...]] = {
    "workflow:read": ("ViewWorkflow", "1"),
    "workflow:write": ("CreateWorkflow", "2", "UpdateWorkflow", "3"),
    "workflow:delete": ("DeleteWorkflow", "4"),
    "run:start": ("ExecuteWorkflow", "5"),
    "run:read": (),
    "run:write": (),
    "schedule:read": (),
    "schedule:write": (),
    "job:work": (),
    "task:read": ("16003",),
    "task:complete": ("16005",),
    "event:read": ("16002",),
    "event:write": ("16007",),
    "letter:read": (),
    "letter:write": (),
    "retention:write": (),
    "bus:read": (),
    "member:read": (),
    "member:write": (),
    "metrics:read": (),
}

ALL = "*"  # held by a key that may do everything
UNSAFE = frozenset(("POST", "PUT", "PATCH", "DELETE"))


@dataclass(frozen=True, slots=True)
class Caller:
    name: str
    permissions: frozenset[str]

    def may(self, permission: str) -> bool:
        if permission == KNOWN or ALL in self.permissions:
            return True
        equal = (permission, *PERMISSIONS.get(permission, ()))
        return not self.permissions.isdisjoint(equal)


OPERATOR = Caller("local operator", frozenset((ALL,)))
ANONYMOUS = Caller("anonymous", frozenset())


@dataclass(frozen=True, slots=True)
class Access:
    """``bind`` is the address that the server listens on, as far as the settings know.

    ``anonymous`` names operations that need no caller.
    """

    bind: str = "127.0.0.1"
    keys: tuple[ApiKey, ...] = ()
    anonymous: frozenset[str] = frozenset()
    _by_hash: dict[str, Caller] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        known = {key.sha256: Caller(key.name, key.permissions) for key in self.keys}
        object.__setattr__(self, "_by_hash", known)

    def check(
        self, scope: Mapping[str, Any], headers: Mapping[str, str], operation: Operation
    ) -> Caller:
        """The caller, or a refusal: 401 unknown, 403 known but not allowed."""
        caller = self._caller(scope, headers)
        if caller is OPERATOR:
            _refuse_strangers(scope["method"], headers)
            return caller
        if operation.may == PUBLIC or operation.name in self.anonymous:
            return caller or ANONYMOUS
        if caller is None:
            raise _unauthorized("a bearer token is needed: an API key of the setting `auth.keys`")
        if not caller.may(operation.may):
            raise _forbidden(f"this key may not do this; it needs {_any_of(operation.may)}")
        return caller

    def _caller(self, scope: Mapping[str, Any], headers: Mapping[str, str]) -> Caller | None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return self._holder(token.strip())
        return OPERATOR if self._is_local(scope, headers) else None

    def _holder(self, token: str) -> Caller:
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
        for known, caller in self._by_hash.items():
            if hmac.compare_digest(known, digest):
                return caller
        raise _unauthorized("this key is not known here")

    def _is_local(self, scope: Mapping[str, Any], headers: Mapping[str, str]) -> bool:
        """What a proxy on this machine hands on comes from somewhere else."""
        if "forwarded" in headers or "x-forwarded-for" in headers:
            return False
        client, server = scope.get("client"), scope.get("server")
        ends = (self.bind, client[0] if client else "", server[0] if server else self.bind)
        return all(map(is_loopback, ends))


@lru_cache(1024)  # asked of every request
def is_loopback(host: str) -> bool:
    host = host.strip("[]").partition("%")[0]
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse_strangers(method: str, headers: Mapping[str, str]) -> None:
    """A page from elsewhere, in a browser on this machine, is not the operator.

    A name that resolves to this machine by its owner's trick shows in Host, a page of another
    site in Origin.
    """
    host = headers.get("host", "")
    if host and not is_loopback(_name_in(host)):
        raise _forbidden(f"Host {host[:80]!r} is not this machine; use http://127.0.0.1 or a key")
    if method not in UNSAFE:
        return
    origin = headers.get("origin")
    same = origin is None or urlsplit(origin).netloc == host
    if not same or headers.get("sec-fetch-site") == "cross-site":
        raise _forbidden("a page of another site may not act for the local operator; use a key")


def _name_in(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _any_of(permission: str) -> str:
    return " or ".join((permission, *PERMISSIONS.get(permission, ())))


def _unauthorized(message: str) -> Refusal:
    headers = {"www-authenticate": 'Bearer realm="ostinato"'}
    return Refusal(401, "UnauthorizedError", message, headers=headers)


def _forbidden(message: str) -> Refusal:
    return Refusal(403, "ForbiddenError", message)


def open_names(names: Iterable[str], operations: Iterable[Operation]) -> frozenset[str]:
    """Names for `[auth] anonymous`; one that is no route would open nothing, silently."""
    known = {operation.name for operation in operations}
    wanted = frozenset(names)
    if unknown := sorted(wanted - known):
        near = difflib.get_close_matches(unknown[0], known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise SettingsError(f"[auth] anonymous: no route is called {unknown[0]!r}{hint}")
    return wanted
