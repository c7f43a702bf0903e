"""`quotatree plan`: what applying a tree would do, and whether it fits. Nothing is changed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import click

from quotatree.cli import (
    mistakes,
    options,
    output,
    plan_apply,
    plan_inputs,
    plan_report,
    plan_screen,
)
from quotatree.cli.plan_inputs import Situation
from quotatree.cli.plan_report import Planned
from quotatree.codec import treefile
from quotatree.codec.treefile import Located
from quotatree.engine.whatif import Removals
from quotatree.errors import InputError
from quotatree.model.problem import Problem
from quotatree.model.report import Verdict
from quotatree.model.treefile import TreeFile
from quotatree.reports import forecast as forecast_tables

CHANGES_FIT: Final = 10
"""Exit code of --detailed-exitcode for changes that fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The options of one run."""

    file: str
    prune: bool
    delete_namespaces: bool
    force: bool
    everything: bool
    output: str


@click.command(
    epilog=options.examples(
        "quotatree plan -f quotatree.yaml",
        "quotatree plan -f quotatree.yaml --prune -o markdown > comment.md",
        "quotatree plan -f quotatree.yaml --offline --state state.json -o sarif",
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
    "--offline", is_flag=True, help="Ask no cluster: plan against --state, else an empty cluster."
)
@click.option(
    "--state",
    "state_file",
    metavar="FILE",
    type=click.Path(allow_dash=True),
    help="With --offline: the cluster as `quotatree tree -o json` printed it; - is stdin.",
)
@click.option("--prune", is_flag=True, help="Plan for `quotatree apply --prune`.")
@click.option(
    "--delete-namespaces", is_flag=True, help="With --prune: plan the deletion of Namespaces too."
)
@click.option(
    "--force-conflicts", "force", is_flag=True, help="Plan for `apply --force-conflicts`."
)
@click.option("--all", "everything", is_flag=True, help="Also show what stays as it is.")
@click.option(
    "--detailed-exitcode", "detailed", is_flag=True, help="Exit with 10 for changes that fit."
)
@options.output_option("text", "json", "markdown", "sarif", "junit")
@options.cluster_options
def plan(
    filename: str,
    *,
    offline: bool,
    state_file: str | None,
    prune: bool,
    delete_namespaces: bool,
    force: bool,
    everything: bool,
    detailed: bool,
    output: str,
    kubeconfig: str | None,
    context: str | None,
) -> None:
    """Show what applying a tree file would do to the cluster, and whether it fits.

    Namespaces and TreeQuotas created, changed, moved and removed; for each namespace old and new
    limits beside its live usage; what would be over its limit at once; which guarantee would wait
    and who is in its way; and what is wrong or pointless in the file. Only reads.

    Exit codes: 0 it fits or there is nothing to do, 1 error, 2 bad usage, 3 it does not fit; with
    --detailed-exitcode 10 for changes that fit.
    """
    _check(filename, offline=offline, state_file=state_file, deletes=delete_namespaces, prune=prune)
    wishes = Wishes(
        file="<stdin>" if filename == "-" else filename,
        prune=prune,
        delete_namespaces=delete_namespaces,
        force=force,
        everything=everything,
        output=output,
    )
    located = treefile.read(options.read_bytes(filename, treefile.MAX_BYTES))
    if not isinstance(located, Located):
        raise _broken(wishes, located)
    if offline:
        situation = _offline(located.tree, state_file)
    else:
        situation = options.run(_live(kubeconfig, context, located.tree))
    found = plan_report.planned(
        situation,
        located,
        _removals(located.tree, situation, wishes),
        file=wishes.file,
        force=force,
    )
    _show(found, wishes)
    click.get_current_context().exit(_exit_code(found, detailed=detailed))


def _check(
    filename: str, *, offline: bool, state_file: str | None, deletes: bool, prune: bool
) -> None:
    if deletes and not prune:
        raise click.UsageError("--delete-namespaces is part of --prune; give both")
    if state_file is not None and not offline:
        raise click.UsageError("--state stands for a cluster; give --offline with it")
    if state_file == "-" and filename == "-":
        raise click.UsageError("stdin can be the file or the state, not both")


def _broken(wishes: Wishes, problems: tuple[Problem, ...]) -> InputError:
    """Show a file's mistakes as the program that reads stdout wants them; return the error."""
    if wishes.output != "text":
        report = plan_report.broken(wishes.file, problems)
        click.echo(output.document(report, wishes.output), nl=False)
    return InputError(mistakes.problem_list(wishes.file, problems))


async def _live(kubeconfig: str | None, context: str | None, tree: TreeFile) -> Situation:
    async with await options.connect(kubeconfig, context) as client:
        now = datetime.fromtimestamp(time.time(), tz=UTC)
        return await plan_inputs.live(client, tree, now=now)


def _offline(tree: TreeFile, state_file: str | None) -> Situation:
    if state_file is None:
        return plan_inputs.offline(tree, None, where="an empty cluster")
    where = "<stdin>" if state_file == "-" else state_file
    return plan_inputs.offline(tree, plan_inputs.state_file(state_file), where=where)


def _removals(tree: TreeFile, situation: Situation, wishes: Wishes) -> Removals:
    steps = plan_apply.plan(
        tree,
        plan_apply.cluster_of(situation.seen),
        prune=wishes.prune,
        delete_namespaces=wishes.delete_namespaces,
    )
    return Removals(
        quotas=tuple(
            (item.namespace, item.quota) for item in steps.delete_quotas if item.quota is not None
        ),
        detach=tuple(item.namespace for item in steps.detach),
        namespaces=tuple(item.namespace for item in steps.delete_namespaces),
    )


def _show(found: Planned, wishes: Wishes) -> None:
    if wishes.output != "text":
        details = forecast_tables.details(found.forecast) if wishes.output == "json" else None
        click.echo(output.document(found.report, wishes.output, details), nl=False)
        return
    console = output.console()
    console.print(
        plan_screen.screen(
            found.report,
            found.forecast,
            everything=wishes.everything,
            ascii_only=console.options.ascii_only,
        )
    )


def _exit_code(found: Planned, *, detailed: bool) -> int:
    if found.report.verdict is not Verdict.FITS:
        return options.DOES_NOT_FIT
    return CHANGES_FIT if detailed and found.forecast.changes else options.OK
