"""A whole workflow document by chance, with everything the language accepts today."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from random import Random
from typing import Any

from ostinato.testing.generate import texts
from ostinato.testing.generate.chance import Chance
from ostinato.testing.generate.jobs import ON_ERROR, Members, any_job, each, limit
from ostinato.testing.generate.texts import Sight
from ostinato.testing.generate.triggers import any_dedup, any_triggers, any_uid
from ostinato.testing.generate.vocabulary import KEYS, LONG

SCHEMA: Members = {
    "type": "object",
    "required": ["key"],
    "properties": {
        "key": {"enum": list(KEYS)},
        "n": {"type": "integer", "default": 1},
        "flag": {"type": "boolean", "default": False},
        "items": {"type": "array", "default": []},
    },
}


def any_document(
    random: Random,
    *,
    workflow: str = "made",
    phases: int = 3,
    jobs: int = 4,
    without: Collection[str] = (),
) -> dict[str, Any]:
    """A document without errors: at most so many ``phases`` of so many ``jobs``.

    ``without`` are keys, actions and handlers to leave out: ``on``, ``http``, ``later``. Its runs
    take an input as ``any_data`` makes it, and end once handlers end and waits are answered.
    """
    return _Writing(Chance(random, without), jobs).document(workflow, phases)


class _Writing:
    def __init__(self, chance: Chance, most: int) -> None:
        self.chance = chance
        self.most = most
        self.named = 0

    def document(self, workflow: str, phases: int) -> Members:
        chance = self.chance
        made: Members = {"workflow": workflow}
        made |= chance.members(
            {
                "description": lambda: "made by chance",
                "on": lambda: any_triggers(chance),
                "input_schema": lambda: SCHEMA,
                "timeout": lambda: chance.one(LONG),
            }
        )
        if chance.has("on_error", 0.1):
            made["on_error"] = chance.word(ON_ERROR)
        for key in ("concurrency", "rate"):
            if chance.has(key, 0.1):
                made[key] = limit(chance, key)
        if chance.has("priority", 0.1):
            made["priority"] = chance.count(0, 9)
        done: tuple[str, ...] = ()
        made["phases"] = []
        for number in range(chance.count(1, phases)):
            phase = self._phase(f"p{number}", Sight(done))
            made["phases"].append(phase)
            done += _names(phase["jobs"])
        made |= self._ends(Sight(done))
        if chance.has("uid", 0.1):
            made["uid"] = any_uid(chance, "input.key")
        if chance.has("dedup", 0.1):
            made["dedup"] = any_dedup(chance)
        return made

    def _ends(self, sight: Sight) -> Members:
        made = self.chance.members({"output": lambda: texts.output(self.chance, sight)}, 0.4)
        for key in ("on_failure", "finally"):
            if self.chance.has(key, 0.4):
                made[key] = self._jobs(sight, most=2, chained=True, earlier=())
                sight = Sight(sight.jobs + _names(made[key]))
        return made

    def _phase(self, name: str, sight: Sight) -> Members:
        chance = self.chance
        phase: Members = {"phase": name} | chance.members(
            {
                "description": lambda: "made by chance",
                "when": lambda: texts.condition(chance, sight),
                "each": lambda: each(chance, sight),
                "mode": lambda: chance.word(["sequential", "parallel", "race"]),
                "timeout": lambda: chance.one(LONG),
            }
        )
        inside = sight.with_item(phase["each"].get("as", "item")) if "each" in phase else sight
        chained = phase.get("mode") == "sequential"
        phase["jobs"] = self._jobs(inside, self.most, chained, sight.jobs)
        if phase.get("mode") != "race" and chance.has("enough", 0.15):
            phase["enough"] = chance.count(1, len(phase["jobs"]))
        if chance.has("on_error", 0.1):
            phase["on_error"] = chance.word(ON_ERROR)
        return phase

    def _jobs(
        self, sight: Sight, most: int, chained: bool, earlier: tuple[str, ...]
    ) -> list[Members]:
        """``earlier`` jobs may be needed too, and the jobs written here before."""
        made: list[Members] = []
        for _ in range(self.chance.count(1, most)):
            before = _names(made)
            needs = self._needs((*earlier, *before))
            done = before if chained else needs
            seen = replace(sight, jobs=tuple(dict.fromkeys((*sight.jobs, *done))))
            job = any_job(self.chance, f"j{self.named}", seen)
            made.append(job | self._written(needs))
            self.named += 1
        return made

    def _needs(self, names: tuple[str, ...]) -> tuple[str, ...]:
        if not names or not self.chance.has("needs", 0.5):
            return ()
        return tuple(self.chance.some(names)) or names[-1:]

    def _written(self, needs: tuple[str, ...]) -> Members:
        if not needs:
            return {}
        alone = len(needs) == 1 and self.chance.happens(0.3)
        return {"needs": needs[0] if alone else list(needs)}


def _names(jobs: list[Members]) -> tuple[str, ...]:
    return tuple(job["job"] for job in jobs)
