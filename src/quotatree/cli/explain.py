"""`quotatree explain`: who refuses, whether waiting helps, and the smallest change. Only reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import click

from quotatree.cli import (
    check_report,
    explain_inputs,
    explain_report,
    explain_screen,
    manifest_files,
    options,
    output,
    surroundings,
)
from quotatree.cli.explain_report import Asked, Explained
from quotatree.cli.manifest_files import Found
from quotatree.cli.surroundings import Coming, Surroundings
from quotatree.codec import workloads
from quotatree.engine import fit
from quotatree.errors import InputError
from quotatree.model.names import Namespace
from quotatree.model.report import Report, Verdict

Answers = tuple[list[Explained], Report]


@click.command(
    epilog=options.examples(
        "quotatree explain -f pod.yaml -n vision",
        "quotatree explain job/train -n vision",
        "quotatree explain vision -o json",
    )
)
@click.argument("subject", required=False)
@click.option(
    "-f",
    "--filename",
    metavar="FILE",
    type=click.Path(allow_dash=True),
    help="A manifest to ask about; - is stdin.",
)
@click.option(
    "-n",
    "--namespace",
    metavar="NAME",
    help="Its namespace. Default: that of the kubeconfig's context.",
)
@options.offline_options
@options.output_option("text", "json")
@options.cluster_options
def explain(
    subject: str | None,
    *,
    filename: str | None,
    namespace: str | None,
    offline: bool,
    state_file: str | None,
    output: str,
    kubeconfig: str | None,
    context: str | None,
) -> None:
    """Explain why something is refused, or would be.

    SUBJECT is a namespace, or KIND/NAME: any controller, whose next pod is asked about and whose
    events are read. With -f it is a manifest that need not be in the cluster.

    Shown are the level that refuses, requested, used and limit at each level up to the root, the
    greatest consumers under the one that refuses, whether waiting can help (temporary) or it can
    never fit, with a stable reason code, and the smallest change that lets it in.

    Exit codes: 0 it fits, 1 error, 2 bad usage, 3 it does not fit.
    """
    if (subject is None) is (filename is None):
        raise click.UsageError("give a namespace, KIND/NAME or -f FILE: one of them")
    if offline is not (state_file is not None):
        raise click.UsageError("--offline and --state FILE go together: the file is asked instead")
    if state_file == "-" and filename == "-":
        raise click.UsageError("stdin can be the manifest or the state, not both")
    if offline and subject is not None and "/" in subject:
        raise click.UsageError("a state file holds no workloads: give a namespace or -f FILE")
    found = manifest_files.read([filename]) if filename is not None else ()
    if state_file is not None:
        default = Namespace(namespace) if namespace else None
        answers = _offline(state_file, found, subject=subject, default=default)
    else:
        answers = options.run(
            _live(kubeconfig, context, found=found, subject=subject, namespace=namespace)
        )
    _show(answers, output)
    fits = answers[1].verdict is Verdict.FITS
    click.get_current_context().exit(options.OK if fits else options.DOES_NOT_FIT)


def _offline(
    state_file: str, found: Sequence[Found], *, subject: str | None, default: Namespace | None
) -> Answers:
    if subject is not None:
        namespace = Namespace(subject)
        around = surroundings.offline(state_file, Coming())
        return _answers([_about(namespace, around)], around)
    around = surroundings.offline(state_file, check_report.coming(found, default))
    return _answers(_of_files(found, around, default), around)


async def _live(
    kubeconfig: str | None,
    context: str | None,
    *,
    found: Sequence[Found],
    subject: str | None,
    namespace: str | None,
) -> Answers:
    async with await options.connect(kubeconfig, context) as client:
        default = Namespace(namespace or client.namespace)
        if found:
            coming = check_report.coming(found, default)
            around = await surroundings.live(client, coming, look_for_standing=False)
            return _answers(_of_files(found, around, default), around)
        assert subject is not None
        if "/" in subject:
            what = explain_inputs.named(subject)
            body = await explain_inputs.object_of(client, what, default)
            told, unread = await explain_inputs.events(client, body, default)
            coming = Coming(objects={default: [body]})
            around = await surroundings.live(client, coming, look_for_standing=False)
            asked = explain_inputs.asked_of(body, around, default, told=told)
            return _answers(asked, replace(around, notes=(*around.notes, *unread)))
        around = await surroundings.live(client, Coming(objects={Namespace(subject): []}))
        return _answers([_about(Namespace(subject), around)], around)


def _about(namespace: Namespace, around: Surroundings) -> Asked:
    seen = {item.name for item in around.situation.seen.namespaces}
    if namespace not in seen:
        raise InputError(
            f"namespace {namespace} is not in {around.where}; write KIND/NAME for a workload, and "
            "quotatree tree for the namespaces of the tree"
        )
    return Asked(subject=f"namespace/{namespace}", request=None, namespace=namespace)


def _of_files(
    found: Sequence[Found], around: Surroundings, default: Namespace | None
) -> list[Asked]:
    asked = []
    for namespace, items in check_report.by_namespace(found, default).items():
        if namespace is not None:
            asked += [_of_manifest(item, around, namespace) for item in items]
    if not asked:
        raise InputError(f"{found[0].place.file}: nothing in it is of a namespace")
    return asked


def _of_manifest(item: Found, around: Surroundings, namespace: Namespace) -> Asked:
    workload = workloads.read(item.body, around.context(namespace))
    subject = f"{workload.label} -n {namespace}"
    if workload.problems:
        first = workload.problems[0]
        place = f"{item.place.file}:{item.place.line}"
        raise InputError(f"{place}: {subject}: {first.path}: {first.message}")
    request = fit.Request(namespace=namespace, workload=workload)
    return Asked(subject=subject, request=request, namespace=namespace, place=item.place)


def _answers(asked: Sequence[Asked], around: Surroundings) -> Answers:
    found = [explain_report.explain(one, around.situation) for one in asked]
    report = explain_report.reported(found, where=around.where, notes=around.notes)
    return found, report


def _show(answers: Answers, form: str) -> None:
    found, report = answers
    if form == "json":
        click.echo(output.document(report, form, explain_report.details(found)), nl=False)
        return
    console = output.console()
    console.print(explain_screen.screen(found, report, ascii_only=console.options.ascii_only))
