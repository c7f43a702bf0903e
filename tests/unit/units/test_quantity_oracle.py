"""Our parser against Kubernetes' own, run from its source: same texts, amounts and forms."""

import pytest
from hypothesis import given, settings
from tests.properties import strategies
from tests.unit.units.kubernetes_oracle import Oracle

from quotatree.units.quantity import Quantity, QuantityError

NUMBERS = (
    *(
        "",
        "+",
        "-",
        ".",
        "+.",
        "0",
        "-0",
        "00",
        "007",
        ".0",
        "0.",
        "5.",
        ".5",
        "0.5",
        "1.500",
        "--1",
    ),
    *("1", "+1", "-1", "10", "100", "999", "1000", "1001", "1023", "1024", "1032", "1536", "-2048"),
    *(
        "0.1",
        "0.0001",
        "1.1",
        "2.25",
        "0.000000001",
        "0.0000000001",
        "-0.0000000001",
        "1.0000000009",
    ),
    *(
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775809",
        "9" * 40,
        "1" + "0" * 40,
    ),
    *("0." + "0" * 60 + "1", "0" * 60 + "1", "123456789012345678", "1234567890123456789", "1.2.3"),
)
SUFFIXES = (
    *("", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"),
    *(
        "e0",
        "e3",
        "E3",
        "e+3",
        "e-3",
        "E-9",
        "e-10",
        "e21",
        "e01",
        "e-30",
        "E900",
        "e",
        "E+",
        "ee3",
    ),
    *("K", "Zi", "ki", "GB", "i", "mm", "Ei3", " ", "\n", "_0", "%", "\u0663", "\u096b", "\0"),
)
WORDS = ("NaN", "nan", "Infinity", "-inf", "1_0", "0x10", "1 Gi", " 1", "1e1e1", "١٢", "५", "1e1_0")


def assert_same(text: str, oracle: Oracle) -> None:
    said = oracle.ask(text)
    try:
        ours = Quantity.parse(text)
    except QuantityError:
        assert said.error
        return
    assert not said.error
    assert ours.nano == said.nano
    assert ours.format.value == said.format
    # Go repeats some texts as they were; what it makes of them itself is the canonical form.
    assert said.text in {text, said.canonical}
    if said.lossless:
        assert str(ours) == said.canonical
    else:
        assert oracle.ask(str(ours)).nano == said.nano


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_all_numbers_with_a_suffix_mean_what_they_mean_to_kubernetes(
    suffix: str, oracle: Oracle
) -> None:
    for number in NUMBERS:
        assert_same(number + suffix, oracle)


@pytest.mark.parametrize("text", WORDS)
def test_words_that_other_parsers_take_for_numbers(text: str, oracle: Oracle) -> None:
    assert_same(text, oracle)


@settings(max_examples=settings.default.max_examples * 40)
@given(strategies.any_text)
def test_any_text_means_what_it_means_to_kubernetes(oracle: Oracle, text: str) -> None:
    assert_same(text, oracle)


@settings(max_examples=settings.default.max_examples * 10)
@given(strategies.quantities)
def test_what_we_write_is_read_by_kubernetes_as_the_same_amount(
    oracle: Oracle, amount: Quantity
) -> None:
    assert oracle.ask(str(amount)).nano == amount.nano


def test_only_amounts_beyond_the_suffixes_are_written_otherwise_than_by_go(oracle: Oracle) -> None:
    assert oracle.ask("1000E").canonical == "1"
    assert str(Quantity.parse("1000E")) == "1000E"
