import pytest

from quotatree.units.quantity import NANO, Quantity, QuantityError
from quotatree.units.resources import EMPTY, Resources


def amounts(text: str) -> Resources:
    """Return the list of e.g. `cpu=2,memory=1Gi`."""
    return Resources.parse(dict(part.split("=") for part in text.split(",") if part))


def test_texts_are_canonical_and_sorted() -> None:
    assert str(amounts("memory=102400Mi,cpu=20.0")) == "cpu=20,memory=100Gi"
    assert list(amounts("memory=1,cpu=1").to_strings()) == ["cpu", "memory"]


def test_a_wrong_amount_is_named() -> None:
    with pytest.raises(QuantityError, match=r"^cpu: '2O' is no quantity"):
        Resources.parse({"memory": "1Gi", "cpu": "2O"})


def test_numbers_are_amounts_too() -> None:
    assert Resources.parse({"pods": 5, "cpu": 0.5}) == amounts("pods=5,cpu=500m")


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("memory", "2Gi"),
        ("limits.memory", "2Gi"),
        ("requests.storage", "2Gi"),
        ("ephemeral-storage", "2Gi"),
        ("gold.storageclass.storage.k8s.io/requests.storage", "2Gi"),
        ("hugepages-2Mi", "2Gi"),
        ("requests.hugepages-2Mi", "2Gi"),
        ("cpu", "2147483648"),
        ("count/pods", "2147483648"),
    ],
)
def test_plain_integers_are_written_as_their_name_suggests(name: str, want: str) -> None:
    assert Resources.from_nano({name: 2**31 * NANO}).to_strings() == {name: want}


def test_an_unusual_format_survives_sums_masks_and_zero() -> None:
    unusual = amounts("memory=1G,cpu=2")
    assert str(unusual + unusual) == "cpu=4,memory=2G"
    assert str(unusual.mask(["memory"])) == "memory=1G"
    assert str(Resources.from_nano({"memory": 0}) + unusual) == "cpu=2,memory=1G"
    assert str(unusual["memory"]) == "1G"


def test_sums_and_differences_take_absent_names_as_zero() -> None:
    assert amounts("cpu=1,pods=2") + amounts("cpu=2,memory=1") == amounts("cpu=3,pods=2,memory=1")
    assert amounts("cpu=1") - amounts("cpu=3,memory=1") == amounts("cpu=-2,memory=-1")


def test_maximum_and_minimum_keep_a_name_that_only_one_has() -> None:
    left, right = amounts("cpu=1,pods=5"), amounts("cpu=2,memory=3")
    assert left.maximum(right) == amounts("cpu=2,pods=5,memory=3")
    assert left.minimum(right) == amounts("cpu=1,pods=5,memory=3")


def test_mask_and_without_part_the_names() -> None:
    both = amounts("cpu=1,pods=5")
    assert both.mask(["pods", "memory"]) == amounts("pods=5")
    assert both.without(["pods", "memory"]) == amounts("cpu=1")


def test_exceeding_names_what_is_above_its_limit_and_nothing_without_one() -> None:
    used = amounts("memory=3,cpu=1,pods=2,secrets=9")
    assert used.exceeding(amounts("pods=1,memory=2,cpu=1,services=0")) == ("memory", "pods")
    assert not used.fits(amounts("pods=1"))
    assert used.fits(amounts("pods=2"))


def test_growth_is_what_is_more_than_before() -> None:
    assert amounts("cpu=3,pods=1,memory=5").growth(amounts("cpu=1,pods=4")) == amounts(
        "cpu=2,memory=5"
    )
    assert not amounts("cpu=1").growth(amounts("cpu=1"))


def test_it_is_a_mapping_of_amounts() -> None:
    both = amounts("cpu=1,pods=5")
    assert dict(both) == {"cpu": Quantity.parse("1"), "pods": Quantity.parse("5")}
    assert Resources(both) == both
    assert "cpu" in both
    assert "memory" not in both
    assert len(both) == 2
    assert not EMPTY
    assert Resources.parse({"cpu": "0"})


def test_equal_lists_are_one_key_however_they_were_written() -> None:
    assert len({amounts("memory=1Ki,cpu=1"), amounts("cpu=1000m,memory=1024")}) == 1
    assert amounts("cpu=1") != {"cpu": Quantity.parse("1")}


def test_nobody_can_change_a_list() -> None:
    source = {"cpu": NANO}
    one = Resources.from_nano(source)
    source["cpu"] = 0
    assert one.nano("cpu") == NANO
    assert one.nano("memory") == 0
    with pytest.raises(TypeError):
        one.nanos()["cpu"] = 0  # type: ignore[index]
    with pytest.raises(TypeError):
        one["cpu"] = Quantity.parse("0")  # type: ignore[index]
