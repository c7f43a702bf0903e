"""`python -m bench.failover`: what a dead, stopped, hung or frozen replica costs who creates pods.

Three replicas on a sandbox with many namespaces in one tree. Creators ask for a pod again and again
in ten namespaces below the tree and in one without a quota; each figure is what they saw.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from bench import creators, machine, report
from bench.failing import REPLICAS, Failing, Figures
from quotatree import sandbox as control_plane
from quotatree.cli import install
from quotatree.cluster.client import Client
from quotatree.errors import QuotaTreeError
from quotatree.sandbox import Progress, SandboxState


@click.command()
@click.option(
    "--namespaces", type=click.IntRange(min=2 * creators.TEAMS), default=1_000, show_default=True
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("build/failover.json"),
    show_default=True,
    help="Where the JSON document goes.",
)
@click.option("--strict", is_flag=True, help="Exit code 3 when a figure misses its bar.")
@click.option("--name", default="bench-failover", show_default=True, help="Sandbox; deleted.")
def main(*, namespaces: int, output: Path, strict: bool, name: str) -> None:
    """Measure how long nothing is admitted when a replica dies, leaves, hangs or is frozen.

    Exit codes: 0 measured, 1 error, 2 bad usage, 3 a bar was missed (only with --strict).
    """
    progress = control_plane.shown_on(sys.stderr)
    try:
        with _sandbox(name, progress) as sandbox:
            found = asyncio.run(_measure(sandbox, namespaces, progress))
    except QuotaTreeError as error:
        raise click.ClickException(str(error)) from error
    setting = {"load": machine.load(), "machine": machine.describe()}
    bars = [asdict(bar) | {"reached": bar.reached} for bar in found.bars]
    document = {"setting": setting, "figures": asdict(found), "bars": bars}
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(document, indent=1) + "\n")
    Console(width=None if sys.stdout.isatty() else 120).print(report.bars_table(found.bars))
    if strict and not all(bar.reached for bar in found.bars):
        sys.exit(3)


@contextmanager
def _sandbox(name: str, progress: Progress) -> Iterator[SandboxState]:
    control_plane.down(name, purge=True, progress=progress)

    def into(current: SandboxState, shown: Progress) -> SandboxState:
        # Within slices growth goes on without anybody, and no gap would be seen.
        return install.into_sandbox(current, shown, replicas=len(REPLICAS), slices=False)

    try:
        settings = control_plane.Settings(name=name)
        yield control_plane.up(settings, progress=progress, install=into)
    finally:
        control_plane.down(name, purge=True, progress=progress)


async def _measure(sandbox: SandboxState, count: int, progress: Progress) -> Figures:
    found = Figures(namespaces=count)
    async with await Client.connect(str(sandbox.kubeconfig), connections=200) as client:
        began = time.monotonic()
        growing = await creators.plant(client, count)
        progress.note(f"{count:,} namespaces enforced after {time.monotonic() - began:.0f} s")
        bench = Failing(sandbox, client, growing)
        for what in (bench.hung, bench.stopped, bench.frozen_follower, bench.frozen, bench.killed):
            await what(found)
            progress.note(f"{what.__name__}: {_shown(found)}")
            await bench.whole()
    return found


def _shown(found: Figures) -> str:
    return ", ".join(f"{k} {v:.2f}" for k, v in asdict(found).items() if v and k != "namespaces")


if __name__ == "__main__":
    main()
