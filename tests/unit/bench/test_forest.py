"""The forest of the scale scene: five levels, a fifth limited, a fifth of the pods in a corner."""

from collections import Counter

import pytest
from bench import bars, planting
from bench.forest import Forest

FIGURES = {
    "restart to ready": 20.0,
    "failover until busy grows": 20.0,
    "raised limit until used": 2.0,
    "lowered limit until growth is refused": 1.0,
    "newborn enforced": 5.0,
    "memory": 600e6,
    "idle share of a core": 0.02,
    "user requests p99 before": 0.1,
    "user requests p99 meanwhile": 0.15,
}


def levels(forest: Forest) -> Counter[int]:
    parents = dict(forest.parents())
    found: Counter[int] = Counter()
    for name in forest.org:
        depth, above = 1, parents[name]
        while above is not None:
            depth, above = depth + 1, parents[above]
        found[depth] += 1
    return found


@pytest.mark.parametrize("size", [100, 1_000, 10_000])
def test_it_has_five_levels_whatever_its_size(size):
    forest = Forest(namespaces=size)
    assert sorted(levels(forest)) == [1, 2, 3, 4, 5]
    assert len(forest.limited) == size // 5 + 1
    parents = {parent for _, parent in forest.parents()}
    assert not parents & set(forest.leaves)
    assert len(forest.leaves) > size / 2


def test_a_fifth_of_all_pods_is_in_the_small_tree_and_each_has_a_name_of_its_own():
    forest = Forest(namespaces=200)
    where = Counter(namespace.partition("-")[0] for namespace, _ in forest.work())
    assert where == {"busy": 200, "org": 800}
    assert len({body["metadata"]["name"] for _, body in forest.work()}) == forest.pods


def test_a_forest_is_kept_by_all_that_it_depends_on(tmp_path):
    def kept(size: int, version: str) -> object:
        environ = {"XDG_CACHE_HOME": str(tmp_path), "QUOTATREE_KUBERNETES_VERSION": version}
        return planting.kept(Forest(namespaces=size), environ)

    assert len({kept(100, "1.36.3"), kept(200, "1.36.3"), kept(100, "1.35.1")}) == 3


def test_what_is_on_the_wrong_side_of_its_bar_is_below_it():
    assert [bar.reached for bar in bars.of_scale(FIGURES)] == [True] * 8
    worse = {what: figure * 1.01 for what, figure in FIGURES.items()}
    worse["user requests p99 before"] = 0.1
    assert [bar.reached for bar in bars.of_scale(worse)] == [False] * 8
    assert bars.of_scale({}) == []
