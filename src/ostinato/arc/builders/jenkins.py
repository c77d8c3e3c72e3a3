"""Jenkins, by its HTTP API. ``jobIdentifier`` is the name of a job; ``a/b`` is b in the folder a.

Jenkins has no idempotency keys. So every build gets its key as the parameter ``OSTINATO_KEY``, and
one that is queued or known under that key is not begun again. The job must have the parameters that
it is to see; Jenkins leaves out the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import httpx2

from ostinato.arc.builders import Build, Result
from ostinato.arc.builders.environment import KEY, told
from ostinato.arc.builders.following import follow

ACTIONS = "actions[parameters[name,value]]"
QUEUE = f"items[id,task[name],{ACTIONS}]"
BUILDS = f"builds[url,{ACTIONS}]{{0,100}}"


class JenkinsError(Exception):
    """Jenkins refuses; its text says why, as far as Jenkins does."""


class Jenkins:
    """``token`` is an API token of ``user`` (or a password: then Jenkins is asked for a crumb).

    ``poll`` is in seconds: how often a build is looked at. None: it is not, and only its report to
    OSTINATO_CALLBACK_URL ends the job.
    """

    def __init__(
        self, url: str, user: str = "", token: str = "", *, poll: float | None = 5.0
    ) -> None:
        self._url = url.rstrip("/")
        self._auth = (user, token) if user else None
        self._poll = poll

    async def run(self, build: Build) -> Result | None:
        async with httpx2.AsyncClient(auth=self._auth, timeout=30, trust_env=False) as http:
            job = f"{self._url}{_path(build.job)}"
            place = await self._begun(http, job, build.key) or await self._begin(http, job, build)
            if self._poll is None:
                return None
            found = _Place(http, place, self._ours)
            return await follow(found.look, self._poll, place, httpx2.HTTPError, JenkinsError)

    async def _begun(self, http: httpx2.AsyncClient, job: str, key: str) -> str | None:
        """The queue item or the build that has this key."""
        queue = await _json(http, f"{self._url}/queue/api/json", tree=QUEUE)
        for item in queue.get("items", ()):
            if _has(item, key):
                return f"{self._url}/queue/item/{item['id']}/"
        known = await _json(http, f"{job}/api/json", tree=BUILDS)
        found = (one["url"] for one in known.get("builds", ()) if _has(one, key))
        return next(map(self._ours, found), None)

    async def _begin(self, http: httpx2.AsyncClient, job: str, build: Build) -> str:
        """The address of its queue item."""
        parameters = told(
            build.environment, token=build.token, callback_url=build.callback_url, key=build.key
        )
        headers = await self._crumb(http)
        address = f"{job}/buildWithParameters"
        answer = await http.post(address, data=parameters, headers=headers)
        if answer.status_code != 201 or "location" not in answer.headers:
            raise JenkinsError(_refused(answer, build.job))
        return self._ours(answer.headers["location"])

    def _ours(self, address: str) -> str:
        """An address of Jenkins's as we reach it: it may know itself by another name, and no other
        host is given our token."""
        path = httpx2.URL(self._url).join(address).path
        return str(httpx2.URL(self._url).copy_with(path=path))

    async def _crumb(self, http: httpx2.AsyncClient) -> dict[str, str]:
        """Against forgery from browsers; a Jenkins without that has no issuer."""
        answer = await http.get(f"{self._url}/crumbIssuer/api/json")
        if answer.status_code == 404:
            return {}
        answer.raise_for_status()
        issued = answer.json()
        return {issued["crumbRequestField"]: issued["crumb"]}


class _Place:
    """Where a build is: first in the queue, then at an address of its own."""

    def __init__(self, http: httpx2.AsyncClient, address: str, ours: Callable[[str], str]) -> None:
        self._http = http
        self._address = address
        self._ours = ours

    async def look(self) -> Result | None:
        found = await _json(self._http, f"{self._address.rstrip('/')}/api/json")
        if found.get("cancelled"):
            return Result("failed", "Jenkins says it was cancelled in the queue")
        if isinstance(begun := found.get("executable"), Mapping):
            self._address = self._ours(begun["url"])
            return await self.look()
        outcome = found.get("result")
        if outcome is None or found.get("building"):
            return None
        output = {"buildId": self._address, "log": f"{self._address.rstrip('/')}/console"}
        if outcome == "SUCCESS":
            return Result("succeeded", output=output)
        return Result("failed", f"Jenkins says {outcome}", output)


async def _json(http: httpx2.AsyncClient, url: str, **query: str) -> dict[str, Any]:
    answer = await http.get(url, params=query)
    if answer.status_code == 404:
        raise JenkinsError(
            f"there is nothing at {url}: is the job there, and may this user see it?"
        )
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def _has(item: Mapping[str, Any], key: str) -> bool:
    return any(
        parameter.get("name") == KEY and parameter.get("value") == key
        for action in item.get("actions", ())
        if isinstance(action, Mapping)
        for parameter in action.get("parameters", ())
    )


def _path(job: str) -> str:
    return "".join(f"/job/{quote(part, safe='')}" for part in job.split("/") if part)


def _refused(answer: httpx2.Response, job: str) -> str:
    hints = {
        400: "is it without parameters? give it those that it is to see",
        401: "the user or its token is wrong",
        403: "this user may not build it",
        404: "there is no such job",
    }
    hint = hints.get(answer.status_code, "")
    return f"Jenkins does not build {job}: {answer.status_code}{hint and f' ({hint})'}"
