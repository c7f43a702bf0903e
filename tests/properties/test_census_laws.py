"""The sums of the account equal those from scratch, in whatever order objects come and go."""

from hypothesis import given
from hypothesis import strategies as st

from quotatree.engine.census import Census
from quotatree.model.charge import Charge
from quotatree.model.names import Namespace, Uid
from quotatree.model.scope import UNSCOPED, ScopeTerm
from quotatree.model.sighting import Sighting
from quotatree.units.resources import Resources

BEST_EFFORT = (ScopeTerm(scope="BestEffort"),)
SETS = (UNSCOPED, BEST_EFFORT)
NAMESPACES = [Namespace("a"), Namespace("b")]
END = 100.0

charges = st.builds(
    lambda cpu, traits: Charge(
        resource="pods", amounts=Resources.parse({"pods": "1", "cpu": cpu}), traits=traits
    ),
    st.sampled_from(["0", "1", "2", "500m"]),
    st.sampled_from([frozenset(), frozenset({"BestEffort"})]),
)
sightings = st.builds(
    Sighting,
    uid=st.sampled_from([Uid(f"u{i}") for i in range(4)]),
    namespace=st.just(NAMESPACES[0]),
    resource_version=st.integers(1, 9),
    charge=charges,
    created=st.just(0.0),
    until=st.none() | st.sampled_from([1.0, END, END + 1]),
    after=st.none() | charges,
)
steps = st.lists(
    st.tuples(st.just("see"), sightings)
    | st.tuples(st.just("lose"), sightings)
    | st.tuples(st.just("track"), st.sampled_from(SETS))
)


@given(steps=steps)
def test_kept_sums_equal_those_from_scratch(steps):
    census, there = Census(), {}
    for what, value in steps:
        match what:
            case "see":
                census.see(value)
                known = there.get(value.uid)
                if known is None or known.resource_version < value.resource_version:
                    there[value.uid] = value
            case "lose":
                census.lose(value.namespace, value.uid)
                there.pop(value.uid, None)
            case _:
                census.sums((NAMESPACES[0], value))
    for now in (0.0, END):
        census.pass_time(now)
        for scopes in SETS:
            total = dict(census.sums((NAMESPACES[0], scopes)))
            assert {r: a for r, a in total.items() if a} == scratch(there.values(), scopes, now)
    assert len(census) == len(there)


def scratch(there, scopes, now):
    found = {}
    for seen in there:
        over = seen.until is not None and seen.after is not None and seen.until < now
        charge = seen.after if over else seen.charge
        if charge.matches(scopes):
            for resource, amount in charge.amounts.nanos().items():
                found[resource] = found.get(resource, 0) + amount
    return {r: amount for r, amount in found.items() if amount}
