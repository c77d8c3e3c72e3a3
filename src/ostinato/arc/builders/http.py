"""Anything that takes a POST: it answers 2xx, and reports to the callback when it is done."""

from __future__ import annotations

from collections.abc import Mapping

import httpx2

from ostinato.arc.builders import Build


class HttpBuilder:
    """What is posted: ``{job, key, parameters, callback}``. The callback takes
    ``{"output": {"status": "succeeded", …}}`` or ``{"error": {"name", "message"}}``.

    A second post under the same ``key`` (also in ``Idempotency-Key``) is the same build.
    """

    def __init__(self, url: str, *, headers: Mapping[str, str] | None = None) -> None:
        self._url = url
        self._headers = dict(headers or {})

    async def run(self, build: Build) -> None:
        order = {
            "job": build.job,
            "key": build.key,
            "parameters": dict(build.environment),
            "callback": build.callback_url,
        }
        headers = {**self._headers, "Idempotency-Key": build.key}
        async with httpx2.AsyncClient(timeout=30, trust_env=False) as http:
            answer = await http.post(self._url, json=order, headers=headers)
            answer.raise_for_status()
