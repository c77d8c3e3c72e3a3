"""The handlers of the imports. They note what is at work, so that one can see that limits hold."""

import asyncio
from collections import Counter

from ostinato import App

app = App()

AT_WORK: Counter[str] = Counter()
MOST: Counter[str] = Counter()
READ: list[str] = []


@app.handler("file.read")
async def read(file: str) -> int:
    READ.append(file)
    await asyncio.sleep(0)
    return len(file)


@app.handler("service.check")
async def check(file: str, rows: int) -> int:
    AT_WORK["service"] += 1
    MOST["service"] = max(MOST["service"], AT_WORK["service"])
    try:
        await asyncio.sleep(0.01)
    finally:
        AT_WORK["service"] -= 1
    return rows
