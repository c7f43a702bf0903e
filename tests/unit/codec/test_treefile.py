"""quotatree.yaml: good files become values, and every mistake is told with its place."""

import pytest

from quotatree.codec import treefile, yaml_tree
from quotatree.model.observed import Lifecycle
from quotatree.model.quota import FailurePolicy, Mode, Quota
from quotatree.model.scope import ScopeTerm
from quotatree.model.treefile import TreeFile, TreeNode
from quotatree.units.resources import Resources

HEAD = "apiVersion: quotatree.dev/v1alpha1\nkind: Tree\ntree:\n"

EXAMPLE = (
    HEAD
    + """\
  org:
    hard: {cpu: "200", memory: 800Gi, requests.nvidia.com/gpu: 64}
    children:
      vision:
        guaranteed: {requests.nvidia.com/gpu: "16"}
        failurePolicy: Ignore
        mode: Observe
        annotations: {quotatree.dev/allow-cascading-deletion: "true"}
        children:
          ai-pipeline: {hard: {cpu: 0.1}, lifecycle: Owned, labels: {stage: prod}}
          batch:
            quotas:
            - {name: best-effort, hard: {pods: "100"}, scopes: [BestEffort]}
  lab:
"""
)


def parse(text):
    return treefile.parse(text.encode() if isinstance(text, str) else text)


def quota(namespace, hard=None, **other):
    return Quota(
        namespace=namespace,
        name=other.pop("name", "quota"),
        hard=Resources.parse(hard or {}),
        **other,
    )


def test_the_example_is_read():
    gpu = "requests.nvidia.com/gpu"
    assert parse(EXAMPLE) == TreeFile(
        nodes=(
            TreeNode(
                namespace="org",
                quotas=(quota("org", {"cpu": "200", "memory": "800Gi", gpu: "64"}),),
            ),
            TreeNode(
                namespace="vision",
                parent="org",
                annotations={"quotatree.dev/allow-cascading-deletion": "true"},
                quotas=(
                    quota(
                        "vision",
                        guaranteed=Resources.parse({gpu: "16"}),
                        failure_policy=FailurePolicy.IGNORE,
                        mode=Mode.OBSERVE,
                    ),
                ),
            ),
            TreeNode(
                namespace="ai-pipeline",
                parent="vision",
                lifecycle=Lifecycle.OWNED,
                labels={"stage": "prod"},
                quotas=(quota("ai-pipeline", {"cpu": "100m"}),),
            ),
            TreeNode(
                namespace="batch",
                parent="vision",
                quotas=(
                    quota(
                        "batch",
                        {"pods": "100"},
                        name="best-effort",
                        scopes=(ScopeTerm(scope="BestEffort"),),
                    ),
                ),
            ),
            TreeNode(namespace="lab"),
        )
    )


def test_what_is_written_is_read_back():
    tree = parse(EXAMPLE)
    assert parse(treefile.to_text(tree)) == tree


def test_json_is_yaml_too():
    text = '{"apiVersion": "quotatree.dev/v1alpha1", "kind": "Tree", "tree": {"org": null}}'
    assert parse(text) == TreeFile(nodes=(TreeNode(namespace="org"),))


def test_an_alias_stands_for_its_value():
    tree = parse(HEAD + "  a: {hard: &small {cpu: 4}}\n  b: {hard: *small}\n")
    assert [q.hard for node in tree.nodes for q in node.quotas] == [
        Resources.parse({"cpu": "4"})
    ] * 2


def test_numbers_are_taken_as_written():
    tree = parse(HEAD + "  a: {hard: {cpu: 0.000000001, memory: 1e3, requests.storage: 12E2}}\n")
    assert tree.nodes[0].quotas[0].hard.nanos() == {
        "cpu": 1,
        "memory": 1000 * 10**9,
        "requests.storage": 1200 * 10**9,
    }


def test_an_empty_limit_still_is_a_quota():
    tree = parse(HEAD + "  a: {hard: {}}\n")
    assert tree.nodes[0].quotas == (quota("a"),)
    assert parse(treefile.to_text(tree)) == tree


def test_a_byte_order_mark_is_no_mistake():
    assert isinstance(parse(b"\xef\xbb\xbf" + EXAMPLE.encode()), TreeFile)


def at(line, column, path, words):
    return (line, column, path, words)


# Text below `tree:`, so the first line of it is line 4.
CONTENT = {
    "misspelt node key": ("  a: {hrad: {}}", at(4, 7, "tree.a.hrad", '"hard"')),
    "misspelt resource": (
        "  a: {hard: {memroy: 1Gi}}",
        at(4, 14, 'tree.a.hard["memroy"]', "'memory'"),
    ),
    "deep misspelt resource": (
        "  org:\n    children:\n      vision:\n        hard:\n          memroy: 1Gi",
        at(8, 11, 'tree.org.children.vision.hard["memroy"]', "'memory'"),
    ),
    "no quantity": ("  a: {hard: {cpu: lots}}", at(4, 19, 'tree.a.hard["cpu"]', "no quantity")),
    "wrong unit": ("  a: {hard: {memory: 1GB}}", at(4, 22, 'tree.a.hard["memory"]', "no unit")),
    "infinity": ("  a: {hard: {cpu: .inf}}", at(4, 19, 'tree.a.hard["cpu"]', "no quantity")),
    "hexadecimal": ("  a: {hard: {cpu: 0x10}}", at(4, 19, 'tree.a.hard["cpu"]', "no quantity")),
    "octal or decimal": ("  a: {hard: {cpu: 010}}", at(4, 19, 'tree.a.hard["cpu"]', '"10"')),
    "underscores": ("  a: {hard: {cpu: 1_000}}", at(4, 19, 'tree.a.hard["cpu"]', "no quantity")),
    "sexagesimal": ("  a: {hard: {cpu: 1:30}}", at(4, 19, 'tree.a.hard["cpu"]', "no quantity")),
    "boolean": ("  a: {hard: {cpu: yes}}", at(4, 19, 'tree.a.hard["cpu"]', "is true")),
    "null": ("  a: {hard: {cpu: ~}}", at(4, 19, 'tree.a.hard["cpu"]', "null")),
    "list for a quantity": ("  a: {hard: {cpu: [1]}}", at(4, 19, 'tree.a.hard["cpu"]', "a list")),
    "negative": ("  a: {hard: {cpu: -1}}", at(4, 19, 'tree.a.hard["cpu"]', "negative")),
    "half a pod": ("  a: {hard: {pods: 0.5}}", at(4, 20, 'tree.a.hard["pods"]', "whole")),
    "hard is a text": ("  a: {hard: much}", at(4, 13, "tree.a.hard", "must be a map")),
    "hard is nothing": ("  a:\n    hard:", at(5, 10, "tree.a.hard", "null")),
    "guarantee above hard": (
        "  a: {hard: {cpu: 1}, guaranteed: {cpu: 2}}",
        at(4, 41, 'tree.a.guaranteed["cpu"]', "above"),
    ),
    "node is a list": ("  a: [hard]", at(4, 6, "tree.a", "must be a map")),
    "children is a list": ("  a: {children: [b]}", at(4, 17, "tree.a.children", "must be a map")),
    "upper-case namespace": ("  Team_A: {}", at(4, 3, "tree.Team_A", "no name for a namespace")),
    "long namespace": (f"  {'a' * 64}: {{}}", at(4, 3, f"tree.{'a' * 64}", "at most 63")),
    "namespace with a dot": ("  a.b: {}", at(4, 3, 'tree["a.b"]', "no name for a namespace")),
    "the cluster's own namespace": (
        "  kube-system: {hard: {cpu: 1}}",
        at(4, 3, "tree.kube-system", "belongs to the cluster"),
    ),
    "namespace twice in a map": ("  a: {}\n  a: {}", at(5, 3, "tree", "first on line 4")),
    "namespace at two places": (
        "  a: {children: {b: {}}}\n  b: {}",
        at(5, 3, "tree.b", "its first is tree.a.children.b"),
    ),
    "namespace below itself": (
        "  a: {children: {a: {}}}",
        at(4, 18, "tree.a.children.a", "its first is tree.a"),
    ),
    "resource twice": (
        "  a: {hard: {cpu: 1, cpu: 2}}",
        at(4, 22, "tree.a.hard", "first on line 4"),
    ),
    "number as a namespace": ("  12: {}", at(4, 3, "tree", "must be a text")),
    "no as a namespace": ("  no: {}", at(4, 3, "tree", "must be a text")),
    "null as a key": ("  ~: {}", at(4, 3, "tree", "must be a text")),
    "list as a key": ("  [a]: {}", at(4, 3, "tree", "must be a text")),
    "merge key": ("  a: &a {}\n  b: {<<: *a}", at(5, 7, "tree.b", "merge keys")),
    "tag": ("  a: !!python/object:os.system {}", at(4, 6, "tree.a", "tags")),
    "unknown alias": ("  a: *nobody", at(4, 6, "tree.a", "names nothing")),
    "alias to itself": ("  a: &a {children: *a}", at(4, 20, "tree.a.children", "stands in")),
    "owned root": ("  a: {lifecycle: Owned}", at(4, 18, "tree.a.lifecycle", "no parent")),
    "misspelt lifecycle": (
        "  a: {children: {b: {lifecycle: owned}}}",
        at(4, 33, "tree.a.children.b.lifecycle", '"Owned"'),
    ),
    "label that is a number": ("  a: {labels: {v: 1.0}}", at(4, 19, 'tree.a.labels["v"]', '"1.0"')),
    "label with a blank": (
        "  a: {labels: {v: 'x y'}}",
        at(4, 19, 'tree.a.labels["v"]', "no value for a label"),
    ),
    "label key with a blank": (
        "  a: {labels: {'x y': z}}",
        at(4, 16, 'tree.a.labels["x y"]', "no key for labels"),
    ),
    "parent by label": (
        "  a: {labels: {quotatree.dev/parent: b}}",
        at(4, 16, 'tree.a.labels["quotatree.dev/parent"]', "children of its parent"),
    ),
    "the controller's annotation": (
        "  a: {annotations: {quotatree.dev/children: '1'}}",
        at(4, 21, 'tree.a.annotations["quotatree.dev/children"]', "the controller writes it"),
    ),
    "annotations too long": (
        f"  a: {{annotations: {{x: {'y' * 2**18}}}}}",
        at(4, 20, "tree.a.annotations", "262144"),
    ),
    "quota without name": (
        "  a: {quotas: [{hard: {cpu: 1}}]}",
        at(4, 16, "tree.a.quotas[0].name", "missing"),
    ),
    "quota without limits": (
        "  a: {quotas: [{name: x}]}",
        at(4, 16, "tree.a.quotas[0]", "limits nothing"),
    ),
    "two quotas of one name": (
        "  a: {hard: {cpu: 1}, quotas: [{name: quota, hard: {cpu: 2}}]}",
        at(4, 39, "tree.a.quotas[0].name", "is taken"),
    ),
    "quotas is a map": ("  a: {quotas: {name: x}}", at(4, 15, "tree.a.quotas", "must be a list")),
    "quota is a text": ("  a: {quotas: [x]}", at(4, 16, "tree.a.quotas[0]", "must be a map")),
    "misspelt scope": (
        "  a: {quotas: [{name: x, hard: {pods: 1}, scopes: [BestEfort]}]}",
        at(4, 52, "tree.a.quotas[0].scopes[0]", '"BestEffort"'),
    ),
    "misspelt key of a quota": (
        "  a: {quotas: [{name: x, hard: {pods: 1}, scope: [BestEffort]}]}",
        at(4, 43, "tree.a.quotas[0].scope", '"scopes"'),
    ),
    "policy without quota": (
        "  a: {failurePolicy: Ignore}",
        at(4, 7, "tree.a.failurePolicy", "neither hard nor guaranteed"),
    ),
    "mode without quota": (
        "  a: {mode: Observe}",
        at(4, 7, "tree.a.mode", "neither hard nor guaranteed"),
    ),
    "unknown mode": (
        "  a: {hard: {cpu: 1}, mode: Watch}",
        at(4, 29, "tree.a.mode", "must be Enforce or Observe"),
    ),
    "unknown policy": (
        "  a: {hard: {cpu: 1}, failurePolicy: Maybe}",
        at(4, 38, "tree.a.failurePolicy", "Fail or Ignore"),
    ),
    "a second document": ("  a: {}\n---\n{}", at(5, 1, "", "second document")),
    "unbalanced braces": ("  a: {hard: {cpu: 1}", at(5, 1, "", "is no YAML")),
    "tabs": ("\ta: {}", at(4, 1, "", "not tabs")),
    "control character": ("  a: \x07", at(4, 6, "", "U+0007")),
}


@pytest.mark.parametrize(("text", "want"), CONTENT.values(), ids=CONTENT.keys())
def test_a_mistake_is_told_with_its_place(text, want):
    found = parse(HEAD + text + "\n")
    assert isinstance(found, tuple)
    line, column, path, words = want
    assert [(p.line, p.column, p.path) for p in found] == [(line, column, path)]
    assert words in f"{found[0].message} {found[0].hint}"


WHOLE = {
    "empty": (b"", (1, 1), "is empty"),
    "only a comment": (b"# nothing\n", (1, 1), "is empty"),
    "a text": (b"hello", (1, 1), "holds no map"),
    "a list": (b"- a\n", (1, 1), "holds no map"),
    "truncated": (EXAMPLE[:100].encode(), (6, 1), "is no YAML"),
    "binary": (b"\x7fELF\x02\x01\x01\xff\xfe", (1, 8), "is not UTF-8"),
    "UTF-16": (EXAMPLE.encode("utf-16"), (1, 1), "is not UTF-8"),
    "NUL": (b"tree: \x00", (1, 7), "U+0000"),
    "braces without end": (b"{" * 100_000, (1, 101), "more than 100 deep"),
    "brackets without end": (b"[" * 100_000, (1, 101), "more than 100 deep"),
    "an escape beyond Unicode": (b'"\\UFFFFFFFF"', (1, 4), "is no YAML"),
}


@pytest.mark.parametrize(("data", "place", "words"), WHOLE.values(), ids=WHOLE.keys())
def test_what_is_no_tree_at_all_is_told_in_one_sentence(data, place, words):
    found = parse(data)
    assert isinstance(found, tuple)
    assert [(p.line, p.column) for p in found] == [place]
    assert words in found[0].message


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("kind: Tree\ntree: {}\n", ["apiVersion"]),
        ("apiVersion: quotatree.dev/v2\nkind: Tree\ntree: {}\n", ["apiVersion"]),
        ("apiVersion: quotatree.dev/v1alpha1\nkind: Forest\ntree: {}\n", ["kind"]),
        ("apiVersion: quotatree.dev/v1alpha1\nkind: Tree\n", ["tree"]),
        ("apiVersion: quotatree.dev/v1alpha1\nkind: Tree\ntree: [a]\n", ["tree"]),
        (HEAD + "  a: {}\ntrees: {}\n", ["trees"]),
        ("a: 1\n", ["a", "apiVersion", "kind", "tree"]),
    ],
)
def test_the_head_of_the_file_is_checked(text, paths):
    found = parse(text)
    assert sorted(p.path for p in found) == paths


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file():
    found = parse(HEAD + "  b: {hrad: 1, hard: {cpu: x}}\n  A: {hard: {memroy: 1, memroy: 2}}\n")
    assert [(p.line, p.column) for p in found] == [(4, 7), (4, 28), (5, 3), (5, 14), (5, 25)]


def test_a_file_too_large_is_not_read():
    found = parse(b" " * (treefile.MAX_BYTES + 1))
    assert "at most 10 MiB" in found[0].message


def test_three_megabytes_of_good_tree_are_read():
    note = "x" * 1_000
    nodes = "".join(
        f"  team-{i}: {{hard: {{cpu: 4}}, annotations: {{note: {note}}}}}\n" for i in range(3_000)
    )
    tree = parse(HEAD + nodes)
    assert len(nodes) > 3 * 10**6
    assert len(tree.nodes) == 3_000


def test_aliases_cannot_grow_without_bound():
    rows = [f"  n{i}: &n{i} [{', '.join([f'*n{i - 1}'] * 10)}]\n" for i in range(1, 9)]
    found = parse(HEAD + "  n0: &n0 [x]\n" + "".join(rows))
    assert len(found) == 1
    assert f"more than {yaml_tree.MAX_VALUES:,} values" in found[0].message


def test_messages_repeat_no_control_characters_and_no_novels():
    found = parse(HEAD + f'  a: {{"x\\n\\e[31m{"y" * 10_000}": 1}}\n')
    assert len(found) == 1
    assert len(str(found[0])) < 500
    assert str(found[0]).isprintable()


def test_plain_data_gives_the_same_tree_as_its_text():
    tree = {"org": {"hard": {"cpu": "20"}, "children": {"team": None}}}
    document = {"apiVersion": "quotatree.dev/v1alpha1", "kind": "Tree", "tree": tree}
    assert treefile.from_data(document) == parse(
        HEAD + '  org: {hard: {cpu: "20"}, children: {team: }}\n'
    )


def test_mistakes_in_plain_data_have_a_path_and_no_line():
    tree = {"org": {"hard": {"memroy": "1Gi"}, "lifecycle": "Owned"}}
    document = {"apiVersion": "quotatree.dev/v1alpha1", "kind": "Tree", "tree": tree}
    found = treefile.from_data(document)
    assert [(p.path, p.line) for p in found] == [
        ('tree.org.hard["memroy"]', 0),
        ("tree.org.lifecycle", 0),
    ]


@pytest.mark.parametrize("data", [None, [], {}, {"tree": []}], ids=repr)
def test_plain_data_that_is_no_tree_is_told(data):
    assert treefile.from_data(data)
