"""What releases have written is read by this one: facts only ever gain trailing fields."""

from pathlib import Path
from typing import get_args

import msgspec
import pytest
from msgspec import Raw

from ostinato.core.codec import decode_facts, encode_facts
from ostinato.core.facts import AnyFact, Fact, JobReady, JobWaiting
from ostinato.core.fold import FOLD, replay
from ostinato.core.views import fact_type, run_view
from ostinato.definitions import compile, load
from ostinato.testing.play import snapshot

HERE = Path(__file__).parent
FACTS = sorted(HERE.glob("facts-*.jsonl"))
RUNS = sorted(HERE.glob("run-*.jsonl"))
NEWEST = FACTS[-1]


def samples(path: Path) -> list[tuple[bytes, list[Fact]]]:
    return [(line, list(decode_facts(line))) for line in path.read_bytes().splitlines()]


@pytest.mark.parametrize("path", FACTS, ids=lambda path: path.stem)
def test_every_sample_is_read_and_written_again(path):
    for line, facts in samples(path):
        again = encode_facts(facts)
        assert encode_facts(list(decode_facts(again))) == again
        for before, after in zip(
            msgspec.json.decode(line), msgspec.json.decode(again), strict=True
        ):
            assert after[: len(before)] == before, "a fact type only gains trailing fields"


def test_this_release_writes_what_its_samples_hold():
    assert [encode_facts(facts) for _, facts in samples(NEWEST)] == [
        line for line, _ in samples(NEWEST)
    ]


def test_there_is_a_sample_of_every_fact_type():
    kinds = {type(fact) for _, facts in samples(NEWEST) for fact in facts}
    assert kinds == set(get_args(AnyFact)) == set(FOLD)


def test_a_record_that_knows_fewer_fields_is_read():
    old = b'[["job.ready","p/a"],["job.waiting","p/b","timer",1,5]]'
    assert decode_facts(old) == [JobReady("p/a"), JobWaiting("p/b", "timer", 1, 5)]


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_a_run_of_then_is_the_same_today(path):
    graph = compile(load(path.with_suffix(".yaml").read_text())[0])
    lines = [msgspec.json.decode(line, type=Line) for line in path.read_bytes().splitlines()]
    records = [(line.at, decode_facts(bytes(line.facts))) for line in lines]
    state = replay(graph, records)
    view = run_view(state)
    assert (view.status, view.error) == ("succeeded", None)
    assert msgspec.json.decode(view.output) == {"settled": 7, "regions": ["eu", None, "ap"]}
    assert snapshot(state) == snapshot(replay(graph, records))
    ended = {fact_type(fact) for _, facts in records for fact in facts}
    assert {"job.retried", "job.abandoned", "job.heard", "job.skipped", "token.joined"} <= ended


class Line(msgspec.Struct):
    at: int
    facts: Raw
