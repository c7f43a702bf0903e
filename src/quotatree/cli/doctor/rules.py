"""What the doctor can find. Codes never change: programs and people's filters build on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quotatree.model.names import Namespace
from quotatree.model.report import Item, Level, Rule

_ERRORS: Final = {
    "crd-missing": "the kind TreeQuota is not there, or not served",
    "object-missing": "an object of the installation is not there",
    "webhook-unreachable": "the API server does not reach the webhook",
    "webhook-not-ready": "the webhook answers, but decides nothing",
    "certificate-expired": "the webhook's certificate is not valid now",
    "certificate-untrusted": "API servers do not trust the webhook's certificate",
    "right-missing": "the controller may not do what it has to",
    "quota-missing": "a namespace of the tree has no managed ResourceQuota",
    "quota-differs": "a managed ResourceQuota is not what it should be",
    "namespace-differs": "labels, annotations or owners of a Namespace are not what they should be",
    "usage-drift": "the usage is not what the objects themselves cost",
}
_WARNINGS: Final = {
    "other-version": "an object of the installation is of another version",
    "certificate-ends-soon": "the webhook's certificate ends soon, and was not renewed",
    "other-quota": "another ResourceQuota limits a namespace of the tree",
    "other-tool": "another tool limits namespaces of the tree",
    "requests-required": "pods that do not say what they request are refused",
}
_NOTES: Final = {
    "not-checked": "a part could not be looked at",
    "usage-repaired": "a wrong usage was counted again",
}

RULES: Final = tuple(
    Rule(code=code, title=title, level=level)
    for level, titles in (
        (Level.ERROR, _ERRORS),
        (Level.WARNING, _WARNINGS),
        (Level.NOTE, _NOTES),
    )
    for code, title in titles.items()
)
"""Every kind of finding."""

_LEVELS: Final = {rule.code: rule.level for rule in RULES}


def found(
    code: str,
    message: str,
    *,
    remedy: str = "",
    subject: str = "",
    namespace: Namespace | None = None,
) -> Item:
    """Return a finding with the level of its rule."""
    return Item(
        code=code,
        level=_LEVELS[code],
        message=message,
        remedy=remedy,
        subject=subject,
        namespace=namespace,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One part that was looked at: what it is like in a few words, and what is wrong with it."""

    name: str
    summary: str
    items: tuple[Item, ...] = ()

    @property
    def result(self) -> str:
        """`ok`, or the worst of what was found."""
        levels = {item.level for item in self.items}
        if Level.ERROR in levels:
            return "wrong"
        if Level.WARNING in levels:
            return "warning"
        unknown = any(item.code == "not-checked" for item in self.items)
        return "not checked" if unknown else "ok"
