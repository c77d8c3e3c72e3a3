"""The handlers of the shipments. The carrier is down as long as a file of its name is there."""

import itertools
from pathlib import Path

from ostinato import App, Fail, Job

app = App()

BOOKED: dict[str, str] = {}
"""Labels by the key that a carrier would take, too: asked again, it gives the same label."""

NUMBERS = itertools.count(1)


@app.handler("parcel.pack")
async def pack(order: str) -> str:
    return f"parcel-{order}"


@app.handler("carrier.book", attempts=2, delay="10ms")
def book(carrier: str, parcel: str, job: Job) -> str:
    if Path(f"{carrier}.down").exists():
        raise Fail(f"{carrier} does not answer", "CarrierDown")
    return BOOKED.setdefault(job.idempotency_key, f"{carrier}-{next(NUMBERS)}")
