"""Amounts: exact integers of 10⁻⁹, read and written as Kubernetes reads and writes them.

The grammar (Kubernetes `resource.Quantity`, apimachinery `pkg/api/resource/quantity.go`)::

    quantity ::= [sign] number suffix           one text, ASCII only, no blanks
    number   ::= digits | digits "." [digits] | "." digits | "." | (nothing)
    suffix   ::= binary | decimal | exponent    the tables below
    exponent ::= ("e" | "E") [sign] digits

A number without any digit counts as zero, which is an accident of Kubernetes' fast path: it holds
for decimal units down to 10⁻⁹ and for binary units up to `Ti`. It is kept, so that both agree on
what is a quantity at all.

Three rules turn the text into an integer:

1. What is finer than 10⁻⁹ is rounded away from zero: who asks for something gets something.
2. With a binary suffix the magnitude is capped at 2⁶³-1. With another suffix it is not.
3. A binary amount below one is a decimal one from then on.

And three turn it back, so that the text is short and nothing is lost:

1. Zero is `0`.
2. A binary amount that is whole and at least 1024 in magnitude is written with the largest binary
   suffix that leaves a whole number. All others are written as decimals.
3. A decimal amount is written with the largest suffix (or exponent that is a multiple of 3) that
   leaves a whole number.

Three things differ from Go, on purpose. Go repeats the text it has parsed where that text looks
canonical to its fast path (`+5`, `1.500`, `1E3`); here it is always the form that Go itself writes
after any arithmetic (`5`, `1500m`, `1e3`). Where Go runs out of suffixes it drops the factor (10²¹
is written `1`); here the largest suffix is kept (`1000E`), and a binary sum above the cap of rule 2
is written as a decimal, which has none. And Go bounds neither the length of a text nor its
exponent: it computes for minutes, or wraps around; here both are bounded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from quotatree import errors


class Format(Enum):
    """The family of suffixes in which an amount was written and is written again."""

    DECIMAL_SI = "DecimalSI"
    BINARY_SI = "BinarySI"
    DECIMAL_EXPONENT = "DecimalExponent"


class QuantityError(errors.InputError):
    """A text that is no quantity; the message names the text and what is wrong with it."""


NANO: Final = 10**9
"""How many units of `Quantity.nano` make one."""

LARGEST: Final = (2**63 - 1) * NANO
"""The cap of binary amounts, in 10⁻⁹. Above it the API server's own counters are not reliable."""

DECIMAL: Final = {
    "n": -9,
    "u": -6,
    "m": -3,
    "": 0,
    "k": 3,
    "M": 6,
    "G": 9,
    "T": 12,
    "P": 15,
    "E": 18,
}
"""Suffix → power of 10."""

BINARY: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
"""Suffix → power of 2."""

LONGEST_TEXT: Final = 1000
"""Characters that a quantity may have. Kubernetes has no bound; the time to read one must have."""

LARGEST_EXPONENT: Final = 1000
"""Bound of the written exponent. Go overflows or computes for minutes far above it."""

_BEYOND: Final = 10 ** (LARGEST_EXPONENT + 1) * NANO
_TOO_GREAT: Final = f"its exponent is beyond ±{LARGEST_EXPONENT}"

# What an absent number needs to be zero: the ends of Go's fast path.
_SMALLEST_BARE_DECIMAL: Final = -9
_LARGEST_BARE_BINARY: Final = 40

# What JSON decoding trims around a quantity: the White_Space of Unicode, as Go's strings.TrimSpace.
_BLANKS: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)

# Possessive, so that a long text is read once.
_TEXT: Final = re.compile(
    r"(?P<sign>[+-]?)(?P<whole>[0-9]*+)(?:\.(?P<fraction>[0-9]*+))?+(?P<suffix>.*)", re.DOTALL
)
_EXPONENT: Final = re.compile(r"[eE]([+-]?[0-9]+)")

# Each step of the canonical text: 1000 or 1024 times the one before.
_DECIMAL_STEPS: Final = tuple(DECIMAL)
_BINARY_STEPS: Final = ("", *BINARY)
_UNITS: Final = {s: (p, Format.DECIMAL_SI) for s, p in DECIMAL.items()} | {
    s: (p, Format.BINARY_SI) for s, p in BINARY.items()
}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Quantity:
    """One amount of one resource, exact.

    `nano` is the amount in 10⁻⁹ of the resource's unit (a core, a byte, an object). `format` only
    says how it is written: equality, order and hash are those of `nano`. A float here would let
    0.1 + 0.2 pass a limit of 0.3, or NaN pass every limit.
    """

    nano: int
    format: Format = field(default=Format.DECIMAL_SI, compare=False)

    @classmethod
    def parse(cls, text: str) -> Quantity:
        """Return the amount that `text` means to Kubernetes.

        Raises:
            QuantityError: `text` is no quantity, has more than 1000 characters, or its exponent,
                or that of its canonical text, is beyond ±1000.
        """
        if not text or len(text) > LONGEST_TEXT:
            raise QuantityError(_length_problem(text))
        parts = _TEXT.fullmatch(text)
        assert parts is not None  # every text is a number, perhaps empty, and a rest
        sign, whole, fraction, suffix = parts.group("sign", "whole", "fraction", "suffix")
        power, form = _UNITS.get(suffix) or _exponent(text, suffix)
        digits = whole + (fraction or "")
        if not digits and not _bare_is_zero(power, form):
            raise QuantityError(f"{_quoted(text)} is no quantity: it has no digits")
        nano = _scaled(int(digits or "0"), power=power, places=len(fraction or ""), form=form)
        if nano >= _BEYOND:
            raise QuantityError(f"{_quoted(text)} is no quantity: {_TOO_GREAT}")
        if form is Format.BINARY_SI:
            nano = min(nano, LARGEST)
            form = Format.DECIMAL_SI if 0 < nano < NANO else form
        return cls(nano=-nano if sign == "-" else nano, format=form)

    @classmethod
    def from_json(cls, value: object) -> Quantity:
        """Return the amount of a decoded JSON or YAML value: a text, blanks around it, or a number.

        Raises:
            QuantityError: it is of another type, or its text is no quantity.
        """
        if isinstance(value, str):
            return cls.parse(value.strip(_BLANKS))
        if isinstance(value, bool) or not isinstance(value, int | float):
            kind = "nothing" if value is None else f"a {type(value).__name__}"
            raise QuantityError(f"{kind} is no quantity: write e.g. 500m, 20 or 100Gi")
        try:
            text = repr(value)
        except ValueError as error:  # Python writes no integer of more than 4300 digits
            raise QuantityError("the number is too long for a quantity") from error
        return cls.parse(text)

    @property
    def whole(self) -> bool:
        """Whether it is a whole number of units."""
        return self.nano % NANO == 0

    def __add__(self, other: Quantity) -> Quantity:
        return Quantity(nano=self.nano + other.nano, format=self._format_with(other))

    def __sub__(self, other: Quantity) -> Quantity:
        return Quantity(nano=self.nano - other.nano, format=self._format_with(other))

    def __str__(self) -> str:
        """Return the canonical text; parsing it gives an equal amount."""
        if self.nano == 0:
            return "0"
        # Above the cap a binary text would be read back as the cap.
        if (
            self.format is Format.BINARY_SI
            and 1024 * NANO <= abs(self.nano) <= LARGEST
            and self.whole
        ):
            return _binary_text(self.nano // NANO)
        return _decimal_text(self.nano, self.format)

    def _format_with(self, other: Quantity) -> Format:
        # As in Go: zero has no say in how a sum is written.
        return self.format if self.nano else other.format


def _length_problem(text: str) -> str:
    if not text:
        return "an empty text is no quantity: write e.g. 500m, 20 or 100Gi"
    too_long = f"it has {len(text)} characters, at most {LONGEST_TEXT} are read"
    return f"{_quoted(text)} is no quantity: {too_long}"


def _quoted(text: str) -> str:
    """Return `text` as a message shows it, a long one shortened."""
    return repr(text if len(text) <= 40 else f"{text[:40]}…")


def _exponent(text: str, suffix: str) -> tuple[int, Format]:
    """Return the power of ten of a suffix that is in no table, e.g. `e3`."""
    written = _EXPONENT.fullmatch(suffix)
    if written is None:
        raise QuantityError(f"{_quoted(text)} is no quantity: {_suffix_problem(suffix)}")
    power = int(written[1])
    if abs(power) > LARGEST_EXPONENT:
        raise QuantityError(f"{_quoted(text)} is no quantity: {_TOO_GREAT}")
    return power, Format.DECIMAL_EXPONENT


def _suffix_problem(suffix: str) -> str:
    if not suffix.isalpha() or not suffix.isascii():
        return f"{_quoted(suffix)} cannot stand after the number; write e.g. 500m, 20 or 100Gi"
    meant = _meant(suffix.rstrip("bB"))
    if meant:
        return f"there is no unit {_quoted(suffix)}; did you mean {' or '.join(map(repr, meant))}?"
    return f"there is no unit {_quoted(suffix)}; the units are {', '.join(filter(None, _UNITS))}"


def _meant(unit: str) -> list[str]:
    """Return the units that `unit` may stand for: `K` is k or Ki, `mi` is Mi."""
    found = [unit] if unit in _UNITS else [s for s in _UNITS if s.lower() == unit.lower()]
    binary = [f"{s.upper()}i" for s in found if f"{s.upper()}i" in BINARY]
    return [s for s in dict.fromkeys([*found, *binary]) if s]


def _bare_is_zero(power: int, form: Format) -> bool:
    if form is Format.BINARY_SI:
        return power <= _LARGEST_BARE_BINARY
    return power >= _SMALLEST_BARE_DECIMAL


def _scaled(digits: int, *, power: int, places: int, form: Format) -> int:
    """Return `digits`·10⁻ᵖˡᵃᶜᵉˢ·baseᵖᵒʷᵉʳ in 10⁻⁹, rounded up (it has no sign yet)."""
    if form is Format.BINARY_SI:
        digits <<= power
        power = 0
    shift = 9 + power - places
    factor: int = 10 ** abs(shift)
    return digits * factor if shift >= 0 else -(-digits // factor)


def _binary_text(whole: int) -> str:
    step = 0
    while whole % 1024 == 0:
        whole //= 1024
        step += 1
    return f"{whole}{_BINARY_STEPS[step]}"


def _decimal_text(nano: int, form: Format) -> str:
    exponential = form is Format.DECIMAL_EXPONENT
    step = 0
    while nano % 1000 == 0 and (exponential or step + 1 < len(_DECIMAL_STEPS)):
        nano //= 1000
        step += 1
    if exponential and step != 3:
        return f"{nano}e{3 * step - 9}"
    return f"{nano}{_DECIMAL_STEPS[step]}"
