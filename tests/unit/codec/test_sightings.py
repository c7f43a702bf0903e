"""Objects as the account of real objects keeps them."""

from datetime import UTC, datetime

import pytest

from quotatree.codec import sightings

CREATED = "2026-11-25T10:00:00Z"
SECONDS = datetime(2026, 11, 25, 10, tzinfo=UTC).timestamp()


def pod(**metadata):
    return {
        "metadata": {
            "name": "p",
            "namespace": "team",
            "uid": "u",
            "resourceVersion": "7",
            "creationTimestamp": CREATED,
            **metadata,
        },
        "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "100m"}}}]},
    }


def test_a_pod_is_cut_down_to_its_cost_and_its_times():
    seen = sightings.parse("pods", pod(), shift=-SECONDS)
    assert (seen.uid, seen.namespace, seen.resource_version) == ("u", "team", 7)
    assert seen.charge.amounts.mask(["pods", "cpu"]).to_strings() == {"pods": "1", "cpu": "100m"}
    assert (seen.created, seen.until, seen.after) == (0.5, None, None)


def test_a_pod_that_is_being_deleted_is_charged_until_its_grace_has_passed_once_more():
    """`deletionTimestamp` has the grace in it already; native quota adds it again."""
    leaving = pod(deletionTimestamp="2026-11-25T10:00:30Z", deletionGracePeriodSeconds=30)
    seen = sightings.parse("pods", leaving, shift=-SECONDS)
    assert seen.until == 60.0 + sightings.LINGERS
    assert seen.after is not None
    assert seen.after.amounts.to_strings() == {"count/pods": "1"}


@pytest.mark.parametrize("obj", [{}, {"metadata": []}, {"metadata": {"creationTimestamp": "?"}}])
def test_garbage_is_read_as_an_object_of_nobody(obj):
    seen = sightings.parse("services", obj, shift=0.0)
    assert (seen.uid, seen.namespace, seen.resource_version, seen.created) == ("", "", 0, 0.0)
