"""What is generated for the benchmark of `quotatree simulate` is what it is said to be."""

import csv

from bench import bars, simulation

from quotatree.codec import treefile
from quotatree.model.treefile import TreeFile
from quotatree.simulate import reading


def read(path, tree_path):
    tree = treefile.parse(tree_path.read_bytes())
    assert isinstance(tree, TreeFile)
    names = [node.namespace for node in tree.nodes]
    return names, reading.read(path, known=names, leaves=names)


def test_generated_work_lies_in_a_thousand_namespaces(tmp_path):
    names, trace = read(*simulation.generated(tmp_path, 200))
    assert len(names) == 1_000
    assert len(trace.workloads) == 200
    assert all(workload.duration for workload in trace.workloads)


def test_generated_work_is_the_same_each_time(tmp_path):
    first, again = (simulation.generated(tmp_path, 50)[0].read_bytes() for _ in range(2))
    assert first == again


def test_the_extract_is_repeated_in_time(tmp_path):
    path, tree = simulation.pods(tmp_path, 1_300)
    _, trace = read(path, tree)
    with path.open(newline="", encoding="utf-8") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    assert len(trace.workloads) == len(set(names)) == 1_300
    assert trace.workloads[-1].arrival > trace.workloads[608].arrival


def test_time_and_memory_have_bars():
    run = {"what": "x", "events": simulation.EVENTS, "within": 60, "seconds": 61.0, "bytes": 10**8}
    assert [bar.reached for bar in bars.of_simulation([run])] == [False, True]
