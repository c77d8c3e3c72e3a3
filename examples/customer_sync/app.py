"""Customer sync: the one thing that a document cannot say is how billing is told."""

from typing import Any

from ostinato import App

app = App()
KNOWN: dict[str, list[str]] = {}


@app.handler("billing.update")
async def update(customer: str, change: str, limit: float) -> dict[str, Any]:
    """A real one asks the billing service."""
    KNOWN.setdefault(customer, []).append(change)
    return {"customer": customer, "limit": limit}
