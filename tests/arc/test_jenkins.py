"""Jenkins by its HTTP API, at a double that answers as it does."""

import asyncio

import httpx2
import pytest

from ostinato.arc import Build
from ostinato.arc import Jenkins as Builder
from ostinato.arc.builders.jenkins import JenkinsError
from tests.arc.jenkins import TOKEN, USER, Jenkins

pytestmark = pytest.mark.seed("A57")

DECLARED = ["size", "OSTINATO_KEY", "OSTINATO_TOKEN", "OSTINATO_CALLBACK_URL"]


@pytest.fixture
def jenkins():
    server = Jenkins({"silo": DECLARED, "team/job/silo": DECLARED, "plain": []})
    yield server
    server.close()


def builder(jenkins, **more):
    return Builder(jenkins.url, USER, TOKEN, **{"poll": 0.001} | more)


def a_build(job="silo", key="run:build"):
    return Build(job, {"size": "M"}, key, "token-1", "http://here/callbacks/token-1")


async def has(condition):
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0)


async def begun(jenkins, job=None):
    """A build that stands in the queue."""
    task = asyncio.create_task(builder(jenkins).run(job or a_build()))
    await has(lambda: jenkins.queue)
    return task


async def test_a_build_goes_through_the_queue_to_its_end(jenkins):
    task = await begun(jenkins)
    assert jenkins.parameters() == {
        "size": "M", "OSTINATO_KEY": "run:build", "OSTINATO_TOKEN": "token-1",
        "OSTINATO_CALLBACK_URL": "http://here/callbacks/token-1",
    }  # fmt: skip
    jenkins.begin()
    asked = jenkins.asked
    await has(lambda: jenkins.asked > asked + 2)
    assert not task.done()
    jenkins.finish()
    result = await task
    assert result.status == "succeeded"
    assert result.output["log"] == f"{jenkins.url}/job/silo/1/console"


@pytest.mark.parametrize("outcome", ["FAILURE", "UNSTABLE", "ABORTED", "NOT_BUILT"])
async def test_any_other_result_is_a_failure(jenkins, outcome):
    task = await begun(jenkins)
    jenkins.finish(outcome)
    result = await task
    assert (result.status, result.reason) == ("failed", f"Jenkins says {outcome}")


async def test_one_that_is_cancelled_in_the_queue_has_failed(jenkins):
    task = await begun(jenkins)
    jenkins.queue[1]["cancelled"] = True
    assert "cancelled in the queue" in (await task).reason


@pytest.mark.parametrize("stage", ["queued", "begun", "over"])
async def test_after_a_crash_the_build_that_is_there_goes_on(jenkins, stage):
    """The process that began it is gone; the next one finds it by its key."""
    first = await begun(jenkins)
    if stage != "queued":
        jenkins.begin()
    if stage == "over":
        jenkins.finish()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    second = asyncio.create_task(builder(jenkins).run(a_build()))
    asked = jenkins.asked
    await has(lambda: jenkins.asked > asked + 2)
    jenkins.finish()
    assert (await second).status == "succeeded"
    assert len(jenkins.posts) == 1


async def test_another_key_is_another_build(jenkins):
    tasks = [await begun(jenkins)]
    tasks.append(asyncio.create_task(builder(jenkins).run(a_build(key="other"))))
    await has(lambda: len(jenkins.queue) == 2)
    jenkins.finish("SUCCESS", 1)
    jenkins.finish("FAILURE", 2)
    assert [(await task).status for task in tasks] == ["succeeded", "failed"]


async def test_a_jenkins_without_crumbs_is_asked_for_none(jenkins):
    jenkins.crumbs = False
    task = await begun(jenkins)
    jenkins.finish()
    assert (await task).status == "succeeded"


async def test_a_job_may_be_in_a_folder(jenkins):
    task = await begun(jenkins, a_build("team/silo"))
    jenkins.finish()
    assert (await task).status == "succeeded"


async def test_a_jenkins_that_is_away_for_a_moment_holds_up_nothing(jenkins):
    task = await begun(jenkins)
    jenkins.broken = 2
    await has(lambda: jenkins.broken == 0)
    jenkins.finish()
    assert (await task).status == "succeeded"


async def test_without_looking_it_only_begins(jenkins):
    assert await builder(jenkins, poll=None).run(a_build()) is None
    assert len(jenkins.queue) == 1


async def test_what_it_refuses_is_said_with_a_reason(jenkins):
    with pytest.raises(JenkinsError, match=r"job/none.*is the job there"):
        await builder(jenkins).run(a_build("none"))
    with pytest.raises(JenkinsError, match="Jenkins does not build plain: 500"):
        await builder(jenkins).run(a_build("plain"))


async def test_a_wrong_token_is_an_error_that_names_the_place(jenkins):
    with pytest.raises(httpx2.HTTPStatusError, match="401"):
        await Builder(jenkins.url, USER, "wrong", poll=0.001).run(a_build())
