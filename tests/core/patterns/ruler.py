"""Event-ruler itself, Amazon's matcher, as a child process that answers line by line.

It needs `java`, and the jars that `recorder/pom.xml` names, which `mvn` fetches from wherever it is
set up to fetch from. The list of jars is kept in `.cache/`, so that Maven is asked once.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
RECORDER = HERE / "recorder"
JARS = ROOT / ".cache" / "event-ruler.classpath"


def version() -> str:
    _, _, rest = (
        (RECORDER / "pom.xml").read_text().partition("<artifactId>event-ruler</artifactId>")
    )
    return rest.partition("<version>")[2].partition("</version>")[0]


def classpath() -> str | None:
    """None when this machine cannot have event-ruler: no Java, or no Maven to fetch it with."""
    if shutil.which("java") is None:
        return None
    if _has_jars():
        return JARS.read_text()
    return _fetched() if shutil.which("mvn") else None


def _has_jars() -> bool:
    if not JARS.exists() or f"event-ruler-{version()}.jar" not in JARS.read_text():
        return False
    return all(Path(jar).exists() for jar in JARS.read_text().split(":"))


def _fetched() -> str | None:
    JARS.parent.mkdir(exist_ok=True)
    command = ["mvn", "-q", "-B", "dependency:build-classpath", f"-Dmdep.outputFile={JARS}"]
    done = subprocess.run(command, cwd=RECORDER, capture_output=True, timeout=300)
    return JARS.read_text() if done.returncode == 0 else None


class Ruler:
    def __init__(self, classpath: str) -> None:
        self._child = subprocess.Popen(
            ["java", "-cp", classpath, str(RECORDER / "Answer.java")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def ask(self, pattern: str, events: list[str]) -> str | list[bool]:
        """Which events fit; or, as a text, why the pattern is none."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps([pattern, *events]) + "\n")
        self._child.stdin.flush()
        answers: list[Any] = json.loads(self._child.stdout.readline())
        return answers[0] if answers and isinstance(answers[0], str) else answers

    def __enter__(self) -> Ruler:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.close()
        self._child.wait(timeout=30)
        self._child.stdout.close()
