"""People who answer tasks: by chance, at once, twice, too late, and with words that are none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ostinato.errors import ConflictError, InvalidInput, NotFoundError
from ostinato.ports import Page, TaskQuery

if TYPE_CHECKING:
    from ostinato.testing.simulation.clients import Clients
    from ostinato.testing.simulation.world import World

OUTCOMES = ("yes", "no")
NAMES = ("ann", "ann", "bob")


class People:
    def __init__(self, world: World, clients: Clients) -> None:
        self._world = world
        self._clients = clients

    async def answer_one(self, run_id: str, how: str) -> None:
        """One of the run's tasks, as three people may who see it at the same time.

        ``how`` is right, wrong (no such outcome) or late (any that there was).
        """
        status = () if how == "late" else ("pending",)
        query = TaskQuery(run_id=run_id, status=status)
        tasks = await self._clients.until_answered(lambda app: app.tasks(query, Page(99)))
        if not tasks:
            return
        chance = self._world.chance
        task = chance.choice(tasks)
        outcome = "maybe" if how == "wrong" else chance.choice(OUTCOMES)
        names = NAMES[: chance.choice((1, 2, 3))]
        await asyncio.gather(*(self.answer(run_id, task.id, outcome, by) for by in names))

    async def answer(self, run_id: str, task_id: str, outcome: str, by: str) -> None:
        ledger = self._world.ledger

        async def serve(app: Any) -> Any:
            return await app.complete(task_id, outcome=outcome, data={"by": by}, by=by)

        try:
            await self._clients.until_answered(serve)
        except ConflictError:
            ledger.refused_answers.add((task_id, by, outcome))
        except NotFoundError:
            if run_id not in ledger.journal.removed:
                ledger.breaks("task.lost", f"{task_id} is not there", run_id)
        except InvalidInput:
            if outcome in OUTCOMES:
                ledger.breaks("task.refused", f"{outcome} is an outcome of {task_id}")
        else:
            if outcome not in OUTCOMES:
                ledger.breaks("error.unclear", f"{outcome} was taken for {task_id}")
            if ledger.told_answer(run_id, task_id, by, outcome):
                self._clients.repeats.append(lambda: self.answer(run_id, task_id, outcome, by))
