"""Screens at a fixed width, held against `tests/golden/cli`."""

import io
import os
from pathlib import Path

import pytest
from rich.console import Console

from quotatree.cli import render
from quotatree.engine import survey
from quotatree.model.observed import ManagedQuota, ObservedNamespace
from quotatree.model.quota import Mode, Quota, QuotaStatus
from quotatree.model.scope import ScopeTerm
from quotatree.model.state import TreeState
from quotatree.units.resources import EMPTY, Resources

GOLDEN = Path(__file__).parents[2] / "golden" / "cli"
GPU = "requests.nvidia.com/gpu"
BEST_EFFORT = (ScopeTerm(scope="BestEffort"),)


def namespace(name, parent=None, **other):
    return ObservedNamespace(name=name, uid=name, resource_version=1, parent=parent, **other)


def quota(namespace, hard, guaranteed=(), granted=(), **other):
    return Quota(
        namespace=namespace,
        name=other.pop("name", "quota"),
        hard=Resources.parse(hard),
        guaranteed=Resources.parse(dict(guaranteed)),
        granted=Resources.parse(dict(granted)),
        **other,
    )


def measured(namespace, used, *, ready=True, scopes=()):
    used = Resources.parse(used)
    return ManagedQuota(
        namespace=namespace,
        name="quotatree",
        uid=f"{namespace}-{scopes}",
        resource_version=1,
        scopes=scopes,
        spec_hard=used,
        status_hard=used,
        used=used,
        ready=ready,
    )


def sighted(pods):
    """Return the status of a quota that has counted so many pods."""
    counted = Resources.parse({"pods": str(pods)})
    return QuotaStatus(
        hard=EMPTY,
        used=counted,
        charged=counted,
        available=EMPTY,
        guaranteed=EMPTY,
        observed_generation=1,
    )


STATE = survey.survey(
    survey.Observed(
        resource_version=7,
        namespaces=(
            namespace("org"),
            namespace("vision", "org"),
            namespace("ai-pipeline", "vision"),
            namespace("batch", "vision"),
            namespace("nlp", "org", terminating=True),
            namespace("stray", "gone"),
        ),
        quotas=(
            quota("org", {"cpu": "200", "memory": "800Gi", GPU: "64"}),
            quota("vision", {GPU: "32"}, {GPU: "16"}, {GPU: "16"}),
            quota("ai-pipeline", {"cpu": "20", "memory": "100Gi"}),
            quota("batch", {"pods": "100"}, name="best-effort", scopes=BEST_EFFORT),
            quota("nlp", {"cpu": "10"}, {"cpu": "5"}),
        ),
        managed=(
            measured("org", {"cpu": "0", "memory": "0", GPU: "0"}),
            measured("ai-pipeline", {"cpu": "20", "memory": "33333333333", GPU: "4"}),
            measured("batch", {"cpu": "50500m", "memory": "2Gi", GPU: "2"}),
            measured("batch", {"pods": "7"}, scopes=BEST_EFFORT),
            measured("nlp", {"cpu": "12"}, ready=False),
        ),
    )
)


OBSERVED = survey.survey(
    survey.Observed(
        namespaces=(namespace("org"), namespace("team", "org"), namespace("new", "org")),
        quotas=(
            quota("org", {"cpu": "20"}),
            quota("org", {"pods": "10"}, name="trial", mode=Mode.OBSERVE, status=sighted(12)),
            quota("team", {"pods": "40"}, mode=Mode.OBSERVE, status=sighted(12)),
            quota("new", {"memory": "1Gi"}, mode=Mode.OBSERVE),
        ),
        managed=(measured("org", {"cpu": "2"}), measured("team", {}), measured("new", {})),
    )
)


def screen(renderable, width=100):
    console = Console(file=io.StringIO(), width=width, legacy_windows=False)
    console.print(renderable)
    lines = console.file.getvalue().splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("tree.txt", screen(render.tree(STATE))),
        ("tree-80.txt", screen(render.tree(STATE), width=80)),
        ("tree-80-ascii.txt", screen(render.tree(STATE, ascii_only=True), width=80)),
        ("tree-ascii.txt", screen(render.tree(STATE, ascii_only=True))),
        (
            "tree-part.txt",
            screen(render.tree(survey.only(STATE, namespace="vision", resources=["cpu"]))),
        ),
        ("tree-observed.txt", screen(render.tree(OBSERVED))),
        ("tree-empty.txt", screen(render.tree(TreeState()))),
        ("tree-wide.txt", render.columns(render.wide_rows(STATE)) + "\n"),
    ],
)
def test_the_screen_is_the_accepted_one(name, shown):
    file = GOLDEN / name
    if os.environ.get("ACCEPT_GOLDEN"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(shown)
    assert shown == file.read_text(), f"ACCEPT_GOLDEN=1 accepts the new {file.name}"


DEEP = survey.survey(
    survey.Observed(
        namespaces=tuple(
            namespace(f"level-{n}-of-a-team", f"level-{n - 1}-of-a-team" if n else None)
            for n in range(6)
        ),
        quotas=tuple(
            quota(f"level-{n}-of-a-team", {"cpu": "1234", GPU: "5"}, {"cpu": "7"}) for n in range(6)
        ),
        managed=tuple(measured(f"level-{n}-of-a-team", {"cpu": "250"}) for n in range(6)),
    )
)


@pytest.mark.parametrize("width", [72, 80, 90, 100, 120])
@pytest.mark.parametrize(("state", "lines"), [(STATE, 8), (DEEP, 12)], ids=["usual", "deep"])
def test_what_is_free_is_never_cut(state, lines, width):
    shown = screen(render.tree(state), width)
    unlimited = screen(render.tree(state), 400)

    def free(text: str) -> list[str]:
        at = text.splitlines()[0].index("FREE")
        return [line[at:] for line in text.splitlines()[1:] if line[at:]]

    assert free(shown) == free(unlimited)
    assert len(free(shown)) == lines
    assert max(map(len, shown.splitlines())) <= width


def test_colour_says_nothing_that_words_do_not():
    console = Console(file=io.StringIO(), width=100, force_terminal=True, legacy_windows=False)
    console.print(render.tree(STATE))
    coloured = console.file.getvalue()
    assert "\x1b[" in coloured
    plain = Console(file=io.StringIO(), width=100, no_color=True)
    plain.print(render.tree(STATE))
    assert "over by 2" in plain.file.getvalue()


@pytest.mark.parametrize(
    ("name", "nano", "up", "down"),
    [
        ("cpu", 0, "0", "0"),
        ("cpu", 500 * 10**6, "500m", "500m"),
        ("cpu", 82_500 * 10**6, "82.5", "82.5"),
        ("cpu", 12_345 * 10**6, "12.345", "12.345"),
        ("cpu", 1, "1n", "1n"),
        ("cpu", 1_234_567_891, "1.3", "1.2"),
        ("memory", 100 * 2**30 * 10**9, "100Gi", "100Gi"),
        ("memory", 33_333_333_333 * 10**9, "31.1Gi", "31Gi"),
        ("pods", 123_456_789 * 10**9, "123.5M", "123.4M"),
    ],
)
def test_amounts_are_short_and_never_promise_too_much(name, nano, up, down):
    assert render.human(name, nano) == up
    assert render.human(name, nano, up=False) == down


@pytest.mark.parametrize(
    ("used", "hard", "cells"),
    [(0, 10, 0), (1, 1000, 1), (999, 1000, 9), (1000, 1000, 10), (5000, 1000, 10), (0, 0, 10)],
)
def test_a_bar_is_empty_only_for_nothing_and_full_only_for_all(used, hard, cells):
    share, _ = render._share(used, hard)
    assert share == cells
