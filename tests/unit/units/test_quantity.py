import pytest

from quotatree.units.quantity import LARGEST, NANO, Format, Quantity, QuantityError


@pytest.mark.parametrize(
    ("text", "want_nano", "want_text"),
    [
        pytest.param("20", 20 * NANO, "20", id="plain"),
        pytest.param("250u", 250_000, "250u", id="micro, which clients refuse"),
        pytest.param("0.0001", 100_000, "100u", id="finer than milli is kept"),
        pytest.param("1E3", 1000 * NANO, "1e3", id="E with digits is an exponent"),
        pytest.param("1E", 10**18 * NANO, "1E", id="E alone is exa"),
        pytest.param("1500m", 1_500_000_000, "1500m", id="no fraction is written"),
        pytest.param("1.5Gi", 3 * 2**29 * NANO, "1536Mi", id="binary fraction"),
        pytest.param("0.5Ki", 512 * NANO, "512", id="binary below 1024 is written as decimal"),
        pytest.param("1025.5Ki", 1_050_112 * NANO, "1050112", id="binary in bytes"),
        pytest.param("0.1Gi", 107_374_182_400_000_000, "107374182400m", id="binary and not whole"),
        pytest.param("1024Mi", 2**30 * NANO, "1Gi", id="the largest suffix that fits"),
        pytest.param("-1Gi", -(2**30) * NANO, "-1Gi", id="negative"),
        pytest.param("0.1n", 1, "1n", id="too fine is rounded up"),
        pytest.param("-0.1n", -1, "-1n", id="away from zero"),
        pytest.param("1e-1000", 1, "1e-9", id="however fine"),
        pytest.param("8Ei", LARGEST, "9223372036854775807", id="binary is capped"),
        pytest.param("100E", 10**20 * NANO, "100E", id="decimal is not"),
        pytest.param("1000E", 10**21 * NANO, "1000E", id="nor does its suffix vanish"),
        pytest.param("1e21", 10**21 * NANO, "1e21", id="large exponent"),
        pytest.param("+007.50", 7_500_000_000, "7500m", id="signs and zeros are not kept"),
        pytest.param("5.", 5 * NANO, "5", id="nothing after the point"),
        pytest.param(".5", NANO // 2, "500m", id="nothing before it"),
        pytest.param("-0", 0, "0", id="no negative zero"),
        pytest.param("Ki", 0, "0", id="no number at all, on Kubernetes' fast path"),
    ],
)
def test_texts_mean_what_kubernetes_says(text: str, want_nano: int, want_text: str) -> None:
    assert Quantity.parse(text).nano == want_nano
    assert str(Quantity.parse(text)) == want_text


@pytest.mark.parametrize(
    ("text", "want_part"),
    [
        ("", "an empty text"),
        ("NaN", "there is no unit 'NaN'"),
        ("1_0", "'_0' cannot stand after the number"),
        ("1 Gi", "' Gi' cannot stand"),
        (" 1", "cannot stand"),
        ("1\n", "cannot stand"),
        ("1.2.3", "'.3' cannot stand"),
        ("\u0663", "cannot stand"),
        ("1K", "did you mean 'k' or 'Ki'?"),
        ("1GB", "did you mean 'G' or 'Gi'?"),
        ("100mi", "did you mean 'Mi'?"),
        ("1Zi", "the units are n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei"),
        ("Ei", "it has no digits"),
        ("1e1001", "beyond ±1000"),
        ("500e1000", "beyond ±1000"),
        ("1e99999999999999999999", "beyond ±1000"),
        ("9" * 1001, "1001 characters"),
        ("1e", "there is no unit 'e'"),
        ("1e+", "'e+' cannot stand"),
    ],
)
def test_what_is_no_quantity_is_refused_with_the_reason(text: str, want_part: str) -> None:
    with pytest.raises(QuantityError) as refusal:
        Quantity.parse(text)
    assert want_part in str(refusal.value)


@pytest.mark.parametrize(
    ("value", "want_nano"),
    [("20", 20 * NANO), (" 5\n", 5 * NANO), (20, 20 * NANO), (0.1, 10**8), (1e21, 10**30)],
)
def test_decoded_values_are_texts_or_numbers(value: object, want_nano: int) -> None:
    assert Quantity.from_json(value).nano == want_nano


@pytest.mark.parametrize(
    "value",
    [None, True, [], {}, b"1", float("nan"), float("inf"), 10**5000, "\u200b1", "\x1c1"],
    ids=lambda value: type(value).__name__,
)
def test_other_decoded_values_are_refused(value: object) -> None:
    with pytest.raises(QuantityError):
        Quantity.from_json(value)


def test_only_the_amount_is_compared() -> None:
    binary, decimal = Quantity.parse("1Ki"), Quantity.parse("1024")
    assert binary == decimal
    assert hash(binary) == hash(decimal)
    assert Quantity.parse("1k") < binary


def test_a_sum_is_written_as_its_first_part_that_is_not_zero() -> None:
    zero, gibi, giga = Quantity.parse("0"), Quantity.parse("1Gi"), Quantity.parse("1G")
    assert (gibi + giga).format is Format.BINARY_SI
    assert (zero + gibi).format is Format.BINARY_SI
    assert str(gibi + gibi) == "2Gi"
    assert str(giga - giga - gibi) == "-1Gi"


def test_binary_sums_above_the_cap_are_written_so_that_they_are_read_back() -> None:
    total = Quantity.parse("4Ei") + Quantity.parse("4Ei")
    assert Quantity.parse(str(total)) == total


def test_whole_means_no_fraction_of_a_unit() -> None:
    assert Quantity.parse("2000m").whole
    assert not Quantity.parse("0.999999999").whole
