import math

import pytest
from bench import figures
from bench.figures import Spread


@pytest.mark.parametrize(
    ("values", "share", "want"),
    [
        pytest.param([7.0], 0.99, 7.0, id="one value is every quantile"),
        pytest.param([1.0, 2.0, 3.0], 0.5, 2.0, id="the middle one"),
        pytest.param([1.0, 2.0], 0.5, 1.5, id="between two"),
        pytest.param([1.0, 2.0, 3.0], 0.0, 1.0, id="the least"),
        pytest.param([1.0, 2.0, 3.0], 1.0, 3.0, id="the greatest"),
        pytest.param([float(n) for n in range(101)], 0.99, 99.0, id="the 99th percentile"),
    ],
)
def test_a_quantile_lies_where_its_share_of_the_values_ends(
    values: list[float], share: float, want: float
) -> None:
    assert math.isclose(figures.quantile(values, share), want)


def test_of_nothing_there_is_no_quantile() -> None:
    with pytest.raises(ValueError, match="no values"):
        figures.quantile([], 0.5)


def test_a_spread_does_not_mind_the_order_of_the_values() -> None:
    want = Spread(median=3.0, low=2.0, high=4.0, least=1.0, greatest=5.0)
    assert Spread.of([5.0, 1.0, 4.0, 2.0, 3.0]) == want


def test_a_slow_drift_of_the_machine_does_not_change_the_ratios_of_pairs() -> None:
    drifting = [(100.0 / slower, 80.0 / slower) for slower in (1, 2, 4)]
    assert figures.ratios(drifting, lambda v: v) == pytest.approx((0.8, 0.8, 0.8))
