"""A real Kafka broker of our own: a temporary folder, free ports of this machine, ended by its id.

    with kafka() as server:
        server.make("orders", partitions=3)
        Producer({"bootstrap.servers": server.servers})

It is broker and controller in one (KRaft). Maven fetches what ``kafka_pom/pom.xml`` names into
``.cache/kafka``, once; the newest Java here runs it. By itself:
``python -m tests.servers.kafka`` shows an address and serves until Ctrl-C.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from tests.servers.certificates import certificate
from tests.servers.missing import Missing
from tests.servers.postgres import HOST, free_port

POM = Path(__file__).parent / "kafka_pom"
CACHE = Path(__file__).parents[2] / ".cache" / "kafka"
CLUSTER = "b3N0aW5hdG8tdGVzdHMtMQ"
OLDEST_JAVA = 17
PATIENCE = 60.0
"""Seconds in which a broker must answer."""

USER, PASSWORD = "ostinato", "ostinato-secret"

PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
controller.listener.names=CONTROLLER
listeners={listeners},CONTROLLER://{host}:{controller}
advertised.listeners={advertised}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,CUT:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={folder}/data
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config={jaas}
listener.name.sasl_ssl.plain.sasl.jaas.config={jaas}
listener.name.sasl_ssl.ssl.keystore.type=PEM
listener.name.sasl_ssl.ssl.keystore.location={folder}/server.pem
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
allow.everyone.if.no.acl.found=true
auto.create.topics.enable=false
num.partitions=1
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=1000
broker.heartbeat.interval.ms=200
num.network.threads=1
num.io.threads=2
"""
"""A broker that was killed may come back after ``broker.session.timeout.ms``, not before."""

MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule"
JAAS = f'{MODULE} required user_{USER}="{PASSWORD}";'


class Kafka:
    """One folder and, between ``start`` and ``stop``, one process that serves it."""

    def __init__(self) -> None:
        self.java = _java()
        self.jars = _jars()
        self.archive = CACHE / f"{Path(self.java).parents[1].name}.jsa"
        """Its classes as that Java has read them before: it starts in half the time."""
        self.folder = Path(tempfile.mkdtemp(prefix="ostinato-kafka-"))
        names = ("PLAINTEXT", "SASL_PLAINTEXT", "SASL_SSL", "CUT")
        self.ports = {name: free_port() for name in names}
        self.cut = free_port()
        """Who comes by the port CUT is told to come by this one: a proxy may listen there."""
        self.servers = self.at("PLAINTEXT")
        self.process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._admin: AdminClient | None = None
        self._initialise()

    def at(self, protocol: str) -> str:
        return f"{HOST}:{self.ports[protocol]}"

    @property
    def authority(self) -> Path:
        """The certificate that clients of its TLS port trust."""
        return self.folder / "authority.pem"

    @property
    def admin(self) -> AdminClient:
        if self._admin is None:
            quiet = {"logger": _Quiet(), "reconnect.backoff.max.ms": 200}
            self._admin = AdminClient({"bootstrap.servers": self.servers, **quiet})
        return self._admin

    def start(self) -> None:
        """The same folder and ports again. Returns once it answers."""
        self.launch()
        until = time.monotonic() + PATIENCE
        while not self._answers():
            if time.monotonic() > until or (self.process and self.process.poll() is not None):
                raise Missing(f"Kafka did not start:\n{self.said()}")

    def launch(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self._run("kafka.Kafka", self.folder / "server.properties", more=self._classes()),
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self._end_guard()
        self._guard = subprocess.Popen(  # reads until we are gone, however that comes about
            ["/bin/sh", "-c", 'read -r _; kill -KILL "$0"', str(self.process.pid)],
            stdin=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def _answers(self) -> bool:
        try:
            return bool(self.admin.list_topics(timeout=0.2).brokers)
        except KafkaException:
            return False

    def make(self, topic: str, partitions: int = 1, **config: str) -> str:
        """Also when it is there already. ``config`` has ``_`` where Kafka has a dot."""
        named = {name.replace("_", "."): value for name, value in config.items()}
        asked = self.admin.create_topics([NewTopic(topic, partitions, 1, config=named)])
        try:
            asked[topic].result(PATIENCE)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
        until = time.monotonic() + PATIENCE
        while not self._has(topic, partitions) and time.monotonic() < until:
            pass
        return topic

    def _has(self, topic: str, partitions: int) -> bool:
        found = self.admin.list_topics(topic, timeout=5).topics[topic].partitions.values()
        return len(found) >= partitions and all(one.leader == 1 for one in found)

    def deny(self, topic: str, *operations: AclOperation) -> None:
        """To ``USER``, who may do all else. Who comes without credentials may do anything."""
        named = (ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, f"User:{USER}", "*")
        denied = [AclBinding(*named, one, AclPermissionType.DENY) for one in operations]
        for asked in self.admin.create_acls(denied).values():
            asked.result(PATIENCE)

    def setting(self, topic: str, name: str) -> str:
        asked = self.admin.describe_configs([ConfigResource("topic", topic)])
        [found] = [one.result(PATIENCE) for one in asked.values()]
        return str(found[name].value)

    def stop(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Without a word: what is on the disk is what a start finds."""
        self._signal(signal.SIGKILL)

    def end(self) -> None:
        """Ended, and its folder removed; safe to repeat."""
        self._admin = None
        if self.process is not None and not self.archive.exists():
            with suppress(subprocess.TimeoutExpired):
                self.stop()
                self._keep_archive()
        if self.process is not None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _keep_archive(self) -> None:
        made = self.folder / "classes.jsa"
        if made.exists():
            beside = self.archive.with_name(f"{self.folder.name}.jsa")
            shutil.copy(made, beside)
            beside.replace(self.archive)

    def _classes(self) -> str:
        if self.archive.exists():
            return f"-XX:SharedArchiveFile={self.archive}"
        return f"-XX:ArchiveClassesAtExit={self.folder}/classes.jsa"

    def said(self) -> str:
        """The end of its log."""
        with suppress(OSError):
            return (self.folder / "log").read_text(errors="replace")[-3000:]
        return ""

    def _initialise(self) -> None:
        said = PROPERTIES.format(
            host=HOST,
            controller=free_port(),
            listeners=_listed(self.ports),
            advertised=_listed(self.ports | {"CUT": self.cut}),
            folder=self.folder,
            jaas=JAAS,
        )
        (self.folder / "server.properties").write_text(said)
        authority, server = certificate(HOST)
        self.authority.write_bytes(authority)
        (self.folder / "server.pem").write_bytes(server)
        command = self._run(
            "kafka.tools.StorageTool", "format", "-t", CLUSTER,
            "-c", self.folder / "server.properties",
        )  # fmt: skip
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode:
            self.end()
            raise Missing(f"Kafka's storage was not made: {made.stderr[-1000:]}")

    def _run(self, main: str, *args: str | Path, more: str = "-Xshare:auto") -> list[str]:
        small = ["-Xms128m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", more]
        quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        return [self.java, *small, quiet, "-cp", f"{self.jars}/*", main, *map(str, args)]

    def _end_guard(self) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.kill()
            self._guard.stdin.close()
            self._guard.wait()
            self._guard = None

    def _signal(self, number: int) -> None:
        self._end_guard()
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.send_signal(number)
            self.process.wait(PATIENCE)
            self.process = None


def _listed(ports: dict[str, int]) -> str:
    return ",".join(f"{name}://{HOST}:{port}" for name, port in ports.items())


class _Quiet:
    def log(self, *said: object) -> None:
        pass


@contextmanager
def kafka() -> Iterator[Kafka]:
    """Raises ``Missing``."""
    server = Kafka()
    atexit.register(server.end)
    try:
        server.start()
        yield server
    finally:
        server.end()
        atexit.unregister(server.end)


def _java() -> str:
    """The newest one here."""
    homes = [Path(home) for home in (os.environ.get("JAVA_HOME"),) if home]
    if found := shutil.which("java"):
        homes.append(Path(found).resolve().parents[1])
    homes += Path("/usr/lib/jvm").glob("*")
    known = {home.resolve(): _version(home) for home in homes}
    newest = max(known, key=lambda home: known[home], default=None)
    if newest is None or known[newest] < OLDEST_JAVA:
        raise Missing(f"Kafka: no Java from {OLDEST_JAVA} on")
    return str(newest / "bin" / "java")


def _version(home: Path) -> int:
    """Of the Java there; 0: none."""
    if not (home / "bin" / "java").exists():
        return 0
    with suppress(OSError):
        if found := re.search(r'JAVA_VERSION="(\d+)', (home / "release").read_text()):
            return int(found[1])
    return 0


def _jars() -> Path:
    """Fetched when they are not there, by one process at a time."""
    said = (POM / "pom.xml").read_text()
    CACHE.mkdir(parents=True, exist_ok=True)
    whole = CACHE / "pom.xml"  # the last thing that is written
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not whole.exists() or whole.read_text() != said:
            _fetch(CACHE / "jars")
            whole.write_text(said)
    return CACHE / "jars"


def _fetch(folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise Missing("Kafka: no Maven (mvn) to fetch it with")
    shutil.rmtree(folder, ignore_errors=True)
    for archive in CACHE.glob("*.jsa"):
        archive.unlink()
    command = [maven, "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    done = subprocess.run(command, cwd=POM, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise Missing(f"Kafka: Maven did not fetch it: {done.stdout[-500:]}")


if __name__ == "__main__":
    with suppress(KeyboardInterrupt), kafka() as server:
        sys.stdout.write(f"{server.servers}\n")
        sys.stdout.flush()
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    sys.exit(0)
