"""A secret reaches who does the job, and stands nowhere else."""

import pytest

from ostinato import Fail, Job
from ostinato.app import RunEnded
from ostinato.config import read_settings
from ostinato.errors import SettingsError
from tests.stage import File, Stage, one_job

SECRET = "s3cr3t-välue"
ASKS = one_job({"run": "use", "retry": 1, "with": {"key": "Bearer ${ secrets.API_KEY }"}})


def app_of(stage, handler, document=ASKS):
    app = stage.app(document, secrets={"API_KEY": SECRET})
    app.handler("use")(handler)
    return app


@pytest.fixture
def stage(tmp_path):
    return Stage(File(tmp_path / "o.db"))


async def test_the_handler_gets_it_and_nobody_else(stage, tmp_path):
    seen = []

    async def use(key, job: Job):
        seen.extend([key, job.input])
        return {"said": f"I have {key}"}

    async with app_of(stage, use) as app:
        run = await app.start("w")
        assert await run.result(5) == {"j": {"said": "I have Bearer ***"}}
        (job,) = (await run.view()).jobs
        assert bytes(job.input) == b'{"key":"Bearer ***"}'
    assert seen == [f"Bearer {SECRET}", {"key": f"Bearer {SECRET}"}]
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert SECRET.encode() not in kept


async def test_an_error_that_repeats_it_is_cleaned(stage):
    async def use(key):
        raise Fail(f"{key} was refused")

    async with app_of(stage, use) as app:
        run = await app.start("w")
        with pytest.raises(RunEnded, match=r"Bearer \*\*\* was refused"):
            await run.result(5)


async def test_a_secret_that_is_not_there_fails_the_job(stage):
    document = one_job({"run": "use", "with": {"key": "${ secrets.OTHER }"}})
    async with app_of(stage, lambda key: key, document) as app:
        run = await app.start("w")
        with pytest.raises(RunEnded, match=r"NoSecret.*'OTHER'.*OSTINATO_SECRETS__OTHER"):
            await run.result(5)


async def test_a_mark_of_somebody_elses_making_is_text(stage):
    from ostinato.core.secrets import CLOSE, OPEN

    document = one_job({"run": "use", "with": {"key": "${ input.n } ${ secrets.API_KEY }"}})
    forged = f"{OPEN}0123456789abcdef:API_KEY{CLOSE}"
    seen = []
    async with app_of(stage, lambda key: seen.append(key), document) as app:
        await (await app.start("w", n=forged)).result(5)
    assert seen == [f"{forged} {SECRET}"]


def test_they_come_from_a_file_a_variable_and_a_secret_file(tmp_path):
    (tmp_path / "token").write_text("from a file\n")
    (tmp_path / "ostinato.toml").write_text('[secrets]\nA = "1"\nB = "2"\n')
    environ = {"OSTINATO_SECRETS__B": "3", "OSTINATO_SECRETS__C_FILE": str(tmp_path / "token")}
    settings = read_settings(environ=environ, folder=tmp_path)
    assert settings.secrets == {"A": "1", "B": "3", "C": "from a file"}
    assert "secrets" not in repr(settings)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"OSTINATO_SECRETS__A": "1", "OSTINATO_SECRETS__A_FILE": "x"}, "both set"),
        ({"OSTINATO_SECRETS__A_FILE": "/no/such"}, "cannot read its file"),
        ({"OSTINATO_SECRETS__A-B": "1"}, "no name of a secret"),
    ],
    ids=["twice", "no file", "no name"],
)
def test_what_is_wrong_is_told(environ, said):
    with pytest.raises(SettingsError, match=said):
        read_settings(environ=environ)


async def test_the_seed_is_not_shown(stage):
    async with app_of(stage, lambda key: None) as app:
        run = await app.start("w")
        await run.result(5)
        assert all("seed" not in fact for fact in await app.history(run.id))
