"""A tree that a tool can express comes back from that tool's objects as it was."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.properties import strategies
from tools.golden import GOLDEN

from quotatree.cli import manifest_files
from quotatree.codec import quotas, treefile
from quotatree.importers import convert, objects, rancher
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


# -- tools whose trees have two levels --------------------------------------------------------


@st.composite
def groups(draw):
    """A limited root for each group, and below it two namespaces or more, some of them limited."""
    nodes = []
    for number in range(draw(st.integers(1, 3))):
        root = f"g{number}"
        nodes.append(TreeNode(namespace=root, quotas=(quota(root, draw(hards)),)))
        for member in range(draw(st.integers(2, 3))):
            name = f"{root}-m{member}"
            hard = draw(st.none() | hards)
            own = (quota(name, hard),) if hard is not None else ()
            nodes.append(TreeNode(namespace=name, parent=root, quotas=own))
    return TreeFile(nodes=tuple(nodes))


def obj(api, kind, name, *, namespace=None, **rest):
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    metadata |= {key: rest.pop(key) for key in ("labels", "annotations") if key in rest}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **rest}


def with_native_limits(tree, of_group, label):
    """Yield what `of_group` makes of each root; members carry `label`, their limits are native."""
    for node in tree.nodes:
        if node.parent is None:
            yield of_group(node.namespace, node.quotas[0].hard.to_strings())
            continue
        yield obj("v1", "Namespace", node.namespace, labels={label: node.parent})
        for item in node.quotas:
            spec = {"hard": item.hard.to_strings()}
            yield obj("v1", "ResourceQuota", "own", namespace=node.namespace, spec=spec)


def tenant(name, hard):
    spec = {"resourceQuotas": {"scope": "Tenant", "items": [{"hard": hard}]}}
    return obj("capsule.clastix.io/v1beta2", "Tenant", name, spec=spec)


def global_quota(name, hard):
    spec = {"namespaceSelectors": [{"matchLabels": {"group": name}}], "quota": {"hard": hard}}
    return obj("capsule.clastix.io/v1beta2", "GlobalResourceQuota", name, spec=spec)


def cluster_quota(name, hard):
    spec = {"selector": {"labels": {"matchLabels": {"group": name}}}, "quota": {"hard": hard}}
    return obj("quota.openshift.io/v1", "ClusterResourceQuota", name, spec=spec)


SETS = {
    "Capsule's tenants": (tenant, "capsule.clastix.io/tenant"),
    "Capsule's quotas over namespaces": (global_quota, "group"),
    "OpenShift": (cluster_quota, "group"),
}


@pytest.mark.parametrize("tool", SETS)
@given(tree=groups(), random=st.randoms(use_true_random=False))
def test_two_levels_come_back(tool, tree, random):
    found = list(with_native_limits(tree, *SETS[tool]))
    random.shuffle(found)
    assert back(found) == sorted(tree.nodes, key=lambda node: node.namespace)


def rancher_limit(hard):
    names = {native: own for own, native in rancher.NATIVE.items()}
    found = {names[name]: amount for name, amount in hard.items() if name in names}
    return found | {"extended": {n: a for n, a in hard.items() if n not in names}}


def rancher_objects(tree):
    for node in tree.nodes:
        limit = [rancher_limit(item.hard.to_strings()) for item in node.quotas]
        if node.parent is None:
            spec = {"displayName": node.namespace, "resourceQuota": {"limit": limit[0]}}
            yield obj(f"{rancher.GROUP}/v3", "Project", f"p-{node.namespace}", spec=spec)
            continue
        annotations = {rancher.PROJECT: f"c-1:p-{node.parent}"}
        if limit:
            annotations[rancher.QUOTA] = json.dumps({"limit": limit[0]})
        yield obj("v1", "Namespace", node.namespace, annotations=annotations)


@given(groups(), st.randoms(use_true_random=False))
def test_projects_come_back_from_rancher(tree, random):
    found = list(rancher_objects(tree))
    random.shuffle(found)
    assert back(found) == sorted(tree.nodes, key=lambda node: node.namespace)


# -- Kueue --------------------------------------------------------------------------------------


@st.composite
def cohorts(draw):
    """A root that has just what its queues are given and more, and the objects of that in Kueue.

    A queue may have a ceiling, its nominal quota and what it may borrow, and a guarantee, what it
    need not lend of its nominal quota.
    """
    nodes, found, given_out = [], [], 0
    for number in range(draw(st.integers(1, 3))):
        queue, nominal = f"q{number}", draw(st.integers(1, 9))
        borrow = draw(st.none() | st.integers(0, 9))
        kept = draw(st.integers(0, nominal))
        given_out += nominal
        hard = {} if borrow is None else {"requests.cpu": nominal + borrow}
        guaranteed = {"requests.cpu": kept} if kept else {}
        own = Quota(
            namespace=queue, name=DEFAULT_QUOTA, hard=cores(hard), guaranteed=cores(guaranteed)
        )
        nodes.append(
            TreeNode(namespace=queue, parent="root", quotas=(own,) if hard or guaranteed else ())
        )
        found.append(kueue("ClusterQueue", queue, nominal, borrow=borrow, lend=nominal - kept))
        for below in range(draw(st.integers(0, 2))):
            name = f"{queue}-n{below}"
            nodes.append(TreeNode(namespace=name, parent=queue))
            spec = {"clusterQueue": queue}
            found.append(
                obj("kueue.x-k8s.io/v1beta1", "LocalQueue", "own", namespace=name, spec=spec)
            )
    spare = draw(st.integers(0, 9))
    found.append(kueue("Cohort", "root", spare))
    top = quota("root", cores({"requests.cpu": given_out + spare}))
    return TreeFile(nodes=(TreeNode(namespace="root", quotas=(top,)), *nodes)), found


def cores(amounts):
    return Resources.from_nano({name: amount * 10**9 for name, amount in amounts.items()})


def kueue(kind, name, nominal, *, borrow=None, lend=None):
    entry = {"name": "cpu", "nominalQuota": str(nominal)}
    entry |= {"borrowingLimit": str(borrow)} if borrow is not None else {}
    entry |= {"lendingLimit": str(lend)} if lend is not None else {}
    groups = [{"coveredResources": ["cpu"], "flavors": [{"name": "any", "resources": [entry]}]}]
    cohort = {"cohort": "root"} if kind == "ClusterQueue" else {}
    version = "v1beta1" if kind == "ClusterQueue" else "v1alpha1"
    spec = {"resourceGroups": groups} | cohort
    return obj(f"kueue.x-k8s.io/{version}", kind, name, spec=spec)


@given(cohorts(), st.randoms(use_true_random=False))
def test_queues_come_back_from_kueue(given_, random):
    tree, found = given_
    random.shuffle(found)
    assert back(found) == sorted(tree.nodes, key=lambda node: node.namespace)
