"""What should be written and counted, held against what was seen."""

from dataclasses import replace

import pytest

from quotatree.cli.doctor import standing
from quotatree.cli.doctor.standing import Look
from quotatree.codec import charges
from quotatree.engine.survey import Observed
from quotatree.model.quota import FailurePolicy
from quotatree.model.scope import ScopeTerm
from quotatree.testing.fake import FakeCluster
from quotatree.testing.words import world
from quotatree.units.resource_names import DEVICE_CLAIMS
from quotatree.units.resources import Resources

TREE = "org: pods 9 > team: cpu 5, services 3 > alice; org > bob"


def seen(text=TREE):
    """What a cluster shows once its controller has nothing left to do."""
    cluster = FakeCluster(world(text))
    cluster.settle()
    found = cluster.world
    return Observed(
        namespaces=tuple(found.namespaces.values()),
        quotas=tuple(found.limits.all()),
        managed=tuple(q for quotas in found.managed.values() for q in quotas.values()),
    )


def look(observed, objects=(), counted=("pods", "services")):
    """A look at `observed` where (namespace, resource, object) are all objects there."""
    costs = {}
    for namespace, resource, obj in objects:
        costs.setdefault(namespace, []).append(charges.of_resource(resource, obj))
    return Look(
        seen=observed,
        world=standing.world(observed),
        charges={name: tuple(found) for name, found in costs.items()},
        counted=frozenset(counted),
    )


def changed(observed, namespace, **what):
    managed = tuple(replace(q, **what) if q.namespace == namespace else q for q in observed.managed)
    return replace(observed, managed=managed)


def without(amounts, name):
    return amounts.without([name])


def test_a_cluster_that_its_controller_has_finished_with_shows_no_difference():
    assert standing.differences(look(seen())) == frozenset()


def quota_of(observed, namespace):
    return next(q for q in observed.managed if q.namespace == namespace)


@pytest.mark.parametrize(
    ("change", "code", "want"),
    [
        pytest.param(
            lambda o: changed(o, "team", spec_hard=without(quota_of(o, "team").spec_hard, "cpu")),
            "quota-differs",
            "spec.hard lacks cpu",
            id="a name is gone",
        ),
        pytest.param(
            lambda o: changed(
                o, "team", spec_hard=quota_of(o, "team").spec_hard + Resources.parse({"memory": 1})
            ),
            "quota-differs",
            "spec.hard has memory that nothing limits",
            id="a name too many",
        ),
        pytest.param(
            lambda o: changed(
                o, "team", spec_hard=quota_of(o, "team").spec_hard - Resources.parse({"pods": 1})
            ),
            "quota-differs",
            "instead of",
            id="another ceiling",
        ),
        pytest.param(
            lambda o: changed(
                o, "team", status_hard=quota_of(o, "team").spec_hard - Resources.parse({"pods": 1})
            ),
            "quota-differs",
            "status.hard has pods=",
            id="another ceiling in the status",
        ),
        pytest.param(
            lambda o: changed(o, "team", labelled=False), "quota-differs", "label", id="no label"
        ),
        pytest.param(
            lambda o: changed(o, "team", failure_policy=FailurePolicy.IGNORE),
            "quota-differs",
            "judged by failurePolicy Ignore, its TreeQuotas say Fail",
            id="another failure policy",
        ),
        pytest.param(
            lambda o: changed(o, "team", epoch=0), "quota-differs", "its epoch is 0", id="no fence"
        ),
        pytest.param(
            lambda o: changed(o, "team", limits=()),
            "quota-differs",
            "quotatree.dev/limits is not what its TreeQuotas say",
            id="it has forgotten its limits",
        ),
        pytest.param(
            lambda o: changed(o, "team", ready=False),
            "quota-differs",
            "not marked ready",
            id="gate",
        ),
        pytest.param(
            lambda o: changed(o, "team", used=Resources()),
            "quota-differs",
            "has not measured cpu, pods, services yet",
            id="not measured",
        ),
        pytest.param(
            lambda o: changed(o, "team", scopes=(ScopeTerm(scope="BestEffort"),)),
            "quota-differs",
            "its name or its scopes are others",
            id="an impostor",
        ),
        pytest.param(
            lambda o: replace(o, managed=tuple(q for q in o.managed if q.namespace != "team")),
            "quota-missing",
            "it is not there",
            id="deleted",
        ),
        pytest.param(
            lambda o: replace(
                o,
                namespaces=tuple(
                    replace(n, labels={}) if n.name == "team" else n for n in o.namespaces
                ),
            ),
            "namespace-differs",
            "org.tree.quotatree.dev/depth",
            id="tree labels are gone",
        ),
    ],
)
def test_each_difference_is_named_with_its_object(change, code, want):
    items = standing.differences(look(change(seen())))
    assert {item.namespace for item in items} == {"team"}
    assert any(item.code == code and want in item.message for item in items), items


def test_a_namespace_that_is_going_is_left_alone():
    observed = seen()
    going = tuple(replace(n, terminating=n.name == "alice") for n in observed.namespaces)
    left = tuple(q for q in observed.managed if q.namespace != "alice")
    items = standing.differences(look(replace(observed, namespaces=going, managed=left)))
    assert "alice" not in {item.namespace for item in items}


# -- what is counted ------------------------------------------------------------------------

POD = {"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "500m"}}}]}}
DEAD = POD | {"status": {"phase": "Succeeded"}}
SERVICE = {"spec": {"type": "ClusterIP"}}
OBJECTS = (
    ("team", "pods", POD),
    ("team", "pods", POD),
    ("team", "pods", DEAD),
    ("team", "services", SERVICE),
    ("bob", "pods", POD),
)


def counted(observed, **used):
    """The same, with this usage in `team` and the right one in `bob`."""
    amounts = quota_of(observed, "team").used.nanos() | Resources.parse(used).nanos()
    observed = changed(observed, "team", used=Resources.from_nano(dict(amounts)))
    one = quota_of(observed, "bob").used.nanos() | Resources.parse({"pods": 1}).nanos()
    return changed(observed, "bob", used=Resources.from_nano(dict(one)))


def test_usage_that_is_what_the_objects_cost_is_no_drift():
    right = counted(seen(), pods=2, cpu=1, services=1)
    assert standing.drifts(look(right, OBJECTS)) == {}


@pytest.mark.parametrize(
    ("used", "want"),
    [
        pytest.param({"pods": 7}, [("pods", "7", "2")], id="too much"),
        pytest.param({"cpu": 0}, [("cpu", "0", "1")], id="too little"),
        pytest.param(
            {"pods": 0, "services": 5},
            [("pods", "0", "2"), ("services", "5", "1")],
            id="several resources",
        ),
    ],
)
def test_drift_is_named_with_both_numbers(used, want):
    wrong = counted(seen(), **({"pods": 2, "cpu": 1, "services": 1} | used))
    found = standing.lasting(look(wrong, OBJECTS), look(wrong, OBJECTS))
    assert [(d.resource, d.used, d.recount) for d in found] == want
    assert {d.namespace for d in found} == {"team"}


def test_what_was_not_listed_is_not_judged():
    wrong = counted(seen(), pods=2, cpu=1, services=5)
    assert standing.drifts(look(wrong, OBJECTS, counted=["pods"])) == {}


def test_drift_that_is_gone_or_another_at_the_second_look_was_on_its_way():
    first = look(counted(seen(), pods=7, cpu=1, services=1), OBJECTS)
    for pods in (2, 6):
        second = look(counted(seen(), pods=pods, cpu=1, services=1), OBJECTS)
        assert standing.lasting(first, second) == ()


GPU = "requests.nvidia.com/gpu"


@pytest.mark.parametrize(
    ("counted", "want"),
    [
        pytest.param([], [], id="nothing listed"),
        pytest.param(["pods"], [], id="no claims listed"),
        pytest.param(["pods", DEVICE_CLAIMS], [GPU], id="pods and claims listed"),
    ],
)
def test_an_extended_resource_is_judged_where_pods_and_claims_were_listed(counted, want):
    observed = seen(f"org: {GPU} 9 > team")
    used = quota_of(observed, "team").used + Resources.parse({GPU: 1})
    wrong = changed(observed, "team", used=used)
    found = standing.drifts(look(wrong, counted=counted))
    assert [d.resource for d in found.values()] == want
