"""What is wrong or pointless in a tree: each lint where it must speak, and where it must not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quotatree.codec import treefile
from quotatree.engine import lint, whatif
from quotatree.engine.survey import Observed
from quotatree.model.names import QuotaName
from quotatree.model.offers import Offers
from quotatree.model.report import Level
from quotatree.model.treefile import TreeFile
from quotatree.testing import words

HEAD = "apiVersion: quotatree.dev/v1alpha1\nkind: Tree\ntree:\n"
GPUS = Offers(
    resources=frozenset({"nvidia.com/gpu", "amd.com/gpu"}),
    device_classes=frozenset({"a100.example.com"}),
)
CLASS = "deviceclass.resource.k8s.io/devices"
TWO_OF_THREE = "{a: {guaranteed: {cpu: 3}}, b: {guaranteed: {cpu: 3}}}"
IMPLICIT = "requests.deviceclass.resource.kubernetes.io"


def tree(text: str) -> TreeFile:
    found = treefile.parse((HEAD + text).encode())
    assert isinstance(found, TreeFile), [str(problem) for problem in found]
    return found


def said(text: str) -> list[tuple[str, str]]:
    """Return code and namespace of each finding."""
    found = tree(text)
    return [(f.item.code, f.spot.namespace) for f in lint.findings(found, lint.levels(found))]


def messages(text: str) -> str:
    found = tree(text)
    return "\n".join(f.item.message for f in lint.findings(found, lint.levels(found)))


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("org: {hard: {cpu: 5}, children: {a: {hard: {cpu: 6}}}}", ["a"], id="above"),
        pytest.param("org: {hard: {cpu: 5}, children: {a: {hard: {cpu: 5}}}}", [], id="equal"),
        pytest.param(
            "org: {hard: {cpu: 5}, children: {a: {hard: {requests.cpu: 6}}}}",
            ["a"],
            id="the same under another name",
        ),
        pytest.param(
            "org: {hard: {pods: 5}, children: {a: {hard: {count/pods: 6}}}}",
            [],
            id="another resource",
        ),
        pytest.param(
            "org: {hard: {cpu: 5}, children: {a: {children: {b: {hard: {cpu: 9}}}}}}",
            ["b"],
            id="two levels up",
        ),
        pytest.param(
            "org: {hard: {pods: 5}, quotas: [{name: x, hard: {pods: 6}, scopes: [BestEffort]}]}",
            ["org"],
            id="a part of what the namespace itself limits",
        ),
        pytest.param(
            "org: {quotas: [{name: x, hard: {pods: 5}, scopes: [BestEffort]}], "
            "children: {a: {hard: {pods: 6}}}}",
            [],
            id="a scoped limit above bounds only its part",
        ),
        pytest.param(
            "org: {hard: {pods: 5}, quotas: [{name: x, hard: {pods: 6}}]}",
            ["org"],
            id="a second quota of the namespace",
        ),
    ],
)
def test_a_limit_that_can_never_bite(text: str, want: list[str]) -> None:
    assert [ns for code, ns in said(f"  {text}") if code == "limit-never-bites"] == want


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param(
            f"org: {{hard: {{cpu: 5}}, children: {TWO_OF_THREE}}}",
            ["org"],
            id="two children",
        ),
        pytest.param(
            f"org: {{hard: {{cpu: 6}}, children: {TWO_OF_THREE}}}",
            [],
            id="just enough",
        ),
        pytest.param(
            "org: {hard: {requests.cpu: 2}, children: {a: {guaranteed: {cpu: 3}}}}",
            ["org"],
            id="the same under another name",
        ),
        pytest.param(
            "org: {hard: {cpu: 9}, children: {a: {hard: {cpu: 4}, guaranteed: {cpu: 4}, "
            "children: {b: {guaranteed: {cpu: 5}}}}}}",
            ["a"],
            id="grandchildren of a child that keeps less",
        ),
    ],
)
def test_children_promised_more_than_the_parent_has(text: str, want: list[str]) -> None:
    assert [ns for code, ns in said(f"  {text}") if code == "promised-too-much"] == want


def test_who_was_promised_what_is_named() -> None:
    text = f"  org: {{hard: {{cpu: 5}}, children: {TWO_OF_THREE}}}"
    assert messages(text) == "cpu: guarantees of 6 do not fit into 5; a keeps 3, b keeps 3"


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("org: {hard: {limits.cpu: 5}}", ["org"]),
        ("org: {hard: {limits.cpu: 5, cpu: 5}}", []),
        ("org: {hard: {limits.cpu: 5, requests.cpu: 5}}", []),
        ("org: {hard: {cpu: 5}, children: {a: {hard: {limits.cpu: 5}}}}", []),
        ("org: {hard: {memory: 5Gi, limits.cpu: 5}}", ["org"]),
    ],
)
def test_limits_without_requests(text: str, want: list[str]) -> None:
    assert [ns for code, ns in said(f"  {text}") if code == "limits-without-requests"] == want


@pytest.mark.parametrize(
    ("annotations", "want"),
    [
        ("", ["a"]),
        ('annotations: {quotatree.dev/allow-cascading-deletion: "true"}, ', []),
        ('annotations: {quotatree.dev/allow-cascading-deletion: "false"}, ', ["a"]),
    ],
)
def test_owned_needs_the_consent_of_its_parent(annotations: str, want: list[str]) -> None:
    text = f"  org: {{{annotations}children: {{a: {{lifecycle: Owned}}}}}}"
    assert [ns for code, ns in said(text) if code == "owned-without-permission"] == want


@pytest.mark.parametrize(
    ("resource", "want"),
    [
        ("requests.nvidia.com/gpu", None),
        ("requests.nvidia.com/gpus", "did you mean requests.nvidia.com/gpu?"),
        ("requests.intel.example/xpu", "offered: requests.amd.com/gpu, requests.nvidia.com/gpu"),
        (f"a100.example.com.{CLASS}", None),
        (f"a10.example.com.{CLASS}", f"did you mean a100.example.com.{CLASS}?"),
        (f"{IMPLICIT}/a100.example.com", None),
        (f"{IMPLICIT}/a10.example.com", f"did you mean {IMPLICIT}/a100.example.com?"),
        ("cpu", None),
        ("count/pods", None),
    ],
)
def test_a_device_that_nobody_offers(resource: str, want: str | None) -> None:
    found = list(lint.unoffered(tree(f"  org: {{hard: {{{resource}: 1}}}}"), GPUS))
    assert [f.item.remedy for f in found] == ([] if want is None else [want])


def test_where_no_device_is_offered_at_all_that_is_said() -> None:
    (found,) = lint.unoffered(tree("  org: {guaranteed: {requests.x.y/z: 1}}"), Offers())
    assert found.item.remedy == "none is offered at all"
    assert (found.spot.field, found.spot.resource) == ("guaranteed", "requests.x.y/z")
    assert found.item.level is Level.WARNING


def test_ancestors_outside_of_the_file_count_too() -> None:
    above = whatif.after(Observed(), tree("  top: {hard: {cpu: 1}, children: {org: {}}}")).world
    nodes = tree("  top: {children: {org: {hard: {cpu: 2}}}}").nodes[1:]
    file = TreeFile(nodes=nodes)
    found = list(lint.findings(file, lint.levels(file, above)))
    assert [(f.item.code, f.spot.namespace) for f in found] == [("limit-never-bites", "org")]


def test_a_limit_that_stands_and_that_the_file_does_not_name_goes_on_counting() -> None:
    seen = Observed(
        namespaces=(words.namespace("org"),),
        quotas=(replace(words.quota("org", hard={"cpu": "1"}), name=QuotaName("theirs")),),
    )
    file = tree("  org: {hard: {cpu: 2}, children: {a: {guaranteed: {cpu: 2}}}}")
    levels = lint.levels(file, whatif.after(seen, file).world)
    codes = [f.item.code for f in lint.findings(file, levels)]
    assert codes == ["limit-never-bites", "promised-too-much"]


@pytest.mark.parametrize(
    "text",
    [
        "  org: {hard: {cpu: 1}, mode: Observe, children: {a: {hard: {cpu: 2}}}}",
        "  org: {hard: {cpu: 1}, children: {a: {hard: {cpu: 2}, mode: Observe}}}",
        f"  org: {{hard: {{cpu: 5}}, mode: Observe, children: {TWO_OF_THREE}}}",
        "  org: {hard: {limits.cpu: 1}, mode: Observe}",
    ],
)
def test_what_only_observes_bounds_and_promises_nothing(text: str) -> None:
    assert said(text) == []


def test_every_rule_has_its_own_code() -> None:
    codes = [rule.code for rule in lint.RULES]
    assert len(set(codes)) == len(codes)
