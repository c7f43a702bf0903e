"""`quotatree controller`: one replica of the controller with its webhook."""

from __future__ import annotations

import asyncio
import socket

import click

from quotatree.cli import options


@click.command(
    "controller",
    epilog=options.examples(
        "quotatree controller                     in a pod, with its ServiceAccount",
        "quotatree controller --kubeconfig K --webhook-url https://127.0.0.1:9443 \\",
        "    --webhook-host 127.0.0.1 --webhook-port 9443    outside the cluster",
    ),
)
@options.cluster_options
@click.option(
    "--namespace", default="quotatree-system", show_default=True, help="Of Lease and Secret."
)
@click.option(
    "--identity",
    default=socket.gethostname,
    show_default="host name",
    help="Name in the Lease; the same name after a restart leads again at once.",
)
@click.option("--webhook-url", metavar="URL", help="How the API server reaches this process.")
@click.option("--webhook-host", default="0.0.0.0", show_default=True, help="Address to listen on.")  # noqa: S104 - in a pod the API server comes from anywhere
@click.option("--webhook-port", default=9443, show_default=True, help="Port to listen on.")
@click.option(
    "--address",
    envvar="POD_IP",
    show_envvar=True,
    metavar="HOST",
    help="Where the other replicas reach this one, to hand reviews on while it leads.",
)
@click.option(
    "--pod",
    envvar="POD_NAME",
    show_envvar=True,
    metavar="NAME",
    help="The pod that this runs in, labelled quotatree.dev/leader while it leads.",
)
@click.option(
    "--api-server",
    "api_servers",
    multiple=True,
    metavar="URL",
    help="Address of an API server itself; repeat for all that there are. With them, room that a "
    "failed creation holds comes back within two seconds.  [default: after 40 s]",
)
@click.option(
    "--slices/--no-slices",
    default=True,
    show_default=True,
    help="Let namespaces grow within slices without asking, also while no replica answers.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
)
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text")
def controller_command(
    *,
    kubeconfig: str | None,
    context: str | None,
    namespace: str,
    identity: str,
    webhook_url: str | None,
    webhook_host: str,
    webhook_port: int,
    address: str | None,
    pod: str | None,
    api_servers: tuple[str, ...],
    slices: bool,
    log_level: str,
    log_format: str,
) -> None:
    """Run the controller and its webhook until told to stop (SIGTERM, SIGINT).

    The installation (CRD, rights, policies, webhook configuration) comes from `quotatree
    manifests`; the certificates are made, published and rotated here.
    """
    from quotatree import app, telemetry
    from quotatree.cluster import eventloop
    from quotatree.engine.slices import SliceSettings
    from quotatree.settings import LogSettings, Settings, WebhookSettings

    telemetry.configure(level=log_level, form=log_format)
    settings = Settings(
        namespace=namespace,
        identity=identity,
        api_servers=api_servers,
        slices=SliceSettings(enabled=slices),
        webhook=WebhookSettings(
            host=webhook_host, port=webhook_port, url=webhook_url, address=address
        ),
        pod=pod,
        log=LogSettings(level=log_level, form=log_format),
    )

    async def run() -> None:
        async with await options.connect(kubeconfig, context) as client:
            await app.run(client, settings)

    with asyncio.Runner(loop_factory=eventloop.new) as runner:
        runner.run(run())
