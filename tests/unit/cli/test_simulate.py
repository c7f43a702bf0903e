"""`quotatree simulate`: screens at 100 columns, documents, and bad input in one message."""

import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet
import pytest
from click.testing import CliRunner

from quotatree.cli.main import cli

GOLDEN = Path(__file__).parents[2] / "golden" / "cli"
ROOT = Path(__file__).parents[3]
EXAMPLE = Path("examples") / "ai-pipeline"  # as the screens show it, wherever the checkout lies
TRACE = EXAMPLE / "trace.csv"

TIGHT = """\
apiVersion: quotatree.dev/v1alpha1
kind: Tree
tree:
  research:
    hard: {cpu: "150", memory: 1Ti, requests.nvidia.com/gpu: "12"}
    children:
      vision:
        hard: {requests.nvidia.com/gpu: "10"}
        guaranteed: {requests.nvidia.com/gpu: "4"}
        children:
          ai-pipeline: {hard: {requests.nvidia.com/gpu: "4"}}
          vision-training: {}
          vision-labelling: {}
      language:
        hard: {memory: 500Gi, count/pods: "1k"}
        children: {language-pretraining: {}, language-finetuning: {}, language-serving: {}}
      platform:
        hard: {cpu: "100", services: "10"}
        children: {platform-batch: {}, platform-notebooks: {}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "tight.yaml").write_text(TIGHT)
    (tmp_path / "loose.yaml").write_text(TIGHT.replace('"150"', '"250"').replace('"12"', '"24"'))
    return tmp_path


def simulate(*arguments):
    return CliRunner().invoke(cli, ["simulate", *map(str, arguments)])


COMPARE = (TRACE, "--tree", "tight.yaml", "--tree", "loose.yaml", "--policy", "fifo")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("simulate-refuse.txt", (TRACE, "--tree", "tight.yaml")),
        ("simulate-compare.txt", COMPARE),
        (
            "simulate-map.txt",
            (
                *(TRACE, "--tree", EXAMPLE / "quotatree.yaml", "--policy", "priority"),
                *("--map", EXAMPLE / "simulate-map.yaml"),
            ),
        ),
    ],
)
def test_the_screen_is_the_accepted_one(name, arguments):
    done = simulate(*arguments)
    assert done.exit_code == 0, done.stderr
    shown = done.stdout
    lines = [line.rstrip() for line in shown.splitlines()]
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in shown
    text = "\n".join(lines) + "\n"
    if os.environ.get("ACCEPT_GOLDEN"):
        (GOLDEN / name).write_text(text, encoding="utf-8")
    assert text == (GOLDEN / name).read_text(encoding="utf-8")


def test_the_name_of_a_tree_is_shown_as_it_is(folder):
    name = "[new]:smile:.yaml"
    shutil.copy(folder / "tight.yaml", folder / name)
    shown = simulate(TRACE, "--tree", name).stdout
    assert shown.count(name) == 2


def test_talk_and_progress_go_to_stderr_and_only_data_to_stdout():
    done = simulate(TRACE, "--tree", "tight.yaml", "-o", "json")
    assert json.loads(done.stdout)["kind"] == "Simulation"
    assert "replaying against tight.yaml: done" in done.stderr
    assert "in turns to the 8 namespaces without children" in done.stderr


def test_the_document_adds_up():
    document = json.loads(simulate(*COMPARE, "-o", "json").stdout)
    assert document["trace"]["workloads"] == 609
    for run in document["runs"]:
        total = run["total"]
        assert sum(total["outcomes"].values()) == total["workloads"] == 609
        assert sum(run["counts"]["arrived"]) == 609
        assert sum(run["counts"]["admitted"]) == total["outcomes"]["admitted"]
        assert sum(total["waited"]["histogram"].values()) == total["outcomes"]["admitted"]
        asked = [space["workloads"] for space in run["namespaces"].values()]
        assert sum(asked) == 609
        (gpu,) = (
            node
            for node in run["nodes"]
            if (node["namespace"], node["resource"]) == ("research", "requests.nvidia.com/gpu")
        )
        assert max(gpu["used"]["peak"]) == float(gpu["peak"]) <= float(gpu["hard"])
        assert max(gpu["charged"]["peak"]) >= max(gpu["used"]["peak"])


def test_the_same_input_gives_the_same_bytes(folder):
    outputs = []
    for name in ("first", "second"):
        written = ("--html", f"{name}.html", "--parquet", name)
        done = simulate(*COMPARE, "-o", "json", *written)
        files = [f"{name}.html", f"{name}/workloads.parquet", f"{name}/usage.parquet"]
        outputs.append((done.stdout, *((folder / file).read_bytes() for file in files)))
    assert outputs[0] == outputs[1]


def test_the_order_of_hashes_plays_no_part(folder):
    outputs = []
    for seed in ("1", "2"):
        command = [sys.executable, "-m", "quotatree", "simulate", *map(str, COMPARE)]
        done = subprocess.run(
            [*command, "-o", "json", "--html", "report.html"],
            check=True,
            capture_output=True,
            cwd=folder,
            env=os.environ | {"PYTHONHASHSEED": seed},
        )
        outputs.append((done.stdout, (folder / "report.html").read_bytes()))
    assert outputs[0] == outputs[1]


def test_parquet_holds_every_workload_and_every_interval(folder):
    assert simulate(*COMPARE, "--parquet", "out").exit_code == 0
    workloads = pyarrow.parquet.read_table(folder / "out" / "workloads.parquet").to_pylist()
    assert len(workloads) == 2 * 609
    assert {row["tree"] for row in workloads} == {"tight.yaml", "loose.yaml"}
    waited = [r for r in workloads if r["admitted"] is not None and r["admitted"] > r["arrival"]]
    assert waited
    assert all(row["kept_out_by"] for row in waited)
    usage = pyarrow.parquet.read_table(folder / "out" / "usage.parquet").to_pylist()
    assert all(row["used_peak"] <= row["hard"] for row in usage if row["hard"] is not None)


class Page(HTMLParser):
    """Collects tags, and what they refer to."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for key, value in attrs if key in {"src", "href", "xlink:href"}]
        if tag not in {"meta", "br", "line", "path", "rect"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):  # noqa: ARG002 - its base class calls it so
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_report_is_one_file_that_needs_nothing_else(folder):
    assert simulate(*COMPARE, "--html", "report.html").exit_code == 0
    text = (folder / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert page.links == []
    assert "script" not in page.tags
    assert page.tags.count("svg") > 20
    assert not re.search(r"url\(|@import|https?://", text)
    assert 'class="limit"' in text
    assert "research: requests.nvidia.com/gpu" in text


def test_names_in_the_report_are_text_and_never_markup(folder):
    evil = folder / "<b>.csv"
    evil.write_text("arrival,<script>\n0,1\n")
    assert simulate(evil, "--tree", "tight.yaml", "--html", "report.html").exit_code == 0
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;.csv" in text
    assert "&lt;script&gt;" in text
    assert "<script>" not in text
    assert "<b>.csv" not in text


@pytest.mark.parametrize(
    "trace",
    [
        pytest.param("arrival,cpu\n5,1\n", id="one workload"),
        pytest.param("arrival,duration,cpu\n5,0,1\n5,0,1\n", id="no time at all"),
        pytest.param("arrival,namespace\n5,vision\n", id="nothing measured"),
    ],
)
@pytest.mark.parametrize("policy", ["refuse", "fifo", "priority"])
def test_small_traces_have_reports_too(folder, trace, policy):
    (folder / "small.csv").write_text(trace)
    done = simulate("small.csv", "--tree", "tight.yaml", "--policy", policy, "--html", "r.html")
    assert done.exit_code == 0, done.output


def test_a_tree_without_limits_has_a_report_too(folder):
    (folder / "t.yaml").write_text(
        "apiVersion: quotatree.dev/v1alpha1\nkind: Tree\ntree: {a: {}}\n"
    )
    done = simulate(TRACE, "--tree", "t.yaml", "--html", "r.html")
    assert done.exit_code == 0, done.output
    assert "The trees limit nothing" in (folder / "r.html").read_text(encoding="utf-8")


# -- bad input --------------------------------------------------------------------------------

BAD = {
    "tab.yaml": "tree:\n\torg: {}\n",
    "cut.csv": (ROOT / TRACE).read_text(encoding="utf-8")[:20_000],
    "columns.csv": "pod,start\na,1\n",
    "empty.csv": "",
    "rules.yaml": "- when: {qos: BE}\n  too: a\n",
    "wide.csv": "x" * 50_000_000,
    "wide.yaml": "x" * 50_000_000,
}
GOOD = ("--tree", "tight.yaml")


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        pytest.param(("none.csv", *GOOD), "none.csv: No such file", id="no trace"),
        pytest.param((".", *GOOD), "Is a directory", id="folder"),
        pytest.param((TRACE, "--tree", "none.yaml"), "none.yaml: No such file", id="no tree"),
        pytest.param((TRACE, "--tree", "tab.yaml"), "tab.yaml:2:1: .*not tabs", id="tab"),
        pytest.param((TRACE, "--tree", "wide.yaml"), "at most 10 MiB are read", id="50 MB tree"),
        pytest.param(("wide.csv", *GOOD), "wide.csv:1: is no CSV", id="50 MB trace"),
        pytest.param(("cut.csv", *GOOD), r"cut.csv:\d{3}: the row has .* of 9", id="half-written"),
        pytest.param(("columns.csv", *GOOD), "columns.csv:1: these are not", id="columns"),
        pytest.param(("empty.csv", *GOOD), "empty.csv: the file is empty", id="empty"),
        pytest.param((TRACE, *GOOD, "--map", "no.yaml"), "no.yaml: No such file", id="no rules"),
        pytest.param((TRACE, *GOOD, "--map", "rules.yaml"), r'rules.yaml:2:3: .*"too"', id="rules"),
        pytest.param((TRACE, *GOOD, "--map", "tab.yaml"), "not tabs", id="tab in the rules"),
        pytest.param((TRACE, *GOOD, "--html", "no/r.html"), "no/r.html: No such", id="no folder"),
    ],
)
def test_bad_input_is_one_clear_message(folder, arguments, want):
    for name in {str(a) for a in arguments} & BAD.keys():
        (folder / name).write_text(BAD[name])
    done = simulate(*arguments)
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)  # an error of ours, no traceback
    assert done.stdout == ""
    said = done.stderr[done.stderr.index("Error: ") :]
    assert re.search(want, said)
    assert len(said.splitlines()) <= 3


def test_a_report_without_a_folder_is_told_before_anything_is_read():
    done = simulate("none.csv", "--tree", "none.yaml", "--html", "no/r.html")
    assert done.stderr == "Error: no/r.html: No such file or directory\n"


def test_a_tree_has_to_be_named():
    assert simulate(TRACE).exit_code == 2
