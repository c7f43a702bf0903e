"""Laws of workloads: what is said to run at once is never too little, whoever chooses."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from quotatree.codec.order import stages
from quotatree.model.charge import Charge
from quotatree.model.workload import Part, Workload
from quotatree.units.resources import Resources

NAMES = "abcdef"
SIZES = st.integers(0, 5)


@st.composite
def graphs(draw):
    """Tasks with what they wait for; a task only waits for earlier ones, so there is no cycle."""
    number = draw(st.integers(1, len(NAMES)))
    return {
        NAMES[i]: set(draw(st.lists(st.sampled_from(NAMES[:i]), max_size=i))) if i else set()
        for i in range(number)
    }


def ahead(graph, task):
    found = set(graph[task])
    for name in graph[task]:
        found |= ahead(graph, name)
    return found


def side_by_side(graph):
    """Every set of tasks of which none waits for another."""
    for size in range(1, len(graph) + 1):
        for chosen in combinations(graph, size):
            if all(a not in ahead(graph, b) for a in chosen for b in chosen):
                yield chosen


@given(graphs())
def test_everything_in_a_stage_is_over_before_the_next_begins(graph):
    found = stages(graph)
    assert sorted(name for stage in found for name in stage) == sorted(graph)
    for first, later in combinations(found, 2):
        assert all(a in ahead(graph, b) for a in first for b in later)


@given(graphs(), st.lists(SIZES, min_size=6, max_size=6), st.integers(1, 4))
def test_no_choice_of_what_runs_at_once_costs_more(graph, sizes, most):
    size = dict(zip(NAMES, sizes, strict=True))
    parts = tuple(
        part(size[name], phase=phase)
        for phase, stage in enumerate(stages(graph), start=1)
        for name in stage
    )
    free = Workload(kind="Workflow", name="w", parts=parts)
    bound = Workload(kind="Workflow", name="w", parts=parts, at_most=most)
    for chosen in side_by_side(graph):
        runs = sum(size[name] for name in chosen)
        assert cost(free) >= runs
        if len(chosen) <= most:
            assert cost(bound) >= runs
    assert cost(bound) <= cost(free)


def part(size, *, phase):
    charge = Charge(resource="pods", amounts=Resources.parse({"cpu": str(size), "pods": "1"}))
    return Part(role="", charge=charge, phase=phase)


def cost(workload):
    return workload.cost((), ["cpu"]).nano("cpu") // 10**9
