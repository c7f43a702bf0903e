"""`quotatree doctor`: is the installation sound, and does it count what there is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import click

import quotatree
from quotatree.cli import options, output
from quotatree.cli.doctor import installed, neighbours, reading, repair, rules, screen, standing
from quotatree.cli.doctor.installed import Right
from quotatree.cli.doctor.reading import Seen
from quotatree.cli.doctor.rules import Check
from quotatree.cli.doctor.standing import Drift
from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.errors import ClusterError
from quotatree.importers import reading as importing
from quotatree.manifests import crd, install
from quotatree.manifests.settings import DEFAULT_NAMESPACE, InstallSettings
from quotatree.model import names
from quotatree.model.report import Level, Report, Verdict, in_order

AGAIN: Final = 2.0
"""Seconds between two looks: what is on its way has arrived by then."""

WITHIN: Final = 15.0
"""Seconds that a recount may take; the native controller writes 20 of them a second."""

_OF_THE_TREE: Final = ("quotas", "usage", "others", "pod requests")
"""What can only be checked where the tree may be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The options of one run."""

    namespace: str
    fix: bool


@click.command(
    epilog=options.examples(
        "quotatree doctor",
        "quotatree doctor --fix",
        "quotatree doctor -o json | jq '.findings[] | select(.level == \"error\")'",
    )
)
@click.option(
    "--fix",
    is_flag=True,
    help="Have a usage that is wrong counted again, by the native quota controller.",
)
@click.option(
    "--namespace",
    default=DEFAULT_NAMESPACE,
    show_default=True,
    help="Of the installation.",
)
@options.output_option("text", "json")
@options.cluster_options
def doctor(
    *, fix: bool, namespace: str, output: str, kubeconfig: str | None, context: str | None
) -> None:
    """Look whether the installation is sound, and whether it counts what there is.

    Looked at are: the API server; the kind TreeQuota and its versions; every object of the
    installation; the rights of the controller; the webhook, through the API server, and how long
    its certificate is valid; every managed ResourceQuota; its usage, against a recount of all
    objects; who else limits the same namespaces; and where pods without requests are refused.

    Nothing is changed without --fix. What could not be looked at is said and is no error.

    Exit codes: 0 sound, 1 error, 2 bad usage, 3 something is wrong.
    """
    wishes = Wishes(namespace=namespace, fix=fix)
    checks = options.run(_examine(kubeconfig, context, wishes))
    found = report(checks)
    _show(checks, found, output)
    code = options.OK if found.verdict is Verdict.FITS else options.DOES_NOT_FIT
    click.get_current_context().exit(code)


def _show(checks: list[Check], found: Report, form: str) -> None:
    if form == "text":
        click.echo(screen.render(checks, found))
        return
    summary = [{"name": c.name, "result": c.result, "summary": c.summary} for c in checks]
    sound = "sound" if found.verdict is Verdict.FITS else "not sound"
    details = {"verdict": sound, "checks": summary}
    click.echo(output.document(found, form, details), nl=False)


def report(checks: list[Check]) -> Report:
    """Return all findings together, and what they come to."""
    items = in_order(item for check in checks for item in check.items)
    wrong = sum(item.level is Level.ERROR for item in items)
    warnings = sum(item.level is Level.WARNING for item in items)
    also = f", {warnings} warning{'' if warnings == 1 else 's'}" if warnings else ""
    said = f"{wrong} thing{'' if wrong == 1 else 's'} wrong" if wrong else "sound"
    return Report(
        command="doctor",
        headline=f"{said}{also}",
        verdict=Verdict.DOES_NOT_FIT if wrong else Verdict.FITS,
        rules=rules.RULES,
        items=items,
        subjects=tuple(check.name for check in checks),
    )


async def _examine(kubeconfig: str | None, context: str | None, wishes: Wishes) -> list[Check]:
    async with await options.connect(kubeconfig, context) as client:
        return await examined(client, wishes)


async def examined(client: Client, wishes: Wishes) -> list[Check]:
    """Return all checks; those that could not be made say so.

    Raises:
        ClusterError: the cluster cannot be asked, or nothing of it may be looked at.
    """
    server = Check(name="API server", summary=await reading.server(client))
    installation = await _installation(client, wishes.namespace)
    # Without the kind there is no tree to look at.
    if any(item.code == "crd-missing" for check in installation for item in check.items):
        return [server, *installation]
    try:
        tree = await _tree(client, wishes)
    except ClusterError as error:
        nothing = all(check.result == "not checked" for check in installation)
        if error.status != reading.FORBIDDEN or wishes.fix or nothing:
            raise
        tree = [_unknown(name, error) for name in _OF_THE_TREE]
    return [server, *installation, *tree]


async def _known(name: str, work: Awaitable[Check]) -> Check:
    """Return a check, or that it could not be made: what one may not read is no error."""
    try:
        return await work
    except ClusterError as error:
        if error.status != reading.FORBIDDEN:
            raise
        return _unknown(name, error)


def _unknown(name: str, error: ClusterError) -> Check:
    return Check(name=name, summary="unknown", items=(rules.found("not-checked", str(error)),))


async def _installation(client: Client, namespace: str) -> list[Check]:
    configuration, unread = await reading.configuration(client)
    settings = InstallSettings(
        namespace=namespace,
        version=quotatree.__version__,
        image="-",
        webhook_url=installed.base_url(configuration),
    )

    async def kind() -> Check:
        return installed.kind(await client.find(paths.CRDS, crd.CRD_NAME))

    async def parts() -> Check:
        wanted = install.installation(settings)
        return installed.parts(wanted, await reading.parts(client, wanted))

    async def rights() -> Check:
        wanted, user = installed.controller_rights(settings), settings.controllers[0]
        return installed.rights(wanted, await reading.allowed(client, user, wanted), user=user)

    answer = await reading.trial(client)  # by itself: its time is told
    leader = await reading.leader(client, namespace)
    issued, why = await reading.certificate(client, namespace)
    now = datetime.fromtimestamp(time.time(), UTC)
    return [
        await _known("custom resource", kind()),
        await _known("installation", parts()),
        await _known("rights", rights()),
        installed.webhook(answer, leader=leader, namespace=namespace),
        installed.certificate(configuration, issued, why=unread or why, now=now),
    ]


# -- the tree -------------------------------------------------------------------------------


async def _tree(client: Client, wishes: Wishes) -> list[Check]:
    versions = await importing.versions(client)
    seen = await reading.look(client, versions)
    wrong, drift = standing.differences(seen.look), standing.lasting(seen.look, seen.look)
    if wrong or drift:
        await asyncio.sleep(AGAIN)
        before, seen = seen, await reading.look(client, versions)
        wrong &= standing.differences(seen.look)
        drift = standing.lasting(before.look, seen.look)
    repaired: tuple[Drift, ...] = ()
    if drift and wishes.fix:
        seen, drift, repaired = await _repair(client, versions, drift)

    async def others() -> Check:
        return neighbours.others(seen.look, await reading.foreign(client))

    async def requests() -> Check:
        return neighbours.requests(seen.look, await reading.limit_ranges(client))

    return [
        standing.quotas(seen.look, wrong),
        standing.usage(seen.look, drift, repaired=repaired, unread=seen.unread),
        await _known("others", others()),
        await _known("pod requests", requests()),
    ]


async def _repair(
    client: Client, versions: Mapping[str, tuple[str, ...]], drift: tuple[Drift, ...]
) -> tuple[Seen, tuple[Drift, ...], tuple[Drift, ...]]:
    """Have each quota that drifted counted again; return what is left and what was repaired."""
    for right in (
        Right(verb="patch", group="", resource="resourcequotas"),
        Right(verb="manage", group=names.GROUP, resource="treequotas"),
    ):
        if not await reading.mine(client, right):
            raise ClusterError(
                f"--fix needs the right to {right} in all namespaces; "
                "next: bind the ClusterRole quotatree-manage, or ask a cluster administrator",
                status=reading.FORBIDDEN,
            )
    for namespace, quota in sorted({(d.namespace, d.quota) for d in drift}):
        options.talk(f"counting again: resourcequota/{quota} -n {namespace}")
        await repair.count_again(client, namespace, quota)
    end = time.monotonic() + WITHIN
    while True:
        await asyncio.sleep(0.5)
        seen = await reading.look(client, versions)
        left = standing.drifts(seen.look)
        still = tuple(d for d in drift if (d.namespace, d.quota, d.resource) in left)
        if not still or time.monotonic() > end:
            break
    # What is still wrong is told with the numbers that it has now.
    now_wrong = tuple(left[d.namespace, d.quota, d.resource] for d in still)
    return seen, now_wrong, tuple(d for d in drift if d not in still)
