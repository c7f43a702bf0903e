"""Law: a program is beyond the room exactly when some level would hold more than it has."""

from checking import check, container, deployment, namespace, tree_quota
from hypothesis import given, settings
from hypothesis import strategies as st

from quotatree.engine import rollup
from quotatree.model.names import Namespace
from quotatree.units.resources import Resources

NAMES = ("a", "b", "c", "d", "e")


@st.composite
def programs(draw):
    """Parents (each before its children), hard and replicas of a few namespaces."""
    parents = {
        name: draw(st.sampled_from([None, *NAMES[:index]])) for index, name in enumerate(NAMES)
    }
    amounts = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 12), max_size=5)
    return parents, draw(amounts), draw(amounts)


@settings(deadline=None)
@given(programs())
def test_beyond_the_room_is_told_exactly_when_a_level_is_exceeded(program):
    parents, hard, replicas = program
    resources = [namespace(name, parent or "") for name, parent in parents.items()]
    resources += [tree_quota(name, cpu=str(amount)) for name, amount in hard.items()]
    resources += [
        deployment(name, container({"cpu": "1"}), replicas=number, name=f"w-{name}")
        for name, number in replicas.items()
    ]
    held = {Namespace(n): Resources.parse({"cpu": str(count)}) for n, count in replicas.items()}
    sums = rollup.subtree_sums({Namespace(n): p and Namespace(p) for n, p in parents.items()}, held)
    exceeded = [n for n, amount in hard.items() if sums[Namespace(n)].nano("cpu") > amount * 10**9]
    told = check("tree-room", *resources)
    assert bool(told.violations) == bool(exceeded)
    assert told.unknown == ""
