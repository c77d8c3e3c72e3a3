"""Verbs about what concerns all runs: done where that is looked after, whoever is asked."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping
from inspect import signature
from typing import Any, Concatenate, ParamSpec, TypeVar, get_type_hints

import msgspec
from msgspec import UNSET, Raw

from ostinato.app.wired import Wired
from ostinato.errors import NotFoundError, WorkflowNotFound
from ostinato.runtime.errands import IN_HAND, Verb
from ostinato.runtime.posts import Post

P = ParamSpec("P")
T = TypeVar("T")
W = TypeVar("W", bound="AtHub")

VERBS: dict[str, Callable[..., Awaitable[Any]]] = {}


def at_hub(
    verb: Callable[Concatenate[W, P], Awaitable[T]],
) -> Callable[Concatenate[W, P], Awaitable[T]]:
    """What it is given, and what comes of it, JSON must be able to say."""
    VERBS[verb.__name__] = verb

    @functools.wraps(verb)
    async def here_or_there(app: W, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if app._leads:
            return await verb(app, *args, **kwargs)
        given = signature(verb).bind(app, *args, **kwargs).arguments
        members = {name: value for name, value in list(given.items())[1:] if value is not UNSET}
        found: T = await app._ask_hub(verb, members)
        return found

    return here_or_there


class AtHub(Wired):
    @property
    def _leads(self) -> bool:
        """Nobody else does what concerns all runs."""
        return self._service is None or self._service.engine.territory.hub

    async def _ask_hub(self, verb: Callable[..., Any], given: Mapping[str, Any]) -> Any:
        body = msgspec.json.encode(given)
        told = await self.service.ask(lambda answer: Verb(verb.__name__, body, answer))
        await self._learn_deployed()
        return msgspec.json.decode(told, type=get_type_hints(verb)["return"])

    async def _ask_once(self, make: Callable[[asyncio.Future[Any]], Post]) -> Any:
        """The one thing that a verb changes. Another process that has asked for the verb is
        answered in the same transaction: then it is not done again when this one dies."""
        mail = IN_HAND.get()
        if mail is None:
            return await self.service.ask(make)
        return await self.service.errands.do(mail, make)

    async def _serve_verb(self, name: str, body: Raw) -> Raw:
        """Another process asks for it."""
        verb = VERBS.get(name)
        if verb is None:
            raise NotFoundError(f"no verb is called {name!r} here; is this an older version?")
        hints = get_type_hints(verb)
        given = {
            each: msgspec.json.decode(raw, type=hints[each])
            for each, raw in msgspec.json.decode(body, type=dict[str, Raw]).items()
        }
        return Raw(msgspec.json.encode(await verb(self, **given)))

    async def _resolved(self, workflow: str, version: int | None) -> tuple[str, int]:
        """Of what another process has deployed just now, too. Raises ``WorkflowNotFound``."""
        try:
            return self._catalog.resolve(workflow, version)
        except WorkflowNotFound:
            if not await self._learn_deployed():
                raise
            return self._catalog.resolve(workflow, version)

    async def _learn_deployed(self) -> bool:
        """Know what other processes have deployed, if there are any: whether it may be more now."""
        return False
