"""One service of AWS, as the settings of a bus say."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from typing import Any

from aiobotocore.config import AioConfig  # type: ignore[import-untyped]
from aiobotocore.session import AioSession  # type: ignore[import-untyped]
from botocore.exceptions import (  # type: ignore[import-untyped]
    BotoCoreError,
    ClientError,
)

from ostinato.bus.aws.troubles import trouble
from ostinato.config.buses import AwsSettings

CONNECT = 5.0
"""Seconds."""
ANSWER = 20.0
"""Seconds besides those that a request asks the service to wait."""
LINES = 25


class Service:
    """``name`` is AWS's: sqs, sns, events. ``wait``: seconds that its longest request waits."""

    def __init__(self, settings: AwsSettings, name: str, wait: float = 0.0) -> None:
        self.settings = settings
        self.name = name
        self._config = AioConfig(
            connect_timeout=CONNECT,
            read_timeout=wait + ANSWER,
            retries={"mode": "standard", "total_max_attempts": 3},
            max_pool_connections=LINES,
        )
        self._session = AioSession()  # it keeps what takes long to read
        self._client: Any = None
        self._stack = AsyncExitStack()

    async def open(self) -> None:
        """Raises ``BusError``; nothing is sent yet."""
        if self._client is not None:
            return
        settings = self.settings
        try:
            making = self._session.create_client(
                self.name,
                region_name=settings.region or os.environ.get("AWS_REGION"),
                endpoint_url=settings.endpoint,
                aws_access_key_id=settings.access_key_id,
                aws_secret_access_key=settings.secret_access_key,
                aws_session_token=settings.session_token,
                config=self._config,
            )
            self._client = await self._stack.enter_async_context(making)
        except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is none
            raise trouble(error, settings, self.name) from error

    async def ask(self, operation: str, missing: str = "", **parameters: Any) -> dict[str, Any]:
        """Raises ``BusError``; ``missing``: what is told when it is not there."""
        try:
            answer: dict[str, Any] = await getattr(self._client, operation)(**parameters)
        except (BotoCoreError, ClientError) as error:
            raise trouble(error, self.settings, self.name, missing) from error
        return answer

    async def close(self) -> None:
        self._client = None
        await self._stack.aclose()
