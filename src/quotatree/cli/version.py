"""`quotatree version`."""

from __future__ import annotations

import json

import click

import quotatree
from quotatree.cli import options
from quotatree.errors import QuotaTreeError


@click.command(epilog=options.examples("quotatree version", "quotatree version --client -o json"))
@click.option("--client", "only_client", is_flag=True, help="Do not ask the cluster.")
@options.output_option("text", "json")
@options.cluster_options
def version(*, only_client: bool, output: str, kubeconfig: str | None, context: str | None) -> None:
    """Print the versions of quotatree and of the API server.

    A cluster that cannot be asked is no error here.
    """
    found: dict[str, str | None] = {"quotatree": quotatree.__version__}
    if not only_client:
        try:
            found["kubernetes"] = options.run(_server(kubeconfig, context))
        except QuotaTreeError as error:
            found["kubernetes"] = None
            options.talk(f"the cluster cannot be asked: {error}")
    if output == "json":
        click.echo(json.dumps(found))
    else:
        for name, number in found.items():
            click.echo(f"{name} {number or 'unknown'}")


async def _server(kubeconfig: str | None, context: str | None) -> str:
    async with await options.connect(kubeconfig, context) as client:
        answer = await client.request("GET", "/version", timeout=5.0, retry=False)
    return str(answer.get("gitVersion", "unknown"))
