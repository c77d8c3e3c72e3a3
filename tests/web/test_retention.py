"""``POST /clean``: who may, and what is answered."""

from datetime import timedelta

from ostinato.app import App
from ostinato.config import ApiKey, Settings
from ostinato.config.settings import AuthSettings, RetentionSettings
from ostinato.web.asgi import application
from tests.stage import Clock, one_job
from tests.web.conftest import client_of, running

NONE = {"runs": 0, "events": 0, "deadLetters": 0, "replies": 0, "operations": 0}


async def test_nothing_goes_unless_the_settings_say_so(http):
    await http.post("/runs?wait=5s", json={"workflow": "hello", "input": {}})
    done = await http.post("/clean")
    assert (done.status_code, done.json()) == (200, NONE)


async def test_what_is_too_old_goes_and_is_counted():
    kept, clock = RetentionSettings(runs=timedelta(days=1)), Clock()
    app = App(Settings(store="memory:", retention=kept), clock=clock)
    app.workflow_document(one_job({"run": "noop"}))
    async with app, client_of(application(app)) as http:
        began = await http.post("/runs?wait=5s", json={"workflow": "w", "input": {}})
        clock.time += 2 * 86_400_000
        assert (await http.post("/clean")).json() == NONE | {"runs": 1}
        assert (await http.get(f"/runs/{began.json()['id']}")).status_code == 404


async def test_it_needs_its_own_permission():
    keys = AuthSettings(
        keys=(
            ApiKey.of("runs", "r" * 16, "run:write"),
            ApiKey.of("cron", "c" * 16, "retention:write"),
        )
    )
    async with running(auth=keys) as app:
        door = application(app, bind="0.0.0.0")  # noqa: S104
        async with client_of(door, client="10.0.0.1", base="http://example.com") as http:
            for letter, status in (("r", 403), ("c", 200)):
                http.headers["authorization"] = "Bearer " + letter * 16
                answer = await http.post("/clean", json={})
                assert answer.status_code == status, answer.text
