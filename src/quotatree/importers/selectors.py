"""Label selectors as Kubernetes reads them (`metav1.LabelSelector`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quotatree.codec import fields

Labels = Mapping[str, str]


def matches(selector: Mapping[str, Any], labels: Labels) -> bool:
    """Whether the selector picks an object with these labels; an empty one picks every object.

    A requirement with an operator that does not exist picks nothing.
    """
    wanted = fields.mapping(selector, "matchLabels")
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _holds(term, labels) for term in fields.items(selector, "matchExpressions")
    )


def _holds(term: Mapping[str, Any], labels: Labels) -> bool:
    key, values = fields.text(term, "key"), fields.texts(term, "values")
    match fields.text(term, "operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return False
