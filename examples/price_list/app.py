"""The handlers of the price list. What they keep stands in for the tills of the shops."""

from ostinato import App, Fail

app = App()

TILLS: dict[str, dict[str, object]] = {}
CLOSED: set[str] = set()


@app.handler("prices.check")
async def check(prices: dict[str, float]) -> int:
    wrong = [name for name, price in prices.items() if price <= 0]
    if wrong:
        raise Fail(
            f"{len(wrong)} prices are not above nothing, as that of {wrong[0]}", "WrongPrice"
        )
    return len(prices)


@app.handler("shops.take")
async def take(shop: str, list: dict[str, object]) -> str:
    if shop in CLOSED:
        raise Fail(f"{shop} is closed", "Closed")
    TILLS[shop] = list
    return shop  # not the list again: what a job gives is kept, too


@app.handler("shops.take_back")
async def take_back(shop: str, list: str) -> None:
    TILLS.pop(shop, None)
