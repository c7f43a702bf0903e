"""What is written as SARIF and JUnit is what their readers are promised.

The table has of SARIF 2.1.0 (OASIS, `sarif-schema-2.1.0.json`) what we write: each of its objects
is closed, so a property that is not in the table has to be looked up there first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import pytest

from quotatree.model.report import Item, Level, Place, Report, Rule, Verdict
from quotatree.reports import as_junit, as_sarif

GOLDEN = Path(__file__).parents[2] / "golden" / "cli"

Check = Callable[[Any], bool]


def is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def is_one_of(*values: str) -> Check:
    return lambda value: value in values


def is_at_least(least: int) -> Check:
    return lambda value: type(value) is int and value >= least


def is_uri(value: Any) -> bool:
    """Whether RFC 3986 allows every character of a reference."""
    return bool(re.fullmatch(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+", value))


def are_texts(value: Any) -> bool:
    return all(map(is_text, [*value.keys(), *value.values()]))


LEVEL: Final = is_one_of("none", "note", "warning", "error")

# Object → property → a check of its value, or the name of the object (in a list) that it holds.
SARIF: Final[dict[str, dict[str, Check | str]]] = {
    "log": {"$schema": is_uri, "version": is_one_of("2.1.0"), "runs": "run"},
    "run": {
        "tool": "tool",
        "automationDetails": "automation",
        "columnKind": is_one_of("utf16CodeUnits", "unicodeCodePoints"),
        "invocations": "invocation",
        "results": "result",
    },
    "tool": {"driver": "component"},
    "component": {"name": is_text, "semanticVersion": is_text, "rules": "rule"},
    "rule": {
        "id": is_text,
        "shortDescription": "message",
        "help": "message",
        "defaultConfiguration": "configuration",
    },
    "configuration": {"level": LEVEL},
    "automation": {"id": is_text},
    "invocation": {"executionSuccessful": lambda value: type(value) is bool},
    "result": {
        "ruleId": is_text,
        "ruleIndex": is_at_least(0),
        "level": LEVEL,
        "message": "message",
        "partialFingerprints": are_texts,
        "locations": "location",
    },
    "message": {"text": is_text},
    "location": {"physicalLocation": "physical", "logicalLocations": "logical"},
    "physical": {"artifactLocation": "artifact", "region": "region"},
    "artifact": {"uri": is_uri},
    "region": {"startLine": is_at_least(1), "startColumn": is_at_least(1)},
    "logical": {"fullyQualifiedName": is_text},
}
NEEDED: Final = {
    "log": {"version", "runs"},
    "run": {"tool", "results"},
    "tool": {"driver"},
    "component": {"name"},
    "rule": {"id"},
    "invocation": {"executionSuccessful"},
    "result": {"message"},
    "message": {"text"},
    "physical": {"artifactLocation"},
    "region": {"startLine"},
}


def mistakes(value: Any, kind: str, path: str = "") -> list[str]:
    """Return what is wrong with an object of SARIF, by its path."""
    if isinstance(value, list):
        return [m for n, item in enumerate(value) for m in mistakes(item, kind, f"{path}[{n}]")]
    missing = NEEDED.get(kind, set()) - value.keys()
    found = [f"{path}: {name} is missing" for name in sorted(missing)]
    for name, content in value.items():
        expected = SARIF[kind].get(name)
        here = f"{path}.{name}"
        if expected is None:
            found.append(f"{here}: not known of {kind}")
        elif isinstance(expected, str):
            found += mistakes(content, expected, here)
        elif not expected(content):
            found.append(f"{here}: {content!r}")
    return found


def report(verdict: Verdict, *items: Item) -> Report:
    rule = Rule(code="over-hard", title="More than the limit.", level=Level.ERROR)
    return Report(command="plan", headline="", verdict=verdict, rules=(rule,), items=items)


EVERYWHERE = Item(
    code="over-hard",
    level=Level.ERROR,
    message="m",
    subject="namespace/ä b",
    place=Place(file="/tmp/ä b#?.yaml", line=0, column=0, path="tree"),
)
NOWHERE = Item(code="never-seen", level=Level.NOTE, message="m")
REPORTS = {
    "no finding": report(Verdict.FITS),
    "odd names": report(Verdict.DOES_NOT_FIT, EVERYWHERE),
    "no place, no rule": report(Verdict.ERROR, NOWHERE),
}


def sarifs() -> list[Any]:
    golden = [json.loads((GOLDEN / name).read_bytes()) for name in ACCEPTED_SARIF]
    return golden + [json.loads(as_sarif.render(r, version="1.2.3")) for r in REPORTS.values()]


ACCEPTED_SARIF = ("plan/plan.sarif", "check/check.sarif")
ACCEPTED_JUNIT = ("plan/plan.xml", "check/check.xml")


@pytest.mark.parametrize("document", sarifs(), ids=[*ACCEPTED_SARIF, *REPORTS])
def test_sarif_holds_what_its_schema_allows_and_nothing_else(document: Any) -> None:
    assert mistakes(document, "log") == []


@pytest.mark.parametrize("document", sarifs(), ids=[*ACCEPTED_SARIF, *REPORTS])
def test_every_result_points_to_its_own_rule(document: Any) -> None:
    for run in document["runs"]:
        rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
        for result in run["results"]:
            assert "ruleIndex" not in result or rules[result["ruleIndex"]] == result["ruleId"]


@pytest.mark.parametrize(
    ("break_it", "want"),
    [
        (lambda run: run["results"][0].pop("message"), ".runs[0].results[0]: message is missing"),
        (lambda run: run.update(tools=1), ".runs[0].tools: not known of run"),
        (
            lambda run: run["results"][0].update(level="fatal"),
            ".runs[0].results[0].level: 'fatal'",
        ),
    ],
    ids=["something is missing", "something unknown", "a wrong word"],
)
def test_broken_sarif_is_told(break_it: Callable[[Any], Any], want: str) -> None:
    document = as_sarif.document(REPORTS["odd names"], version="1.2.3")
    break_it(document["runs"][0])
    assert mistakes(document, "log") == [want]


def junits() -> list[str]:
    golden = [(GOLDEN / name).read_text(encoding="utf-8") for name in ACCEPTED_JUNIT]
    return golden + [as_junit.render(r) for r in REPORTS.values()]


@pytest.mark.parametrize("text", junits(), ids=[*ACCEPTED_JUNIT, *REPORTS])
def test_junit_counts_the_cases_that_it_has(text: str) -> None:
    root = ElementTree.fromstring(text)
    (suite,) = root
    assert (root.tag, suite.tag) == ("testsuites", "testsuite")
    cases = list(suite)
    assert cases
    assert all(case.tag == "testcase" and case.get("name") for case in cases)
    for level in (root, suite):
        assert int(level.attrib["tests"]) == len(cases)
        for kind in ("failure", "error"):
            assert int(level.attrib[f"{kind}s"]) == sum(c.find(kind) is not None for c in cases)
    parts = {part.tag for case in cases for part in case}
    assert parts <= {"failure", "error", "system-out"}
