"""A tree as a Pulumi program: the accepted text, its layout, and nothing in it is ever code."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotatree.codec import pulumi_program, treefile
from quotatree.codec.pulumi_program import Wishes
from quotatree.model.names import Namespace
from quotatree.model.treefile import TreeFile, TreeNode

GOLDEN = Path(__file__).parents[2] / "golden"
FILE = b"""\
apiVersion: quotatree.dev/v1alpha1
kind: Tree
tree:
  research:
    hard: {cpu: "400", memory: 1600Gi, requests.nvidia.com/gpu: "64"}
    failurePolicy: Ignore
    annotations: {quotatree.dev/allow-cascading-deletion: "true", note: "she said \\"it's ours\\""}
    children:
      vision:
        hard: {cpu: "200"}
        guaranteed: {cpu: "50"}
        labels: {stage: prod, owner: ann}
        quotas:
        - {name: best-effort, hard: {pods: "100"}, scopes: [BestEffort]}
        - name: urgent
          hard: {cpu: "20"}
          mode: Observe
          scopeSelector:
            matchExpressions:
            - {scopeName: PriorityClass, operator: In, values: [high, higher]}
        children:
          ai-pipeline: {hard: {cpu: "20", memory: 100Gi}, lifecycle: Owned}
          failure-policy: {}
"""


def tree(data=FILE):
    found = treefile.parse(data)
    assert isinstance(found, TreeFile), [str(problem) for problem in found]
    return found


def wishes(**given):
    return Wishes(**{"name": "research", "parent": None, "existing": True, "version": "0", **given})


def literal(program, name):
    """The value of a name in the program, which has to be a literal."""
    for node in ast.parse(program).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == name:
            return ast.literal_eval(node.value)
    return None


def is_formatted(program):
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--check", "-"]
    done = subprocess.run(command, check=False, input=program, text=True, capture_output=True)
    return done.returncode == 0


@pytest.mark.parametrize(
    ("golden", "given"),
    [
        ("pulumi-program.txt", {}),
        ("pulumi-program-new.txt", {"parent": "org", "existing": False}),
    ],
    ids=["existing", "new-below-a-parent"],
)
def test_program_is_the_accepted_one_and_formatted(golden, given):
    program = pulumi_program.text(tree(), wishes(**given))
    assert program == (GOLDEN / golden).read_text(encoding="utf-8")
    assert is_formatted(program)


def test_the_program_names_everything_that_exists_parents_first():
    program = pulumi_program.text(tree(), wishes())
    assert literal(program, "EXISTING") == ["research", "vision", "ai-pipeline", "failure-policy"]


def test_what_is_new_is_not_imported():
    assert "import_only" not in pulumi_program.text(tree(), wishes(existing=False))


def test_a_namespace_called_like_a_key_stays_what_it_is_called():
    data = literal(pulumi_program.text(tree(), wishes()), "TREE")
    assert "failure-policy" in data["research"]["children"]["vision"]["children"]
    assert data["research"]["failure_policy"] == "Ignore"


@given(st.dictionaries(st.text(), st.text(), max_size=4))
def test_no_text_is_ever_code(annotations):
    node = TreeNode(namespace=Namespace("org"), annotations=annotations)
    program = pulumi_program.text(TreeFile(nodes=(node,)), wishes(name="org"))
    assert literal(program, "TREE") == {"org": {"annotations": annotations} if annotations else {}}
    assert len(ast.parse(program).body) == len(
        ast.parse(pulumi_program.text(tree(), wishes())).body
    )


AWKWARD = (
    *("it's", 'say "it"', 'it\'s "both"', "back\\slash", "a\nb\r\tc", "\x00\x1f\x7f"),
    *("\u2028", "\U000e0001", "\N{SNOWMAN}", '"""', "{x}", "%s", "x" * 200),
)


@pytest.mark.parametrize("text", AWKWARD, ids=ascii)
def test_awkward_texts_are_laid_out_as_formatters_want_them(text):
    node = TreeNode(namespace=Namespace("org"), annotations={"note": text})
    assert is_formatted(pulumi_program.text(TreeFile(nodes=(node,)), wishes(name="org")))


def test_half_a_character_is_written_as_what_it_is():
    node = TreeNode(namespace=Namespace("org"), annotations={"note": "\ud800"})
    program = pulumi_program.text(TreeFile(nodes=(node,)), wishes(name="org"))
    assert '"\\ud800"' in program


def test_the_project_has_a_name_that_yaml_takes_for_a_text():
    assert 'name: "0001"' in pulumi_program.project("0001")
