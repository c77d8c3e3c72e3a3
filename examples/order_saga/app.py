"""The handlers of the order saga. What they keep stands in for three services."""

from collections import Counter

from ostinato import App, Fail, Job

app = App()

STOCK = Counter({"chair": 4, "lamp": 1})
BROKE = {"Cleo"}
"""Whose cards are declined."""
PAID: dict[str, float] = {}
BOOKED: set[str] = set()


@app.handler("stock.reserve")
async def reserve(item: str, order: str) -> dict[str, str]:
    if not STOCK[item]:
        raise Fail(f"no {item} is left", "SoldOut")
    STOCK[item] -= 1
    return {"item": item}


@app.handler("stock.release")
async def release(item: str, order: str) -> None:
    STOCK[item] += 1


@app.handler("payments.charge")
async def charge(order: str, amount: float, job: Job) -> dict[str, str]:
    """A payment service would take the key, and charge once however often it is asked."""
    if order.split("-")[0] in BROKE:
        raise Fail("the bank said no", "Declined")
    PAID[job.idempotency_key] = amount
    return {"payment": job.idempotency_key}


@app.handler("payments.invoice")
async def invoice(order: str, why: str) -> dict[str, str]:
    PAID[f"invoice-{order}"] = 0.0
    return {"payment": f"invoice-{order}"}


@app.handler("payments.refund")
async def refund(payment: str) -> None:
    PAID.pop(payment, None)


@app.handler("shipping.book")
async def book(order: str) -> dict[str, str]:
    BOOKED.add(order)
    return {"parcel": f"parcel-{order}"}


@app.handler("shipping.call_back")
async def call_back(order: str) -> None:
    BOOKED.discard(order)
