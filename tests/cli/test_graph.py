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
