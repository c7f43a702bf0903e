"""Only type-checked: unions are closed and names are not texts.

Under `mypy --strict` a forgotten case makes `assert_never` an error, and so is an ignore that is
not needed: each `type: ignore` below states a promise.
"""

from typing import assert_never

from quotatree.model import effect, verdict
from quotatree.model.names import Namespace, QuotaName
from quotatree.model.quota import Quota
from quotatree.units.quantity import Quantity


def every_verdict_is_handled(found: verdict.Verdict) -> str:
    match found:
        case verdict.Admit():
            return "admit"
        case verdict.Wait():
            return "wait"
        case verdict.Open():
            return "open"
        case verdict.Tighten():
            return "tighten"
        case verdict.Deny() | verdict.Refuse() | verdict.TryLater():
            return "no"
        case _:
            assert_never(found)


def a_forgotten_verdict_is_an_error(found: verdict.Verdict) -> str:
    match found:
        case verdict.Admit() | verdict.Wait() | verdict.Tighten() | verdict.Refuse():
            return "handled"
        case _:
            assert_never(found)  # type: ignore[arg-type]


def a_forgotten_effect_is_an_error(found: effect.Effect) -> str:
    match found:
        case effect.PatchNamespace() | effect.SetOwner() | effect.SetFinalizer():
            return "handled"
        case _:
            assert_never(found)  # type: ignore[arg-type]


def a_quota_is_not_named_by_a_namespace(namespace: Namespace) -> Quota:
    return Quota(namespace=namespace, name=namespace)  # type: ignore[arg-type]


def a_text_is_no_namespace(text: str, name: QuotaName) -> Quota:
    return Quota(namespace=text, name=name)  # type: ignore[arg-type]


def an_amount_is_no_float(amount: Quantity) -> None:
    amount + 0.5  # type: ignore[operator]


def a_quota_does_not_change(quota: Quota) -> None:
    quota.generation = 2  # type: ignore[misc]
