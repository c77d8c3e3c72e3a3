"""What holds for every test: how chance is drawn, what a skip may hide, which seeds are kept."""

import os
import re
import signal

import pytest
from hypothesis import settings

IN_CI = os.environ.get("CI") == "true"

settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("here", deadline=None)
settings.load_profile("ci" if IN_CI else "here")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Begun in the background of a script, and every process begun here would be deaf as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)


# A test that needs something from the machine skips with "missing …". In CI every such part can be
# had, so there its absence is a failure; elsewhere the summary names it.


def _refuse_missing(report):
    if not (IN_CI and report.skipped and isinstance(report.longrepr, tuple)):
        return
    path, line, reason = report.longrepr
    reason = reason.removeprefix("Skipped: ")
    if reason.startswith("missing"):
        report.outcome = "failed"
        report.longrepr = f"{path}:{line}: {reason} (in CI this may not be skipped)"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    _refuse_missing(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    report = yield
    _refuse_missing(report)
    return report


# The closing line "seed coverage: A1 B.8-13" names the seeds whose tests all passed; a seed with a
# failing test is named as broken. Ids travel as user properties because workers hold the markers.


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    for marker in item.iter_markers("seed"):
        item.user_properties += [("seed", seed) for seed in marker.args]


def pytest_terminal_summary(terminalreporter):
    kept, broken = _seeds(terminalreporter, "passed"), _seeds(terminalreporter, "failed", "error")
    if kept - broken:
        terminalreporter.write_line(f"seed coverage: {_listed(kept - broken)}")
    if broken:
        terminalreporter.write_line(f"seeds broken: {_listed(broken)}")


def _seeds(terminalreporter, *outcomes):
    reports = [r for outcome in outcomes for r in terminalreporter.stats.get(outcome, [])]
    properties = [pair for r in reports for pair in getattr(r, "user_properties", [])]
    return {value for name, value in properties if name == "seed"}


def _listed(seeds):
    return " ".join(sorted(seeds, key=_natural))


def _natural(seed):  # A3 before A10
    return [part.zfill(4) for part in re.findall(r"\d+|\D+", seed)]


# One PostgreSQL for the tests of a process, and empty databases for each test that asks.


@pytest.fixture(scope="session")
def postgres_server():
    from tests.servers.missing import unless_missing
    from tests.servers.postgres import postgres

    yield from unless_missing("PostgreSQL", postgres)


@pytest.fixture(scope="session")
def _databases(postgres_server):
    from tests.servers.databases import Databases

    databases = Databases(postgres_server)
    yield databases
    databases.drop()


@pytest.fixture
def new_database(_databases):
    """Makes URLs of databases that have the tables, and nothing in them."""
    yield _databases.take
    _databases.give_back()


# One Kafka broker for the tests of a process.


@pytest.fixture(scope="session")
def kafka_server():
    from tests.servers.kafka import kafka
    from tests.servers.missing import unless_missing

    yield from unless_missing("Kafka", kafka)


# AWS's services as others have written them, one server of each for the tests of a process.


@pytest.fixture(scope="session")
def moto_server():
    from tests.servers.missing import unless_missing
    from tests.servers.moto import moto

    yield from unless_missing("moto", moto)


@pytest.fixture(scope="session")
def elasticmq_server():
    from tests.servers.elasticmq import elasticmq
    from tests.servers.missing import unless_missing

    yield from unless_missing("ElasticMQ", elasticmq)


# One Redis likewise; who uses it names queues that nobody else has.


@pytest.fixture(scope="session")
def redis_server():
    """Values of at most 1 MB."""
    from tests.servers.missing import unless_missing
    from tests.servers.redis import redis

    yield from unless_missing("Redis", lambda: redis("--proto-max-bulk-len", "1mb"))
