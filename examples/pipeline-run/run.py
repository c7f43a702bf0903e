"""One run of an AI pipeline in a namespace of its own, which goes when the run is over.

    python run.py --team vision --run resnet-42 --gpus 2 --shards 4

puts the namespace `resnet-42` under the team `vision`, with a limit of its own, runs its Jobs in it
one after the other (prepare, train in shards, evaluate), and takes everything away again, whether
they succeed or not. Any number of runs may go on at once: each is a Pulumi stack of its own, and
together they never get more than the team has.

Exit codes: 0 the pipeline is done, 1 it failed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import automation

import pulumi_quotatree as quotatree

PROJECT = "pipeline-run"


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one run asks for."""

    team: str
    name: str
    image: str
    gpus: int
    shards: int
    retries: int
    minutes: int


@dataclass(frozen=True, kw_only=True)
class Step:
    """A Job: so many pods at once, each with these requests."""

    name: str
    pods: int
    requests: dict[str, str]


def steps(run: Run) -> list[Step]:
    """The Jobs in their order."""
    gpu = {"nvidia.com/gpu": str(run.gpus)} if run.gpus else {}
    return [
        Step(name="prepare", pods=1, requests={"cpu": "2", "memory": "4Gi"}),
        Step(name="train", pods=run.shards, requests={"cpu": "4", "memory": "16Gi", **gpu}),
        Step(name="evaluate", pods=1, requests={"cpu": "1", "memory": "2Gi"}),
    ]


def hard(run: Run) -> dict[str, str]:
    """A ceiling for the run: its widest step, so a mistake in a Job cannot take the team's room."""
    limits = {"cpu": f"{4 * run.shards}", "memory": f"{16 * run.shards}Gi"}
    pods = {"count/jobs.batch": str(len(steps(run))), "pods": str(run.shards + run.retries)}
    gpus = {"requests.nvidia.com/gpu": str(run.gpus * run.shards)} if run.gpus else {}
    return limits | pods | gpus


def program(run: Run) -> Callable[[], None]:
    """Return the namespace with its limit and the Jobs, each after the one before."""

    def make() -> None:
        place = quotatree.PipelineNamespace(
            "place", {"namespace": run.name, "parent": run.team, "hard": hard(run)}
        )
        before: list[pulumi.Resource] = [place]
        for step in steps(run):
            before = [_job(step, run, place=place, before=before)]
        pulumi.export("namespace", place.namespace)

    return make


def _job(
    step: Step,
    run: Run,
    *,
    place: quotatree.PipelineNamespace,
    before: Sequence[pulumi.Resource],
) -> pulumi.Resource:
    extended = {name: amount for name, amount in step.requests.items() if "/" in name}
    container = {
        "name": step.name,
        "image": run.image,
        "args": [step.name],
        "resources": {"requests": step.requests, **({"limits": extended} if extended else {})},
    }
    return kubernetes.batch.v1.Job(
        step.name,
        metadata={"name": step.name, "namespace": place.namespace},
        spec={
            "parallelism": step.pods,
            "completions": step.pods,
            "backoff_limit": run.retries,
            "active_deadline_seconds": run.minutes * 60,
            "template": {
                "spec": {
                    "service_account_name": place.service_account,
                    "restart_policy": "Never",
                    "containers": [container],
                }
            },
        },
        # Pulumi counts a Job as made when it is complete: that is what makes these steps.
        opts=pulumi.ResourceOptions(
            depends_on=list(before),
            custom_timeouts=pulumi.CustomTimeouts(create=f"{run.minutes}m"),
        ),
    )


def carry_out(run: Run) -> bool:
    """Bring everything up, and whatever happens take it away again; whether it was done."""
    stack = automation.create_or_select_stack(
        stack_name=run.name, project_name=PROJECT, program=program(run)
    )
    began = time.monotonic()
    try:
        stack.up(on_output=print, color="never")
        print(f"{run.name}: done in {time.monotonic() - began:.0f} s", flush=True)
    except automation.CommandError as error:
        print(f"{run.name}: failed, see above ({type(error).__name__})", file=sys.stderr)
        return False
    finally:
        stack.destroy(on_output=print, color="never")
        stack.workspace.remove_stack(run.name)
    return True


def main() -> int:
    """Read the command line, run, and say how it went."""
    parser = argparse.ArgumentParser(description="Run one AI pipeline in a namespace of its own.")
    parser.add_argument("--team", required=True, help="namespace under which the run is put")
    parser.add_argument("--run", required=True, help="name of the run and of its namespace")
    parser.add_argument("--image", default="registry.example/pipeline:1", help="what its pods run")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs of each training pod")
    parser.add_argument("--shards", type=int, default=2, help="training pods at once")
    parser.add_argument("--retries", type=int, default=2, help="pods of a step that may fail")
    parser.add_argument("--minutes", type=int, default=60, help="longest that one step may take")
    given = parser.parse_args()
    run = Run(
        team=given.team,
        name=given.run,
        image=given.image,
        gpus=given.gpus,
        shards=given.shards,
        retries=given.retries,
        minutes=given.minutes,
    )
    return 0 if carry_out(run) else 1


if __name__ == "__main__":
    sys.exit(main())
