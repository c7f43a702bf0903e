"""The nudge that has a quota counted again limits nothing."""

from hypothesis import given
from hypothesis import strategies as st
from tests.properties.strategies import RESOURCE_NAMES

from quotatree.cli.doctor import repair
from quotatree.engine import plan


@given(st.sets(st.sampled_from(RESOURCE_NAMES), min_size=1))
def test_one_wide_ceiling_is_smaller_by_one_and_written_back_exactly(names):
    hard = plan.wide(names)
    nudged = repair.nudged(hard)
    less = {n: hard.nano(n) - nudged.nano(n) for n in names}
    assert sorted(less.values())[-1] == 10**9
    assert sum(less.values()) == 10**9
    assert type(hard).parse(nudged.to_strings()) == nudged
