"""`python -m bench.churn`: pods come and go as fast as they can, beside native quota.

The same clients, in turn: five siblings under one limit of a tree, and one namespace with a native
ResourceQuota of that limit. Pods are counted in the order of the store, whatever quotas say.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table
from tests.cluster.harness import trees
from tests.cluster.harness.churn import Told, Witness, churn, natively, phantoms

from bench import ground, machine
from bench.figures import Spread
from quotatree import sandbox as control_plane
from quotatree.cluster.client import Client
from quotatree.errors import QuotaTreeError
from quotatree.sandbox import SandboxState

LIMIT: Final = 25
SIBLINGS: Final = 5
CLIENTS: Final = 40
WIDTH: Final = 140


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a round: what the clients were told, and the most pods that there were."""

    admitted: int
    answers: int
    conflicts: int
    most: int
    least_in_a_second: int

    @classmethod
    def of(cls, told: Told, most: int) -> Side:
        """Return the figures of one side; the last second, which is a part of one, is left out."""
        return cls(
            admitted=len(told.admitted),
            answers=len(told.answers),
            conflicts=told.conflicts,
            most=most,
            least_in_a_second=min(told.by_second()[:-1], default=0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round: the tree and native quota; `left` is charged to nobody two seconds after it."""

    tree: Side
    native: Side
    left: int

    @property
    def ratio(self) -> float:
        """What the tree admitted, of what native quota did."""
        return self.tree.admitted / max(1, self.native.admitted)


@click.command()
@click.option("--rounds", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--seconds", type=click.FloatRange(min=1), default=40.0, show_default=True)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("build/churn.json"),
    show_default=True,
    help="Where the JSON document goes.",
)
@click.option("--name", default="bench-churn", show_default=True, help="Sandbox; deleted after.")
def main(*, rounds: int, seconds: float, output: Path, name: str) -> None:
    """Measure admissions under churn beside native ResourceQuota, and count the pods."""
    progress, load = control_plane.shown_on(sys.stderr), machine.load()
    if load > 1:
        progress.note(f"this machine is busy (load {load:.1f}): the figures will be worse")
    try:
        with ground.fresh(name, progress, slices=True) as sandbox:
            found = asyncio.run(_measure(sandbox, rounds, seconds=seconds))
    except QuotaTreeError as error:
        raise click.ClickException(str(error)) from error
    output.parent.mkdir(parents=True, exist_ok=True)
    document = [asdict(one) | {"ratio": one.ratio} for one in found]
    output.write_text(json.dumps(document, indent=1) + "\n")
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    console.print(_table(found, seconds))


async def _measure(sandbox: SandboxState, rounds: int, *, seconds: float) -> list[Round]:
    async with await Client.connect(str(sandbox.kubeconfig), connections=400) as admin:
        return [await _round(admin, seconds) for _ in range(rounds)]


async def _round(admin: Client, seconds: float) -> Round:
    tree = await trees.plant(admin, f"org: pods {LIMIT} > a1..{SIBLINGS}")
    leaves = [tree[f"a{number}"] for number in range(1, SIBLINGS + 1)]
    async with Witness(admin, leaves) as witness:
        told = await churn(admin, leaves, clients=CLIENTS, seconds=seconds)
        await witness.caught_up()
        left = await phantoms(admin, leaves)
    alone, most = await natively(
        admin, f"{tree.prefix}-native", limit=LIMIT, clients=CLIENTS, seconds=seconds
    )
    await trees.fell(admin, tree)
    return Round(tree=Side.of(told, witness.most), native=Side.of(alone, most), left=left)


def _table(found: Sequence[Round], seconds: float) -> Table:
    ratio = Spread.of(one.ratio for one in found)
    table = Table(
        title=f"{CLIENTS} clients create and delete for {seconds:g} s, limit {LIMIT}: "
        f"{SIBLINGS} siblings in a tree / native quota in one namespace; "
        f"ratio {ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
    )
    for column in ("admitted", "ratio", "most pods", "409", "least in a second", "left after 2 s"):
        table.add_column(column, justify="right")
    for one in found:
        table.add_row(
            f"{one.tree.admitted} / {one.native.admitted}",
            f"{one.ratio:.2f}",
            f"{one.tree.most} / {one.native.most}",
            f"{_share(one.tree)} / {_share(one.native)}",
            f"{one.tree.least_in_a_second} / {one.native.least_in_a_second}",
            f"{one.left}",
        )
    return table


def _share(side: Side) -> str:
    return f"{side.conflicts / max(1, side.answers):.2%}"


if __name__ == "__main__":
    main()
