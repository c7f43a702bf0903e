"""`quotatree simulate`: a trace of workloads against a tree, in simulated time."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
import orjson

from quotatree.cli import mistakes, options, output, render, render_simulation
from quotatree.codec import treefile
from quotatree.errors import InputError
from quotatree.model.names import Namespace
from quotatree.model.problem import Problem
from quotatree.model.treefile import TreeFile
from quotatree.sandbox.progress import Progress, shown_on
from quotatree.simulate import document, mapping, reading, report
from quotatree.simulate.mapping import Rule
from quotatree.simulate.replay import replay
from quotatree.simulate.results import Policy, Run
from quotatree.simulate.trace import Trace

_NOTHING_DONE: Final = "nothing was replayed"


@click.command(
    epilog=options.examples(
        "quotatree simulate trace.csv --tree quotatree.yaml",
        "quotatree simulate trace.csv --tree a.yaml --tree b.yaml --html report.html",
        "quotatree simulate pods.parquet --tree tree.yaml --map rules.yaml",
    )
)
@click.argument("trace", metavar="TRACE", type=click.Path(path_type=Path))
@click.option(
    "--tree",
    "trees",
    multiple=True,
    required=True,
    metavar="FILE",
    help="A quotatree.yaml. Repeat it to compare trees.",
)
@click.option(
    "--policy",
    type=click.Choice([policy.value for policy in Policy]),
    default=Policy.REFUSE.value,
    show_default=True,
    help="What becomes of a workload that does not fit: refused, or in the queue of its namespace.",
)
@click.option(
    "--map",
    "rules",
    metavar="FILE",
    help="Rules that give rows to namespaces. Default: the column namespace, without it all "
    "namespaces without children in turns.",
)
@click.option(
    "--html",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Also write a report with plots.",
)
@click.option(
    "--parquet",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Also write workloads.parquet and usage.parquet there (needs quotatree[parquet]).",
)
@options.output_option("text", "json")
def simulate(
    trace: Path,
    *,
    trees: tuple[str, ...],
    policy: str,
    rules: str | None,
    html: Path | None,
    parquet: Path | None,
    output: str,
) -> None:
    """Replay a trace of workloads against a tree, in simulated time.

    TRACE is CSV or Parquet: the columns of the Alibaba GPU trace of 2023, or the plain format
    (arrival, duration, namespace, priority, and a column for each resource). What fits is decided
    by the engine that decides in a cluster; no cluster is needed. The same input gives the same
    output.

    Exit codes: 0 replayed, whatever was refused; 1 error; 2 bad usage.
    """
    # What cannot be written is said before an hour of trace is replayed.
    if html is not None and not html.absolute().parent.is_dir():
        raise InputError(f"{html}: No such file or directory")
    if parquet is not None:
        reading.arrow()
    progress = shown_on(sys.stderr)
    with _uncollected():
        planted = [(name, _tree(name)) for name in trees]
        found = _read(trace, planted[0][1], _rules(rules), progress=progress)
        for note in found.notes:
            progress.note(f"note: {note}")
        chosen = Policy(policy)
        runs = [_replay(found, t, name, policy=chosen, progress=progress) for name, t in planted]
    _write(runs, html=html, parquet=parquet, progress=progress)
    _show(runs, output)


def _show(runs: list[Run], form: str) -> None:
    if form == "json":
        click.echo(orjson.dumps(document.to_dict(runs)))
        return
    console = output.console()
    console.print(render_simulation.screen(runs, ascii_only=console.options.ascii_only))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Collect no garbage: nothing here makes cycles, and a trace has a million objects."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _read(path: Path, tree: TreeFile, rules: tuple[Rule, ...], *, progress: Progress) -> Trace:
    parents = {node.parent for node in tree.nodes}
    known = [node.namespace for node in tree.nodes]
    leaves: list[Namespace] = [name for name in known if name not in parents]
    if not known:
        raise InputError("the tree has no namespace")
    with progress.step(f"reading {path.name}") as step:
        return reading.read(path, known=known, leaves=leaves, rules=rules, tick=step.tick)


def _replay(trace: Trace, tree: TreeFile, name: str, *, policy: Policy, progress: Progress) -> Run:
    with progress.step(f"replaying against {name}") as step:
        run = replay(trace, tree, name=name, policy=policy, tick=step.tick)
    for note in run.notes:
        progress.note(f"note: {note}")
    return run


def _tree(name: str) -> TreeFile:
    found = treefile.parse(options.read_bytes(name, treefile.MAX_BYTES))
    if isinstance(found, TreeFile):
        return found
    raise InputError(mistakes.problem_list(name, found, outcome=_NOTHING_DONE))


def _rules(name: str | None) -> tuple[Rule, ...]:
    if name is None:
        return ()
    found = mapping.parse(options.read_bytes(name, mapping.MAX_BYTES))
    problems = tuple(item for item in found if isinstance(item, Problem))
    if problems:
        raise InputError(mistakes.problem_list(name, problems, outcome=_NOTHING_DONE))
    return tuple(item for item in found if isinstance(item, Rule))


def _write(runs: list[Run], *, html: Path | None, parquet: Path | None, progress: Progress) -> None:
    try:
        if html is not None:
            html.write_text(report.page(runs, amount=render.human), encoding="utf-8")
            progress.note(f"wrote {html}")
        if parquet is not None:
            for path in document.write_parquet(runs, parquet):
                progress.note(f"wrote {path}")
    except OSError as error:
        raise InputError(
            f"{error.filename or html or parquet}: {error.strerror or error}"
        ) from error
