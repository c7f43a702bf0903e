"""Codecs: what is written is read back, and no input makes them raise."""

import copy

from hypothesis import given
from hypothesis import strategies as st

from quotatree.codec import managed, namespaces, quotas, state, treefile
from quotatree.model.names import Namespace, QuotaName
from quotatree.model.observed import Lifecycle
from quotatree.model.problem import Problem
from quotatree.model.quota import FailurePolicy, Mode, Quota
from quotatree.model.scope import ScopeTerm, scope_set
from quotatree.model.state import Figures, NodeState, TreeState
from quotatree.model.treefile import DEFAULT_QUOTA, TreeFile, TreeNode
from quotatree.units.resources import EMPTY, Resources

# Whole numbers, so that they are amounts of pods too.
amounts = st.dictionaries(
    st.sampled_from(["cpu", "memory", "pods", "requests.nvidia.com/gpu", "count/jobs.batch"]),
    st.integers(0, 2**60).map(lambda whole: whole * 10**9),
    max_size=4,
).map(Resources.from_nano)
scope_sets = st.sampled_from(
    [
        (),
        scope_set([ScopeTerm(scope="NotTerminating")]),
        scope_set([ScopeTerm(scope="PriorityClass", operator="In", values=("a", "b"))]),
    ]
)
# Names that YAML readers like to take for something else.
labels = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,5}[a-z0-9])?", fullmatch=True) | st.sampled_from(
    ["no", "on", "null", "y", "1e3", "0x1", "123", "1-1", "labels", "hard", "children", "tree"]
)
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20)


@st.composite
def quotas_of(draw, namespace):
    named = draw(st.lists(labels, max_size=2, unique=True))
    found = []
    for name in named:
        hard = draw(amounts)
        found.append(
            Quota(
                namespace=namespace,
                name=QuotaName(name if name != DEFAULT_QUOTA else "other"),
                hard=hard,
                guaranteed=draw(st.just(EMPTY) | st.just(hard)),
                scopes=() if {*hard} - {"cpu", "memory", "pods"} else draw(scope_sets),
                failure_policy=draw(st.sampled_from(FailurePolicy)),
                mode=draw(st.sampled_from(Mode)),
            )
        )
    own = [Quota(namespace=namespace, name=DEFAULT_QUOTA, hard=draw(amounts))]
    return tuple(draw(st.sampled_from([[], own])) + found)


@st.composite
def tree_files(draw):
    names = draw(st.lists(labels, min_size=1, max_size=6, unique=True))
    nodes = []
    for position, name in enumerate(names):
        parent = draw(st.sampled_from([None, *names[:position]]))
        nodes.append(
            TreeNode(
                namespace=Namespace(name),
                parent=None if parent is None else Namespace(parent),
                lifecycle=draw(st.sampled_from(Lifecycle))
                if parent is not None
                else Lifecycle.INDEPENDENT,
                labels=draw(st.dictionaries(labels, labels, max_size=2)),
                annotations=draw(st.dictionaries(labels, texts, max_size=2)),
                quotas=draw(quotas_of(Namespace(name))),
            )
        )
    return TreeFile(nodes=tuple(nodes))


def by_name(tree):
    return {node.namespace: node for node in tree.nodes}


@given(tree_files())
def test_a_written_tree_is_the_same_tree(tree):
    read = treefile.parse(treefile.to_text(tree).encode())
    assert isinstance(read, TreeFile), read
    assert by_name(read) == by_name(tree)
    assert treefile.parse(treefile.to_text(read).encode()) == read


@given(st.binary(max_size=200))
def test_any_bytes_are_a_tree_or_problems(data):
    found = treefile.parse(data)
    assert isinstance(found, TreeFile) or all(isinstance(p, Problem) for p in found)


@given(tree_files(), st.data())
def test_a_damaged_file_is_a_tree_or_problems_with_places(tree, data):
    text = treefile.to_text(tree)
    position = data.draw(st.integers(0, len(text)))
    insertion = data.draw(
        st.text(max_size=3) | st.sampled_from(["*a", "&a ", "!!x ", "\t", "{", "- "])
    )
    damaged = text[:position] + insertion + text[position + data.draw(st.integers(0, 3)) :]
    found = treefile.parse(damaged.encode(errors="replace"))
    if not isinstance(found, TreeFile):
        lines = damaged.count("\n") + 2
        assert all(1 <= p.line <= lines and p.column >= 1 for p in found)


@given(st.lists(st.tuples(labels, amounts, amounts), unique_by=lambda it: it[0], max_size=4))
def test_a_written_state_is_the_same_state(rows):
    nodes = tuple(
        NodeState(
            namespace=Namespace(name),
            figures=Figures(held=held, hard=hard),
            quotas=(Quota(namespace=Namespace(name), name=DEFAULT_QUOTA, hard=hard),),
        )
        for name, held, hard in rows
    )
    found = TreeState(resource_version=3, nodes=nodes)
    assert state.parse(state.to_dict(found)) == found


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=12,
)
WHOLE = {
    "metadata": {
        "name": "quotatree",
        "namespace": "a",
        "resourceVersion": "3",
        "labels": {"quotatree.dev/parent": "b"},
        "annotations": {"quotatree.dev/epoch": "3", "slice.quotatree.dev/cpu": "2"},
        "ownerReferences": [{"kind": "Namespace", "name": "b"}],
    },
    "spec": {
        "hard": {"cpu": "3"},
        "guaranteed": {"cpu": "1"},
        "scopes": ["BestEffort"],
        "scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In"}]},
    },
    "status": {"hard": {"cpu": "3"}, "used": {"cpu": "1"}, "conditions": [{"type": "Ready"}]},
}


@st.composite
def damaged_objects(draw):
    """A good object with something else in one place."""
    found = copy.deepcopy(WHOLE)
    current = found
    while True:
        keys = list(current) if isinstance(current, dict) else list(range(len(current)))
        key = draw(st.sampled_from(keys))
        if not isinstance(current[key], dict | list) or draw(st.booleans()):
            current[key] = draw(json)
            return found
        current = current[key]


@given(damaged_objects() | json.filter(lambda value: isinstance(value, dict)))
def test_no_stored_object_makes_a_codec_raise(obj):
    managed.parse(obj)
    namespaces.parse(obj)
    quotas.parse(obj)
    quotas.problems(obj)
    state.parse(obj)


stored_amounts = st.dictionaries(
    st.sampled_from(["cpu", "memory", "pods", "count/pods", "storage", "Bad Name"]),
    st.sampled_from(["1", "0.5", "1500m", "-1", "9e30", "1.5", "x", 3, None]),
    max_size=4,
)
stored_terms = st.fixed_dictionaries(
    {"scopeName": st.sampled_from(["BestEffort", "PriorityClass", ""])},
    optional={
        "operator": st.sampled_from(["In", "Exists", "DoesNotExist", ""]),
        "values": st.lists(st.sampled_from(["b", "a", ""]), max_size=3),
    },
)
stored_specs = st.fixed_dictionaries(
    {},
    optional={
        "hard": stored_amounts,
        "guaranteed": stored_amounts,
        "scopes": st.lists(st.sampled_from(["BestEffort", "NotTerminating"]), max_size=2),
        "scopeSelector": st.fixed_dictionaries({"matchExpressions": st.lists(stored_terms)}),
        "failurePolicy": st.sampled_from(["Fail", "Ignore", "Other"]),
        "mode": st.sampled_from(["Enforce", "Observe", "Other"]),
    },
)


def _stored(name, spec):
    """A TreeQuota with everything that it may carry besides its spec."""
    return {
        "metadata": {
            "namespace": "a",
            "name": name,
            "uid": f"uid-{name}",
            "generation": 3,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"quotatree.dev/applied": "org", "stage": "prod"},
        },
        "spec": spec,
        "status": {"guaranteed": {"cpu": "1"}, "observedGeneration": 3},
    }


@given(st.lists(stored_specs, max_size=3))
def test_what_is_remembered_of_any_stored_limit_is_what_it_asked_for(specs):
    """Else it would be written again and again."""
    asked = tuple(quotas.parse(_stored(f"q{n}", spec)).asked for n, spec in enumerate(specs))
    text = managed.limits_to_text(asked)
    assert managed.limits_from_text(Namespace("a"), text or "") == asked
