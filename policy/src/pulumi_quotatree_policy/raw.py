"""Pulumi's view of a resource to plain data: the one place where its proxies are touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from pulumi_quotatree_policy.plain import UNKNOWN


def properties(props: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties of a resource; what is not known yet is `UNKNOWN`."""
    return {str(key): _known(partial(props.__getitem__, key)) for key in props}


def _known(read: Callable[[], object]) -> object:
    """Return what is read as plain data: a proxy raises when it is asked for an unknown value."""
    try:
        return _plain(read())
    except UnknownValueError:
        return UNKNOWN


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return properties(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_known(partial(value.__getitem__, index)) for index in range(len(value))]
    # All numbers come as floats; counts are whole.
    return int(value) if isinstance(value, float) and value.is_integer() else value
