"""What quota admission goes by can be asked of the API server, and asking changes nothing."""

import pytest
from tests.cluster.harness import trees

from quotatree.cluster import lookout, paths
from quotatree.cluster.client import Client, resource_version
from quotatree.errors import ClusterError
from quotatree.model import names

pytestmark = pytest.mark.cluster


async def test_it_tells_the_version_that_was_written_last(admin: Client) -> None:
    tree = await trees.plant(admin, "org: pods 5 > a")
    for number in range(5):
        body = {"metadata": {"annotations": {names.ANNOTATION_TOUCHED: str(number)}}}
        written = await admin.patch(
            paths.RESOURCE_QUOTAS, names.MANAGED_QUOTA, body=body, namespace=tree["a"]
        )

        async def sees(version: int = resource_version(written)) -> bool:
            seen = await lookout.admission_sees(admin, tree["a"], names.MANAGED_QUOTA)
            assert seen is not None
            return seen >= version

        await trees.eventually(sees, what="quota admission sees the touch")
    await trees.fell(admin, tree)


async def test_what_asks_is_never_stored(admin: Client) -> None:
    tree = await trees.plant(admin, "org: pods 5 > a")
    body = {"metadata": {"annotations": {names.ANNOTATION_LOOKOUT: "true"}}}
    with pytest.raises(ClusterError, match="quota admission sees resourceVersion"):
        await admin.patch(
            paths.RESOURCE_QUOTAS, names.MANAGED_QUOTA, body=body, namespace=tree["a"]
        )
    await trees.fell(admin, tree)


async def test_of_what_is_not_there_nothing_is_known(admin: Client) -> None:
    tree = await trees.plant(admin, "org: pods 5 > a")
    assert await lookout.admission_sees(admin, tree["a"], "quotatree.none") is None
    await trees.fell(admin, tree)
