"""`quotatree tree`: the tree with its usage, once or for as long as one looks."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Final

import click
import yaml
from rich.live import Live

from quotatree.cli import options, output, render
from quotatree.cli.observe import observe
from quotatree.cluster.client import Client
from quotatree.codec import state as state_codec
from quotatree.engine import survey
from quotatree.model.state import TreeState

_PIPE_WIDTH: Final = 140
"""Holds deep trees without cutting."""


@click.command(
    epilog=options.examples(
        "quotatree tree",
        "quotatree tree vision --resource requests.nvidia.com/gpu --watch",
        "quotatree tree -o json > state.json",
    )
)
@click.argument("namespace", required=False)
@click.option(
    "-r", "--resource", "resources", multiple=True, metavar="NAME", help="Only this. Repeatable."
)
@click.option("-w", "--watch", is_flag=True, help="Go on showing changes, until Ctrl-C.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.2),
    default=2.0,
    show_default=True,
    help="Seconds between two looks of --watch.",
)
@options.output_option("text", "wide", "json", "yaml")
@options.cluster_options
def tree(
    namespace: str | None,
    *,
    resources: tuple[str, ...],
    watch: bool,
    interval: float,
    output: str,
    kubeconfig: str | None,
    context: str | None,
) -> None:
    """Show the tree: used and hard of each namespace, for its whole subtree.

    With NAMESPACE, only that namespace and what is below it. FREE is by how much the namespace
    itself can grow now, over all its ancestors.
    """

    def cut(whole: TreeState) -> TreeState:
        return survey.only(whole, namespace=namespace, resources=resources)

    options.run(_show(kubeconfig, context, look=_Look(cut, output, interval if watch else None)))


class _Look:
    """What is looked at, in which form, and how often (None: once)."""

    def __init__(
        self, cut: Callable[[TreeState], TreeState], output: str, every: float | None
    ) -> None:
        self.cut = cut
        self.output = output
        self.every = every


async def _show(kubeconfig: str | None, context: str | None, *, look: _Look) -> None:
    async with await options.connect(kubeconfig, context) as client:
        if look.every is not None and look.output == "text" and sys.stdout.isatty():
            await _live(client, look)
            return
        before: TreeState | None = None
        while True:
            state = look.cut(survey.survey(await observe(client)))
            if before is None or before.nodes != state.nodes:
                _print(state, look.output, lines=look.every is not None)
            before = state
            if look.every is None:
                return
            await asyncio.sleep(look.every)


async def _live(client: Client, look: _Look) -> None:
    assert look.every is not None
    with Live(console=output.console(), auto_refresh=False, vertical_overflow="visible") as screen:
        while True:
            screen.update(render.tree(look.cut(survey.survey(await observe(client)))), refresh=True)
            await asyncio.sleep(look.every)


def _print(state: TreeState, form: str, *, lines: bool) -> None:
    if form == "json":
        document = state_codec.to_dict(state)
        # A watch prints one document a line, for programs that read as it comes.
        click.echo(json.dumps(document, indent=None if lines else 2))
    elif form == "yaml":
        text = yaml.safe_dump(state_codec.to_dict(state), sort_keys=False, allow_unicode=True)
        click.echo(f"---\n{text}" if lines else text, nl=False)
    elif form == "wide":
        click.echo(render.columns(render.wide_rows(state)))
    else:
        console = output.console(_PIPE_WIDTH)
        console.print(render.tree(state, ascii_only=console.options.ascii_only))
