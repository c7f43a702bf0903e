"""A replay is what a slow recount from scratch makes of it, and what reviews would be answered."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.properties.recount import Job, Node, Recount

from quotatree.codec import treefile
from quotatree.engine import admit, explain
from quotatree.engine.ledger import Ledger
from quotatree.engine.world import World
from quotatree.model.observed import ManagedQuota, ObservedNamespace
from quotatree.model.quota import Quota
from quotatree.model.review import UsageReview
from quotatree.model.scope import UNSCOPED
from quotatree.model.treefile import TreeFile, TreeNode
from quotatree.model.verdict import Admit, Deny
from quotatree.simulate import reading
from quotatree.simulate.replay import replay
from quotatree.simulate.results import Outcome, Policy
from quotatree.simulate.trace import Ask, Trace, Workload
from quotatree.units.quantity import NANO
from quotatree.units.resources import Resources

EXAMPLE = Path(__file__).parents[2] / "examples" / "ai-pipeline"
NAMES = ("root", "a", "b", "a1", "a2", "b1", "other")
PARENTS = {"a": "root", "b": "root", "a1": "a", "a2": "a", "b1": "b"}
RESOURCES = ("cpu", "memory")

amounts = st.dictionaries(st.sampled_from(RESOURCES), st.integers(1, 6))
ceilings = st.dictionaries(st.sampled_from(RESOURCES), st.integers(2, 12))


@st.composite
def trees(draw):
    return [
        Node(name, PARENTS.get(name), draw(ceilings), draw(amounts | st.just({}))) for name in NAMES
    ]


jobs = st.builds(
    Job,
    namespace=st.sampled_from(NAMES),
    arrival=st.integers(0, 12),
    duration=st.integers(0, 9) | st.none(),
    asks=amounts,
    priority=st.integers(0, 2),
)
# With 997 µs for each step an interval is many steps of the clock long.
traces = st.builds(
    lambda found, step: [stretched(job, step) for job in found],
    st.lists(jobs, min_size=1, max_size=14),
    st.sampled_from([1, 997]),
)
policies = st.sampled_from(Policy)


def stretched(job, step):
    duration = None if job.duration is None else job.duration * step
    return replace(job, arrival=job.arrival * step, duration=duration)


def tree_file(nodes):
    return TreeFile(
        nodes=tuple(TreeNode(namespace=n.name, parent=n.parent, quotas=(quota(n),)) for n in nodes)
    )


def quota(node):
    hard, guaranteed = in_nano(node.hard), in_nano(node.guaranteed)
    return Quota(
        namespace=node.name,
        name="quota",
        hard=Resources.from_nano(hard),
        guaranteed=Resources.from_nano(guaranteed),
    )


def in_nano(amounts):
    return {resource: amount * NANO for resource, amount in amounts.items()}


def trace_of(found):
    workloads = (
        Workload(
            str(n), j.namespace, j.arrival, j.duration, Ask(amounts=in_nano(j.asks)), j.priority
        )
        for n, j in enumerate(found)
    )
    return Trace(source="trace", workloads=tuple(workloads))


def fates(run):
    found = {}
    for index in range(len(run.trace.workloads)):
        outcome = run.fates.outcome(index)
        admitted = outcome is Outcome.ADMITTED
        found[index] = run.fates.admitted[index] if admitted else outcome.value
    return found


@given(nodes=trees(), found=traces, policy=policies)
def test_every_fate_is_that_of_a_recount_from_scratch(nodes, found, policy):
    run = replay(trace_of(found), tree_file(nodes), name="tree", policy=policy)
    recount = Recount(nodes, found, policy=policy.value).run()
    assert fates(run) == recount.began | recount.ended


@given(nodes=trees(), found=traces, policy=policies)
def test_every_figure_is_that_of_a_recount_from_scratch(nodes, found, policy):
    run = replay(trace_of(found), tree_file(nodes), name="tree", policy=policy)
    recount = Recount(nodes, found, policy=policy.value).run()
    for line in run.lines:
        kept = recount.kept[line.namespace].get(line.resource, 0)
        assert line.guaranteed == kept * NANO
        same(run.curves[line.used], recount.figures(used(line)))
        if line.charged is not None:
            same(run.curves[line.charged], recount.figures(charged(line)))
        if line.borrowed is not None:
            same(run.curves[line.borrowed], recount.figures(beyond(line, kept)))
    same(run.counted("waiting"), recount.figures(lambda moment: moment.waiting))


def used(line):
    return lambda moment: moment.used[line.namespace][line.resource]


def charged(line):
    return lambda moment: moment.charged[line.namespace][line.resource]


def beyond(line, kept):
    return lambda moment: max(0, used(line)(moment) - kept)


def same(curve, expected):
    mean, peak = expected
    assert curve.peak == peak * NANO
    assert curve.mean == pytest.approx(mean * NANO, abs=1)


@given(nodes=trees(), found=traces)
def test_where_nothing_is_recorded_as_charged_it_is_what_is_used(nodes, found):
    run = replay(trace_of(found), tree_file(nodes), name="tree")
    recount = Recount(nodes, found, policy="refuse").run()
    for line in (ln for ln in run.lines if ln.charged is None):
        same(run.curves[line.used], recount.figures(charged(line)))


@given(nodes=trees(), found=traces, policy=policies)
def test_two_runs_are_identical(nodes, found, policy):
    first, again = (
        replay(trace_of(found), tree_file(nodes), name="tree", policy=policy) for _ in range(2)
    )
    assert fates(first) == fates(again)
    assert first.lines == again.lines
    assert first.curves == again.curves


@given(nodes=trees(), found=traces)
def test_refusing_answers_what_reviews_are_answered(nodes, found):
    """One request after the other goes to `admit.decide`, as the webhook's desk does it."""
    run = replay(trace_of(found), tree_file(nodes), name="tree")
    reviewer = Reviewer(nodes)
    for index in sorted(range(len(found)), key=lambda i: (found[i].arrival, i)):
        job = found[index]
        reviewer.leave_until(job.arrival)
        verdict = reviewer.ask(job)
        if isinstance(verdict, Admit):
            assert run.fates.outcome(index) is Outcome.ADMITTED
            reviewer.commit(job)
        else:
            assert isinstance(verdict, Deny)
            limit = explain.nearest(verdict.limits)[0]
            assert run.fates.obstacle(index) == (UNSCOPED, limit.ancestor, limit.resource)


class Reviewer:
    """A world in which the usage of every namespace is committed as the API server does it."""

    def __init__(self, nodes):
        self.world = World(Ledger(epoch=1))
        self.version = 1
        self.used = {node.name: dict.fromkeys((*RESOURCES, "pods"), 0) for node in nodes}
        self.running = []
        for node in nodes:
            self.world.see_namespace(
                ObservedNamespace(
                    name=node.name, uid=node.name, resource_version=1, parent=node.parent
                )
            )
        for node in nodes:
            self.world.see_quota(quota(node))
        self.world.limits.settle()
        for node in nodes:
            self.world.see_managed(self.measured(node.name))

    def measured(self, name):
        self.version += 1
        return ManagedQuota(
            namespace=name,
            name="quotatree",
            uid=name,
            resource_version=self.version,
            used=Resources.from_nano(self.used[name]),
            epoch=1,
            ready=True,
        )

    def ask(self, job):
        self.before = self.measured(job.namespace)
        self.world.see_managed(self.before)
        self.grow(job, 1)
        self.after = self.measured(job.namespace)
        new = replace(self.after, resource_version=self.before.resource_version)
        review = UsageReview(uid="review", old=self.before, new=new, dry_run=False)
        verdict = admit.decide(self.world.ledger, review, now=0.0, arrived=0.0)
        self.grow(job, -1)
        return verdict

    def commit(self, job):
        self.grow(job, 1)
        self.world.see_managed(self.after)
        if job.duration is not None:
            self.running.append((job.arrival + job.duration, job))

    def leave_until(self, moment):
        for end, job in [pair for pair in self.running if pair[0] <= moment]:
            self.running.remove((end, job))
            self.grow(job, -1)
            self.world.see_managed(self.measured(job.namespace))

    def grow(self, job, sign):
        for resource, amount in in_nano({"pods": 1, **job.asks}).items():
            self.used[job.namespace][resource] += sign * amount


# -- the trace of the example -----------------------------------------------------------------


@pytest.mark.parametrize("policy", list(Policy))
def test_the_recount_agrees_on_the_trace_of_the_example(policy):
    """Real shapes of pods, in a tree tight enough that every level has to refuse."""
    found = treefile.parse((EXAMPLE / "quotatree.yaml").read_bytes())
    assert isinstance(found, TreeFile)
    nodes = [tight(node) for node in found.nodes]
    leaves = [n.name for n in nodes if n.name not in {m.parent for m in nodes}]
    names = [n.name for n in nodes]
    trace = reading.read(EXAMPLE / "trace.csv", known=names, leaves=leaves)
    picked = Trace(source=trace.source, workloads=trace.workloads[-150:])
    jobs = [as_job(workload) for workload in picked.workloads]
    run = replay(picked, tree_file_in_nano(nodes), name="tree", policy=policy)
    recount = Recount(nodes, jobs, policy=policy.value).run()
    assert fates(run) == recount.began | recount.ended
    levels = {run.depths[obstacle[1]] for obstacle in run.fates.obstacles}
    assert levels == {0, 1, 2}


SHARE = {"cpu": 20, "memory": 24, "requests.nvidia.com/gpu": 40}


def tight(node):
    (own,) = [q for q in node.quotas if not q.scopes] or [None]
    if own is None:
        return Node(node.namespace, node.parent)
    share = 2 if node.parent is None else 1
    hard = {r: a // SHARE[r] // share for r, a in own.hard.nanos().items() if r in SHARE}
    kept = {r: a // SHARE[r] for r, a in own.guaranteed.nanos().items()}
    return Node(node.namespace, node.parent, hard, kept)


def tree_file_in_nano(nodes):
    def plain(node):
        return Quota(
            namespace=node.name,
            name="quota",
            hard=Resources.from_nano(node.hard),
            guaranteed=Resources.from_nano(node.guaranteed),
        )

    return TreeFile(
        nodes=tuple(TreeNode(namespace=n.name, parent=n.parent, quotas=(plain(n),)) for n in nodes)
    )


def as_job(workload):
    amounts = dict(workload.ask.amounts)
    return Job(workload.namespace, workload.arrival, workload.duration, amounts, workload.priority)
