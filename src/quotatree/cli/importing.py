"""`quotatree import`: quotatree.yaml from what other tools limit now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import yaml

from quotatree.cli import manifest_files, mistakes, options
from quotatree.codec import treefile
from quotatree.errors import InputError
from quotatree.importers import convert, objects, reading
from quotatree.importers.assemble import Imported
from quotatree.importers.objects import Objects
from quotatree.model.treefile import TreeFile


@click.command(
    "import",
    epilog=options.examples(
        "quotatree import > quotatree.yaml",
        "quotatree import --from hnc --to quotatree.yaml",
        "kubectl get tenants,namespaces -o yaml | quotatree import -f -",
    ),
)
@click.option(
    "-f",
    "--filename",
    "filenames",
    multiple=True,
    type=click.Path(allow_dash=True),
    metavar="FILE",
    help="YAML or JSON, a folder of such files, or - for stdin, instead of the cluster. "
    "Repeatable.",
)
@click.option(
    "--from",
    "tools",
    multiple=True,
    type=click.Choice(sorted(convert.READERS)),
    help="Only what this tool limits. Repeatable; default: every tool that is found.",
)
@click.option(
    "--to",
    "target",
    type=click.Path(),
    metavar="FILE",
    help="Write there instead of to stdout.",
)
@options.output_option("yaml", "json")
@options.cluster_options
def import_command(
    filenames: tuple[str, ...],
    *,
    tools: tuple[str, ...],
    target: str | None,
    output: str,
    kubeconfig: str | None,
    context: str | None,
) -> None:
    """Write the tree that other tools' objects describe; nothing is changed.

    Read are plain ResourceQuotas; HNC's hierarchies, subnamespaces and HierarchicalResourceQuotas;
    Capsule's Tenants and GlobalResourceQuotas; OpenShift's ClusterResourceQuotas; Rancher's
    projects and its annotations on namespaces; Kueue's Cohorts, ClusterQueues and LocalQueues.
    What could not be carried over is said on stderr, each with the reason.
    """
    found = _from_files(filenames) if filenames else options.run(_from(kubeconfig, context, tools))
    imported = convert.convert(found, tools)
    for note in imported.notes:
        options.talk(str(note))
    if not imported.tree.nodes:
        where = ", ".join(filenames) if filenames else "the cluster"
        raise InputError(f"{where}: there is no limit and no hierarchy that could be imported")
    text = _text(imported, output)
    _write(text, target)
    lost = sum(note.lost for note in imported.notes)
    options.talk(f"namespaces written: {len(imported.tree.nodes)}; not carried over: {lost}")


async def _from(kubeconfig: str | None, context: str | None, tools: tuple[str, ...]) -> Objects:
    async with await options.connect(kubeconfig, context) as client:
        return await reading.read(client, tools)


def _from_files(filenames: tuple[str, ...]) -> Objects:
    return objects.of(found.body for found in manifest_files.read(filenames))


def _text(imported: Imported, output: str) -> str:
    text = treefile.to_text(imported.tree)
    checked = treefile.parse(text.encode())
    if not isinstance(checked, TreeFile):
        # What is written can be read again: a tree that is too deep or too great is not.
        raise InputError(mistakes.problem_list("quotatree.yaml", checked))
    if output == "yaml":
        return text
    notes = [
        {"source": note.source, "message": note.message, "lost": note.lost}
        for note in imported.notes
    ]
    document: dict[str, Any] = {"tree": yaml.safe_load(text), "notes": notes}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _write(text: str, target: str | None) -> None:
    if target is None:
        click.echo(text, nl=False)
        return
    try:
        Path(target).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{target}: {error.strerror}") from error
