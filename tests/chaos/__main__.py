"""`python -m tests.chaos`: faults under traffic, and what came of each."""

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from tests.chaos import report, stage
from tests.chaos.catalog import FAULTS
from tests.chaos.trial import RECOUNTS_WITHIN, Result, trial

from quotatree import sandbox as control_plane
from quotatree.sandbox import Progress

PIPE_WIDTH = 160
EXAMPLES = """\b
Examples:
  python -m tests.chaos --list
  python -m tests.chaos --only kill,freeze --rounds 3 -o json
  python -m tests.chaos --seed 7 --seconds 480 --state build/chaos.json    and again, to go on
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which faults happen, in rounds whose order is by chance; and whose chance it is."""

    seed: int
    rounds: int
    names: Sequence[str]

    def order(self) -> list[str]:
        """Return all faults in the order in which they happen."""
        found: list[str] = []
        for number in range(self.rounds):
            found += random.Random(f"{self.seed}-{number}").sample(self.names, len(self.names))
        return found


@dataclass(kw_only=True)
class Run:
    """A plan, what has come of it so far, and the file that remembers both."""

    plan: Plan
    file: Path | None
    results: list[Result] = field(default_factory=list)

    @property
    def left(self) -> list[tuple[int, str]]:
        """The faults that have not happened yet, with their numbers."""
        return list(enumerate(self.plan.order()))[len(self.results) :]

    def add(self, result: Result) -> None:
        """Take a result in, and remember it."""
        self.results.append(result)
        if self.file:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.write_text(json.dumps(self.document(), indent=1) + "\n")

    def document(self) -> dict[str, Any]:
        """Return everything for machines."""
        setting = {**asdict(self.plan), "load": os.getloadavg()[0]}
        return report.document(self.results, setting)


def chosen(_: click.Context, __: click.Parameter, value: str | None) -> list[str]:
    """Return the faults whose names begin with one of the words."""
    words = value.split(",") if value else [""]
    for word in words:
        if not any(name.startswith(word) for name in FAULTS):
            raise click.BadParameter(f'no fault begins with "{word}"; see --list')
    return [name for name in FAULTS if any(name.startswith(word) for word in words)]


@click.command(epilog=EXAMPLES)
@click.option("--only", callback=chosen, help="Beginnings of the names of faults, by commas.")
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Times that each fault happens; the order is by chance in each round.",
)
@click.option("--seed", type=int, help="Of all chance. Default: a new one, which is printed.")
@click.option("--seconds", type=float, help="Begin no further fault after so many seconds.")
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep results here, and go on with a run that was not finished.",
)
@click.option(
    "--patience",
    type=float,
    default=RECOUNTS_WITHIN,
    show_default=True,
    help="Seconds to wait after each fault until usage equals a recount; the last one waits.",
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
@click.option("--list", "listed", is_flag=True, help="Show the faults and end.")
def main(
    *,
    only: list[str],
    rounds: int,
    seed: int | None,
    seconds: float | None,
    state: Path | None,
    patience: float,
    output: str,
    listed: bool,
) -> None:
    """Inject faults into a real control plane under traffic, and judge by what was committed.

    Two API servers on one etcd, three replicas, 59 namespaces. Exit codes: 0 every promise was
    kept, 1 error, 2 bad usage, 3 one was broken.
    """
    if listed:
        for one in FAULTS.values():
            click.echo(f"{one.name:28} {one.what}")
        return
    run = _begun(Plan(seed=-1 if seed is None else seed, rounds=rounds, names=only), state)
    progress = control_plane.shown_on(sys.stderr)
    planned = len(run.plan.order())
    progress.note(f"seed {run.plan.seed}: {len(run.left)} of {planned} faults to inject")
    end = time.monotonic() + (seconds or 10**6)
    while run.left and time.monotonic() < end:
        _inject(run, progress, end, patience)
    if output == "json":
        click.echo(json.dumps(run.document(), indent=1))
    else:
        console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
        console.print(report.table(run.results))
    sys.exit(3 if any(result.failed for result in run.results) else 0)


def _begun(plan: Plan, file: Path | None) -> Run:
    """Return the unfinished run in a file, or a new one; a seed of -1 is any."""
    if file and file.exists():
        kept = json.loads(file.read_text())
        setting = kept["setting"]
        old = Plan(seed=setting["seed"], rounds=setting["rounds"], names=setting["names"])
        same = (old.rounds, list(old.names)) == (plan.rounds, list(plan.names))
        results = [_result(found) for found in kept["results"]]
        if same and plan.seed in {-1, old.seed} and len(results) < len(old.order()):
            return Run(plan=old, file=file, results=results)
    seed = random.randrange(10**6) if plan.seed == -1 else plan.seed
    return Run(plan=Plan(seed=seed, rounds=plan.rounds, names=plan.names), file=file)


def _result(found: dict[str, Any]) -> Result:
    return Result(**{key: value for key, value in found.items() if key != "failed"})


def _inject(run: Run, progress: Progress, end: float, patience: float) -> None:
    """Go on with a run on a fresh control plane, until a trial could not be brought to its end."""
    with stage.ground(f"chaos-{os.getpid()}", progress) as where:
        for result in _trials(where, run, end=end, patience=patience):
            run.add(result)
            progress.note(report.line(result))
            if result.error:
                return


def _trials(where: stage.Ground, run: Run, *, end: float, patience: float) -> Iterator[Result]:
    first = len(run.results)
    with asyncio.Runner() as runner:
        entered = stage.staged(where, run.plan.seed + first)
        here = runner.run(entered.__aenter__())
        try:
            for number, name in run.left:
                last = number + 1 == len(run.plan.order()) or time.monotonic() > end
                waits = RECOUNTS_WITHIN if last else patience
                one = trial(here, FAULTS[name], number=number, seed=run.plan.seed, patience=waits)
                yield runner.run(one)
                if last:
                    return
        finally:
            runner.run(entered.__aexit__(None, None, None))


if __name__ == "__main__":
    main()
