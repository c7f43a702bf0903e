"""Pods that are alike cost the same: what is left out of a pod never changes its charge."""

import copy
import random

import orjson
from hypothesis import given
from hypothesis import strategies as st
from tests.cluster.harness import podgen

from quotatree.codec import alike, pods

resources = st.dictionaries(
    st.sampled_from(["requests", "limits"]),
    st.dictionaries(st.sampled_from(["cpu", "memory"]), st.sampled_from(["0", "1", "300m", "x"])),
)
states = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["c0", "c1", "i0"]), "ready": st.booleans()},
        optional={"resources": resources, "allocatedResources": st.just({"cpu": "700m"})},
    ),
    max_size=3,
)
statuses = st.fixed_dictionaries(
    {},
    optional={
        "phase": st.sampled_from(["Pending", "Running", "Succeeded", "Failed"]),
        "qosClass": st.sampled_from(["BestEffort", "Burstable", ""]),
        "podIP": st.just("10.0.0.1"),
        "containerStatuses": states,
        "initContainerStatuses": states,
        "conditions": st.lists(
            st.fixed_dictionaries(
                {
                    "type": st.sampled_from(["Ready", "PodResizePending"]),
                    "reason": st.sampled_from(["Infeasible", "Deferred"]),
                }
            ),
            max_size=2,
        ),
    },
)
shapes = st.integers(0, 10**6).map(lambda seed: podgen.pod(random.Random(seed), "p"))
junk = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3) | st.lists(st.none())


@st.composite
def stored(draw):
    """A pod of any shape as it is stored, sometimes with something absurd in one place."""
    obj = copy.deepcopy(draw(shapes)) | {"status": draw(statuses)}
    current = obj
    while draw(st.booleans()):
        keys = list(current) if isinstance(current, dict) else list(range(len(current)))
        if not keys:
            break
        key = draw(st.sampled_from(keys))
        if not isinstance(current[key], dict | list):
            current[key] = draw(junk)
            break
        current = current[key]
    return orjson.loads(orjson.dumps(obj))


@given(stored())
def test_the_charge_of_a_pod_is_that_of_what_is_looked_at(obj):
    want = pods.charge(obj)
    assert alike.charge(obj) == want
    assert pods.charge(alike.essence(obj)) == want


@given(stored(), stored())
def test_pods_that_are_not_alike_are_not_taken_for_one_another(one, other):
    alike.charge(one)
    assert alike.charge(other) == pods.charge(other)
