"""An independent, slow replay: sums from scratch for every question, queues that are plain lists.

It knows the tree as plain numbers, and nothing of the ledger, the forest or the index of queues.
"""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Node:
    """`hard` and `guaranteed` by resource, in whole units."""

    name: str
    parent: str | None = None
    hard: dict[str, int] = field(default_factory=dict)
    guaranteed: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    namespace: str
    arrival: int
    duration: int | None
    asks: dict[str, int]
    priority: int = 0


@dataclass(frozen=True)
class Moment:
    """What every namespace uses and is charged, and how many wait, from `at` on."""

    at: int
    used: dict
    charged: dict
    waiting: int


class Recount:
    """One replay: `began` says when a job was admitted, `ended` what became of the others.

    `history` is what stood after each step.
    """

    def __init__(self, nodes, jobs, *, policy):
        self.nodes = {node.name: node for node in nodes}
        self.jobs = jobs
        self.policy = policy
        self.resources = sorted({r for n in nodes for r in (*n.hard, *n.guaranteed)})
        self.running = {}  # job → when it goes, None for never
        self.queue = []
        self.began = {}
        self.ended = {}
        self.history = []
        self.kept = {name: {} for name in self.nodes}
        for node in nodes:
            self.kept[node.name] = node.guaranteed
            if self.over([]):
                self.kept[node.name] = {}

    # -- sums from scratch ------------------------------------------------------------------

    def used(self, name, jobs):
        total = self.held(name, jobs)
        for child in self.children(name):
            total += self.used(child, jobs)
        return total

    def charge(self, name, jobs):
        total = self.held(name, jobs)
        for child in self.children(name):
            total += self.charge(child, jobs)
        return total | Counter(self.kept[name])  # | is the greater of the two

    def held(self, name, jobs):
        total = Counter()
        for job in jobs:
            if self.jobs[job].namespace == name:
                total += Counter(self.jobs[job].asks)
        return total

    def children(self, name):
        return [node.name for node in self.nodes.values() if node.parent == name]

    def over(self, jobs):
        """Return every level and resource above its limit."""
        return [
            (name, resource)
            for name, node in self.nodes.items()
            if node.hard
            for charged in [self.charge(name, jobs)]
            for resource, most in node.hard.items()
            if charged[resource] > most
        ]

    # -- what happens -----------------------------------------------------------------------

    def run(self):
        for job in sorted(
            range(len(self.jobs)), key=lambda j: (self.jobs[j].arrival, self.order(j))
        ):
            self.leave_until(self.jobs[job].arrival)
            self.arrive(job, self.jobs[job].arrival)
            self.note(self.jobs[job].arrival)
        self.leave_until(None)
        self.ended |= dict.fromkeys(self.queue, "still waiting")
        return self

    def order(self, job):
        rank = -self.jobs[job].priority if self.policy == "priority" else 0
        return (rank, self.jobs[job].arrival, job)

    def leave_until(self, moment):
        while ends := [e for e in self.running.values() if e is not None]:
            now = min(ends)
            if moment is not None and now > moment:
                return
            self.running = {job: end for job, end in self.running.items() if end != now}
            while (job := self.first_that_fits()) is not None:
                self.queue.remove(job)
                self.admit(job, now)
            self.note(now)

    def first_that_fits(self):
        heads = {}
        for job in sorted(self.queue, key=self.order):
            heads.setdefault(self.jobs[job].namespace, job)
        return next((job for job in heads.values() if not self.over([*self.running, job])), None)

    def arrive(self, job, now):
        namespace = self.jobs[job].namespace
        before = [j for j in self.queue if self.jobs[j].namespace == namespace]
        behind = any(self.order(j) < self.order(job) for j in before)
        if not behind and not self.over([*self.running, job]):
            self.admit(job, now)
        elif self.policy == "refuse":
            self.ended[job] = "refused"
        elif self.over([job]):
            self.ended[job] = "never fits"
        else:
            self.queue.append(job)

    def admit(self, job, now):
        self.began[job] = now
        duration = self.jobs[job].duration
        self.running[job] = None if duration is None else now + duration

    def note(self, now):
        used = {name: self.used(name, self.running) for name in self.nodes}
        charged = {name: self.charge(name, self.running) for name in self.nodes}
        self.history.append(Moment(now, used, charged, len(self.queue)))

    # -- figures ----------------------------------------------------------------------------

    def figures(self, value):
        """Return the mean over time and the peak of `value(moment)`."""
        start = min(job.arrival for job in self.jobs)
        end = max(self.history[-1].at, start + 1)
        ends = [moment.at for moment in self.history[1:]] + [end]
        pairs = zip(self.history, ends, strict=True)
        area = sum(value(moment) * (until - moment.at) for moment, until in pairs)
        return area / (end - start), max(map(value, self.history))
