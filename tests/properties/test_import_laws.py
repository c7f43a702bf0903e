"""A tree that a tool can express comes back from that tool's objects as it was."""

import copy

from hypothesis import given
from hypothesis import strategies as st
from tests.properties import strategies
from tools.golden import GOLDEN

from quotatree.cli import manifest_files
from quotatree.codec import quotas, treefile
from quotatree.importers import convert, objects
from quotatree.model.observed import Lifecycle
from quotatree.model.quota import Quota
from quotatree.model.scope import UNSCOPED, ScopeTerm, scope_set
from quotatree.model.treefile import DEFAULT_QUOTA, TreeFile, TreeNode
from quotatree.units.resources import Resources

SCOPES = (UNSCOPED, scope_set([ScopeTerm(scope="NotBestEffort")]))

hards = st.dictionaries(
    st.sampled_from(strategies.RESOURCE_NAMES), st.integers(0, 10**6), min_size=1
).map(lambda found: Resources.from_nano({name: n * 10**9 for name, n in found.items()}))


def quota(namespace, hard, name=DEFAULT_QUOTA, scopes=UNSCOPED):
    return Quota(namespace=namespace, name=name, hard=hard, scopes=scopes)


@st.composite
def trees(draw):
    """Trees whose nodes have one quota or none; a root has a quota or a child."""
    nodes = {}
    for number in range(draw(st.integers(1, 8))):
        name = f"n{number}"
        parent = draw(st.sampled_from([None, *nodes]))
        hard = draw(hards if parent is None else st.none() | hards)
        owned = parent is not None and draw(st.booleans())
        nodes[name] = TreeNode(
            namespace=name,
            parent=parent,
            lifecycle=Lifecycle.OWNED if owned else Lifecycle.INDEPENDENT,
            quotas=(quota(name, hard),) if hard is not None else (),
        )
    return TreeFile(nodes=tuple(nodes.values()))


def hnc_objects(tree):
    for node in tree.nodes:
        if node.lifecycle is Lifecycle.OWNED:
            metadata = {"name": node.namespace, "namespace": node.parent}
            yield hnc("SubnamespaceAnchor", metadata)
        elif node.parent is not None:
            metadata = {"name": "hierarchy", "namespace": node.namespace}
            yield hnc("HierarchyConfiguration", metadata, {"parent": node.parent})
        for item in node.quotas:
            metadata = {"name": "hrq", "namespace": node.namespace}
            yield hnc("HierarchicalResourceQuota", metadata, {"hard": item.hard.to_strings()})


def hnc(kind, metadata, spec=None):
    found = {"apiVersion": "hnc.x-k8s.io/v1alpha2", "kind": kind, "metadata": metadata}
    return found if spec is None else {**found, "spec": spec}


def back(found):
    imported = convert.convert(objects.of(found))
    assert [note for note in imported.notes if note.lost] == []
    return sorted(imported.tree.nodes, key=lambda node: node.namespace)


@given(trees(), st.randoms(use_true_random=False))
def test_a_tree_comes_back_from_hnc(tree, random):
    found = list(hnc_objects(tree))
    random.shuffle(found)
    assert back(found) == sorted(tree.nodes, key=lambda node: node.namespace)


@given(
    st.dictionaries(
        st.sampled_from("abcdef"), st.dictionaries(st.sampled_from(SCOPES), hards, min_size=1)
    )
)
def test_flat_quotas_come_back_from_resource_quotas_scopes_included(flat):
    found = [
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": f"q{len(scopes)}", "namespace": namespace},
            "spec": {"hard": hard.to_strings()} | quotas.scopes_to_dict(scopes),
        }
        for namespace, wanted in flat.items()
        for scopes, hard in wanted.items()
        if not scopes or sound(hard)
    ]
    want = [
        (namespace, scopes, hard)
        for namespace, wanted in flat.items()
        for scopes, hard in wanted.items()
        if not scopes or sound(hard)
    ]
    got = [(n.namespace, q.scopes, q.hard) for n in back(found) for q in n.quotas]
    assert sorted(got, key=str) == sorted(want, key=str)


def sound(hard):
    """Whether native admission takes these names in a quota of the scope above."""
    return not {"requests.storage", "count/pods"} & set(hard)


def golden_objects():
    for path in sorted((GOLDEN / "import").glob("*.objects.yaml")):
        for item in manifest_files.read([str(path)]):
            yield item.body


ODD = st.sampled_from(
    [None, True, -1, 0, 1.5, "", "x", "a/b", "1Gi", "A" * 300, [], [1], {}, {"a": 1}]
)


@st.composite
def damaged(draw):
    """All objects of the examples, with some values replaced by odd ones, at any depth."""
    found = copy.deepcopy(list(golden_objects()))
    for _ in range(draw(st.integers(1, 12))):
        place = draw(st.sampled_from(found))
        key = draw(st.sampled_from(sorted(place)))
        while isinstance(place[key], dict | list) and place[key] and draw(st.booleans()):
            place = place[key]
            keys = sorted(place) if isinstance(place, dict) else range(len(place))
            key = draw(st.sampled_from(list(keys)))
        place[key] = draw(ODD)
    return found


@given(damaged())
def test_damaged_objects_never_raise_and_what_is_written_is_a_file_without_mistakes(found):
    imported = convert.convert(objects.of(found))
    text = treefile.to_text(imported.tree)
    read = treefile.parse(text.encode())
    assert isinstance(read, TreeFile), [str(problem) for problem in read]
    assert read == imported.tree
