"""`quotatree manifests`: the whole installation as text for `kubectl apply`."""

from __future__ import annotations

import base64
from pathlib import Path

import click

import quotatree
from quotatree import errors
from quotatree.cli import options
from quotatree.manifests import install
from quotatree.manifests.settings import DEFAULT_NAMESPACE, InstallSettings
from quotatree.model import quota

_WRITERS = {"yaml": install.to_yaml, "json": install.to_json}


@click.command(
    "manifests",
    epilog=options.examples(
        "quotatree manifests --image example/quotatree:1 | kubectl apply -f -",
        "quotatree manifests | kubectl apply --server-side --force-conflicts -f -",
        "quotatree manifests --replicas 2 --gate count/jobs.batch > install.yaml",
        "quotatree manifests --webhook-url https://10.0.0.5:9443 -o json",
    ),
)
@click.option(
    "--namespace", default=DEFAULT_NAMESPACE, show_default=True, help="Where the controller lives."
)
@click.option(
    "--image",
    default=f"quotatree:{quotatree.__version__}",
    show_default=True,
    help="Container image of the controller.",
)
@click.option(
    "--replicas", type=click.IntRange(min=1), default=2, show_default=True, help="Its pods."
)
@click.option(
    "--webhook-url",
    metavar="URL",
    help="Base URL of a controller outside the cluster; leaves Deployment and Service out.",
)
@click.option(
    "--ca-bundle",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="PEM certificates that vouch for the webhook. Default: the controller adds its own.",
)
@click.option(
    "--timeout-seconds",
    type=click.IntRange(1, 30),
    default=1,
    show_default=True,
    help="Longest that one decision about usage may take; it may be asked for four times.",
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
    help="Let namespaces grow within slices without asking the controller.",
)
@click.option(
    "--failure-policy",
    type=click.Choice([it.value for it in quota.FailurePolicy]),
    default=quota.FailurePolicy.FAIL.value,
    show_default=True,
    help="What happens to growth while no controller answers: refused where no TreeQuota "
    "lets it pass, or let through everywhere.",
)
@click.option(
    "--gate",
    "gated",
    multiple=True,
    metavar="count/RESOURCE[.GROUP]",
    help="One more kind whose creation waits for the quota of a new namespace. Repeatable.",
)
@click.option(
    "--controller-user",
    "controller_users",
    multiple=True,
    metavar="USER",
    help="A user trusted as the controller beside its ServiceAccount. Repeatable.",
)
@click.option(
    "--owner-references-enforced",
    is_flag=True,
    help="For API servers with the OwnerReferencesPermissionEnforcement plugin: "
    "the controller may delete Namespaces, as 'lifecycle: Owned' then needs.",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(list(_WRITERS)),
    default="yaml",
    show_default=True,
    help="Format.",
)
def manifests_command(
    namespace: str,
    *,
    image: str,
    replicas: int,
    webhook_url: str | None,
    ca_bundle: Path | None,
    timeout_seconds: int,
    api_servers: tuple[str, ...],
    slices: bool,
    failure_policy: str,
    gated: tuple[str, ...],
    controller_users: tuple[str, ...],
    owner_references_enforced: bool,
    output: str,
) -> None:
    """Print everything that an installation needs.

    Applying it again is an upgrade. The controller adds kinds to the gate at birth; an upgrade
    takes that field back (on the server only with --force-conflicts), and they are added again.
    """
    try:
        settings = InstallSettings(
            namespace=namespace,
            version=quotatree.__version__,
            image=image,
            replicas=replicas,
            webhook_url=webhook_url,
            ca_bundle=_encoded(ca_bundle),
            usage_timeout_seconds=timeout_seconds,
            api_servers=api_servers,
            slices=slices,
            failure_policy=quota.FailurePolicy(failure_policy),
            gated=gated,
            controller_users=controller_users,
            owner_references_enforced=owner_references_enforced,
        )
    except errors.InputError as error:
        raise click.UsageError(str(error)) from error
    click.echo(_WRITERS[output](install.installation(settings)), nl=False)


def _encoded(pem: Path | None) -> str:
    """Return the certificates as a `caBundle`, empty without a file."""
    if pem is None:
        return ""
    content = pem.read_bytes()
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise click.BadParameter(
            f"{pem} holds no PEM certificate (-----BEGIN CERTIFICATE-----)",
            param_hint="--ca-bundle",
        )
    return base64.b64encode(content).decode()
