"""The lessor at work in a tree: handing out and counting."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.engine.leasing import NOW, SETTINGS, Tree

from quotatree.engine.slices import SliceSettings
from quotatree.model.names import Namespace
from quotatree.model.scope import UNSCOPED
from quotatree.model.verdict import Admit, Tighten, Wait
from quotatree.units.resources import Resources

# -- handing out ------------------------------------------------------------------------------


def test_who_had_to_ask_is_offered_more_at_the_next_tick() -> None:
    tree = Tree("org: cpu 100 > a; org > b")
    tree.grow("a", cpu="2")
    assert tree.write() == {"a": "cpu=10"}
    assert tree.write(NOW + 0.05) == {}


def test_a_burst_is_over_before_its_slice_is_written() -> None:
    tree = Tree("org: cpu 100 > a", replace(SETTINGS, after=1.0))
    for used in range(1, 6):
        tree.grow("a", cpu=str(used))
    assert tree.write(NOW + 0.9) == {}
    assert tree.write(NOW + 1.0) == {"a": "cpu=9"}


def test_a_slice_is_not_written_while_growth_is_in_flight_or_not_for_long() -> None:
    tree = Tree("org: cpu 100, pods 99 > a", replace(SETTINGS, after=1.0))
    tree.grow("a", cpu="2", pods="1")
    assert isinstance(tree.ask("a", NOW + 1.8, cpu="3", pods="2"), Admit)
    assert tree.write(NOW + 1.9) == {}
    assert tree.write(NOW + 2.0) == {"a": "cpu=7,pods=6"}


@pytest.mark.parametrize(
    ("later", "want"),
    [pytest.param(1.0, {}, id="at once"), pytest.param(2.5, {"a": "cpu=15"}, id="slowly")],
)
def test_nothing_is_offered_in_a_tree_that_will_be_full_soon(
    later: float, want: dict[str, str]
) -> None:
    tree = Tree("org: cpu 100 > a; org > b", replace(SETTINGS, runway=5.0))
    tree.grow("b", cpu="10")
    tree.lessor.drop((Namespace("b"), UNSCOPED))
    assert isinstance(tree.ask("a", NOW + later, cpu="3"), Admit)
    tree.commit(replace(tree.quota("a"), used=Resources.parse({"cpu": "3"})))
    assert tree.write(NOW + later) == want


def test_a_slice_is_counted_before_it_is_written() -> None:
    tree = Tree("org: cpu 100 > a; org > b")
    tree.grow("a", cpu="2")
    assert tree.decided()["a"].slice == Resources.parse({"cpu": "10"})
    assert tree.charge("org") == 10


def test_a_slice_that_is_used_up_is_renewed_without_a_question() -> None:
    tree = Tree("org: cpu 1000 > a")
    tree.grow("a", cpu="2")
    tree.write()
    tree.commit(replace(tree.quota("a"), used=Resources.parse({"cpu": "7"})))
    assert tree.write(NOW + 0.5) == {"a": "cpu=17"}


@pytest.mark.parametrize(
    ("used", "want"),
    [pytest.param("66", {"a": "cpu=10"}, id="just enough"), pytest.param("67", {}, id="too full")],
)
def test_slices_that_are_not_worth_a_write_are_not_handed_out(
    used: str, want: dict[str, str]
) -> None:
    tree = Tree(f"org: cpu 100 > a; org > b: holds cpu {used}")
    tree.grow("a", cpu="2")
    assert tree.write() == want


def test_growth_in_a_name_that_cannot_have_a_slice_gets_none() -> None:
    long = "requests." + "x" * 60 + ".example.com/gpu"
    tree = Tree(f"org: {long} 100, pods 100 > a")
    tree.grow("a", **{long: "1", "pods": "1"})
    assert tree.write() == {}


def test_only_so_many_namespaces_of_a_tree_have_idle_slices() -> None:
    tree = Tree("org: cpu 100 > a; org > b; other: cpu 100 > c", replace(SETTINGS, most=1))
    for name in ("a", "b", "c"):
        tree.grow(name, cpu="1")
    assert tree.write().keys() == {"a", "c"}


def test_nothing_is_written_on_objects_of_another_epoch_or_in_a_tree_not_fenced() -> None:
    tree = Tree("org: cpu 100 > a; org > b")
    tree.grow("a", cpu="2")
    tree.commit(replace(tree.quota("b"), epoch=0))
    assert tree.write() == {}
    tree.commit(replace(tree.quota("b"), epoch=1))
    assert tree.write() == {"a": "cpu=10"}
    tree.commit(replace(tree.quota("a"), epoch=2))
    tree.lessor.asked(
        (Namespace("a"), UNSCOPED), Resources(), Resources.parse({"cpu": "9"}), now=NOW
    )
    assert tree.write() == {}


def test_a_slice_grows_only_where_the_account_is_open_for_sure() -> None:
    tree = Tree("org: cpu 100 > a; org > b")
    key, openings = (Namespace("a"), UNSCOPED), tree.world.ledger.openings
    tree.grow("a", cpu="2")
    tree.commit(replace(tree.quota("a"), epoch=None))
    assert tree.write() == {}
    assert tree.lessor.closed == {key}
    tree.commit(replace(tree.quota("a"), epoch=1))
    assert tree.write() == {}
    openings.confirm(openings.unsure())
    assert tree.write() == {"a": "cpu=10"}


def test_a_slice_is_taken_back_from_a_closed_account_too() -> None:
    tree = Tree("org: cpu 100 > a; org > b", SliceSettings(enabled=False))
    tree.give("b", cpu="9")
    tree.commit(replace(tree.quota("b"), epoch=None))
    assert tree.write() == {"b": ""}


def test_a_slice_fits_where_its_namespace_may_be_moving_to_as_well() -> None:
    tree = Tree("org: cpu 100 > a; other: cpu 4 > c")
    moves = tree.world.ledger.moves
    moves.reserve(Namespace("a"), Namespace("other"), base=9, now=NOW)
    tree.grow("a", cpu="1")
    assert tree.write() == {}


def test_where_it_is_switched_off_slices_are_taken_back() -> None:
    tree = Tree("org: cpu 100 > a; org > b", SliceSettings(enabled=False))
    tree.grow("a", cpu="2")
    tree.give("b", cpu="9")
    assert tree.write() == {"b": ""}


# -- guarantees -------------------------------------------------------------------------------


def test_a_guarantee_is_a_slice_and_stays_one() -> None:
    tree = Tree("org: cpu 10 > a: keeps cpu 4; org > b")
    assert tree.write() == {"a": "cpu=4"}
    assert isinstance(tree.ask("b", cpu="7"), Tighten)
    assert tree.write(NOW + 1) == {}
    assert isinstance(tree.ask("b", NOW + 2, cpu="6"), Admit)


def test_a_guarantee_of_a_namespace_with_children_is_not_its_own_slice() -> None:
    tree = Tree("org: cpu 10 > a: keeps cpu 4 > c")
    assert tree.write() == {}


def test_growth_inside_a_shared_guarantee_is_not_kept_from_a_sibling_by_a_slice() -> None:
    tree = Tree("org: cpu 10 > t: cpu 4, keeps cpu 4 > a; org > t > b")
    tree.give("a", cpu="3")
    assert isinstance(tree.ask("b", cpu="4"), Wait)
    assert tree.write() == {"a": ""}
    assert isinstance(tree.ask("b", cpu="4"), Admit)


def test_what_is_only_remembered_gets_no_slice() -> None:
    tree = Tree("org: cpu 10 > b; org > a: keeps cpu 4")
    tree.world.ledger.forget_namespace(Namespace("a"))
    tree.world.ledger.recall(Namespace("a"), UNSCOPED, {"cpu": 10**9})
    assert tree.write() == {}
