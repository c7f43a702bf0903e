"""What the components may use of quotatree is decided for every package of it."""

import pkgutil
import tomllib
from pathlib import Path

import quotatree

ALLOWED = {"codec", "engine", "errors", "manifests", "model", "units"}
ROOT = Path(__file__).parents[1]


def test_the_contract_decides_about_every_package():
    with (ROOT / "pyproject.toml").open("rb") as file:
        (contract,) = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    forbidden = {name.removeprefix("quotatree.") for name in contract["forbidden_modules"]}
    packages = {it.name for it in pkgutil.iter_modules(quotatree.__path__)} - {"__main__"}
    assert packages == forbidden | ALLOWED
    assert not forbidden & ALLOWED


def test_component_modules_keep_their_annotations():
    for path in (ROOT / "src/pulumi_quotatree").glob("*.py"):
        assert "from __future__ import annotations" not in path.read_text(), path
