"""Managed ResourceQuotas: everything useful is read, and nothing malformed ever raises."""

import pytest

from quotatree.codec import managed
from quotatree.model.names import Namespace, QuotaName, Uid
from quotatree.model.observed import ManagedQuota
from quotatree.model.quota import FailurePolicy, Quota
from quotatree.model.scope import ScopeTerm
from quotatree.units.resources import EMPTY, Resources


def obj(*, annotations=None, labels=None, spec=None, status=None, **metadata):
    return {
        "metadata": {
            "namespace": "team",
            "name": "quotatree",
            "uid": "u1",
            "resourceVersion": "12",
            "annotations": annotations,
            "labels": labels,
            **metadata,
        },
        "spec": spec,
        "status": status,
    }


@pytest.mark.parametrize(
    ("metadata", "want"),
    [
        pytest.param({"name": "quotatree"}, True, id="without scopes"),
        pytest.param({"name": "quotatree.besteffort"}, True, id="scoped"),
        pytest.param({"name": "quotatree-own"}, False, id="only alike"),
        pytest.param(
            {"name": "own", "labels": {"quotatree.dev/managed": "true"}}, False, id="labelled"
        ),
        pytest.param({"name": 7}, False, id="garbage"),
        pytest.param(None, False, id="nothing"),
    ],
)
def test_the_name_says_whether_a_resource_quota_is_managed(metadata, want):
    assert managed.is_managed({"metadata": metadata}) is want


def test_all_that_the_ledger_needs_is_read():
    seen = managed.parse(
        obj(
            annotations={
                "slice.quotatree.dev/cpu": "3",
                "slice.quotatree.dev/requests.nvidia.com_gpu": "2",
                "quotatree.dev/epoch": "7",
                "quotatree.dev/ready": "true",
                "quotatree.dev/limited-by": "org: cpu",
            },
            labels={"quotatree.dev/managed": "true"},
            spec={"hard": {"cpu": "20"}, "scopes": ["BestEffort"]},
            status={"hard": {"cpu": "10"}, "used": {"cpu": "4500m"}},
            deletionTimestamp="2026-01-01T00:00:00Z",
        )
    )
    assert seen == ManagedQuota(
        namespace="team",
        name="quotatree",
        uid="u1",
        resource_version=12,
        scopes=(ScopeTerm(scope="BestEffort"),),
        spec_hard=Resources.parse({"cpu": "20"}),
        status_hard=Resources.parse({"cpu": "10"}),
        used=Resources.parse({"cpu": "4500m"}),
        slice=Resources.parse({"cpu": "3", "requests.nvidia.com/gpu": "2"}),
        epoch=7,
        ready=True,
        limited_by="org: cpu",
        terminating=True,
        labelled=True,
    )


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param({}, id="nothing at all"),
        pytest.param({"metadata": None, "spec": None, "status": None}, id="nulls"),
        pytest.param({"metadata": [], "spec": "x", "status": 3}, id="wrong types"),
        pytest.param(obj(annotations=["a"], labels="b"), id="annotations that are a list"),
        pytest.param(
            obj(spec={"hard": []}, status={"used": "x"}), id="lists of resources that are none"
        ),
        pytest.param(obj(resourceVersion="1e9"), id="a resourceVersion that is no number"),
        pytest.param(obj(resourceVersion="٣"), id="digits of another script"),
        pytest.param(
            obj(spec={"scopes": [None, 3], "scopeSelector": []}), id="scopes of wrong types"
        ),
        pytest.param(
            obj(spec={"scopeSelector": {"matchExpressions": ["x", {}]}}), id="a selector of texts"
        ),
    ],
)
def test_garbage_counts_as_absent(garbage):
    seen = managed.parse(garbage)
    assert (seen.spec_hard, seen.used, seen.slice, seen.epoch) == (EMPTY, EMPTY, EMPTY, None)
    assert seen.scopes == ()
    assert not seen.ready


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("many", "no quantity"),
        ("-1", "negative"),
        ("", "empty"),
        (None, "null"),
        (["1"], "a list"),
        ("1" * 2000, "endless"),
    ],
)
def test_a_planted_slice_that_is_no_amount_is_no_slice(value, why):
    seen = managed.parse(obj(annotations={"slice.quotatree.dev/cpu": value}))
    assert seen.slice == EMPTY, why


@pytest.mark.parametrize("value", ["-1", "1.0", "x", "", None, True, ["7"], "9" * 40, "７"])
def test_an_epoch_that_is_no_number_is_none(value):
    assert managed.parse(obj(annotations={"quotatree.dev/epoch": value})).epoch is None


def test_one_bad_amount_hides_no_other():
    seen = managed.parse(obj(status={"used": {"cpu": "1", "memory": "lots", "pods": None}}))
    assert seen.used == Resources.parse({"cpu": "1"})


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("cpu", "cpu"),
        ("requests.nvidia.com_gpu", "requests.nvidia.com/gpu"),
        ("count_a_b.example.com", "count/a_b.example.com"),
    ],
)
def test_slice_annotations_name_their_resource(written, name):
    assert managed.slice_resource(f"slice.quotatree.dev/{written}") == name


def test_a_slice_is_read_as_it_was_written():
    long = f"{'x' * 30}.storageclass.storage.k8s.io/requests.storage"
    wanted = Resources.parse({"cpu": "1500m", "requests.nvidia.com/gpu": "2", long: "9Gi"})
    written = managed.slice_to_annotations(wanted, ["pods", long])
    assert written == {
        "slice.quotatree.dev/cpu": "1500m",
        "slice.quotatree.dev/requests.nvidia.com_gpu": "2",
        "slice.quotatree.dev/pods": None,
    }
    kept = {key: value for key, value in written.items() if value is not None}
    assert managed.parse(obj(annotations=kept)).slice == wanted.without([long])


def test_what_is_remembered_is_read_as_it_was_asked_for():
    quota = Quota(
        namespace=Namespace("team"),
        name=QuotaName("limit"),
        uid=Uid("u"),
        created="2026-01-01T00:00:00Z",
        hard=Resources.parse({"cpu": "1500m", "memory": "1Gi", "count/pods": "3"}),
        guaranteed=Resources.parse({"cpu": "1"}),
        scopes=(ScopeTerm(scope="BestEffort"),),
        failure_policy=FailurePolicy.IGNORE,
    )
    text = managed.limits_to_text([quota])
    seen = managed.parse(obj(annotations={"quotatree.dev/limits": text}))
    assert seen.limits == (quota,)


@pytest.mark.parametrize(
    ("label", "want"),
    [
        pytest.param("Ignore", FailurePolicy.IGNORE, id="what the webhook's selector asks for"),
        pytest.param("ignore", FailurePolicy.FAIL, id="another spelling"),
        pytest.param(["Ignore"], FailurePolicy.FAIL, id="no text"),
        pytest.param(None, FailurePolicy.FAIL, id="none"),
    ],
)
def test_the_failure_policy_is_read_as_the_webhook_configuration_reads_it(label, want):
    seen = managed.parse(obj(labels={"quotatree.dev/failure-policy": label}))
    assert seen.failure_policy is want


def test_nothing_to_remember_is_no_annotation():
    assert managed.limits_to_text([]) is None
