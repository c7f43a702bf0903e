"""What a quota's spec must be like, whether it stands in a file or in an object.

Names, quantities and scopes follow native ResourceQuota (Kubernetes 1.36,
`pkg/apis/core/validation/validation.go`: ValidateResourceQuotaSpec, validateResourceQuotaScopes,
validateScopedResourceSelectorRequirement): the controller has to write a ResourceQuota from it that
the API server accepts. Two rules are stricter: a name that nothing measures is refused, and so is
a guarantee above the quota's own ceiling, which could never be granted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from quotatree.codec.findings import (
    Finding,
    Key,
    Path,
    Written,
    closest,
    quoted,
    unknown_keys,
    wrong_type,
)
from quotatree.model.quota import FailurePolicy, Mode
from quotatree.units import resource_names
from quotatree.units.quantity import LARGEST, NANO, Quantity, QuantityError

SPEC_KEYS: Final = ("hard", "guaranteed", "scopes", "scopeSelector", "failurePolicy", "mode")

_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "failurePolicy": tuple(policy.value for policy in FailurePolicy),
    "mode": tuple(mode.value for mode in Mode),
}

_PODS: Final = frozenset({"pods"})
_POD_COMPUTE: Final = _PODS | {
    "cpu",
    "memory",
    "requests.cpu",
    "requests.memory",
    "limits.cpu",
    "limits.memory",
}
_CLAIMS: Final = frozenset({"persistentvolumeclaims", "requests.storage"})

SCOPES: Final[Mapping[str, frozenset[str]]] = {
    "Terminating": _POD_COMPUTE,
    "NotTerminating": _POD_COMPUTE,
    "BestEffort": _PODS,
    "NotBestEffort": _POD_COMPUTE,
    "PriorityClass": _POD_COMPUTE,
    "CrossNamespacePodAffinity": _POD_COMPUTE,
    "VolumeAttributesClass": _CLAIMS,
}
"""Scope → the standard resource names that a quota with it may limit."""

# Scopes that ask for values take every operator, the others say yes or no by being there.
_VALUED: Final = frozenset({"PriorityClass", "VolumeAttributesClass"})
_WITH_VALUES: Final = frozenset({"In", "NotIn"})
OPERATORS: Final = ("In", "NotIn", "Exists", "DoesNotExist")
_CONFLICTS: Final = (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating"))

_LABEL: Final = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
DNS_LABEL: Final = re.compile(_LABEL, re.ASCII)
DNS_SUBDOMAIN: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.ASCII)
_LONGEST_SUBDOMAIN: Final = 253


def name_findings(name: object, path: Path) -> Iterator[Finding]:
    """Yield what is wrong with the name of a quota, which must be a DNS subdomain."""
    if type(name) is not str:
        yield wrong_type(name, "a name", path)
    elif len(name) > _LONGEST_SUBDOMAIN or not DNS_SUBDOMAIN.fullmatch(name):
        yield Finding(
            path=path,
            message=f"{quoted(name)} is no object name",
            hint="use lower-case letters, digits, '-' and '.', at most 253 characters",
        )


def findings(spec: object, path: Path) -> Iterator[Finding]:
    """Yield everything that is wrong with the spec of one quota."""
    if not isinstance(spec, dict):
        yield wrong_type(spec, "a map", path)
        return
    yield from unknown_keys(spec, SPEC_KEYS, path)
    yield from value_findings(spec, path)


def value_findings(spec: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    """Yield what is wrong with the known keys of a spec."""
    for key in ("hard", "guaranteed"):
        if key in spec:
            yield from amount_findings(spec[key], (*path, key))
    yield from _guarantee_findings(spec, path)
    if "scopes" in spec:
        yield from _scope_list_findings(spec, (*path, "scopes"))
    if "scopeSelector" in spec:
        yield from _selector_findings(spec, (*path, "scopeSelector"))
    yield from _conflict_findings(spec, path)
    for key, choices in _CHOICES.items():
        if key in spec and spec[key] not in choices:
            yield wrong_type(spec[key], " or ".join(choices), (*path, key))


# -- amounts --------------------------------------------------------------------------------


def amount_findings(found: object, path: Path) -> Iterator[Finding]:
    """Yield what is wrong with a map of resource names to quantities."""
    if not isinstance(found, dict):
        yield wrong_type(found, "a map of resource names to quantities", path)
        return
    for name, value in found.items():
        here = (*path, Key(name))
        if wrong := resource_names.problem_with(name):
            yield Finding(path=here, message=wrong, at_key=True)
        yield from _quantity_findings(name, value, here)


def _quantity_findings(name: str, value: object, path: Path) -> Iterator[Finding]:
    if isinstance(value, float):
        yield Finding(
            path=path,
            message=f"must be a quantity, is the rounded number {value!r}",
            hint="write it in quotes",
        )
        return
    if isinstance(value, bool) or not isinstance(value, str | int):
        yield wrong_type(value, 'a quantity such as "500m" or "20"', path)
        return
    try:
        amount = Quantity.parse(str(value))
    except QuantityError as error:
        yield Finding(path=path, message=str(error))
        return
    if isinstance(value, Written) and _reads_otherwise(value):
        yield Finding(
            path=path,
            message=f"{value} is read as different numbers by different readers of YAML",
            hint=f"write {quoted(amount)}",
        )
    if amount.nano < 0:
        yield Finding(path=path, message=f"must not be negative, is {value}")
    elif amount.nano > LARGEST:
        # The API server would compute with it, but write 1000E as 1.
        message = f"must be at most {LARGEST // NANO} (about 9.2E), is {value}"
        yield Finding(path=path, message=message, hint="leave the name out to set no limit")
    elif resource_names.requires_whole(name) and not amount.whole:
        yield Finding(path=path, message=f"{name} is counted in whole numbers, is {value}")


def _reads_otherwise(value: str) -> bool:
    digits = value.lstrip("+-")
    return len(digits) > 1 and digits[0] == "0" and digits.isdigit()


def _guarantee_findings(spec: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    same = resource_names.equivalent
    ceilings = {same(n): (n, q) for n, q in _amounts(spec.get("hard")).items()}
    for name, floor in _amounts(spec.get("guaranteed")).items():
        limited, ceiling = ceilings.get(same(name), (name, floor))
        if floor > ceiling:
            yield Finding(
                path=(*path, "guaranteed", Key(name)),
                message=f"guarantees {floor}, above the ceiling {ceiling} "
                f"of this quota's own hard[{quoted(limited)}]",
                hint="it could never be granted; lower it or raise hard",
            )


def _amounts(found: object) -> dict[str, Quantity]:
    """Return the entries that are quantities; the others are reported elsewhere."""
    amounts = {}
    for name, value in found.items() if isinstance(found, dict) else ():
        if isinstance(value, str | int) and not isinstance(value, bool):
            try:
                amounts[name] = Quantity.parse(str(value))
            except QuantityError:
                continue
    return amounts


# -- scopes ---------------------------------------------------------------------------------


def _scope_list_findings(spec: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    scopes = spec["scopes"]
    if not isinstance(scopes, list):
        yield wrong_type(scopes, "a list of scopes", path)
        return
    for index, scope in enumerate(scopes):
        yield from _scope_findings(spec, scope, (*path, index))


def _selector_findings(spec: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    selector = spec["scopeSelector"]
    if not isinstance(selector, dict):
        yield wrong_type(selector, "a map with the key matchExpressions", path)
        return
    yield from unknown_keys(selector, ["matchExpressions"], path)
    terms = selector.get("matchExpressions", [])
    if not isinstance(terms, list):
        yield wrong_type(terms, "a list", (*path, "matchExpressions"))
        return
    for index, term in enumerate(terms):
        yield from _term_findings(spec, term, (*path, "matchExpressions", index))


def _term_findings(spec: Mapping[str, Any], term: object, path: Path) -> Iterator[Finding]:
    if not isinstance(term, dict):
        yield wrong_type(term, "a map with scopeName and operator", path)
        return
    yield from unknown_keys(term, ["scopeName", "operator", "values"], path)
    scope, operator = term.get("scopeName"), term.get("operator")
    yield from _scope_findings(spec, scope, (*path, "scopeName"))
    if operator not in OPERATORS:
        yield wrong_type(operator, f"one of {', '.join(OPERATORS)}", (*path, "operator"))
    elif isinstance(scope, str) and scope in SCOPES.keys() - _VALUED and operator != "Exists":
        message = f"scope {scope} takes the operator Exists only, is {operator}"
        yield Finding(path=(*path, "operator"), message=message)
    yield from _values_findings(term.get("values", []), operator, (*path, "values"))


def _values_findings(values: object, operator: object, path: Path) -> Iterator[Finding]:
    if not isinstance(values, list) or any(type(value) is not str for value in values):
        yield wrong_type(values, "a list of texts", path)
    elif not isinstance(operator, str):
        return  # reported where it stands
    elif operator in _WITH_VALUES and not values:
        yield Finding(path=path, message=f"operator {operator} needs at least one value")
    elif operator in OPERATORS and operator not in _WITH_VALUES and values:
        yield Finding(path=path, message=f"operator {operator} takes no values")


def _scope_findings(spec: Mapping[str, Any], scope: object, path: Path) -> Iterator[Finding]:
    if type(scope) is not str:
        yield wrong_type(scope, "the name of a scope", path)
    elif scope not in SCOPES:
        hint = closest(scope, SCOPES) or f"scopes: {', '.join(SCOPES)}"
        yield Finding(path=path, message=f"unknown scope {quoted(scope)}", hint=hint)
    else:
        yield from _scoped_resource_findings(spec, scope, path)


def _scoped_resource_findings(spec: Mapping[str, Any], scope: str, path: Path) -> Iterator[Finding]:
    for key in ("hard", "guaranteed"):
        found = spec.get(key)
        for name in found if isinstance(found, dict) else ():
            # Native validation leaves names with a slash alone here; misspelt ones are reported
            # where they stand.
            known = "/" not in name and resource_names.problem_with(name) is None
            if known and name not in SCOPES[scope]:
                yield Finding(
                    path=path,
                    message=f"scope {scope} cannot limit {key}[{quoted(name)}]",
                    hint=f"it can limit {', '.join(sorted(SCOPES[scope]))}",
                )


def _conflict_findings(spec: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    for pair in _CONFLICTS:
        for where, scopes in (
            ("scopes", spec.get("scopes")),
            ("scopeSelector", _selected(spec.get("scopeSelector"))),
        ):
            if isinstance(scopes, list) and all(scope in scopes for scope in pair):
                message = f"no pod is both {pair[0]} and {pair[1]}"
                yield Finding(path=(*path, where), message=message)


def _selected(selector: object) -> list[Any]:
    terms = selector.get("matchExpressions") if isinstance(selector, dict) else None
    return (
        [t.get("scopeName") for t in terms if isinstance(t, dict)]
        if isinstance(terms, list)
        else []
    )
