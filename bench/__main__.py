"""`python -m bench`: everything that is measured, as tables and as a JSON file."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from bench import creation, ground, machine, planting, report, scale, simulation, webhook
from bench.creation import Pair, Part, Plan
from bench.forest import Forest
from quotatree import sandbox as control_plane
from quotatree.cli import install
from quotatree.cluster import eventloop
from quotatree.errors import QuotaTreeError
from quotatree.sandbox import Progress, SandboxState

ROOT: Final = Path(__file__).parents[1]
SIZES: Final = (10, 1_000, 10_000)
QUICK_SIZES: Final = (10, 1_000)
QUICK: Final = Plan(pods=40, creators=8, pairs=2, spread=2)
PIPE_WIDTH: Final = 140


@click.command()
@click.option("--quick", is_flag=True, help="See that it works; the figures mean little.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("build/bench.json"),
    show_default=True,
    help="Where the JSON document goes.",
)
@click.option("--strict", is_flag=True, help="Exit code 3 when a figure is below its bar.")
@click.option("--pairs", type=click.IntRange(min=1), default=7, show_default=True, help="Pairs.")
@click.option(
    "--pods", type=click.IntRange(min=1), default=2000, show_default=True, help="Pods a sample."
)
@click.option(
    "--scene",
    "chosen",
    multiple=True,
    metavar="NAME",
    help="Create pods in this scene beside native quota, e.g. depth4-1; repeatable. Default: all.",
)
@click.option(
    "--only",
    type=click.Choice(["engine", "webhook", *(part.value for part in Part), "simulate", "scale"]),
    help="Measure one part. Default: all but scale, which takes its time.",
)
@click.option(
    "--namespaces",
    type=click.IntRange(min=20),
    default=1_000,
    show_default=True,
    help="Size of the forest of --only scale. It is made once, and kept in the cache.",
)
@click.option("--prepare", is_flag=True, help="With --only scale: only make the forest.")
@click.option(
    "--name", default="bench", show_default=True, help="Sandbox; deleted before and after."
)
def main(
    *,
    quick: bool,
    output: Path,
    strict: bool,
    pairs: int,
    pods: int,
    chosen: tuple[str, ...],
    only: str | None,
    namespaces: int,
    prepare: bool,
    name: str,
) -> None:
    """Measure what quotatree costs beside native ResourceQuota, and its engine by itself.

    Exit codes: 0 measured, 1 error, 2 bad usage, 3 below a bar (only with --strict).
    """
    progress = control_plane.shown_on(sys.stderr)
    plan = QUICK if quick else Plan(pairs=pairs, pods=pods, chosen=chosen)
    began, load = time.time(), machine.load()
    if load > 1:
        progress.note(f"this machine is busy (load {load:.1f}): the figures will be worse")
    try:
        engine = _engine(progress, quick=quick) if only in {None, "engine"} else []
        alone = _webhook(progress, quick=quick) if only in {None, "webhook"} else {}
        simulated = _simulate(progress, quick=quick) if only in {None, "simulate"} else []
        parts = [part for part in Part if only in {None, part}]
        created = _creation(progress, plan, parts, name=name) if parts else Created()
        forest = Forest(namespaces=namespaces)
        if prepare:
            planting.make(forest, progress)
            return
        scaled = _scale(progress, forest, name=name) if only == "scale" else {}
    except QuotaTreeError as error:
        raise click.ClickException(str(error)) from error
    results = report.Results(
        pairs=created.pairs,
        engine=engine,
        controller=created.controller,
        simulated=simulated,
        webhook=alone,
        scaled=scaled,
    )
    setting = {
        "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began)),
        "seconds": round(time.time() - began),
        "quick": quick,
        "namespaces": namespaces,
        "load": {"before": load, "after": machine.load()},
        "plan": dataclasses.asdict(plan),
        "machine": machine.describe(),
        "control_plane": created.versions,
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(report.document(results, setting), indent=1) + "\n")
    console = Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)
    console.print(report.screen(results))
    progress.note(f"all samples: {output}; the machine's load was {load:.1f} when this began")
    if strict and not all(bar.reached for bar in results.bars):
        sys.exit(3)


def _engine(progress: Progress, *, quick: bool) -> list[Mapping[str, Any]]:
    """Measure the engine, each size in a fresh process: memory is never given back in full."""
    found = []
    with progress.step("measuring the engine alone") as step:
        sizes = QUICK_SIZES if quick else SIZES
        for number, size in enumerate(sizes):
            step.tick(number / len(sizes))
            command = [sys.executable, "-m", "bench.engine", "--namespaces", str(size)]
            command += ["--seconds", "0.2" if quick else "5"]
            done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
            found.append(json.loads(done.stdout))
    return found


def _webhook(progress: Progress, *, quick: bool) -> dict[str, Any]:
    with (
        progress.step("asking the webhook alone"),
        asyncio.Runner(loop_factory=eventloop.new) as it,
    ):
        return it.run(webhook.measure(300 if quick else 10_000))


def _simulate(progress: Progress, *, quick: bool) -> list[dict[str, Any]]:
    with (
        tempfile.TemporaryDirectory(prefix="quotatree-bench-") as folder,
        progress.step("replaying traces", slow=True) as step,
    ):
        return simulation.measure(Path(folder), quick=quick, told=step.tick)


@dataclasses.dataclass(slots=True, kw_only=True)
class Created:
    """What creations of pods showed; `controller` is its memory in bytes, before and after."""

    pairs: list[Pair] = dataclasses.field(default_factory=list)
    controller: dict[str, int] = dataclasses.field(default_factory=dict)
    versions: dict[str, str] = dataclasses.field(default_factory=dict)


def _creation(progress: Progress, plan: Plan, parts: Sequence[Part], *, name: str) -> Created:
    """Measure the way through the webhook and the one within slices, each by its controller."""
    found = Created()
    if alone := [part for part in parts if part is not Part.SERVERS]:
        with ground.fresh(name, progress, slices=alone[0] is Part.SLICES) as sandbox:
            current, before = sandbox, machine.family_resident(sandbox.pids["quotatree"])
            for part in alone:
                current = install.start_in_sandbox(current, progress, slices=part is Part.SLICES)
                _pairs(progress, plan, part, sandbox=current, found=found)
            after = machine.family_resident(current.pids["quotatree"])
            found.controller = {"before": before, "after": after}
    if Part.SERVERS in parts:
        with ground.fresh(name, progress, api_servers=2) as sandbox:
            _pairs(progress, plan, Part.SERVERS, sandbox=sandbox, found=found)
    return found


def _pairs(
    progress: Progress, plan: Plan, part: Part, *, sandbox: SandboxState, found: Created
) -> None:
    here, what = dataclasses.replace(plan, part=part), f"creating pods {part.words}"
    with progress.step(f"{what} beside native quota", slow=True) as step:
        told = _told(progress, step.tick)
        found.pairs += asyncio.run(creation.measure(sandbox, here, told=told))
    versions = sandbox.versions
    found.versions = {"kubernetes": versions.kubernetes, "etcd": versions.etcd}


def _scale(progress: Progress, forest: Forest, *, name: str) -> dict[str, float]:
    """Measure a forest; the sandbox is a copy of the one that is kept."""
    try:
        sandbox = planting.bring_up(forest, name, progress)
        with progress.step(f"measuring {forest.namespaces:,} namespaces", slow=True):
            return asyncio.run(scale.measure(forest, sandbox, progress, told=progress.note))
    finally:
        control_plane.down(name, purge=True, progress=progress)


def _told(progress: Progress, tick: Callable[[float | None], None]) -> Callable[[str, float], None]:
    """Return how progress is told: the bar moves, and each round of pairs is a line."""
    rounds: set[str] = set()

    def tell(what: str, share: float) -> None:
        tick(share)
        round_ = what.partition(":")[0]
        if round_.startswith("pair") and round_ not in rounds:
            rounds.add(round_)
            progress.note(f"{round_}: {share:.0%} done")

    return tell


if __name__ == "__main__":
    main()
