"""Waiting until a tree is enforced, with progress on stderr."""

from __future__ import annotations

import asyncio
import sys
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from quotatree.cli import plan_apply
from quotatree.cli.observe import observe
from quotatree.cluster.client import Client
from quotatree.engine import survey
from quotatree.model.names import Namespace
from quotatree.model.state import TreeState
from quotatree.model.treefile import TreeFile

_POLL: Final = 0.25
"""Seconds between two looks: three lists each."""


async def until_enforced(
    client: Client, tree: TreeFile, *, timeout: float
) -> tuple[dict[Namespace, str], TreeState]:
    """Return who is not enforced after `timeout` seconds, with the reasons, and the last state.

    Raises:
        ClusterError: the cluster cannot be read.
    """
    deadline = asyncio.get_running_loop().time() + timeout
    with Progress(
        TextColumn("enforced"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    ) as progress:
        task = progress.add_task("", total=len(tree.nodes))
        while True:
            state = survey.survey(await observe(client))
            late = plan_apply.waiting(tree, state)
            first = next(iter(late), "")
            progress.update(
                task,
                completed=len(tree.nodes) - len(late),
                description=f"waiting for {first}" if first else "",
            )
            if not late or asyncio.get_running_loop().time() > deadline:
                return late, state
            await asyncio.sleep(_POLL)
