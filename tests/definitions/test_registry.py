"""Versions: same content, same version; names, ids, retiring; graphs on demand."""

from dataclasses import replace

import pytest

from ostinato.definitions import HandlerDefaults, load
from ostinato.definitions.registry import Registry, id_of
from ostinato.errors import WorkflowNotFound, WorkflowVersionNotFound
from ostinato.ports import Version
from tests.definitions.samples import workflow

ONE = workflow("{job: a, run: t}", head="description: one")
TWO = ONE.replace("one", "two")
OTHER = ONE.replace("sample", "other-name")


def deploy(registry, *texts, now=1):
    documents = [document for text in texts for document in load(text)]
    proposals = registry.propose(documents, now)
    registry.add([Version(**one.row) for one in proposals if one.new])
    return [(one.row["workflow"], one.row["version"], one.new) for one in proposals]


def test_the_same_content_is_the_same_version():
    registry: Registry[Version] = Registry()
    assert deploy(registry, ONE) == [("sample", 1, True)]
    assert deploy(registry, ONE) == [("sample", 1, False)]
    assert deploy(registry, ONE.replace("{job: a, run: t}", "{run: t,  job: a}  # x")) == [
        ("sample", 1, False)
    ]
    assert deploy(registry, TWO) == [("sample", 2, True)]
    assert deploy(registry, ONE) == [("sample", 3, True)]


def test_several_at_once():
    registry: Registry[Version] = Registry()
    assert deploy(registry, ONE, TWO, TWO, OTHER) == [
        ("sample", 1, True), ("sample", 2, True), ("sample", 2, True), ("other-name", 1, True),
    ]  # fmt: skip
    assert [row.version for row in registry.versions("sample")] == [2, 1]


def test_a_proposal_changes_nothing():
    registry: Registry[Version] = Registry()
    registry.propose(load(ONE), 1)
    with pytest.raises(WorkflowNotFound, match="none is deployed"):
        registry.find("sample")


@pytest.mark.parametrize(
    "name",
    ["other-name", "other_name", id_of("other-name"), "other-name:1:9f0c", "other_name:1:x"],
)
def test_names(name):
    registry: Registry[Version] = Registry()
    deploy(registry, ONE, OTHER)
    row = registry.find(name)
    assert (row.workflow, row.version) == ("other-name", 1)
    assert registry.find(name, 1) is row


def test_a_known_name_is_never_a_second_workflow():
    registry: Registry[Version] = Registry()
    deploy(registry, OTHER)
    assert deploy(registry, OTHER.replace("other-name", "other_name")) == [("other-name", 2, True)]
    assert registry.find("other_name").workflow_id == id_of("other-name")
    assert registry.graph("other-name", 2).workflow == "other-name"


def test_unknown_names():
    registry: Registry[Version] = Registry()
    deploy(registry, ONE)
    with pytest.raises(WorkflowNotFound, match="did you mean 'sample'") as caught:
        registry.find("smaple")
    assert caught.value.code == "WorkflowNotFound"
    with pytest.raises(WorkflowVersionNotFound, match="no version 7; the latest is 1") as caught:
        registry.find("sample", 7)
    assert caught.value.code == "WorkflowVersionNotFound"


def test_old_versions_and_retired_workflows_stay_loadable():
    registry: Registry[Version] = Registry()
    deploy(registry, ONE, TWO)
    assert registry.document("sample", 1).description == "one"
    registry.retire(registry.versions("sample"))
    assert registry.latest() == [] == list(registry.triggers())
    with pytest.raises(WorkflowNotFound):
        registry.find("sample")
    assert registry.graph("sample", 1).version == 1
    assert deploy(registry, TWO) == [("sample", 3, True)]
    assert registry.find("sample").version == 3


def test_graphs_are_made_once_until_handlers_change():
    registry: Registry[Version] = Registry(address="http://x")
    deploy(registry, ONE)
    graph = registry.graph("sample", 1)
    assert registry.graph("sample", 1) is graph
    assert graph.address == "http://x"
    registry.invalidate({"t": HandlerDefaults(timeout=9)})
    assert registry.graph("sample", 1).nodes["one/a"].spec.timeout == 9


def test_one_version_can_retire_alone():
    registry: Registry[Version] = Registry()
    deploy(registry, ONE, TWO)
    registry.retire([registry.find("sample", 1)])
    assert [row.version for row in registry.versions("sample")] == [2]
    with pytest.raises(WorkflowVersionNotFound):
        registry.find("sample", 1)
    assert registry.graph("sample", 1).version == 1


def test_a_registry_is_made_of_rows():
    first: Registry[Version] = Registry()
    deploy(first, ONE, TWO, OTHER)
    retired = [replace(row, retired=True) for row in first.versions("other-name")]
    second = Registry([*first.versions("sample"), *retired])
    assert second.find("sample").version == 2
    assert deploy(second, TWO) == [("sample", 2, False)]
    assert [row.workflow for row in second.latest()] == ["sample"]


def test_triggers_are_of_the_newest_versions():
    registry: Registry[Version] = Registry()
    deploy(registry, workflow(head="on: A"), workflow(head="on: [B, C]"), OTHER)
    assert [(row.version, one.types) for row, one in registry.triggers()] == [
        (2, ("B",)), (2, ("C",)),
    ]  # fmt: skip


def test_input_checks():
    registry: Registry[Version] = Registry()
    deploy(registry, workflow(head="input_schema: {properties: {a: {default: 1}}}"))
    assert registry.input_check("sample", 1)({}) == {"a": 1}
    assert registry.input_check("sample", 1) is registry.input_check("sample", 1)
