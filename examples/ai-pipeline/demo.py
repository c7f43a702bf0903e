"""The main job in one go: a real control plane, a tree of quotas, a GPU trace and its fate.

    python examples/ai-pipeline/demo.py            # or: make demo
    python examples/ai-pipeline/demo.py --keep     # leaves the sandbox running to look around

Every step that a user would take is the command that a user would type.
"""

from __future__ import annotations

import asyncio
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import click
import replay
from rich.console import Console
from rich.table import Table

from quotatree import sandbox as control_plane
from quotatree.cluster import paths
from quotatree.cluster.client import Client
from quotatree.cluster.refusal import RefusedError
from quotatree.errors import QuotaTreeError
from quotatree.model import names

HERE: Final = Path(__file__).parent
CREATORS: Final = 4
"""Requests that each pipeline has in flight at the same time."""
SETTLES_WITHIN: Final = 20.0
"""Seconds in which the counted usage has to agree with the objects."""
TRIES: Final = 8
"""Times that a request is sent in all, while the answer is that it may be sent again."""
PASSING: Final = frozenset({409, 429, 500, 503})
"""Answers that say nothing about the request itself. 409: the quota's status changed under the API
server's hands as often as it tries; whoever creates pods has to expect it, quotatree or not."""
PIPE_WIDTH: Final = 140

KINDS: Final = {"Pod": paths.PODS, "PersistentVolumeClaim": paths.CLAIMS}

Tick = Callable[[float], None]


@click.command()
@click.option("--keep", is_flag=True, help="Leave the sandbox running at the end.")
@click.option("--name", default="demo", show_default=True, help="Name of the sandbox.")
@click.option("--pods", type=click.IntRange(min=1), help="Replay only the first so many pods.")
def main(*, keep: bool, name: str, pods: int | None) -> None:
    """Replay a GPU trace into a tree of quotas on a real API server.

    Exit codes: 0 it did what it should, 1 it did not, 2 bad usage.
    """
    console = Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)
    began = time.monotonic()
    keep = keep or _runs(name)  # what somebody kept is not ours to stop
    try:
        kubeconfig = _boot(name)
        quotatree("apply", "-f", str(HERE / "quotatree.yaml"), kubeconfig=kubeconfig)
        wanted = replay.requests(replay.read(HERE / "trace.csv")[:pods])
        wrong = asyncio.run(_run(kubeconfig, wanted, console))
        _next_steps(name, kubeconfig, keep=keep)
    except QuotaTreeError as error:
        raise click.ClickException(str(error)) from error
    finally:
        if not keep:
            quotatree("sandbox", "down", "--name", name, "--purge")
    click.echo(f"demo: {time.monotonic() - began:.0f} s", err=True)
    for line in wrong:
        click.echo(f"demo: wrong: {line}", err=True)
    sys.exit(1 if wrong else 0)


def quotatree(*words: str, kubeconfig: str = "", shown: bool = False, said: bool = True) -> str:
    """Run one command of quotatree; return its stdout, or let it go to the screen if `shown`.

    The command is told on stderr if `said`.

    Raises:
        QuotaTreeError: it failed; its own message is on the screen.
    """
    if said:
        click.echo(f"$ quotatree {shlex.join(words)}", err=True)
    where = ["--kubeconfig", kubeconfig] if kubeconfig else []
    command = [sys.executable, "-m", "quotatree", *words, *where]
    stdout = None if shown else subprocess.PIPE
    sys.stdout.flush()
    done = subprocess.run(command, stdout=stdout, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode != 0:
        click.echo(done.stdout or "", err=True, nl=False)
        raise QuotaTreeError(f"quotatree {words[0]} failed with exit code {done.returncode}")
    return done.stdout or ""


def _runs(name: str) -> bool:
    return name in control_plane.names() and control_plane.status(name).running


def _boot(name: str) -> str:
    """Start the sandbox, or what is missing of it, and return its kubeconfig."""
    said = quotatree("sandbox", "up", "--name", name, "-o", "json")
    return str(json.loads(said.splitlines()[-1])["kubeconfig"])


async def _run(kubeconfig: str, wanted: list[replay.Request], console: Console) -> list[str]:
    """Replay, show the tree and the tally; return what is wrong."""
    progress = control_plane.shown_on(sys.stderr)
    pipelines = replay.pipelines(wanted)
    async with await Client.connect(kubeconfig) as client:
        await _clear(client, pipelines)
        tree, left = await _agreed(client, kubeconfig, pipelines)
        if left:
            raise QuotaTreeError(f"an earlier run is still counted: {'; '.join(left)}")
        what = f"replaying {len(wanted)} requests of {len(pipelines)} pipelines at once"
        with progress.step(what, after="the tree") as step:
            tally = await Replay(client, tree, step.tick).all(wanted)
        with progress.step("counting the objects and comparing") as step:
            tree, wrong = await _agreed(client, kubeconfig, pipelines)
    console.print()
    quotatree("tree", kubeconfig=kubeconfig, shown=True)
    console.print()
    console.print(_tally_table(tally, tree))
    refused = tally.by.total()
    console.print(
        f"\n{tally.admitted.total()} of {tally.asked.total()} requests admitted, {refused} refused "
        f"({refused / tally.asked.total():.0%}); usage in the tree "
        f"{'differs from' if wrong else 'equals'} a recount of the objects.",
        highlight=False,
    )
    if tally.again:
        console.print(f"{tally.again} times a request was sent again after a passing error.")
    return [*wrong, *replay.shortcomings(tally, tree)]


def _tree(kubeconfig: str) -> replay.Tree:
    document = quotatree("tree", "-o", "json", kubeconfig=kubeconfig, said=False)
    return replay.Tree.parse(json.loads(document))


class Replay:
    """All pipelines at work at the same time."""

    def __init__(self, client: Client, tree: replay.Tree, tick: Tick) -> None:
        self._client = client
        self._tree = tree
        self._tick = tick
        self._tally = replay.Tally()

    async def all(self, wanted: list[replay.Request]) -> replay.Tally:
        """Make all requests; each pipeline's in the order of the trace."""
        workers = []
        for pipeline in replay.pipelines(wanted):
            mine = iter([request for request in wanted if request.pipeline == pipeline])
            workers += [self._work(mine, total=len(wanted)) for _ in range(CREATORS)]
        await asyncio.gather(*workers)
        return self._tally

    async def _work(self, mine: Iterator[replay.Request], *, total: int) -> None:
        for request in mine:
            by = await self._refused_by(request)
            if by is None:
                self._tally.admit(request.pipeline)
            else:
                self._tally.refuse(request.pipeline, by)
            self._tick(self._tally.asked.total() / total)

    async def _refused_by(self, request: replay.Request) -> str | None:
        """Make one request; return who refused it, None when it was admitted."""
        for attempt in range(1, TRIES + 1):
            try:
                kind = KINDS[request.kind]
                await self._client.create(kind, request.body, namespace=request.pipeline)
            except RefusedError as error:
                if error.status == 403 and "exceeded quota" in error.said:
                    return await self._whose(error.said, request.pipeline)
                if error.reason == "AlreadyExists" and attempt > 1:
                    return None  # the earlier try was carried out, only its answer was lost
                if error.status not in PASSING or attempt == TRIES:
                    raise
                self._tally.again += 1
                await asyncio.sleep(0.2 * attempt)
            else:
                return None
        raise AssertionError("the last try returns or raises")

    async def _whose(self, said: str, pipeline: str) -> str:
        """Return who refused; a native refusal is explained by the annotation on the quota."""
        found = await self._client.get(
            paths.RESOURCE_QUOTAS, names.MANAGED_QUOTA, namespace=pipeline
        )
        annotations = found["metadata"].get("annotations", {})
        limited_by = annotations.get(names.ANNOTATION_LIMITED_BY, "")
        return replay.refuser(said, pipeline, tree=self._tree, limited_by=limited_by)


async def _clear(client: Client, pipelines: list[str]) -> None:
    """Delete what an earlier run left in a sandbox that was kept."""
    for pipeline in pipelines:
        for kind in KINDS.values():
            await client.request("DELETE", kind.path(pipeline), params={"gracePeriodSeconds": "0"})


async def _agreed(
    client: Client, kubeconfig: str, pipelines: list[str]
) -> tuple[replay.Tree, list[str]]:
    """Return the tree once it agrees with the objects, else what still differs."""
    deadline = time.monotonic() + SETTLES_WITHIN
    while True:
        recount = {}
        for pipeline in pipelines:
            pods, _ = await client.list_all(paths.PODS, namespace=pipeline)
            claims, _ = await client.list_all(paths.CLAIMS, namespace=pipeline)
            recount[pipeline] = replay.usage(pods, claims)
        tree = _tree(kubeconfig)
        wrong = replay.differences(tree, recount)
        if not wrong or time.monotonic() > deadline:
            return tree, wrong + replay.over(tree)
        await asyncio.sleep(0.5)


def _tally_table(tally: replay.Tally, tree: replay.Tree) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("PIPELINE")
    for column in ("ASKED", "ADMITTED", "REFUSED"):
        table.add_column(column, justify="right")
    table.add_column("REFUSED BY")
    for pipeline in sorted(tally.asked):
        by = tally.refused[pipeline]
        words = ", ".join(
            f"{name} ({_level(name, pipeline, tree)}) {count}" for name, count in by.most_common()
        )
        numbers = (tally.asked[pipeline], tally.admitted[pipeline], by.total())
        table.add_row(pipeline, *map(str, numbers), words)
    return table


def _level(name: str, pipeline: str, tree: replay.Tree) -> str:
    if name not in tree.parents:
        return "?"
    return "itself" if name == pipeline else tree.level(name)


def _next_steps(name: str, kubeconfig: str, *, keep: bool) -> None:
    demo = ".venv/bin/python examples/ai-pipeline/demo.py"
    if not keep:
        click.echo(f"\nNext: {demo} --keep leaves all of this running, to look around in.")
        return
    current = control_plane.find(name)
    kubectl = current.kubectl or "kubectl"
    click.echo(
        f"""
Next, look around:
  export KUBECONFIG={shlex.quote(kubeconfig)}
  {kubectl} get treequotas -A
  {kubectl} describe resourcequota quotatree -n ai-pipeline
  {kubectl} get events -A --field-selector reason=ExceededTreeQuota
  .venv/bin/quotatree tree vision --watch
Stop it:
  .venv/bin/quotatree sandbox down --name {name} --purge"""
    )


if __name__ == "__main__":
    main()
