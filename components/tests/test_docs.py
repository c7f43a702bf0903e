"""Every program in the documentation runs, without an engine."""

import re
from pathlib import Path

import pytest
from recording import run

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "docs/tutorials/from-ten-lines-to-a-tree.md",
    *sorted((ROOT / "docs/how-to").glob("*pulumi*.md")),
]
_FENCE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PROGRAMS = [
    pytest.param(text, id=f"{page.stem}-{index}")
    for page in PAGES
    for index, text in enumerate(_FENCE.findall(page.read_text(encoding="utf-8")))
    # A policy pack is no program: it serves until Pulumi ends it.
    if "import" in text and "pulumi_quotatree_policy" not in text
]
FILE = """\
apiVersion: quotatree.dev/v1alpha1
kind: Tree
tree:
  org: {hard: {cpu: "9"}}
"""


def test_the_documentation_shows_programs():
    assert len(PROGRAMS) > 8


@pytest.mark.parametrize("text", PROGRAMS)
def test_a_program_of_the_documentation_makes_something(text, tmp_path, monkeypatch):
    (tmp_path / "quotatree.yaml").write_text(FILE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    ran = run(lambda: exec(compile(text, "documentation", "exec"), {}))
    assert ran.monitor.found
    assert ran.warnings == []
