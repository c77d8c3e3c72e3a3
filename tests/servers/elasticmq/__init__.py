"""ElasticMQ, an SQS that others wrote, in a process of its own on a free port of this machine.

    with elasticmq() as server:
        client("sqs", endpoint_url=server.url)

It needs `java`, and the jars that `pom.xml` beside this file names, which `mvn` fetches (37 MB)
from wherever it is set up to. The list of jars is kept in `.cache/`: Maven is asked once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path

from tests.servers.child import Child, child
from tests.servers.missing import Missing

HERE = Path(__file__).parent
JARS = HERE.parents[2] / ".cache" / "elasticmq.classpath"


@contextmanager
def elasticmq() -> Iterator[Child]:
    """Raises ``Missing``."""
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise Missing(f"ElasticMQ: it needs `{program}`")
    command = ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", classpath()]
    with child([*command, str(HERE / "Serve.java")]) as server:
        yield server


def classpath() -> str:
    """Raises ``Missing``."""
    JARS.parent.mkdir(exist_ok=True)
    with JARS.with_suffix(".lock").open("w") as lock:
        flock(lock, LOCK_EX)  # Maven's folder bears one at a time
        if not _has_jars():
            _fetch()
    return JARS.read_text()


def version() -> str:
    _, _, rest = (HERE / "pom.xml").read_text().partition("<artifactId>elasticmq-rest-sqs_2.13<")
    return rest.partition("<version>")[2].partition("</version>")[0]


def _has_jars() -> bool:
    if not JARS.exists() or f"-{version()}.jar" not in JARS.read_text():
        return False
    return all(Path(jar).exists() for jar in JARS.read_text().split(":"))


def _fetch() -> None:
    fresh = JARS.with_name(f"{JARS.name}-{os.getpid()}")  # others may read the one that is there
    command = ["mvn", "-q", "-B", "dependency:build-classpath", f"-Dmdep.outputFile={fresh}"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise Missing(f"ElasticMQ: Maven cannot fetch it: {done.stdout[-500:]}")
    fresh.replace(JARS)
