"""One report in four forms: what each of them must hold, and what no text may do to them."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import pytest

from quotatree.model.names import Namespace
from quotatree.model.problem import Problem
from quotatree.model.report import (
    Item,
    Level,
    Place,
    Report,
    Rule,
    Table,
    Verdict,
    in_order,
    of_problem,
)
from quotatree.reports import as_json, as_junit, as_markdown, as_sarif

OVER = Rule(code="over-hard", title="More than the limit.", level=Level.ERROR, help="Free some.")
LOOSE = Rule(code="never-bites", title="A limit that never bites.", level=Level.WARNING)

ITEMS = (
    Item(
        code="over-hard",
        level=Level.ERROR,
        message="cpu: 5 of 4 in use",
        remedy="raise it",
        subject="namespace/vision",
        namespace=Namespace("vision"),
        place=Place(file="trees/my tree.yaml", line=7, column=3, path='tree.vision.hard["cpu"]'),
    ),
    Item(code="never-bites", level=Level.WARNING, message="pods", subject="namespace/org"),
)

REPORT = Report(
    command="plan",
    headline="1 namespace would be over.",
    verdict=Verdict.DOES_NOT_FIT,
    rules=(OVER, LOOSE),
    items=ITEMS,
    subjects=("namespace/org", "namespace/vision", "namespace/quiet"),
    tables=(Table(title="Limits", header=("a", "b"), rows=(("1", "x|y"),), folded=True),),
)


def one(item: Item) -> Report:
    return Report(command="check", headline="", verdict=Verdict.DOES_NOT_FIT, items=(item,))


def with_text(text: str) -> Report:
    item = Item(code="c", level=Level.ERROR, message=text, subject=text, place=Place(file="f"))
    return one(item)


def sarif(report: Report) -> dict[str, Any]:
    (run,) = as_sarif.document(report, version="1.2.3")["runs"]
    assert isinstance(run, dict)
    return run


NASTY = pytest.mark.parametrize(
    "text",
    [
        pytest.param("a\x00b\x1b[31m\ud7ff\ufffe", id="control characters"),
        pytest.param("]]> </failure> & \" '", id="ends of XML"),
        pytest.param("| a | b\n- c\r\n# d", id="ends of markdown"),
    ],
)


def test_json_holds_every_finding_with_its_code_place_and_remedy() -> None:
    found = json.loads(as_json.render(REPORT, details={"nodes": []}))
    assert (found["kind"], found["verdict"]) == ("PlanReport", "does not fit")
    assert (found["errors"], found["warnings"], found["notes"], found["nodes"]) == (1, 1, 0, [])
    first = found["findings"][0]
    assert first["place"]["line"] == 7
    assert first["remedy"] == "raise it"
    assert "place" not in found["findings"][1]


def test_sarif_points_to_the_line_and_names_the_rule() -> None:
    run = sarif(REPORT)
    first, second = run["results"]
    assert run["tool"]["driver"]["rules"][first["ruleIndex"]]["id"] == "over-hard"
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "trees/my%20tree.yaml"
    assert place["region"] == {"startLine": 7, "startColumn": 3}
    assert "physicalLocation" not in second["locations"][0]
    assert (first["level"], second["level"]) == ("error", "warning")


def test_sarif_tells_two_findings_apart_and_knows_one_again_on_another_line() -> None:
    moved = Item(
        **{
            **_fields(ITEMS[0]),
            "place": Place(file="trees/my tree.yaml", line=9, path='tree.vision.hard["cpu"]'),
            "message": "cpu: 6 of 4 in use",
        }
    )
    prints = [
        sarif(one(item))["results"][0]["partialFingerprints"]["quotatree/v1"]
        for item in (ITEMS[0], moved, ITEMS[1])
    ]
    assert prints[0] == prints[1] != prints[2]


def _fields(item: Item) -> dict[str, Any]:
    return {name: getattr(item, name) for name in item.__slots__}


def test_sarif_of_a_broken_input_is_no_successful_run() -> None:
    report = Report(command="plan", headline="", verdict=Verdict.ERROR)
    assert sarif(report)["invocations"] == [{"executionSuccessful": False}]
    assert sarif(REPORT)["invocations"] == [{"executionSuccessful": True}]


def test_junit_has_a_case_for_each_subject_and_fails_those_with_errors() -> None:
    root = ElementTree.fromstring(as_junit.render(REPORT))
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("3", "1", "0")
    failed = {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}
    assert failed == {
        "namespace/org": ["system-out"],
        "namespace/vision": ["failure"],
        "namespace/quiet": [],
    }


def test_junit_of_a_broken_input_is_an_error_of_the_command() -> None:
    problem = Problem(path="tree", message="is missing", line=2, column=1, hint="write it")
    item = of_problem(problem, OVER, file="a.yaml")
    report = Report(command="plan", headline="", verdict=Verdict.ERROR, items=(item,))
    (case,) = ElementTree.fromstring(as_junit.render(report)).iter("testcase")
    assert (case.get("name"), case.get("file"), case.get("line")) == ("plan", "a.yaml", "2")
    assert case[0].tag == "error"
    assert "write it" in (case[0].text or "")


@NASTY
def test_no_text_breaks_the_xml(text: str) -> None:
    (case,) = ElementTree.fromstring(as_junit.render(with_text(text))).iter("testcase")
    assert len(case) == 1


@NASTY
def test_no_text_leaves_its_line_of_markdown(text: str) -> None:
    lines = as_markdown.render(with_text(text)).splitlines()
    assert len([line for line in lines if line.startswith(("- ", "#", "|"))]) == 2


def test_markdown_calls_for_nobody_and_renders_nothing_that_a_file_wrote() -> None:
    text = as_markdown.render(with_text("@octocat <img src=x> [a](b) `c` **d**"))
    assert "@octocat" not in text
    assert "\\<img" in text
    assert "\\[a\\]" in text


def test_markdown_keeps_a_cell_in_its_column() -> None:
    assert "| 1 | x\\|y |" in as_markdown.render(REPORT)


def test_markdown_of_a_great_report_fits_into_a_comment() -> None:
    items = tuple(
        Item(code="c", level=level, message="m" * 290, subject=f"namespace/{n}")
        for level in Level
        for n in range(500)
    )
    rows = tuple(("n" * 20, "r" * 30, "1", "2", "3") for _ in range(900))
    table = Table(title="t", header=("a", "b", "c", "d", "e"), rows=rows)
    report = Report(
        command="plan", headline="", verdict=Verdict.FITS, items=items, tables=(table, table)
    )
    text = as_markdown.render(report)
    assert "… and 468 more" in text
    assert "… and 836 more rows" in text
    assert len(text) <= as_markdown.MAX_CHARACTERS < 2**16


def test_errors_come_first_and_no_finding_twice() -> None:
    note = Item(code="a", level=Level.NOTE, message="m")
    assert in_order((note, ITEMS[1], ITEMS[0], note)) == (ITEMS[0], ITEMS[1], note)
