"""The lessor at work in a tree: taking back, and who waits for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.engine.leasing import NOW, SETTINGS, Tree

from quotatree.engine import attach, status, validate
from quotatree.model.names import Namespace, Uid
from quotatree.model.review import NamespaceReview
from quotatree.model.verdict import Admit, Deny, Refuse, Tighten, TryLater, Verdict, Wait
from quotatree.testing import words
from quotatree.units.resources import Resources


def test_a_request_waits_for_idle_slices_and_takes_their_room() -> None:
    tree = Tree("org: cpu 10 > a: holds cpu 2; org > b; org > c")
    tree.give("a", cpu="5")
    tree.give("b", cpu="1")
    assert isinstance(tree.ask("c", cpu="8"), Wait)
    assert tree.write() == {"a": "", "b": ""}
    assert isinstance(tree.ask("c", NOW + 0.1, cpu="8"), Admit)


def test_after_slices_there_is_still_time_for_what_is_in_flight() -> None:
    tree = Tree("org: cpu 10, pods 99 > a; org > b; org > c")
    tree.give("a", cpu="5")
    assert isinstance(tree.ask("b", cpu="5", pods="1"), Admit)
    assert isinstance(tree.ask("c", NOW + 0.3, cpu="6", pods="1"), Wait)
    assert tree.write() == {"a": ""}
    assert isinstance(tree.ask("c", NOW + 0.35, cpu="6", pods="1"), Wait)
    tree.commit(tree.quota("b"))  # its grant has lost
    assert isinstance(tree.ask("c", NOW + 0.36, cpu="6", pods="1"), Admit)


def test_room_of_a_slice_is_not_free_before_it_is_seen_to_be() -> None:
    tree = Tree("org: cpu 10 > a; org > c")
    tree.give("a", cpu="5")
    assert isinstance(tree.ask("c", cpu="8"), Wait)
    assert tree.decided().keys() == {"a"}
    assert isinstance(tree.ask("c", NOW + 0.1, cpu="8"), Wait)
    tree.commit(replace(tree.quota("a"), used=Resources.parse({"cpu": "4"}), slice=Resources()))
    assert isinstance(tree.ask("c", NOW + 0.2, cpu="6"), Admit)


def test_who_waited_in_vain_is_told_to_ask_again_and_never_refused() -> None:
    tree = Tree("org: cpu 10, pods 99 > a; org > c")
    tree.give("a", cpu="5")
    assert isinstance(tree.ask("c", NOW + SETTINGS.wait, cpu="8", pods="1"), TryLater)


@pytest.mark.parametrize(
    ("cpu", "kind"), [pytest.param("11", Deny, id="alone"), pytest.param("10", Wait, id="it fits")]
)
def test_one_request_that_does_not_fit_anyhow_takes_nothing_back(
    cpu: str, kind: type[Verdict]
) -> None:
    tree = Tree("org: cpu 10, pods 99 > a; org > c")
    tree.give("a", cpu="5")
    assert isinstance(tree.ask("c", cpu=cpu, pods="1"), kind)
    assert bool(tree.write()) == (kind is Wait)


def test_a_batch_takes_back_what_stands_idle_though_another_limit_in_its_way_is_full() -> None:
    tree = Tree("org: gpu 2, pods 10 > a; org > b: holds gpu 2, holds pods 2; org > c")
    tree.give("a", pods="6")
    assert isinstance(tree.ask("c", pods="4", gpu="1"), Wait)
    assert tree.write() == {"a": ""}
    assert isinstance(tree.ask("c", NOW + 0.1, pods="4", gpu="1"), Tighten)


def test_a_batch_that_finds_no_more_room_takes_nothing_back() -> None:
    tree = Tree("org: cpu 10, pods 10 > a > d; org > a: cpu 9 > c: holds cpu 9")
    tree.give("d", pods="5")
    assert isinstance(tree.ask("c", cpu="11", pods="2"), Tighten)
    assert tree.write() == {}


def test_a_slice_on_its_way_is_taken_back_like_one_that_stands() -> None:
    tree = Tree("org: cpu 10, pods 99 > a; org > c")
    tree.grow("a", cpu="500m")
    sent = tree.decided()["a"]
    assert isinstance(tree.ask("c", NOW + 0.3, cpu="9", pods="1"), Wait)
    tree.commit(replace(tree.quota("a"), slice=sent.slice))
    assert isinstance(tree.ask("c", NOW + 0.3, cpu="9", pods="1"), Wait)
    assert tree.write(NOW + 0.3) == {"a": ""}
    assert isinstance(tree.ask("c", NOW + 0.4, cpu="9", pods="1"), Admit)


def test_who_is_tightened_gives_its_slice_back_in_the_same_write() -> None:
    tree = Tree("org: cpu 4, pods 9 > a; org > b: keeps cpu 1, keeps pods 1")
    tree.give("a", cpu="1", pods="5")
    tree.give("b", cpu="1", pods="1")
    verdict = tree.ask("a", cpu="6", pods="6")
    assert isinstance(verdict, Tighten)
    assert verdict.returned == ("cpu", "pods")
    kept = tree.ask("b", cpu="6", pods="6")
    assert isinstance(kept, Wait | Tighten)
    assert getattr(kept, "returned", ()) == ()


def test_a_slice_is_not_taken_back_in_the_middle_of_a_growth_that_was_granted() -> None:
    tree = Tree("org: cpu 10, pods 99 > a; org > c")
    tree.give("a", cpu="5", pods="1")
    assert isinstance(tree.ask("a", cpu="1", pods="2"), Admit)
    assert isinstance(tree.ask("c", cpu="7", pods="1"), Wait)
    assert tree.write(NOW + 0.05) == {}
    tree.commit(replace(tree.quota("a"), used=Resources.parse({"cpu": "1", "pods": "2"})))
    assert tree.write(NOW + 0.1) == {"a": ""}
    assert isinstance(tree.ask("c", NOW + 0.1, cpu="7", pods="1"), Admit)


def test_what_no_longer_fits_goes_when_nothing_is_asked_for_there() -> None:
    tree = Tree("org: cpu 100 > a; org > b")
    tree.give("a", cpu="20")
    tree.give("b", cpu="20")
    assert isinstance(tree.ask("a", cpu="99"), Wait)  # which presses for that of `b` alone
    tree.world.see_quota(words.quota("org", hard={"cpu": "30"}, generation=2))
    assert tree.write(NOW + 0.05) == {"b": ""}
    tree.world.ledger.expire(NOW + 1.1)
    assert tree.write(NOW + 1.1) == {"a": ""}


def test_a_dry_run_takes_nothing_back_and_is_told_what_would_be() -> None:
    tree = Tree("org: cpu 10 > a; org > c")
    tree.give("a", cpu="5")
    assert tree.ask("c", cpu="8", dry=True) == Admit(reserved=False)
    assert tree.write() == {}


def test_slices_in_other_trees_and_other_resources_stay() -> None:
    tree = Tree("org: cpu 10, pods 99 > a; org > b; other: cpu 10 > c")
    tree.give("a", pods="5")
    tree.give("c", cpu="2")
    tree.give("b", cpu="1")
    assert isinstance(tree.ask("org", cpu="10"), Wait)
    assert tree.write() == {"b": ""}


def test_nothing_is_offered_for_a_while_where_slices_stood_in_the_way() -> None:
    tree = Tree("org: cpu 100 > a; org > b; other: cpu 100 > c")
    tree.give("b", cpu="20")
    assert isinstance(tree.ask("a", cpu="90"), Wait)
    assert tree.write() == {"b": ""}
    tree.grow("b", cpu="1")
    tree.grow("c", cpu="1")
    assert tree.write(NOW + 1).keys() == {"c"}
    rested = NOW + SETTINGS.rest
    assert isinstance(tree.ask("b", rested, since=rested, cpu="2"), Admit)
    assert tree.write(rested + 1).keys() == {"b"}


def test_as_a_tree_fills_the_slices_offered_longest_ago_go() -> None:
    tree = Tree("org: cpu 100 > a; org > b; org > c")
    tree.grow("a", cpu="2")
    tree.write()
    tree.grow("b", cpu="1")
    tree.write(NOW + 1)
    tree.commit(replace(tree.quota("c"), used=Resources.parse({"cpu": "75"})))
    assert tree.write(NOW + 2) == {"a": ""}


def test_slices_above_a_lowered_limit_are_taken_back_at_the_rate_of_writes() -> None:
    leaves = [f"a{i}" for i in range(50)]
    tree = Tree("; ".join(f"org: cpu 1000 > {leaf}" for leaf in leaves))
    for leaf in leaves:
        tree.give(leaf, cpu="2")
    tree.world.see_quota(words.quota("org", hard={"cpu": "10"}, generation=2))
    assert tree.conditions("org")["Revoking"]
    assert not tree.conditions("org")["Exceeded"]
    counts = [len(tree.write(NOW + after)) for after in (0.0, 0.5, 1.0, 1.5, 2.0)]
    assert counts == [20, 10, 10, 9, 0]
    assert "Revoking" not in tree.conditions("org")


def test_a_guarantee_that_fits_without_idle_slices_is_granted_when_they_are_gone() -> None:
    tree = Tree("org: cpu 10 > a; org > b: keeps cpu 1")
    tree.give("a", cpu="5")
    tree.world.see_quota(words.quota("b", guaranteed={"cpu": "9"}, generation=2))
    assert not tree.world.limits.settle()
    assert tree.write()["a"] == ""
    assert tree.world.limits.settle()


def test_a_move_waits_for_slices_there_and_for_those_that_move() -> None:
    tree = Tree("org: cpu 10 > a; other > b: holds cpu 4")
    tree.give("a", cpu="3")
    tree.give("b", cpu="7")
    old = tree.world.namespaces[Namespace("b")]
    new = replace(old, parent=Namespace("org"))
    review = NamespaceReview(uid=Uid("m"), old=old, new=new, dry_run=False)

    def move(now: float) -> Verdict:
        return attach.decide(tree.world.ledger, review, now=now, arrived=NOW)

    tree.commit(replace(tree.quota("org"), used=Resources.parse({"cpu": "6"})))
    assert isinstance(move(NOW), Wait)
    assert isinstance(move(NOW + SETTINGS.wait), TryLater)
    assert tree.write() == {"a": "", "b": ""}
    assert isinstance(move(NOW), Admit)


def test_a_move_that_does_not_fit_anyhow_is_refused() -> None:
    tree = Tree("org: cpu 10 > a; other > b: holds cpu 11")
    tree.give("a", cpu="3")
    old = tree.world.namespaces[Namespace("b")]
    review = NamespaceReview(
        uid=Uid("m"), old=old, new=replace(old, parent=Namespace("org")), dry_run=False
    )
    verdict = attach.decide(tree.world.ledger, review, now=NOW + 1, arrived=NOW)
    assert isinstance(verdict, Refuse)


def test_what_slices_leave_unused_is_shown_as_available() -> None:
    tree = Tree("org: cpu 10 > a: holds cpu 2; org > b: cpu 9")
    tree.give("a", cpu="5")

    def shown(name: str) -> tuple[str, str]:
        (quota,) = tree.world.limits.quotas(Namespace(name))
        found = status.status_of(tree.world, quota)
        return str(found.charged), str(found.available)

    assert shown("org") == ("cpu=2", "cpu=8")
    assert shown("b") == ("cpu=0", "cpu=8")
    assert tree.charge("org") == 5


def test_nobody_is_warned_of_a_limit_that_only_idle_slices_are_above() -> None:
    tree = Tree("org: pods 10 > a: holds pods 2")
    tree.give("a", pods="5")
    assert not validate.warnings(tree.world, words.quota("org", hard={"pods": "3"}))
    (warning, *_) = validate.warnings(tree.world, words.quota("org", hard={"pods": "1"}))
    assert "below the 2 in use" in warning
