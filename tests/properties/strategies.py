"""Strategies that the property tests share, from numbers up."""

import re
from collections.abc import Mapping

from hypothesis import strategies as st

from quotatree.units.quantity import BINARY, DECIMAL, LARGEST, LARGEST_EXPONENT, Format, Quantity
from quotatree.units.resources import Resources

RESOURCE_NAMES = (
    "cpu",
    "requests.cpu",
    "memory",
    "requests.storage",
    "pods",
    "count/pods",
    "requests.nvidia.com/gpu",
)

# Amounts at which formats and suffixes change, in 10⁻⁹.
_EDGES = st.sampled_from([0, 1, 999, 10**9 - 1, 10**9, 1023 * 10**9, 1024 * 10**9, LARGEST])

nanos = (
    st.integers(-(10**12), 10**12) | _EDGES | st.integers(-(2**70), 2**70).map(lambda n: n * 10**9)
)
"""Integers of 10⁻⁹ around everything that changes how they are written."""

quantities = st.builds(
    lambda nano, form: Quantity(nano=nano, format=form), nanos, st.sampled_from(Format)
)


def resources(amounts: st.SearchStrategy[int] = nanos) -> st.SearchStrategy[Resources]:
    """Return lists of some of `RESOURCE_NAMES`, in usual and in unusual formats."""
    names = st.sampled_from(RESOURCE_NAMES)
    usual = st.dictionaries(names, amounts).map(Resources.from_nano)
    forms = st.sampled_from(Format)
    quantity = st.builds(lambda nano, form: Quantity(nano=nano, format=form), amounts, forms)
    return usual | st.dictionaries(names, quantity).map(_of)


def _of(amounts: Mapping[str, Quantity]) -> Resources:
    return Resources(amounts)


positive_resources = resources(st.integers(0, 2**63 * 10**9))
"""Lists as limits and usage are: nothing negative."""

_SIGNS = st.sampled_from(["", "", "", "+", "-", "--", "+-"])
_DIGITS = st.one_of(
    st.sampled_from(["", "0", "00", "1", "8", "10", "500", "1000", "1023", "1024", "1032"]),
    st.sampled_from([str(2**63 - 1), str(2**63), "9" * 18, "9" * 19, "0" * 30 + "1"]),
    st.text("0123456789", max_size=24),
    st.integers(25, 400).map(lambda n: "7" * n),
)
_FRACTIONS = st.just("") | _DIGITS.map(".{}".format)
_GOOD_SUFFIXES = st.sampled_from([*DECIMAL, *BINARY])
_BAD_SUFFIXES = st.sampled_from(["K", "Zi", "ki", "mi", "Yi", "GB", "i", "Eii", "kk", "Em", "B"])
_EXPONENTS = st.builds(
    lambda e, sign, power: f"{e}{sign}{power}",
    st.sampled_from("eE"),
    st.sampled_from(["", "+", "-", "+-"]),
    st.integers(0, 30).map(str) | st.sampled_from(["", "007", str(LARGEST_EXPONENT), "1_0"]),
)
# Digits of other scripts: Arabic, Devanagari, full width, mathematical; a fraction.
_FOREIGN = ["\u0661", "\u096a\u0968", "\uff15Gi", "\U0001d7d9", "\u00bd"]
_WORDS = st.sampled_from(
    ["NaN", "Infinity", "-inf", "1_0", "0x1f", "1e1e1", "1.2.3", "1 Gi", *_FOREIGN]
)
_NOISE = st.sampled_from([*" _,.\n\t\0'", "\u0663", "\u00a0", "e", "E", "i", "+", "-", "\ud7ff"])


@st.composite
def near_quantities(draw: st.DrawFn) -> str:
    """Texts that are quantities or differ from one by little."""
    suffix = draw(_GOOD_SUFFIXES | _EXPONENTS | _BAD_SUFFIXES)
    text = draw(_SIGNS) + draw(_DIGITS) + draw(_FRACTIONS) + suffix
    if draw(st.integers(0, 5)) == 0:
        position = draw(st.integers(0, len(text)))
        text = text[:position] + draw(_NOISE) + text[position:]
    return text


def within_bounds(text: str) -> bool:
    """Whether Go needs no more than a moment for `text`: it has no bound for exponents."""
    exponent = re.search(r"([0-9]*)(?:\.[0-9]*)?[eE][+-]?([0-9]+)$", text)
    return exponent is None or len(exponent[1]) + int(exponent[2]) <= LARGEST_EXPONENT + 1


any_text = (near_quantities() | _WORDS | st.text(max_size=12)).filter(within_bounds)
"""Near quantities, famous non-quantities and any text at all, all of it cheap for Go."""
