"""The lessor at work in a tree: handing out, counting, taking back, and who waits for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quotatree.engine import admit, attach, status, validate
from quotatree.engine.ledger import Ledger
from quotatree.engine.slices import SliceSettings
from quotatree.engine.world import World
from quotatree.model.effect import WriteSlice
from quotatree.model.names import Namespace, Uid
from quotatree.model.observed import ManagedQuota
from quotatree.model.review import NamespaceReview, UsageReview
from quotatree.model.scope import UNSCOPED
from quotatree.model.verdict import Admit, Deny, Refuse, Tighten, TryLater, Verdict, Wait
from quotatree.testing import words
from quotatree.units.resources import Resources

NOW = 100.0
SETTINGS = SliceSettings(enabled=True, after=0.0, runway=0.0)


class Tree:
    """A world whose slices are written: each commit has the next resourceVersion."""

    def __init__(self, text: str, settings: SliceSettings = SETTINGS) -> None:
        self.world = words.world(text, into=World(Ledger(epoch=1, slices=settings)))
        self.lessor = self.world.ledger.lessor
        self.version = 1000

    def quota(self, name: str) -> ManagedQuota:
        return self.world.managed[Namespace(name)]["quotatree"]

    def commit(self, quota: ManagedQuota) -> None:
        self.version += 1
        self.world.see_managed(replace(quota, resource_version=self.version))

    def give(self, name: str, **amounts: str) -> None:
        """Let a slice stand."""
        self.commit(replace(self.quota(name), slice=Resources.parse(amounts)))

    def ask(
        self, name: str, now: float = NOW, *, dry: bool = False, since: float = NOW, **used: str
    ) -> Verdict:
        old = self.quota(name)
        new = replace(old, used=old.used.maximum(Resources.parse(used)))
        review = UsageReview(uid=Uid("r"), old=old, new=new, dry_run=dry)
        return admit.decide(self.world.ledger, review, now=now, arrived=since)

    def grow(self, name: str, **used: str) -> None:
        """Ask for growth and commit it."""
        assert isinstance(self.ask(name, **used), Admit)
        self.commit(replace(self.quota(name), used=Resources.parse(used)))

    def decided(self, now: float = NOW) -> dict[str, WriteSlice]:
        """Let time happen, and return what is to be written then."""
        due = self.lessor.pass_time(now)
        found = {key[0]: self.lessor.write(key, now=now) for key in due}
        return {name: what for name, what in found.items() if what is not None}

    def write(self, now: float = NOW) -> dict[str, str]:
        """Let time happen, commit what it asks for, and return the slices that were written."""
        found = self.decided(now)
        for name, what in found.items():
            self.commit(replace(self.quota(name), slice=what.slice))
        return {name: str(what.slice) for name, what in found.items()}

    def charge(self, name: str, resource: str = "cpu") -> int:
        book = self.world.ledger.forest.node(Namespace(name)).book(UNSCOPED)
        return book.charge(resource) // 10**9

    def conditions(self, name: str) -> dict[str, bool]:
        (quota,) = self.world.limits.quotas(Namespace(name))
        return {c.type: c.status for c in status.status_of(self.world, quota).conditions}


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


def test_what_the_pace_forbade_is_offered_when_the_tree_fills_no_more() -> None:
    """A namespace that has had its burst would else have no slice until it asks again."""
    tree = Tree("org: cpu 100 > a", replace(SETTINGS, after=1.0, runway=5.0))
    tree.grow("a", cpu="5")
    assert tree.write(NOW + 1.0) == {}
    assert tree.write(NOW + 1.5) == {}
    assert tree.write(NOW + 4.5) == {"a": "cpu=25"}


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
    tree.commit(replace(tree.quota("b"), epoch=None))
    assert tree.write() == {}
    tree.commit(replace(tree.quota("b"), epoch=1))
    assert tree.write() == {"a": "cpu=10"}
    tree.commit(replace(tree.quota("a"), epoch=2))
    tree.lessor.asked(
        (Namespace("a"), UNSCOPED), Resources(), Resources.parse({"cpu": "9"}), now=NOW
    )
    assert tree.write() == {}


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


# -- taking back ------------------------------------------------------------------------------


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
