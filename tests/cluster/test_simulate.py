"""What `quotatree simulate` says of a trace is what the API server then does, pod by pod."""

import csv
import itertools
from pathlib import Path

import pytest
from tests.cluster.harness.load import Ask, create
from tests.cluster.harness.trees import Tree, fell, plant

from quotatree.cluster.client import Client
from quotatree.model.names import QuotaName
from quotatree.model.quota import Quota
from quotatree.model.treefile import TreeFile, TreeNode
from quotatree.simulate import reading
from quotatree.simulate.replay import replay
from quotatree.simulate.results import Outcome
from quotatree.units.resources import Resources

pytestmark = pytest.mark.cluster

TRACE = Path(__file__).parents[2] / "examples" / "ai-pipeline" / "trace.csv"
PODS = 80
TREE = (
    "org: cpu 620, memory 2200Gi, requests.nvidia.com/gpu 44"
    " > vision: requests.nvidia.com/gpu 22, requests.cpu 300 > train: count/pods 12;"
    " vision > label: requests.cpu 110;"
    " org > language: memory 560Gi > serve; org > batch: requests.nvidia.com/gpu 9"
)


def rows():
    """Yield the last pods of the trace: of those before, few lived at the same time."""
    with TRACE.open(newline="", encoding="utf-8") as file:
        yield from list(csv.DictReader(file))[-PODS:]


def file_of(tree: Tree) -> TreeFile:
    return TreeFile(
        nodes=tuple(
            TreeNode(
                namespace=name,
                parent=parent,
                quotas=(Quota(namespace=name, name=QuotaName("limit"), hard=tree.hard[name]),)
                if name in tree.hard
                else (),
            )
            for name, parent in tree.parents.items()
        )
    )


async def test_every_pod_of_the_trace_is_answered_as_it_was_simulated(
    admin: Client, tmp_path: Path
) -> None:
    tree = await plant(admin, TREE)
    turns = itertools.cycle(tree[short] for short in ("train", "label", "serve", "batch"))
    asked = [(next(turns), row) for row in rows()]
    path = tmp_path / "trace.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["namespace", "arrival", "cpu", "memory", "nvidia.com/gpu"])
        for number, (namespace, row) in enumerate(asked):
            memory = f"{row['memory_mib']}Mi"
            writer.writerow([namespace, number, f"{row['cpu_milli']}m", memory, row["num_gpu"]])
    trace = reading.read(path, known=list(tree.parents), leaves=())
    run = replay(trace, file_of(tree), name="tree")
    simulated = [run.fates.outcome(n) is Outcome.ADMITTED for n in range(PODS)]
    assert PODS / 4 <= sum(simulated) <= PODS * 3 / 4
    assert len({obstacle[1] for obstacle in run.fates.obstacles}) >= 4

    answers = []
    for namespace, row in asked:
        size = {"cpu": f"{row['cpu_milli']}m", "memory": f"{row['memory_mib']}Mi"}
        if row["num_gpu"] != "0":
            size["nvidia.com/gpu"] = row["num_gpu"]
        answer = await create(
            admin, Ask(namespace=namespace, name=row["name"], size=Resources.parse(size))
        )
        assert answer.admitted or answer.refused, answer.message
        answers.append(answer)
    assert [answer.admitted for answer in answers] == simulated
    await fell(admin, tree)
