"""A managed ResourceQuota is emptied before it goes, and only the one that was meant."""

import pytest

from quotatree.cluster import letting_go
from quotatree.errors import ClusterError
from quotatree.manifests.lookout import SEES
from quotatree.model.effect import DeleteManaged
from quotatree.model.names import Namespace, QuotaName, Uid

WHAT = DeleteManaged(namespace=Namespace("a"), quota=QuotaName("quotatree"), uid=Uid("u1"))


def quota(version):
    return {"metadata": {"name": "quotatree", "uid": "u1", "resourceVersion": str(version)}}


def sees(script, version):
    script.refuse(422, "Invalid", f"denied: {SEES}{version}")


async def test_it_is_deleted_only_when_admission_has_seen_it_empty(api, script):
    script.json(quota(7))
    script.json(quota(8))
    sees(script, 6)
    sees(script, 8)
    script.json({})
    await letting_go.let_go(api, WHAT)
    asked = [(seen.method, seen.path.rpartition("/quotatree")[2]) for seen in script.seen]
    assert asked == [("PATCH", ""), ("PATCH", "/status"), *[("PATCH", "")] * 2, ("DELETE", "")]
    assert [seen.body["metadata"] for seen in script.seen[:2]] == [{"uid": "u1"}] * 2
    assert script.seen[0].body["spec"] == {"hard": None}
    assert script.seen[-1].body["preconditions"] == {"uid": "u1"}


async def test_what_is_gone_already_is_no_error(api, script):
    script.refuse(404, "NotFound")
    assert await letting_go.let_go(api, WHAT) == {}


async def test_another_one_of_that_name_stays(api, script):
    script.refuse(409, "Conflict")
    with pytest.raises(ClusterError):
        await letting_go.let_go(api, WHAT)
    assert [seen.method for seen in script.seen] == ["PATCH"]


async def test_it_goes_where_admission_cannot_be_asked(api, script):
    script.json(quota(7))
    script.json(quota(8))
    script.refuse(403, "Forbidden")
    script.json({})
    await letting_go.let_go(api, WHAT)
    assert script.seen[-1].method == "DELETE"
