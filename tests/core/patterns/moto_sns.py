"""Records what moto answers about filter policies of SNS: `python -m tests.core.patterns.moto_sns`.

Moto is no dependency: it is put into an environment of its own, `.cache/moto`, from wherever pip is
set up to fetch from, and answers as a child process.
"""

from __future__ import annotations

import json
import subprocess
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.core.patterns.sns_cases import QUESTIONS, Question, key

HERE = Path(__file__).parent
VECTORS = HERE / "moto_sns.jsonl"
COMMAND = "python -m tests.core.patterns.moto_sns"
VERSION = "5.2.5"
ENVIRONMENT = HERE.parents[2] / ".cache" / "moto"
PYTHON = ENVIRONMENT / "bin" / "python"

MOST_POLICIES = {"lists": 120, "or": 60, "shapes": 120, "doubtful": 150, "cidr": 4}
MOST_MESSAGES = 12

Answers = str | list[bool | None]


def drawn(name: str) -> Iterator[Question]:
    """Policies with their messages, each once."""
    found: dict[str, Question] = {}
    most = MOST_POLICIES.get(name.partition(": ")[2], 25)

    @seed(2026)
    @settings(
        max_examples=4 * most,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(QUESTIONS[name])
    def draw(question: Question) -> None:
        held = found.get(key(question))
        if held is not None:
            held.messages.extend(m for m in question.messages if m not in held.messages)
        elif len(found) < most:
            found[key(question)] = question

    draw()
    return iter(found.values())


class Moto:
    def __init__(self) -> None:
        self._child = subprocess.Popen(
            [str(PYTHON), str(HERE / "recorder" / "answer_moto.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def ask(self, question: Question) -> Answers:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        asked = [question.scope, json.loads(question.policy), question.messages]
        self._child.stdin.write(json.dumps(asked) + "\n")
        self._child.stdin.flush()
        answers: Answers = json.loads(self._child.stdout.readline())
        return answers

    def close(self) -> None:
        self._child.communicate(timeout=30)


def install() -> None:
    if not PYTHON.exists():
        venv.create(ENVIRONMENT, with_pip=True)
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", f"moto=={VERSION}"]
    subprocess.run(command, check=True, timeout=600)


def line(question: Question, answers: Answers) -> str:
    """The messages that fit and those that do not; where moto fails it has not answered."""
    head = f"{json.dumps(question.kind)},{json.dumps(question.scope)},{question.policy}"
    if isinstance(answers, str):
        return f"[{head},{json.dumps(answers)}]"
    groups = (_written(question, answers, said) for said in (True, False))
    return f"[{head},{','.join(groups)}]"


def _written(question: Question, answers: list[bool | None], said: bool) -> str:
    told = zip(question.messages, answers, strict=True)
    chosen = [message for message, answer in told if answer is said][:MOST_MESSAGES]
    texts = chosen if question.scope == "body" else map(_compact, chosen)
    return f"[{','.join(texts)}]"


def _compact(message: Any) -> str:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def main() -> None:
    header = {"moto": VERSION, "record again with": COMMAND}
    install()
    moto = Moto()
    lines = [line(one, moto.ask(one)) for name in QUESTIONS for one in drawn(name)]
    moto.close()
    VECTORS.write_text("\n".join([json.dumps(header), *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
