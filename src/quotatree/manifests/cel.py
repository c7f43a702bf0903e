"""Pieces of CEL that several policies share: who asks, and what that user may do.

An expression that fails denies (`failurePolicy: Fail`), on Namespaces that would be the whole
cluster. So every piece reads absent fields as empty ones and never indexes a missing key.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any, Final

from quotatree.manifests.settings import InstallSettings
from quotatree.model import names

TREE_QUOTAS: Final = f"authorizer.group('{names.GROUP}').resource('treequotas')"

MANAGER: Final = f"{TREE_QUOTAS}.check('manage').allowed()"
"""Whether the user may step in for the controller.

No built-in role but cluster-admin holds the verb `manage`; the right is asked for cluster-wide, so
that `*` inside a namespace does not contain it.
"""

SUBRESOURCE: Final = "request.?subResource.orValue('')"
"""The subresource that is asked for, empty for the object itself (then the field is absent)."""

TERMINATING: Final = "namespaceObject.metadata.?deletionTimestamp.hasValue()"


def text(expression: str) -> str:
    """Return a multi-line expression without the indentation of the source."""
    return textwrap.dedent(expression).strip()


def quoted(values: Iterable[str]) -> str:
    """Return a CEL list of strings."""
    return "[" + ", ".join(f"'{value}'" for value in values) + "]"


def by_controller(settings: InstallSettings) -> str:
    """Return the expression for "the controller itself asks"."""
    return f"request.userInfo.username in {quoted(settings.controllers)}"


def may_update_quotas(namespace: str) -> str:
    """Return the expression for "may update TreeQuotas in `namespace`" (itself an expression)."""
    return f"{TREE_QUOTAS}.namespace({namespace}).check('update').allowed()"


def old(field: str, otherwise: str) -> str:
    """Return the old object's `field` (`metadata.labels`), `otherwise` on CREATE or when absent."""
    parent, _, leaf = field.rpartition(".")
    return f"oldObject == null ? {otherwise} : oldObject.{parent}.?{leaf}.orValue({otherwise})"


def new(field: str, otherwise: str) -> str:
    """Return the new object's `field`, `otherwise` on DELETE or when absent."""
    parent, _, leaf = field.rpartition(".")
    return f"object == null ? {otherwise} : object.{parent}.?{leaf}.orValue({otherwise})"


def variable(name: str, expression: str) -> dict[str, Any]:
    """Return one entry of a policy's `variables`."""
    return {"name": name, "expression": text(expression)}


def validation(expression: str, *, message: str, says: str = "") -> dict[str, Any]:
    """Return one entry of a policy's `validations`.

    `says` is an expression for a message with names in it, `message` what stands in for it.
    """
    entry = {"expression": text(expression), "message": message, "reason": "Forbidden"}
    if says:
        entry["messageExpression"] = text(says)
    return entry
