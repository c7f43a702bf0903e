"""`quotatree check`: would these manifests fit, all together and one by one? Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from quotatree.cli import check_report, fit_data, manifest_files, options, output, surroundings
from quotatree.cli.check_report import Checked, Judged
from quotatree.cli.manifest_files import Found
from quotatree.cli.surroundings import Surroundings
from quotatree.model.names import Namespace
from quotatree.model.report import Level, Verdict

_MAX_ROWS: Final = 60
_MAX_ITEMS: Final = {Level.ERROR: 60, Level.WARNING: 30, Level.NOTE: 12}

_EXITS: Final = {
    Verdict.FITS: options.OK,
    Verdict.ERROR: options.ERROR,
    Verdict.DOES_NOT_FIT: options.DOES_NOT_FIT,
}


@click.command(
    epilog=options.examples(
        "quotatree check -f workloads/ --namespace vision",
        "helm template ./chart | quotatree check -f - -n vision -o junit > check.xml",
        "kustomize build . | quotatree check -f - --offline --state state.json",
    )
)
@click.option(
    "-f",
    "--filename",
    "files",
    multiple=True,
    required=True,
    metavar="PATH",
    type=click.Path(allow_dash=True),
    help="Manifests: a file, a folder with all below it, or - for stdin. Repeatable.",
)
@click.option(
    "-n",
    "--namespace",
    metavar="NAME",
    help="Where objects go that name no namespace. Default: that of the kubeconfig's context.",
)
@options.offline_options
@options.output_option("text", "json", "markdown", "sarif", "junit")
@options.cluster_options
def check(
    files: tuple[str, ...],
    *,
    namespace: str | None,
    offline: bool,
    state_file: str | None,
    output: str,
    kubeconfig: str | None,
    context: str | None,
) -> None:
    """Tell whether the objects of these manifests fit into the tree now. Only reads.

    Controllers, training jobs and pipelines count with the pods that they lead to. Each object is
    judged alone, and in its order after those before it that fit. Of what is in the cluster
    already, only what is more counts. What cannot be known is named.

    Exit codes: 0 all of it fits, 1 error, 2 bad usage, 3 it does not fit.
    """
    if offline is not (state_file is not None):
        raise click.UsageError("--offline and --state FILE go together: the file is asked instead")
    if state_file == "-" and "-" in files:
        raise click.UsageError("stdin can be the manifests or the state, not both")
    found = manifest_files.read(files)
    if state_file is not None:
        default = Namespace(namespace) if namespace else None
        around = surroundings.offline(state_file, check_report.coming(found, default))
    else:
        around, default = options.run(_live(kubeconfig, context, found=found, namespace=namespace))
    checked = check_report.judge(found, around, default)
    _show(checked, output)
    click.get_current_context().exit(_EXITS[checked.report.verdict])


async def _live(
    kubeconfig: str | None, context: str | None, *, found: Sequence[Found], namespace: str | None
) -> tuple[Surroundings, Namespace]:
    async with await options.connect(kubeconfig, context) as client:
        default = Namespace(namespace or client.namespace)
        return await surroundings.live(client, check_report.coming(found, default)), default


def _show(checked: Checked, form: str) -> None:
    if form == "text":
        output.console().print(screen(checked))
        return
    details = check_report.details(checked) if form == "json" else None
    click.echo(output.document(checked.report, form, details), nl=False)


def screen(checked: Checked) -> RenderableType:
    """Return the whole answer for a terminal. Pure."""
    parts: list[RenderableType] = [Text(checked.report.headline, overflow="fold")]
    rows = [one for one in checked.judged if one.matters]
    if rows:
        parts += ["", _table(rows[:_MAX_ROWS])]
    if len(rows) > _MAX_ROWS:
        parts.append(Text(f"… and {len(rows) - _MAX_ROWS} more; -o json has all"))
    uncounted = len(checked.judged) - len(rows) + len(checked.passed_over)
    if uncounted:
        words = "1 object is" if uncounted == 1 else f"{uncounted} objects are"
        parts.append(Text(f"{words} counted by nothing here"))
    for level in Level:
        items = checked.report.of_level(level)
        for item in items[: _MAX_ITEMS[level]]:
            parts += ["", output.finding(item)]
        if len(items) > _MAX_ITEMS[level]:
            left = len(items) - _MAX_ITEMS[level]
            parts += ["", Text(f"… and {left} more {level.value}s; -o json has all")]
    return Group(*parts, "", output.verdict(checked.report.verdict))


def _table(rows: Sequence[Judged]) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    table.add_column("OBJECT", overflow="fold")
    table.add_column("NAMESPACE", overflow="fold")
    table.add_column("PODS", justify="right")
    table.add_column("ALONE", no_wrap=True)
    table.add_column("IN ORDER", no_wrap=True)
    table.add_column("COSTS", overflow="fold", ratio=1)
    for one in rows:
        table.add_row(
            Text(one.workload.label, style="bold"),
            Text(one.request.namespace),
            Text(str(one.workload.pods)),
            _word(fits=not one.alone),
            _word(fits=not one.in_order),
            Text(fit_data.costs_text(one.costs)),
        )
    return table


def _word(*, fits: bool) -> Text:
    return Text("fits", style="green") if fits else Text("does not", style="red")
