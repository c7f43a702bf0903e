"""One look at each newborn namespace, and no figures where there may be anything."""

from tests.unit.engine.test_birth import NEW, born

from quotatree.cluster.live import Live
from quotatree.controller.newborn import Newborn
from quotatree.errors import ClusterError


class Cluster:
    """Answers a list with so many pods, or with an error; remembers what it was asked."""

    def __init__(self, *, pods: int = 0, error: int = 0):
        self.asked = []
        self._pods = pods
        self._error = error

    async def request(self, method, path, *, params):
        self.asked.append(f"{method} {path} {params}")
        if self._error:
            raise ClusterError("refused", status=self._error)
        return {"items": [{}] * self._pods}


def ground(cluster: Cluster, tree: str = "org: pods 5") -> Newborn:
    live = Live(clock=lambda: 0.0)
    live.world = born(tree)
    return Newborn(cluster, live)


async def test_each_kind_that_is_measured_is_looked_for_by_a_consistent_list():
    cluster = Cluster()
    newborn = ground(cluster, "org: pods 5, services 1")
    assert await newborn.effects(NEW)
    assert cluster.asked == [
        "GET /api/v1/namespaces/new/pods {'limit': '1'}",
        "GET /api/v1/namespaces/new/services {'limit': '1'}",
    ]


async def test_what_is_not_empty_is_asked_about_once_and_left_to_be_counted():
    cluster = Cluster(pods=1)
    newborn = ground(cluster)
    assert [await newborn.effects(NEW) for _ in range(3)] == [(), (), ()]
    assert len(cluster.asked) == 1


async def test_what_cannot_be_listed_is_left_to_be_counted():
    newborn = ground(Cluster(error=403))
    assert await newborn.effects(NEW) == ()
