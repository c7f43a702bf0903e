"""`quotatree export pulumi`: from a file, and from the state of a cluster."""

import pytest
from click.testing import CliRunner

from quotatree.cli import export, main
from quotatree.errors import InputError
from quotatree.model.names import Namespace
from quotatree.model.observed import Lifecycle
from quotatree.model.state import NodeState, TreeState

HEAD = "apiVersion: quotatree.dev/v1alpha1\nkind: Tree\ntree:\n"
FILE = f'{HEAD}  org: {{hard: {{cpu: "20"}}, children: {{team: {{}}}}}}\n'


def run(*args, given=FILE):
    return CliRunner().invoke(main.cli, ["export", "pulumi", *args], input=given)


def test_a_file_becomes_a_program_on_stdout():
    done = run("-f", "-")
    assert done.exit_code == 0
    assert done.stderr == ""
    assert '    "org",\n    {' in done.stdout
    assert 'EXISTING = ["org", "team"]' in done.stdout


def test_several_roots_make_one_tree():
    done = run("-f", "-", given=f"{HEAD}  a: {{}}\n  b: {{}}\n")
    assert 'quotatree.QuotaTree(\n    "tree",' in done.stdout


def test_a_directory_becomes_a_project_and_nothing_is_overwritten(tmp_path):
    target = tmp_path / "new"
    assert run("-f", "-", "-d", str(target), "--name", "lab").exit_code == 0
    found = {path.name: path.read_text() for path in target.iterdir()}
    assert set(found) == {"Pulumi.yaml", "__main__.py", "requirements.txt"}
    assert found["Pulumi.yaml"].startswith('name: "lab"\nruntime: python\n')
    again = run("-f", "-", "-d", str(target))
    assert again.exit_code == 1
    assert "has Pulumi.yaml, __main__.py, requirements.txt already" in again.stderr


@pytest.mark.parametrize(
    ("args", "want"),
    [
        (("org", "-f", "-"), "NAMESPACE picks a part of the cluster"),
        (("-f", "-", "--name", "a b"), "--name takes at most 100 letters"),
    ],
    ids=["part-of-a-file", "name"],
)
def test_bad_usage_is_told(args, want):
    done = run(*args)
    assert done.exit_code == 2
    assert want in done.stderr


def node(name, parent=None, **given):
    above = Namespace(parent) if parent else None
    return NodeState(namespace=Namespace(name), parent=above, **given)


def of_state(*nodes, root=None):
    return export.of_state(TreeState(nodes=nodes), [], root=root)


def test_a_part_of_the_tree_keeps_its_parent_and_lifecycle():
    found = of_state(node("team", "org", lifecycle=Lifecycle.OWNED), root="team")
    assert found.parent == "org"
    assert found.tree.nodes[0].lifecycle is Lifecycle.OWNED


def test_what_is_being_deleted_is_left_out_and_named(capsys):
    found = of_state(node("org"), node("old", "org", terminating=True))
    assert [n.namespace for n in found.tree.nodes] == ["org"]
    assert "left out: namespace old is being deleted" in capsys.readouterr().err


def test_a_parent_that_is_not_there_is_named(capsys):
    assert of_state(node("team", "gone")).parent is None
    assert "team names the parent gone, which is not there" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("nodes", "want"),
    [
        ((), "there is no tree to export"),
        ((node("a", "b"), node("b", "a")), "namespace a lies below itself (it names b)"),
        ((node("kube-system"),), "namespace kube-system belongs to the cluster itself"),
    ],
    ids=["nothing", "cycle", "reserved"],
)
def test_what_no_program_can_describe_is_refused(nodes, want):
    with pytest.raises(InputError) as error:
        of_state(*nodes)
    assert want in str(error.value)
