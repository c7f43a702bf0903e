"""`python -m bench.program`: a Pulumi program of 100 namespaces, timed on the real engine.

Up, an unchanged up, destroy; then the same program twice at once as two stacks. After each `up` the
cluster must have every object exactly as the stack's state says, and enforced; after each destroy
neither may have any. Needs the packages of the components, so it runs from the environment that
`make components` makes.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table
from tools import pulumi_engine

from bench import exact, machine, report
from bench.bars import Bar
from bench.exact import Standing
from quotatree import sandbox as control_plane
from quotatree.cli import install
from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.errors import QuotaTreeError, SandboxError
from quotatree.sandbox import Progress, SandboxState

PROGRAM: Final = Path(__file__).with_name("hundred")
WHOLE: Final = Standing(namespaces=100, quotas=100, exact=200, recorded=200)
UP_SECONDS: Final = 90.0
UNCHANGED_SECONDS: Final = 30.0
_TAIL: Final = 3000


@dataclass(frozen=True, kw_only=True)
class Shop:
    """Where stacks run: their programs' directory, the environment, the cluster."""

    root: Path
    environment: Mapping[str, str]
    sandbox: SandboxState

    def stack(self, name: str) -> Path:
        """Return the directory of a new stack of the program, on a prefix of the same name."""
        directory = self.root / name
        shutil.copytree(PROGRAM, directory, ignore=shutil.ignore_patterns("__pycache__"))
        self.run(directory, "stack", "init", name)
        self.run(directory, "config", "set", "prefix", name)
        return directory

    def start(self, directory: Path, *command: str) -> subprocess.Popen[str]:
        """Begin a command of Pulumi's."""
        return subprocess.Popen(
            ["pulumi", *command, "--non-interactive", "--color", "never"],
            cwd=directory,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, directory: Path, *command: str) -> float:
        """Run a command of Pulumi's to its end; returns its seconds."""
        return self.together({directory.name: directory}, *command)[directory.name]

    def together(self, stacks: Mapping[str, Path], *command: str) -> dict[str, float]:
        """Run a command in several stacks at once; returns the seconds of each.

        Raises:
            SandboxError: one of them failed.
        """
        began = time.monotonic()
        running = {name: self.start(directory, *command) for name, directory in stacks.items()}
        seconds = {}
        for name, process in running.items():
            said = process.communicate()[0]
            seconds[name] = time.monotonic() - began
            if process.returncode:
                told = f"`pulumi {' '.join(command)}` failed in stack {name}:\n{said[-_TAIL:]}"
                raise SandboxError(told)
        return seconds

    def standing(self, directory: Path) -> Standing:
        """Compare the state of a stack, on a prefix of the directory's name, with the cluster."""
        argv = ["pulumi", "stack", "export"]
        state = json.loads(subprocess.check_output(argv, cwd=directory, env=self.environment))
        spaces, quotas = asyncio.run(_objects(self.sandbox.kubeconfig))
        recorded = state["deployment"].get("resources") or ()
        return exact.standing(directory.name, recorded, spaces=spaces, quotas=quotas)


@dataclass(kw_only=True)
class Results:
    """What was timed, in seconds, and what stood or was left."""

    seconds: dict[str, float] = field(default_factory=dict)
    standing: dict[str, Standing] = field(default_factory=dict)
    left: int = 0

    @property
    def bars(self) -> list[Bar]:
        """The bars, with what was measured beside them."""
        inexact = sum(found != WHOLE for found in self.standing.values())
        up, unchanged = self.seconds["up"], self.seconds["unchanged up"]
        return [
            Bar(what="up of 100 namespaces", figure=up, bar=UP_SECONDS, unit=" s"),
            Bar(what="unchanged up", figure=unchanged, bar=UNCHANGED_SECONDS, unit=" s"),
            Bar(what="objects left by destroy", figure=self.left, bar=0, unit=""),
            Bar(what="stacks that are not exact", figure=inexact, bar=0, unit=""),
        ]


@click.command()
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("build/bench-program.json"),
    show_default=True,
    help="Where the JSON document goes.",
)
@click.option("--strict", is_flag=True, help="Exit code 3 when a figure is below its bar.")
@click.option("--alone", is_flag=True, help="Leave the two stacks at once out.")
def main(*, output: Path, strict: bool, alone: bool) -> None:
    """Time a Pulumi program of 100 namespaces with limits.

    Exit codes: 0 measured, 1 error, 2 bad usage, 3 below a bar (only with --strict).
    """
    progress = control_plane.shown_on(sys.stderr)
    load = machine.load()
    try:
        with _shop(progress) as shop:
            results = _measure(shop, progress, alone=alone)
    except QuotaTreeError as error:
        raise click.ClickException(str(error)) from error
    output.parent.mkdir(parents=True, exist_ok=True)
    document = dataclasses.asdict(results) | {
        "bars": [bar.document() for bar in results.bars],
        "load": {"before": load, "after": machine.load()},
        "machine": machine.describe(),
    }
    output.write_text(json.dumps(document, indent=1) + "\n")
    Console(width=100).print(_table(results.seconds), report.bars_table(results.bars))
    progress.note(f"everything: {output}; the machine's load was {load:.1f} when this began")
    if strict and not all(bar.reached for bar in results.bars):
        sys.exit(3)


def _measure(shop: Shop, progress: Progress, *, alone: bool) -> Results:
    results = Results()
    one = shop.stack("one")
    for what, command in {
        "preview": ["preview"],
        "up": ["up", "--yes", "--skip-preview"],
        "unchanged up": ["up", "--yes", "--skip-preview"],
        "destroy": ["destroy", "--yes", "--skip-preview"],
    }.items():
        with progress.step(f"100 namespaces: {what}", slow=True):
            results.seconds[what] = shop.run(one, *command)
        if what == "up":
            results.standing["one"] = shop.standing(one)
    results.left = shop.standing(one).objects
    if not alone:
        _two_at_once(shop, progress, results)
    return results


def _two_at_once(shop: Shop, progress: Progress, results: Results) -> None:
    stacks = {name: shop.stack(name) for name in ("left", "right")}
    for what in ("up", "destroy"):
        with progress.step(f"two stacks of 100 namespaces at once: {what}", slow=True):
            taken = shop.together(stacks, what, "--yes", "--skip-preview")
        results.seconds[f"two stacks at once: {what}"] = max(taken.values())
        found = {name: shop.standing(directory) for name, directory in stacks.items()}
        if what == "up":
            results.standing |= found
        else:
            results.left += sum(it.objects for it in found.values())


async def _objects(kubeconfig: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return all Namespaces and TreeQuotas of the cluster."""
    async with await Client.connect(str(kubeconfig)) as client:
        spaces, _ = await client.list_all(paths.NAMESPACES)
        quotas, _ = await client.list_all(paths.TREE_QUOTAS)
    return spaces, quotas


@contextmanager
def _shop(progress: Progress) -> Iterator[Shop]:
    """Give a fresh control plane and stacks' state of their own, and delete both at the end."""
    name = f"bench-program-{os.getpid()}"
    engine = pulumi_engine.ensure(os.environ, progress)
    with tempfile.TemporaryDirectory(prefix="quotatree-bench-") as root:
        try:
            settings = control_plane.Settings(name=name)
            sandbox = control_plane.up(settings, progress=progress, install=install.into_sandbox)
            environment = engine.environment(Path(root) / "state", os.environ)
            environment["KUBECONFIG"] = str(sandbox.kubeconfig)
            yield Shop(root=Path(root), environment=environment, sandbox=sandbox)
        finally:
            control_plane.down(name, purge=True, progress=progress)


def _table(seconds: Mapping[str, float]) -> Table:
    table = Table(title="A Pulumi program of 100 namespaces", title_justify="left", box=None)
    table.add_column("")
    table.add_column("s", justify="right")
    for what, taken in seconds.items():
        table.add_row(what, f"{taken:.1f}")
    return table


if __name__ == "__main__":
    main()
