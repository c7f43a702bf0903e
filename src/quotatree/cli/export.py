"""`quotatree export`: the tree in the form of another tool."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import click

import quotatree
from quotatree.cli import mistakes, observe, options
from quotatree.cli.apply import read
from quotatree.cluster import paths, together
from quotatree.codec import live_tree, namespaces, pulumi_program, quotas, treefile
from quotatree.engine import rollup, survey
from quotatree.engine.survey import Observed
from quotatree.errors import InputError
from quotatree.model.names import Namespace
from quotatree.model.state import NodeState, TreeState
from quotatree.model.treefile import TreeFile

_SEVERAL_ROOTS: Final = "tree"
"""What the resource is called then."""

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")
"""What Pulumi takes for the name of a project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A tree, and the namespace outside of it that its root lies under."""

    tree: TreeFile
    parent: str | None = None


@click.group(
    epilog=options.examples(
        "quotatree export pulumi > __main__.py",
        "quotatree export pulumi -f quotatree.yaml > __main__.py",
    )
)
def export() -> None:
    """Write the tree in the form of another tool."""


@export.command(
    epilog=options.examples(
        "quotatree export pulumi > __main__.py",
        "quotatree export pulumi vision --directory vision",
        "quotatree export pulumi -f quotatree.yaml --new",
    )
)
@click.argument("namespace", required=False)
@click.option("-f", "--filename", metavar="FILE", help="Take the tree from this file; - is stdin.")
@click.option(
    "--name", metavar="NAME", help="Name of the resource, and of the project. Default: the root."
)
@click.option(
    "--new", is_flag=True, help="What the tree names does not exist yet: make it, import nothing."
)
@click.option(
    "-d",
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write a whole project there instead of the program to stdout.",
)
@options.cluster_options
def pulumi(
    namespace: str | None,
    *,
    filename: str | None,
    name: str | None,
    new: bool,
    directory: Path | None,
    kubeconfig: str | None,
    context: str | None,
) -> None:
    """Write a Pulumi program in Python that describes a tree.

    The tree is that of the cluster, with NAMESPACE only what is below it; or that of a file. The
    program uses the component QuotaTree of pulumi-quotatree. Its first `pulumi up` imports the
    Namespaces and TreeQuotas by their ids and changes nothing; the note at its top says how to go
    on.
    """
    if filename is not None and namespace is not None:
        raise click.UsageError("NAMESPACE picks a part of the cluster; with -f leave it out")
    if name is not None and not _NAME.fullmatch(name):
        raise click.UsageError("--name takes at most 100 letters, digits, '-', '_' and '.'")
    if filename is not None:
        found = _Found(tree=read(filename))
    else:
        found = options.run(_live(kubeconfig, context, namespace=namespace))
    roots = [str(node.namespace) for node in found.tree.nodes if node.parent is None]
    called = name or (roots[0] if len(roots) == 1 else _SEVERAL_ROOTS)
    wishes = pulumi_program.Wishes(
        name=called, parent=found.parent, existing=not new, version=quotatree.__version__
    )
    program = pulumi_program.text(found.tree, wishes)
    if directory is None:
        click.echo(program, nl=False)
    else:
        _write(directory, called, program=program)


async def _live(kubeconfig: str | None, context: str | None, *, namespace: str | None) -> _Found:
    """Return the tree of the cluster. Raises: ClusterError, InputError."""
    async with await options.connect(kubeconfig, context) as client:
        (spaces, _), (limits, _) = await together.all_of(
            client.list_all(paths.NAMESPACES), observe.tree_quotas(client)
        )
    seen = Observed(
        namespaces=tuple(namespaces.parse(item) for item in spaces),
        quotas=tuple(quotas.parse(item) for item in limits),
    )
    state = survey.only(survey.survey(seen), namespace=namespace)
    return of_state(state, spaces, root=namespace)


def of_state(state: TreeState, objects: list[dict[str, Any]], *, root: str | None) -> _Found:
    """Return the tree of a state; `objects` are its Namespaces.

    Raises:
        InputError: a program cannot describe it; the message says what to mend.
    """
    for node in (node for node in state.nodes if node.terminating):
        options.talk(f"left out: namespace {node.namespace} is being deleted")
    nodes = [node for node in state.nodes if not node.terminating]
    if not nodes:
        raise InputError("there is no tree to export; next: quotatree apply -f quotatree.yaml")
    _refuse_cycles(nodes)
    tree = live_tree.of_nodes(nodes, objects)
    problems = treefile.from_data(treefile.to_data(tree))
    if not isinstance(problems, TreeFile):
        raise InputError(mistakes.problem_list("the tree of the cluster", problems))
    parent = _parent(nodes, root)
    return _Found(tree=tree if parent is None else _with_lifecycle(tree, nodes), parent=parent)


def _with_lifecycle(tree: TreeFile, nodes: list[NodeState]) -> TreeFile:
    """Return the tree with its root's own lifecycle: there is somebody above who could own it."""
    own = {node.namespace: node.lifecycle for node in nodes}
    return TreeFile(
        nodes=tuple(replace(node, lifecycle=own[node.namespace]) for node in tree.nodes)
    )


def _refuse_cycles(nodes: list[NodeState]) -> None:
    parents = {node.namespace: node.parent for node in nodes}
    forest = rollup.acyclic(parents)
    for name in sorted(parents):
        parent = parents[name]
        if parent in parents and forest[name] is None:
            raise InputError(
                f"namespace {name} lies below itself (it names {parent}); next: take its label "
                "quotatree.dev/parent away"
            )


def _parent(nodes: list[NodeState], root: str | None) -> str | None:
    """Return what the exported root lies under; a root that names nobody alive is said so."""
    inside = {node.namespace for node in nodes}
    for node in nodes:
        if node.parent is None or node.parent in inside:
            continue
        if root is not None and node.namespace == Namespace(root):
            return str(node.parent)
        options.talk(
            f"namespace {node.namespace} names the parent {node.parent}, which is not there: "
            "in the program it is a root"
        )
    return None


def _write(directory: Path, name: str, *, program: str) -> None:
    files = {
        "Pulumi.yaml": pulumi_program.project(name),
        "__main__.py": program,
        "requirements.txt": pulumi_program.REQUIREMENTS,
    }
    taken = [file for file in files if (directory / file).exists()]
    if taken:
        raise InputError(f"{directory} has {', '.join(taken)} already; next: name another one")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (directory / file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{directory}: {error.strerror}") from error
    options.talk(f"wrote {', '.join(files)} to {directory}; next: pulumi preview")
