"""Dead letters over HTTP: lists, one, redriving."""

from ostinato.config import ApiKey
from ostinato.config.settings import AuthSettings
from ostinato.web.asgi import application
from tests.web.conftest import DOCUMENTS, client_of, running

UNFIT = {"type": "UNFIT", "data": {"tenant": 7}}
MENDED = DOCUMENTS[3].replace(b"type: object}}}", b"type: integer}}}")


async def dead(http, many=1):
    for n in range(many):
        await http.post("/events", json=UNFIT | {"id": f"event-{n}"})
    return (await http.get("/dead-letters?limit=1000")).json()


async def test_a_letter_is_listed_and_shown_with_its_event_and_reasons(http):
    (listed,) = await dead(http)
    shown = (await http.get(f"/dead-letters/{listed['id']}")).json()
    assert shown == listed
    assert (shown["kind"], shown["target"], shown["attempts"]) == ("trigger", "strict/on/0", 1)
    assert shown["event"]["data"] == {"tenant": 7}
    assert shown["reasons"][0]["message"]
    assert (await http.get("/dead-letters/nobody")).status_code == 404


async def test_letters_are_narrowed_counted_and_paged(http):
    await dead(http, 3)
    count = "/dead-letters/count"
    for query, number in [
        ("", 3), ("?kind=trigger", 3), ("?kind=outgoing", 0), ("?target=strict/on/0", 3),
        ("?text=event-1", 1), ("?since=1h", 3), ("?since=2099-01-01T00:00:00Z", 0),
        ("?redriven=true", 0),
    ]:  # fmt: skip
        assert (await http.get(count + query)).json() == {"count": number}, query
    page = await http.get("/dead-letters?limit=2")
    assert len(page.json()) == 2
    assert len((await http.get(page.links["next"]["url"])).json()) == 1
    wrong = await http.get("/dead-letters?kind=spam")
    assert (wrong.status_code, "trigger, consumer, outgoing" in wrong.text) == (422, True)


async def test_letters_are_redriven_by_id_and_by_where(http, app):
    letters = await dead(http, 3)
    dry = {"where": {}, "dryRun": True}
    would = (await http.post("/dead-letters/redrive", json=dry)).json()
    assert (would["matched"], would["redriven"]) == (3, 0)
    await app.deploy_texts([MENDED])
    assert (await http.post("/dead-letters/redrive", json=dry)).json()["redriven"] == 3
    one = {"ids": [letters[0]["id"]]}
    done = (await http.post("/dead-letters/redrive", json=one)).json()
    (run_id,) = done["letters"][0]["runs"]
    assert (await http.get(f"/runs/{run_id}")).status_code == 200
    again = (await http.post("/dead-letters/redrive", json=one)).json()
    assert again["letters"][0] == {"id": one["ids"][0], "outcome": "already", "runs": [run_id]}
    for beside in ({"limit": 5}, {"cursor": "x"}):
        answer = await http.post("/dead-letters/redrive", json=one | beside)
        assert (answer.status_code, "go with `where`" in answer.text) == (422, True)
    lot = {"where": {"kind": "trigger"}, "limit": 1}
    first = (await http.post("/dead-letters/redrive", json=lot)).json()
    rest = await http.post("/dead-letters/redrive", json=lot | {"cursor": first["cursor"]})
    assert (first["redriven"], rest.json()["redriven"], rest.json()["cursor"]) == (1, 1, None)
    assert (await http.get("/dead-letters")).json() == []
    mended = (await http.get("/dead-letters?redriven=true")).json()
    assert {letter["redrivenBy"] for letter in mended} == {"local operator"}


async def test_a_redrive_that_names_none_or_too_much_is_refused(http):
    for wrong in ({}, {"ids": []}, {"ids": ["a"], "where": {}}, {"where": {"spam": 1}}):
        answer = await http.post("/dead-letters/redrive", json=wrong)
        assert answer.status_code == 422, wrong
    assert (await http.post("/dead-letters/redrive", json={"ids": ["a"]})).status_code == 404


async def test_dead_letters_are_counted_in_metrics(http):
    await dead(http, 2)
    for _ in range(2):
        text = (await http.get("/metrics")).text
        assert 'ostinato_dead_letters_total{kind="trigger"} 2.0' in text


async def test_reading_letters_gives_no_right_to_redrive_them():
    keys = AuthSettings(keys=(ApiKey.of("reader", "r" * 16, "letter:read"),))
    async with running(auth=keys) as app:
        door = application(app, bind="0.0.0.0")  # noqa: S104
        async with client_of(door, client="10.0.0.1", base="http://example.com") as http:
            http.headers["authorization"] = "Bearer " + "r" * 16
            assert (await http.get("/dead-letters")).status_code == 200
            answer = await http.post("/dead-letters/redrive", json={"where": {}})
            assert answer.status_code == 403
