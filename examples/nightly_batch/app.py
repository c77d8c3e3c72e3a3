"""The handlers of the nightly batch. What they know of customers stands in for a database."""

from datetime import datetime, timedelta

from ostinato import App, Job

app = App()

USED = {"acme": 3, "globex": 0, "initech": 12}  # units per day
PRICE = 0.25


@app.handler("batch.customers")
async def customers(night: str) -> list[str]:
    return sorted(USED)


@app.handler("batch.usage")
async def usage(customer: str, night: str) -> dict[str, object]:
    """Of the day before the night for which the run was planned, however late it runs."""
    day = datetime.fromisoformat(night).date() - timedelta(days=1)
    return {"day": day.isoformat(), "amount": USED[customer] * PRICE}


@app.handler("batch.invoice", attempts=5)
async def invoice(customer: str, amount: float, job: Job) -> dict[str, object]:
    """An invoice service would take the key, and make one invoice however often it is asked."""
    return {"customer": customer, "amount": amount, "key": job.idempotency_key}
