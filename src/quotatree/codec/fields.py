"""Reading fields of API objects without ever raising: what has the wrong type is absent.

The API server has validated what it stores, but annotations, custom resources under an older
schema and hand-made reviews can hold anything.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any, Final

from quotatree.model.names import GROUP
from quotatree.model.scope import UNSCOPED, ScopeSet, ScopeTerm, scope_set
from quotatree.units.quantity import Quantity, QuantityError
from quotatree.units.resources import EMPTY, Resources

NOTHING: Final[Mapping[str, Any]] = {}
_MAX_DIGITS: Final = 19  # of the greatest 64-bit integer; bounds the work on hostile input


def mapping(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the object at `key`, empty when absent or of another type."""
    found = parent.get(key)
    return found if type(found) is dict else NOTHING


def text(parent: Mapping[str, Any], key: str) -> str:
    """Return the string at `key`, empty when absent or of another type."""
    found = parent.get(key)
    return found if type(found) is str else ""


def whole(value: object) -> int | None:
    """Return a non-negative integer written as one or as ASCII digits, else None."""
    if type(value) is int:
        return value if value >= 0 else None
    if type(value) is str and len(value) <= _MAX_DIGITS and value.isascii() and value.isdigit():
        return int(value)
    return None


def items(parent: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of the list at `key`, leaving out whatever is no object."""
    found = parent.get(key)
    if type(found) is list:
        yield from (item for item in found if type(item) is dict)


def texts(parent: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return the strings of the list at `key`, leaving out whatever is no string."""
    found = parent.get(key)
    return tuple(t for t in found if type(t) is str) if type(found) is list else ()


def own(keys: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels or annotations of quotatree's own domains."""
    return {
        key: value
        for key, value in keys.items()
        if GROUP in key and type(value) is str and _is_own(key)
    }


def _is_own(key: str) -> bool:
    domain = key.partition("/")[0]
    return domain == GROUP or domain.endswith(f".{GROUP}")


def amounts(parent: Mapping[str, Any], key: str) -> Resources:
    """Return the list of resources at `key`; entries that are no quantities are left out."""
    found = parent.get(key)
    return resources(found) if type(found) is dict and found else EMPTY


def resources(found: Mapping[str, Any]) -> Resources:
    """Return `found` as resources, leaving out what is no quantity."""
    parsed = {}
    for name, value in found.items():
        amount = _text_amount(value) if type(value) is str else _amount(value)
        if amount is not None:
            parsed[name] = amount
    return Resources(parsed)


def _amount(value: object) -> Quantity | None:
    try:
        return Quantity.from_json(value)
    except QuantityError:
        return None


# The same few hundred texts come again with every event and review.
_text_amount = functools.lru_cache(maxsize=16_384)(_amount)


def scopes(spec: Mapping[str, Any]) -> ScopeSet:
    """Return the scope set of a quota's spec: `scopes` and `scopeSelector` together."""
    if "scopes" not in spec and "scopeSelector" not in spec:
        return UNSCOPED
    terms = [ScopeTerm(scope=name) for name in texts(spec, "scopes")]
    for term in items(mapping(spec, "scopeSelector"), "matchExpressions"):
        if scope := text(term, "scopeName"):
            operator = text(term, "operator") or "Exists"
            takes = operator in ("In", "NotIn")  # the others mean the same whatever stands there
            values = tuple(sorted(set(texts(term, "values")))) if takes else ()
            terms.append(ScopeTerm(scope=scope, operator=operator, values=values))
    return scope_set(terms)
