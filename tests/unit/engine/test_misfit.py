"""What would not go well: who would be over, who waits, who cannot move; with the next step."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quotatree.codec import treefile
from quotatree.engine import forecast, lint, misfit
from quotatree.engine.forecast import Trial
from quotatree.engine.lint import Finding
from quotatree.engine.survey import Observed
from quotatree.engine.whatif import Removals
from quotatree.model.names import Namespace, QuotaName
from quotatree.model.quota import Mode
from quotatree.model.report import Level
from quotatree.model.scope import ScopeTerm
from quotatree.model.treefile import TreeFile
from quotatree.testing import words

HEAD = "apiVersion: quotatree.dev/v1alpha1\nkind: Tree\ntree:\n"


def observed(text: str) -> Observed:
    world = words.world(text)
    return Observed(
        namespaces=tuple(world.namespaces.values()),
        quotas=tuple(replace(q, granted=q.guaranteed) for q in world.limits.all()),
        managed=tuple(m for found in world.managed.values() for m in found.values()),
    )


def tried(now: str, wanted: str, removals: Removals | None = None) -> Trial:
    found = treefile.parse((HEAD + f"  {wanted}\n").encode())
    assert isinstance(found, TreeFile), [str(problem) for problem in found]
    return forecast.trial(observed(now), found, removals=removals)


def found(now: str, wanted: str, removals: Removals | None = None) -> list[Finding]:
    return list(misfit.findings(tried(now, wanted, removals)))


def one(now: str, wanted: str, code: str) -> Finding:
    (finding,) = [f for f in found(now, wanted) if f.item.code == code]
    return finding


@pytest.mark.parametrize(
    ("now", "wanted", "want"),
    [
        pytest.param("org: cpu 9, holds cpu 6", "org: {hard: {cpu: 5}}", "over-hard", id="lowered"),
        pytest.param("org: cpu 9, holds cpu 5", "org: {hard: {cpu: 5}}", None, id="just full"),
        pytest.param(
            "org: cpu 5, holds cpu 6", "org: {hard: {cpu: 5}}", "still-over-hard", id="as before"
        ),
        pytest.param(
            "org: cpu 3, holds cpu 6", "org: {hard: {cpu: 5}}", "still-over-hard", id="better"
        ),
        pytest.param("org: cpu 5, holds cpu 6", "org: {hard: {cpu: 4}}", "over-hard", id="worse"),
        pytest.param(
            "org: holds cpu 1; top: cpu 9 > org",
            "top: {hard: {cpu: 9}, children: {org: {hard: {cpu: 0}}}}",
            "over-hard",
            id="a new limit",
        ),
    ],
)
def test_what_would_be_over_its_limit(now: str, wanted: str, want: str | None) -> None:
    codes = {f.item.code for f in found(now, wanted)} & {"over-hard", "still-over-hard"}
    assert codes == ({want} if want else set())


def test_over_says_by_how_much_and_with_whom_most_of_it_is() -> None:
    now = "org: cpu 9 > a: holds cpu 2; org > b: holds cpu 4; org > c; org > d: holds cpu 1"
    wanted = "org: {hard: {cpu: 5}, children: {a: {}, b: {}, c: {}, d: {}}}"
    item = one(now, wanted, "over-hard").item
    assert item.message == "cpu: 7 in use, 5 allowed: over by 2 at once"
    assert "free 2, or keep hard at 7; most is with b 4, a 2, d 1" in item.remedy


def test_the_spot_of_a_finding_is_the_amount_that_does_it() -> None:
    spot = one("org: cpu 9, holds cpu 6", "org: {hard: {cpu: 5}}", "over-hard").spot
    assert (spot.namespace, spot.quota, spot.field, spot.resource) == (
        "org",
        "quota",
        "hard",
        "cpu",
    )


def test_a_guarantee_that_does_not_fit_names_who_is_in_the_way() -> None:
    now = "org: cpu 9 > a; org > b: holds cpu 4; org > c: holds cpu 3"
    wanted = "org: {hard: {cpu: 9}, children: {a: {guaranteed: {cpu: 4}}, b: {}, c: {}}}"
    item = one(now, wanted, "guarantee-does-not-fit").item
    assert item.message == (
        "org has no room for it: cpu: needs 4 more, org has 2 of 9 left; in the way: cpu: b 4, c 3"
    )


def test_a_guarantee_that_waits_already_is_no_reason_to_refuse_a_plan() -> None:
    seen = observed("org: cpu 5 > a: keeps cpu 4; org > b: holds cpu 3")
    seen = replace(seen, quotas=tuple(replace(q, granted=q.hard.mask(())) for q in seen.quotas))
    text = "  org: {hard: {cpu: 5}, children: {a: {guaranteed: {cpu: 4}}, b: {}}}\n"
    tree = treefile.parse((HEAD + text).encode())
    assert isinstance(tree, TreeFile)
    codes = [f.item.code for f in misfit.findings(forecast.trial(seen, tree))]
    assert codes == ["guarantee-still-waits"]


def test_promises_that_never_fit_are_told_once_where_they_are_made() -> None:
    wanted = "org: {hard: {cpu: 5}, children: {a: {guaranteed: {cpu: 6}}}}"
    trial = tried("org: cpu 9", wanted)
    codes = [f.item.code for f in misfit.findings(trial)]
    codes += [f.item.code for f in lint.findings(trial.tree, lint.levels(trial.tree))]
    assert codes == ["promised-too-much"]


def test_a_promise_of_other_scopes_hides_no_guarantee_that_waits() -> None:
    scopes = (ScopeTerm(scope="BestEffort"),)
    seen = words.world("org > a; org > b")
    seen.see_quota(words.quota("org", hard={"pods": "5"}, scopes=scopes))
    used = words.managed(seen, "b", used={"pods": "3"}, version=99, scopes=scopes)
    part = "{name: x, scopes: [BestEffort], "
    wanted = (
        f"org: {{hard: {{pods: 5}}, quotas: [{part} hard: {{pods: 5}}}}], children: {{b: {{}}, "
        f"a: {{guaranteed: {{pods: 6}}, quotas: [{part} guaranteed: {{pods: 4}}}}]}}}}}}"
    )
    tree = treefile.parse((HEAD + f"  {wanted}\n").encode())
    assert isinstance(tree, TreeFile), tree
    now = Observed(namespaces=tuple(seen.namespaces.values()), managed=(used,))
    findings = misfit.findings(forecast.trial(now, tree))
    assert [f.item.code for f in findings if f.item.level is Level.ERROR] == [
        "guarantee-does-not-fit"
    ]


def test_a_move_that_fits_only_under_the_new_limits_is_to_be_done_in_two_steps() -> None:
    now = "org: cpu 9 > a: holds cpu 4; new: cpu 3"
    fits = one(now, "new: {hard: {cpu: 8}, children: {a: {}}}", "place-refused").item
    assert "apply that first" in fits.remedy
    never = one(now, "new: {hard: {cpu: 2}, children: {a: {}}}", "place-refused").item
    assert never.remedy == ""


@pytest.mark.parametrize("holds", ["holds cpu 4, holds pods 2", "holds pods 2, holds cpu 4"])
def test_two_steps_help_only_where_every_amount_in_the_way_is_raised(holds: str) -> None:
    now = f"org: cpu 9, pods 9 > a: {holds}; new: cpu 3, pods 1"
    for hard, helps in [
        ("{cpu: 8, pods: 1}", False),
        ("{cpu: 3, pods: 8}", False),
        ("{cpu: 8, pods: 8}", True),
    ]:
        item = one(now, f"new: {{hard: {hard}, children: {{a: {{}}}}}}", "place-refused").item
        assert bool(item.remedy) == helps, hard


def test_scopes_of_a_quota_that_stands_are_fixed() -> None:
    seen = observed("org: pods 9")
    scoped = (ScopeTerm(scope="BestEffort"),)
    seen = replace(seen, quotas=tuple(replace(q, scopes=scoped) for q in seen.quotas))
    tree = treefile.parse((HEAD + "  org: {hard: {pods: 9}}\n").encode())
    assert isinstance(tree, TreeFile)
    codes = [f.item.code for f in misfit.findings(forecast.trial(seen, tree))]
    assert "scopes-are-fixed" in codes


def test_what_is_being_deleted_takes_nothing_in() -> None:
    seen = observed("org: pods 9")
    seen = replace(seen, namespaces=tuple(replace(n, terminating=True) for n in seen.namespaces))
    tree = treefile.parse((HEAD + "  org: {hard: {pods: 9}}\n").encode())
    assert isinstance(tree, TreeFile)
    codes = [f.item.code for f in misfit.findings(forecast.trial(seen, tree))]
    assert codes == ["namespace-terminating"]


@pytest.mark.parametrize(
    ("wanted", "want"),
    [
        pytest.param("org: {}", ["children-left"], id="somebody is left below"),
        pytest.param("org: {children: {b: {}}}", [], id="all are moved away before"),
    ],
)
def test_a_namespace_with_children_is_not_deleted(wanted: str, want: list[str]) -> None:
    gone = Removals(namespaces=(Namespace("a"),))
    codes = [f.item.code for f in found("org > a > b", wanted, gone)]
    assert [code for code in codes if code == "children-left"] == want


def test_a_parent_that_is_not_there_is_named() -> None:
    seen = observed("org > a")
    seen = replace(seen, namespaces=tuple(n for n in seen.namespaces if n.name != "org"))
    tree = TreeFile(nodes=())
    nodes = treefile.parse((HEAD + "  org: {children: {a: {}}}\n").encode())
    assert isinstance(nodes, TreeFile)
    tree = TreeFile(nodes=nodes.nodes[1:])
    (finding,) = misfit.findings(forecast.trial(seen, tree))
    assert finding.item.code == "missing-parent"
    assert "names the parent org, which does not exist" in finding.item.message


def test_pods_that_must_say_more_are_told_once_at_the_top() -> None:
    now = "org: pods 9 > a; org > b"
    wanted = "org: {hard: {cpu: 9, pods: 9}, children: {a: {hard: {memory: 1Gi}}, b: {}}}"
    notes = [f for f in found(now, wanted) if f.item.code == "pods-must-say"]
    assert [f.spot.namespace for f in notes] == ["org", "a"]
    assert ["must now say their cpu;" in f.item.message for f in notes] == [True, False]


def test_what_only_observes_is_over_nothing_and_waits_for_nothing() -> None:
    text = "org: {hard: {cpu: 5}, guaranteed: {cpu: 5}, mode: Observe}"
    trial = tried("org: cpu 9, holds cpu 6", text)
    assert list(misfit.findings(trial)) == []
    (step,) = [s for s in trial.forecast.steps if s.quota == "quota"]
    assert ("mode", "Enforce", "Observe") in [(f.field, f.before, f.after) for f in step.fields]


def test_a_limit_that_is_enforced_after_having_observed_is_judged_like_a_new_one() -> None:
    seen = observed("org: cpu 5, holds cpu 6")
    known = replace(seen.quotas[0], mode=Mode.OBSERVE)
    tree = treefile.parse((HEAD + "  org: {hard: {cpu: 5}}").encode())
    assert isinstance(tree, TreeFile)
    trial = forecast.trial(replace(seen, quotas=(known,)), tree)
    assert [f.item.code for f in misfit.findings(trial)] == ["over-hard", "pods-must-say"]


def test_removals_are_part_of_the_steps() -> None:
    gone = Removals(
        quotas=((Namespace("a"), QuotaName("quota")),),
        detach=(Namespace("a"),),
        namespaces=(Namespace("b"),),
    )
    steps = tried("org > a: cpu 3; org > b", "org: {}", gone).forecast.steps
    shown = [(s.namespace, s.quota, s.change.value) for s in steps]
    assert shown == [
        ("org", None, "unchanged"),
        ("a", "quota", "remove"),
        ("a", None, "move"),
        ("b", None, "remove"),
    ]


def test_a_plan_that_changes_nothing_finds_nothing() -> None:
    trial = tried("org: cpu 9 > a: holds cpu 4", "org: {hard: {cpu: 9}, children: {a: {}}}")
    assert list(misfit.findings(trial)) == []
    assert not trial.forecast.changes


def test_every_rule_has_its_own_code() -> None:
    codes = [rule.code for rule in (*misfit.RULES, *lint.RULES)]
    assert len(set(codes)) == len(codes)
