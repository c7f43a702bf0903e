"""Usage counted from objects: which kinds can be listed, and what they cost in which account."""

from __future__ import annotations

from typing import Any

from quotatree.cluster import recount
from quotatree.engine import survey, whatif
from quotatree.engine.survey import Observed
from quotatree.model.names import Namespace, ResourceName
from quotatree.model.scope import UNSCOPED, ScopeTerm
from quotatree.testing import words
from quotatree.units.quantity import NANO

A, B = Namespace("a"), Namespace("b")
BEST_EFFORT = (ScopeTerm(scope="BestEffort"),)


def names(*found: str) -> tuple[ResourceName, ...]:
    return tuple(map(ResourceName, found))


def pod(namespace: str, cpu: str = "") -> dict[str, Any]:
    requests = {"requests": {"cpu": cpu}} if cpu else {}
    container = {"name": "c", "resources": requests}
    return {"metadata": {"namespace": namespace, "name": "p"}, "spec": {"containers": [container]}}


def test_names_of_one_kind_are_counted_in_one_list() -> None:
    found = recount.wanted(
        {
            (A, UNSCOPED): names("cpu", "pods", "requests.storage", "count/jobs.batch"),
            (B, UNSCOPED): names("requests.nvidia.com/gpu", "count/widgets.example.com"),
        }
    )
    assert {(what.resource, *what.namespaces) for what in found} == {
        ("jobs.batch", "a"),
        ("persistentvolumeclaims", "a"),
        ("pods", "a", "b"),
        ("resourceclaims.resource.k8s.io", "b"),
    }


def test_kinds_are_listed_where_the_api_server_has_them() -> None:
    unmeasured = {(A, UNSCOPED): names("count/jobs.batch", "secrets")}
    paths = [what.kind.path("a") for what in recount.wanted(unmeasured)]
    assert paths == ["/apis/batch/v1/namespaces/a/jobs", "/api/v1/namespaces/a/secrets"]


def test_objects_cost_what_native_quota_charges_in_each_account_that_counts_them() -> None:
    unmeasured = {
        (A, UNSCOPED): names("cpu", "pods"),
        (A, BEST_EFFORT): names("pods"),
        (B, UNSCOPED): names("pods"),
    }
    (what,) = recount.wanted(unmeasured)
    tally = recount.Tally(what)
    for page in ([pod("a", "1500m")], [], [pod("a"), pod("elsewhere", "9")]):
        tally.add(page, None)
    assert tally.sums == {
        (A, UNSCOPED): {"cpu": 1_500_000_000, "pods": 2 * NANO},
        (A, BEST_EFFORT): {"pods": NANO},
        (B, UNSCOPED): {"pods": 0},
    }


def test_figures_from_objects_fill_the_gaps_and_replace_nothing() -> None:
    world = words.world("org: cpu 9 > a: holds cpu 2")
    seen = Observed(
        namespaces=tuple(world.namespaces.values()),
        quotas=tuple(world.limits.all()),
        managed=tuple(m for found in world.managed.values() for m in found.values()),
    )
    more = whatif.measured(
        seen, {(A, UNSCOPED): {"cpu": 7 * NANO, "pods": 3 * NANO}, (A, BEST_EFFORT): {"pods": NANO}}
    )
    (node,) = (n for n in survey.survey(more).nodes if n.namespace == "a")
    assert str(node.figures.used) == "cpu=2,pods=3"
    assert [str(item.figures.used) for item in node.scoped] == ["pods=1"]
