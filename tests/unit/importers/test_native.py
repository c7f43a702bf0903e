"""Whose a plain ResourceQuota is."""

import pytest

from quotatree.importers import native


@pytest.mark.parametrize(
    ("metadata", "want"),
    [
        pytest.param({"name": "quotatree"}, "quotatree", id="ours, its label lost"),
        pytest.param({"name": "own", "labels": {"quotatree.dev/managed": "true"}}, None, id="hand"),
        pytest.param(
            {"name": "q", "labels": {"hnc.x-k8s.io/inherited-from": "a"}}, "HNC", id="hnc"
        ),
        pytest.param({"name": "own"}, None, id="plain"),
    ],
)
def test_who_made_a_resource_quota_is_told_by_name_and_label(metadata, want):
    assert native.maker({"kind": "ResourceQuota", "metadata": metadata}) == want
