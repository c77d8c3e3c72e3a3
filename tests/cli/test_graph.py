"""`ostinato graph FILE`."""

import json

import pytest

DOCUMENT = """\
workflow: build-all
phases:
  - phase: prepare
    jobs:
      - {job: tier, run: noop}
      - {job: quota, run: echo, needs: [tier]}
  - phase: deploy
    when: input.tier != "basic"
    each: {in: "${ input.regions }", as: region}
    jobs:
      - {job: settled, wait: {event: PAID, match: {data: {id: ["${ input.id }"]}}}}
on_failure:
  - {job: asked, task: {name: Look, assignee: ann}}
  - {job: tell, emit: {type: FAILED}}
"""

MORE = """\
workflow: more
phases:
  - phase: ask
    mode: race
    jobs:
      - {job: poll, run: echo, repeat: {until: output.ready, every: 1s}}
      - {job: order, run: echo, undo: echo, catch: [{on: [A, B], output: "1"}]}
"""

LIMITED = """\
workflow: limited
timeout: 1h
concurrency: {key: input.tenant, limit: 1, overflow: cancel-running}
rate: {limit: 100, per: 1m}
uid: {key: input.order, open: queue, again: resume}
dedup: {key: input.order, window: 2h}
phases:
  - phase: ask
    timeout: 30m
    each: {in: input.l, tolerate: 5%}
    jobs:
      - {job: pay, run: echo, timeout: 5s, concurrency: {limit: 3, overflow: reject}}
      - {job: call, run: echo, rate: {limit: 2, per: 1s, key: item}}
      - {job: many, run: echo, each: {in: input.m, as: one, tolerate: 2}}
      - {job: paid, wait: {event: PAID, timeout: 2d, match: {data: {id: ["${ item }"]}}}}
      - {job: sign, task: {name: Sign}, timeout: 3d}
"""


@pytest.fixture(autouse=True)
def document(tmp_path):
    (tmp_path / "build.yaml").write_text(DOCUMENT)


def test_a_tree_shows_phases_jobs_and_conditions(ostinato):
    assert (
        ostinato("graph", "build.yaml").out
        == """\
build-all v1
├─ prepare
│  ├─ tier  [noop]
│  └─ quota  [echo]  after tier
├─ deploy  when input.tier != "basic"  each region in input.regions
│  └─ settled  [wait for PAID]
└─ on_failure
   ├─ asked  [task for ann]
   └─ tell  [emit]  after asked
"""
    )


def test_a_tree_shows_how_a_phase_ends_and_what_stands_beside_a_job(ostinato, tmp_path):
    (tmp_path / "more.yaml").write_text(MORE)
    assert (
        ostinato("graph", "more.yaml").out
        == """\
more v1
└─ ask  until 1 succeeded
   ├─ poll  [echo]  repeated until output.ready
   └─ order  [echo]  catches A, B  can be undone
"""
    )
    assert "~" not in ostinato("graph", "more.yaml", "--format", "mermaid").out


def test_a_tree_shows_what_bounds_a_workflow_and_its_parts(ostinato, tmp_path):
    (tmp_path / "limited.yaml").write_text(LIMITED)
    first, *rest = ostinato("graph", "limited.yaml").out.splitlines()
    assert first.split("  ") == [
        "limited v1",
        "(at most 1h)",
        "at most 1 at once for each input.tenant, else cancel-running",
        "at most 100 in 1m",
        "uid input.order, open queue, again resume",
        "dedup input.order for 2h",
    ]
    assert rest == [
        "└─ ask  each item in input.l, 5% may fail  timeout 30m",
        "   ├─ pay  [echo]  at most 3 at once, else reject  timeout 5s",
        "   ├─ call  [echo]  at most 2 in 1s for each item",
        "   ├─ many  [echo]  each one in input.m, 2 may fail",
        "   ├─ paid  [wait for PAID]  timeout 2d",
        "   └─ sign  [task]  timeout 3d",
    ]


def test_mermaid(ostinato):
    lines = ostinato("graph", "build.yaml", "--format", "mermaid").out.splitlines()
    assert lines[0] == "flowchart TD"
    assert any(line.strip().startswith("subgraph") and "prepare" in line for line in lines)
    assert sum(" --> " in line for line in lines) == 3


def test_dot(ostinato):
    out = ostinato("graph", "build.yaml", "--format", "dot").out
    assert out.startswith('digraph "build-all" {')
    assert out.count("{") == out.count("}")
    assert "ltail=cluster_" in out
    assert "->" in out


@pytest.mark.parametrize("options", [["--json"], ["--format", "json"]])
def test_data(ostinato, options):
    graph = json.loads(ostinato("graph", "build.yaml", *options).out)
    assert graph["workflow"] == "build-all"
    nodes = {node["path"]: node for node in graph["nodes"]}
    assert nodes["prepare/quota"]["parent"] == "prepare"
    assert nodes["deploy"]["when"] == 'input.tier != "basic"'
    assert {"from": "prepare", "to": "deploy", "guard": None, "default": False} in graph["flows"]


def test_a_file_that_is_not_there_is_wrong_use(ostinato):
    done = ostinato("graph", "nowhere.yaml")
    assert done.code == 2
    assert "nowhere.yaml" in done.err


def test_a_broken_document_points_to_check(ostinato, tmp_path):
    (tmp_path / "broken.yaml").write_text("workflow: x\n")
    done = ostinato("graph", "broken.yaml")
    assert done.code == 1
    assert "ostinato check broken.yaml" in done.err


def test_an_unknown_format_is_wrong_use(ostinato):
    assert ostinato("graph", "build.yaml", "--format", "png").code == 2
