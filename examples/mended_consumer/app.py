"""A consumer that cannot read an event, is mended, and gets the same event again.

``python app.py`` plays it through: two versions of the consumer, one store.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from ostinato import App, Event, Fail


def weigh_first(weight) -> float:
    """As it was written first: nobody thought of a weight with its unit."""
    if not isinstance(weight, (int, float)):
        raise Fail(f"cannot read the weight {weight!r}", "UnknownWeight")
    return float(weight)


def weigh_mended(weight) -> float:
    return float(str(weight).removesuffix("kg"))


def make(store: str, weigh, labels: list[str]) -> App:
    app = App(store=store)

    @app.consumer("PARCEL_PACKED")
    async def print_label(event: Event):
        parcel = json.loads(bytes(event.data))
        labels.append(f"{parcel['to']}: {weigh(parcel['weight']):.1f} kg")

    return app


async def play(store: str) -> list[str]:
    labels: list[str] = []
    async with make(store, weigh_first, labels) as app:
        for weight in (2, "3.5kg"):
            accepted = await app.emit("PARCEL_PACKED", {"to": "Ada", "weight": weight})
            await app.wait_ended(accepted.runs[0], timeout=30)
        (letter,) = await app.dead_letters()
        print(f"dead letter of {letter.target}: {letter.reasons.decode()}")

    async with make(store, weigh_mended, labels) as app:
        done = await app.redrive(letter.id, by="the operator")
        await app.wait_ended(done.letters[0].runs[0], timeout=30)
        again = await app.redrive(letter.id)  # it is redriven once, however often it is asked for
        print(f"{done.letters[0].outcome}, then {again.letters[0].outcome}")
    return labels


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        store = f"sqlite:///{Path(folder).resolve()}/parcels.db"
        sys.exit(0 if asyncio.run(play(store)) == ["Ada: 2.0 kg", "Ada: 3.5 kg"] else 1)
