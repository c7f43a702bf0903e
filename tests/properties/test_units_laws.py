"""Laws of amounts and of lists of them."""

from hypothesis import given
from tests.properties import strategies as st

from quotatree.units.quantity import Quantity, QuantityError
from quotatree.units.resources import EMPTY, Resources


@given(st.quantities)
def test_reading_what_was_written_changes_nothing(amount: Quantity) -> None:
    again = Quantity.parse(str(amount))
    assert again == amount
    assert str(again) == str(amount)


@given(st.any_text)
def test_a_text_is_a_quantity_or_refused_in_our_words(text: str) -> None:
    try:
        amount = Quantity.parse(text)
    except QuantityError:
        return
    assert Quantity.parse(str(amount)) == amount


@given(st.quantities, st.quantities)
def test_a_difference_undoes_a_sum(left: Quantity, right: Quantity) -> None:
    assert left + right - right == left
    assert left + right == right + left


@given(st.quantities, st.quantities)
def test_order_is_that_of_the_exact_amounts(left: Quantity, right: Quantity) -> None:
    assert (left < right) == (left.nano < right.nano)
    assert (left == right) == (left.nano == right.nano)


@given(st.resources())
def test_a_list_is_read_as_it_was_written(one: Resources) -> None:
    assert Resources.parse(one.to_strings()) == one
    assert Resources.from_nano(one.nanos()) == one
    assert Resources(one) == one


@given(st.resources(), st.resources(), st.resources())
def test_sums_do_not_depend_on_the_order(a: Resources, b: Resources, c: Resources) -> None:
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + EMPTY == a


@given(st.resources(), st.resources())
def test_a_difference_of_lists_undoes_their_sum(a: Resources, b: Resources) -> None:
    assert (a + b - b).mask(a) == a
    assert all(nano == 0 for nano in (a - a).nanos().values())


@given(st.resources(), st.resources())
def test_to_fit_is_to_exceed_nothing(used: Resources, limit: Resources) -> None:
    names = used.exceeding(limit)
    assert used.fits(limit) == (not names)
    assert list(names) == sorted(names)
    assert used.fits(limit.without(names))
    assert all(used.nano(name) > limit.nano(name) for name in names)


@given(st.positive_resources, st.positive_resources)
def test_growth_is_exactly_what_was_missing(new: Resources, old: Resources) -> None:
    growth = new.growth(old)
    assert all(nano > 0 for nano in growth.nanos().values())
    assert new.fits(old.maximum(EMPTY) + growth)
    assert (old + growth).mask(growth) == new.mask(growth)


@given(st.positive_resources, st.positive_resources)
def test_a_maximum_holds_both_and_a_minimum_fits_both(a: Resources, b: Resources) -> None:
    assert all(part.fits(a.maximum(b).mask(part)) for part in (a, b))
    assert all(a.minimum(b).mask(part).fits(part) for part in (a, b))
    assert set(a.maximum(b)) == set(a.minimum(b)) == set(a) | set(b)


@given(st.resources(), st.resources())
def test_mask_and_without_divide_a_list(one: Resources, other: Resources) -> None:
    assert one.mask(other) + one.without(other) == one
    assert hash(one.mask(other)) == hash(one.without(one.without(other)))
