"""`quotatree apply`: the cluster brought in line with quotatree.yaml."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

import click

from quotatree.cli import apply_steps, inventory, mistakes, options, plan_apply
from quotatree.cluster.client import Client
from quotatree.codec import treefile
from quotatree.errors import ClusterError, InputError
from quotatree.model.treefile import TreeFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The options of one run."""

    prune: bool
    delete_namespaces: bool
    dry_run: bool
    force: bool
    wait: bool
    timeout: float
    yes: bool
    output: str


@click.command(
    epilog=options.examples(
        "quotatree apply -f quotatree.yaml",
        "quotatree apply -f quotatree.yaml --prune --dry-run",
        "cat quotatree.yaml | quotatree apply -f - --no-wait",
    )
)
@click.option(
    "-f",
    "--filename",
    required=True,
    metavar="FILE",
    type=click.Path(allow_dash=True),
    help="The file; - is stdin.",
)
@click.option(
    "--prune",
    is_flag=True,
    help="Also remove TreeQuotas and parent labels that an earlier apply of this tree wrote "
    "and the file no longer names. Never a Namespace.",
)
@click.option(
    "--delete-namespaces",
    is_flag=True,
    help="With --prune: delete those Namespaces, with all that they hold.",
)
@click.option("--dry-run", is_flag=True, help="Let the server check all of it, change nothing.")
@click.option(
    "--force-conflicts", "force", is_flag=True, help="Take over fields that others manage."
)
@click.option(
    "--wait/--no-wait", default=True, show_default=True, help="Wait until all of it is enforced."
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=60.0,
    show_default=True,
    help="Seconds to wait at most.",
)
@options.yes_option
@options.output_option("text", "json")
@options.cluster_options
def apply(
    filename: str,
    *,
    prune: bool,
    delete_namespaces: bool,
    dry_run: bool,
    force: bool,
    wait: bool,
    timeout: float,
    yes: bool,
    output: str,
    kubeconfig: str | None,
    context: str | None,
) -> None:
    """Bring the cluster in line with a tree file, and wait until it is enforced.

    Namespaces come first, parents before children, then TreeQuotas. Each object is applied on the
    server with the owner `quotatree`: what others manage on it stays.

    Exit codes: 0 all of it stands, 1 error or refused or not enforced in time, 2 bad usage.
    """
    if delete_namespaces and not prune:
        raise click.UsageError("--delete-namespaces is part of --prune; give both")
    wishes = Wishes(
        prune=prune,
        delete_namespaces=delete_namespaces,
        dry_run=dry_run,
        force=force,
        wait=wait and not dry_run,
        timeout=timeout,
        yes=yes,
        output=output,
    )
    if prune and not (dry_run or yes) and not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask at; --prune needs --yes then")
    tree = read(filename)
    failed = options.run(_apply(kubeconfig, context, tree=tree, wishes=wishes))
    click.get_current_context().exit(options.ERROR if failed else options.OK)


def read(filename: str) -> TreeFile:
    """Return the tree of a file; `-` is stdin.

    Raises:
        InputError: it cannot be read, or holds mistakes; all of them are in the message.
    """
    found = treefile.parse(options.read_bytes(filename, treefile.MAX_BYTES))
    if isinstance(found, TreeFile):
        return found
    raise InputError(mistakes.problem_list(filename, found))


async def _apply(
    kubeconfig: str | None, context: str | None, *, tree: TreeFile, wishes: Wishes
) -> bool:
    """Do all of it; returns whether something was refused or is not enforced in time."""
    async with await options.connect(kubeconfig, context) as client:
        before = await apply_steps.look(client)
        plan = plan_apply.plan(
            tree,
            before.cluster,
            prune=wishes.prune,
            delete_namespaces=wishes.delete_namespaces,
        )
        await _confirm(client, plan, wishes)
        doer = apply_steps.Doer(
            client, before, dry_run=wishes.dry_run, force=wishes.force, timeout=wishes.timeout
        )
        async for result in doer.carry_out(plan):
            _say(result, wishes)
        late = await _wait(client, tree, wishes) if wishes.wait and not doer.failed else {}
    if wishes.output == "json":
        click.echo(json.dumps(_document(doer.results, late, wishes), indent=2))
    elif wishes.dry_run:
        options.talk(f"dry run: {apply_steps.summary(doer.results)}; nothing was changed")
    return doer.failed or bool(late)


async def _confirm(client: Client, plan: plan_apply.Plan, wishes: Wishes) -> None:
    """Name what is going to be removed, and ask."""
    for item in plan.delete_quotas:
        options.talk(f"to remove: treequota {item.namespace}/{item.quota}")
    for item in plan.detach:
        options.talk(
            f"to detach: namespace {item.namespace} from {item.parent}; it stays, unlimited"
        )
    if plan.delete_namespaces:
        known = await inventory.kinds(client)
        for item in plan.delete_namespaces:
            held = inventory.sentence(await inventory.count(client, item.namespace, known))
            options.talk(f"to delete: namespace {item.namespace} with {held}")
    removals = len(plan.delete_quotas) + len(plan.detach) + len(plan.delete_namespaces)
    if removals and not wishes.dry_run:
        options.confirm(f"Go ahead with these {removals} removals?", yes=wishes.yes)


def _say(result: apply_steps.Result, wishes: Wishes) -> None:
    if result.error:
        options.talk(f"Error: {result.name}: {result.error}")
    elif wishes.output == "text":
        note = " (dry run)" if wishes.dry_run else ""
        click.echo(f"{result.name} {result.outcome}{note}")


async def _wait(client: Client, tree: TreeFile, wishes: Wishes) -> dict[str, str]:
    from quotatree.cli import wait

    try:
        late, state = await wait.until_enforced(client, tree, timeout=wishes.timeout)
    except ClusterError as error:
        raise ClusterError(
            f"all objects are applied, but their state cannot be read: {error}",
            status=error.status,
            reason=error.reason,
        ) from error
    for warning in plan_apply.warnings(tree, state):
        options.talk(f"Warning: {warning}")
    for name, reason in late.items():
        options.talk(f"Error: namespace {name} is not enforced: {reason}")
    if late:
        options.talk(
            f"{len(late)} of {len(tree.nodes)} namespaces are not enforced after "
            f"{wishes.timeout:g} s; next: is the controller running? kubectl get pods,lease "
            "-n quotatree-system; then apply again"
        )
    else:
        options.talk(f"{len(tree.nodes)} namespaces are enforced; next: quotatree tree")
    return {str(name): reason for name, reason in late.items()}


def _document(
    results: list[apply_steps.Result], late: dict[str, str], wishes: Wishes
) -> dict[str, object]:
    return {
        "dryRun": wishes.dry_run,
        "objects": [
            {"object": r.name, "result": r.outcome, **({"error": r.error} if r.error else {})}
            for r in results
        ],
        "notEnforced": late,
    }
