"""The handlers of the report. What they know stands in for banks, regions and printers."""

import asyncio

from ostinato import App, Fail

app = App()

RATES = {"north": 1.08, "south": 1.07}
"""What the banks answer; the third one does not."""
SOLD = {"eu": 100, "us": 250, "apac": 75}
DOWN: set[str] = set()
"""Regions that cannot be reached."""


@app.handler("rates.ask")
async def ask(bank: str) -> float:
    if bank not in RATES:
        await asyncio.Event().wait()  # until it is cancelled: two answers are enough
    return RATES[bank]


@app.handler("sales.figures")
async def figures(region: str, month: str) -> dict[str, object]:
    if region in DOWN:
        raise Fail(f"{region} does not answer", "Unreachable")
    if region not in SOLD:
        raise Fail(f"there is no region {region!r}", "Unknown")
    return {"month": month, "sold": SOLD[region]}


@app.handler("sales.estimate")
async def estimate(region: str) -> dict[str, object]:
    return {"sold": round(SOLD[region] * 0.9)}


@app.handler("sales.costs")
async def costs(region: str) -> int:
    if region == "apac":
        raise Fail("apac keeps no costs")
    return 10


@app.handler("report.print")
async def printed(rows: list[dict[str, object]]) -> str:
    return f"{len(rows)} rows"


@app.handler("report.print_slowly")
async def printed_slowly(rows: list[dict[str, object]]) -> str:
    await asyncio.sleep(30)
    return f"{len(rows)} rows, slowly"
