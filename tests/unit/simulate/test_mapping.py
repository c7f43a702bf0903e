import importlib.util
import sys
from pathlib import Path

import pytest

from quotatree.errors import InputError
from quotatree.simulate import mapping, reading

EXAMPLE = Path(__file__).parents[3] / "examples" / "ai-pipeline"
HEADER = ["gpus", "qos", "user"]


def rules(text):
    found = mapping.parse(text.encode())
    assert all(isinstance(rule, mapping.Rule) for rule in found), found
    return mapping.by_rules(found, HEADER)


def chosen(text, *rows):
    choose = rules(text)
    return [choose(row.split(",")) for row in rows]


def test_the_first_rule_that_applies_takes_the_row():
    text = '[{when: {gpus: ">1"}, to: big}, {when: {qos: BE}, to: batch}, {to: rest}]'
    assert chosen(text, "2,BE,a", "1,BE,a", "0,LS,a") == ["big", "batch", "rest"]


def test_the_namespaces_of_a_rule_take_turns():
    assert chosen("[{to: [a, b]}]", "0,,", "0,,", "0,,") == ["a", "b", "a"]


@pytest.mark.parametrize(
    ("condition", "row", "want"),
    [
        ('{gpus: ">=2"}', "2,,", True),
        ('{gpus: ">=2"}', "1.9,,", False),
        ('{gpus: "<2"}', "1500m,,", True),
        ('{gpus: "<2"}', "many,,", False),
        ('{gpus: "<= 2"}', "2,,", True),
        ("{gpus: 2}", "2,,", True),
        ('{user: "!=eve"}', ",,adam", True),
        ('{user: "=eve"}', ",,eve", True),
        ("{qos: [BE, LS], user: eve}", ",LS,eve", True),
        ("{qos: [BE, LS], user: eve}", ",LS,adam", False),
    ],
)
def test_conditions_mean_what_they_say(condition, row, want):
    text = f"[{{when: {condition}, to: yes-it-does}}, {{to: no-it-does-not}}]"
    assert chosen(text, row) == ["yes-it-does" if want else "no-it-does-not"]


def test_a_row_that_no_rule_takes_is_an_error():
    with pytest.raises(InputError, match="no rule takes this row"):
        chosen("[{when: {qos: BE}, to: batch}]", ",LS,")


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(InputError, match='a column "quos"; did you mean "qos"'):
        rules("[{when: {quos: BE}, to: batch}]")


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("to: a", "must be a list of rules", id="no list"),
        pytest.param("[]", "must be a list of rules", id="empty"),
        pytest.param("- a", "must be a rule", id="no rule"),
        pytest.param("- {to: a, too: b}", 'unknown key "too"', id="key"),
        pytest.param("- {when: {a: b}}", "must name a namespace", id="no target"),
        pytest.param("- {to: [a, []]}", "must name a namespace", id="target"),
        pytest.param("- {to: a, when: b}", "must be a map of columns", id="when"),
        pytest.param('- {to: a, when: {b: ">many"}}', "'many' is no quantity", id="bound"),
        pytest.param("- {to: a, when: {b: {}}}", "a text in quotes, is a map", id="condition"),
        pytest.param("-\tto: a", "indent with spaces, not tabs", id="tab"),
    ],
)
def test_mistakes_in_the_rules_are_named_with_their_line(text, want):
    (problem,) = mapping.parse(text.encode())
    assert want in str(problem)
    assert problem.line == 1


def test_rules_of_the_example_give_pods_to_the_pipelines_that_the_demo_gives_them_to():
    spec = importlib.util.spec_from_file_location("ai_pipeline_demo", EXAMPLE / "replay.py")
    demo = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    found = mapping.parse((EXAMPLE / "simulate-map.yaml").read_bytes())
    known = {name for names in demo.PIPELINES.values() for name in names}
    trace = reading.read(EXAMPLE / "trace.csv", known=known, leaves=(), rules=found)
    wanted = demo.requests(demo.read(EXAMPLE / "trace.csv"), claims=0)
    assert [w.namespace for w in trace.workloads] == [r.pipeline for r in wanted]
