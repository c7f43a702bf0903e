"""What is counted, and that the number of series stays bounded."""

import gc
import re

from prometheus_client import parser

from quotatree import metrics
from quotatree.engine import tally
from quotatree.engine.reservation import State
from quotatree.engine.tally import Tally
from quotatree.metrics import AcceptorMetrics, Metrics
from quotatree.testing import words


def read(text):
    """Return every sample of a text: name and labels → value."""
    found = {}
    for family in parser.text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            key = (sample.name, *sorted(sample.labels.values()))
            assert key not in found, f"{key} stands there twice"
            found[key] = sample.value
    return found


def shown(counted, world=None, *, leads=True):
    now = tally.of(world) if world is not None else Tally()
    return read(counted.text(now, leads=leads, loaded=leads))


def test_trees_beyond_the_first_share_a_series():
    counted = Metrics()
    for number in range(metrics.MOST_TREES + 100):
        counted.refusals.labels(counted.tree(f"org-{number}")).inc()
    series = {key: v for key, v in shown(counted).items() if key[0] == "quotatree_refusals_total"}
    assert len(series) == metrics.MOST_TREES + 1
    assert series["quotatree_refusals_total", metrics.OTHERS] == 100


def test_a_tree_that_is_known_keeps_its_series():
    counted = Metrics()
    names = [counted.tree(f"org-{n % metrics.MOST_TREES}") for n in range(500)]
    assert metrics.OTHERS not in names


def test_a_world_is_shown_in_figures():
    world = words.world("org: pods 10 > a: holds pods 2; org > b")
    found = shown(Metrics(), world)
    assert found["quotatree_namespaces",] == 3
    assert found["quotatree_tree_quotas",] == 1
    assert found["quotatree_managed_quotas",] == 3
    assert found["quotatree_epoch",] == 1
    assert found["quotatree_fenced_ratio",] == 1
    assert found["quotatree_pending_grants", "pending"] == 0


def test_a_new_epoch_is_not_written_anywhere_yet():
    world = words.world("org: pods 10 > a; org > b")
    world.ledger.epoch = 2
    assert shown(Metrics(), world)["quotatree_fenced_ratio",] == 0


def test_grants_in_flight_are_counted_by_state():
    world = words.world("org: pods 10 > a; org > b")
    for name in ("a", "b"):
        (key,) = ((name, q.scopes) for q in world.managed[name].values())
        world.ledger.reserve(key, {"pods": 10**9}, base=99, now=0.0)
    assert tally.of(world).reservations[State.PENDING] == 2
    world.ledger.expire(1e9)
    assert shown(Metrics(), world)["quotatree_pending_grants", "overdue"] == 2


def test_a_replica_without_a_term_shows_none():
    found = shown(Metrics(), leads=False)
    assert found["quotatree_leader",] == found["quotatree_epoch",] == 0
    assert found["quotatree_fenced_ratio",] == 0


def test_both_processes_fit_into_one_text():
    found = read(AcceptorMetrics().text(Metrics().text(Tally(), leads=False, loaded=False)))
    assert found["quotatree_decider_up",] == 1
    assert found["process_resident_memory_bytes",] > 0
    assert found["quotatree_acceptor_process_resident_memory_bytes",] > 0


def test_a_decider_that_hangs_is_told_of():
    found = read(AcceptorMetrics().text(None))
    assert found["quotatree_decider_up",] == 0
    assert ("quotatree_leader",) not in found


def test_collections_of_garbage_are_timed():
    counted = Metrics()
    stop = counted.time_collections()
    try:
        gc.collect()
    finally:
        stop()
    assert shown(counted)["quotatree_gc_pause_seconds_count", "2"] >= 1


def test_no_label_is_that_of_a_namespace():
    labels = {x for m in (Metrics(), AcceptorMetrics()) for d in m.described for x in d.labels}
    assert not {label for label in labels if re.search("namespace|pod|name|uid", label)}
