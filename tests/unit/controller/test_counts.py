"""What the controller's writes and watches come to in metrics."""

from dataclasses import replace
from typing import get_args

import pytest
from prometheus_client import parser

from quotatree.cluster import paths
from quotatree.controller import counts
from quotatree.controller.lag import Lag
from quotatree.engine.tally import Tally
from quotatree.errors import ClusterError
from quotatree.metrics import Metrics
from quotatree.model import effect
from quotatree.model.effect import PatchManagedStatus, WriteSlice
from quotatree.testing import words
from quotatree.units.resources import Resources


def read(counted):
    """Return what is not zero: name and the values of its labels → value."""
    text = counted.text(Tally(), leads=True, loaded=True).decode()
    return {
        (sample.name.removeprefix("quotatree_"), *sample.labels.values()): sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
        if sample.value and not sample.name.endswith("_created")
    }


def test_every_effect_has_a_name_of_its_own():
    assert set(counts.NAMES) == set(get_args(effect.Effect))
    assert len(set(counts.NAMES.values())) == len(counts.NAMES)


@pytest.mark.parametrize(
    ("status", "want"),
    [(409, "conflict"), (404, "gone"), (403, "refused"), (500, "failed"), (0, "failed")],
)
def test_a_write_that_failed_is_counted_by_why(status, want):
    counted = Metrics()
    counts.failed(counted, effect.GateKinds(resources=()), ClusterError("no", status=status))
    assert read(counted)["writes_total", "gate", want] == 1


SLICES = {
    "the first": ("", "pods 4", {"leased"}),
    "a larger one": ("pods 2", "pods 4", {"leased"}),
    "a smaller one": ("pods 4", "pods 2", {"revoked"}),
    "none any more": ("pods 4", "", {"revoked"}),
    "more of one, less of another": ("pods 4, cpu 1", "pods 2, cpu 2", {"leased", "revoked"}),
}


def amounts(text):
    pairs = (part.split() for part in text.split(",") if part)
    return Resources.parse(dict(pairs))


@pytest.mark.parametrize(("before", "after", "want"), SLICES.values(), ids=SLICES)
def test_slices_are_counted_by_which_way_they_go(before, after, want):
    counted = Metrics()
    (known,) = words.world("org: pods 9").managed["org"].values()
    had = replace(known, slice=amounts(before))
    what = WriteSlice(namespace="org", quota="quotatree", resource_version=1, slice=amounts(after))
    counts.done(counted, what, had)
    found = {key[0] for key in read(counted) if key[0].startswith("slices_")}
    assert found == {f"slices_{way}_total" for way in want}


@pytest.mark.parametrize(
    ("used", "known", "want"),
    [
        ("", "pods 2", 0),
        ("pods 1", "pods 2", 1),
        ("pods 2", "pods 2", 0),
        ("pods 0", "", 0),  # the first figures of a newborn namespace
    ],
)
def test_usage_that_is_written_down_is_drift(used, known, want):
    counted = Metrics()
    (quota,) = words.world("org: pods 9").managed["org"].values()
    what = PatchManagedStatus(
        namespace="org", quota="quotatree", resource_version=1, used=amounts(used)
    )
    counts.done(counted, what, replace(quota, used=amounts(known)))
    assert read(counted).get(("drift_total", "high"), 0) == want


# -- the lag of a watch -----------------------------------------------------------------------


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


STATUS = PatchManagedStatus(namespace="a", quota="quotatree", resource_version=1)


def wrote(lag, version):
    lag.wrote(STATUS, {"metadata": {"resourceVersion": str(version)}})


def test_the_lag_is_from_the_answer_to_the_event():
    counted, clock = Metrics(), Clock()
    lag = Lag(counted, clock)
    wrote(lag, 10)
    clock.now = 0.5
    lag.saw(paths.RESOURCE_QUOTAS, 9)
    lag.tell()
    assert read(counted)["watch_behind_seconds", "resourcequotas"] == 0.5
    clock.now = 2.0
    lag.saw(paths.RESOURCE_QUOTAS, 10)
    lag.tell()
    found = read(counted)
    assert found["watch_lag_seconds_sum", "resourcequotas"] == 2.0
    assert ("watch_behind_seconds", "resourcequotas") not in found


def test_an_event_ahead_of_the_answer_is_no_lag():
    counted = Metrics()
    lag = Lag(counted, Clock())
    lag.saw(paths.RESOURCE_QUOTAS, 10)
    wrote(lag, 10)
    found = read(counted)
    assert found["watch_lag_seconds_count", "resourcequotas"] == 1
    assert ("watch_lag_seconds_sum", "resourcequotas") not in found


def test_what_is_not_watched_is_not_waited_for():
    counted, clock = Metrics(), Clock()
    lag = Lag(counted, clock)
    lag.wrote(effect.GateKinds(resources=()), {"metadata": {"resourceVersion": "5"}})
    lag.wrote(STATUS, {})
    clock.now = 9.0
    lag.tell()
    assert not [key for key in read(counted) if key[0].startswith("watch_")]
