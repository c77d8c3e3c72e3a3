"""What billing and payment services post becomes an event, once, from who has the password."""

import base64

import msgspec
import pytest

from ostinato.ports import EventQuery, Page

pytestmark = pytest.mark.seed("A78")

ROUTES = ["/webhooks/billing-payment", "/webhooks/payments"]
PAID = {
    "id": "ev-1", "event_type": "payment_succeeded", "webhook_status": "scheduled",
    "content": {"invoice": {"id": "inv-1", "status": "paid"}},
}  # fmt: skip


def basic(user="shop", password="pass:word"):  # noqa: S107
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture
async def shop(begun):
    async with begun(username="shop", password="pass:word") as plane:
        yield plane


async def events_of(plane):
    found = await plane.app.events(EventQuery(), Page())
    return [one.event for one in found]


@pytest.mark.parametrize("route", ROUTES)
async def test_a_payment_is_an_event_of_its_type(shop, route):
    answer = await shop.post(route, msgspec.json.encode(PAID), basic(), client="203.0.113.7")
    assert (answer.status_code, answer.content) == (204, b"")
    [event] = await events_of(shop)
    assert (event.type, event.source, event.id) == ("payment_succeeded", route, "ev-1")
    assert msgspec.json.decode(event.data) == PAID


@pytest.mark.parametrize("route", ROUTES)
async def test_one_that_comes_again_changes_nothing(shop, route):
    for _ in range(2):
        assert (await shop.post(route, PAID, basic())).status_code == 204
    assert len(await events_of(shop)) == 1


async def test_without_an_id_each_is_another(shop):
    body = {name: value for name, value in PAID.items() if name != "id"}
    for _ in range(2):
        await shop.post(ROUTES[0], body, basic())
    assert len(await events_of(shop)) == 2


@pytest.mark.parametrize(
    "headers",
    [{}, basic(password="pass"), basic(user="root"), {"authorization": "Basic ?"},
     {"authorization": "Bearer shop:pass:word"}, {"authorization": "Basic"}],
    ids=["none", "password", "user", "no base64", "bearer", "empty"],
)  # fmt: skip
@pytest.mark.parametrize("route", ROUTES)
async def test_without_the_password_nothing_is_taken(shop, route, headers):
    answer = await shop.post(route, PAID, headers)
    assert answer.status_code == 401
    if "Bearer" not in headers.get("authorization", ""):
        assert answer.headers["www-authenticate"] == 'Basic realm="ostinato"'
        assert answer.json()["detail"] == "Unauthorized"
    assert await events_of(shop) == []


async def test_who_guesses_the_password_is_kept_waiting(shop):
    said = [await shop.post(ROUTES[0], PAID, basic(password=f"{n}")) for n in range(11)]
    assert [one.status_code for one in said] == [401] * 10 + [429]
    assert (await shop.post(ROUTES[0], PAID, basic())).status_code == 429
    other = await shop.post(ROUTES[0], PAID, basic(), client="203.0.113.7")
    assert other.status_code == 204


async def test_payments_are_counted_by_themselves(shop):
    """Behind a proxy all have one address."""
    for _ in range(11):
        await shop.post("/webhook", b"{}", {})
        await shop.post(ROUTES[0], PAID, {})  # no password is no guess
    assert (await shop.post(ROUTES[0], PAID, basic())).status_code == 204
    for number in range(11):
        await shop.post(ROUTES[1], PAID, basic(password=f"{number}"))
    assert (await shop.post(ROUTES[1], PAID, basic())).status_code == 429
    await shop.onboard()
    assert (await shop.call()).status_code == 204


async def test_where_no_password_is_set_nobody_has_it(plane):
    assert (await plane.post(ROUTES[0], PAID, basic("", ""))).status_code == 401
    assert (await plane.post(ROUTES[0], PAID, basic("None", "None"))).status_code == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"[]", 422), (b"{}", 422), (b'{"event_type": 7}', 422), (b"\xff", 400),
     (b'{"event_type": ""}', 422)],
)  # fmt: skip
async def test_what_is_no_payment_is_refused(shop, body, status):
    assert (await shop.post(ROUTES[1], body, basic())).status_code == status
    assert await events_of(shop) == []
