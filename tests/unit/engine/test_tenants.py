"""ResourceQuotas of tenants beside ours, after refusals."""

from dataclasses import replace

import pytest

from quotatree.engine.world import World
from quotatree.model import names
from quotatree.model.effect import AskRecount, PatchManagedStatus
from quotatree.model.names import Namespace, Uid
from quotatree.model.observed import ManagedQuota
from quotatree.testing import words
from quotatree.units.resources import Resources

A = Namespace("a")
NOW = 100.0
QUIET = NOW + 0.3


def own(version: int = 5, **used: str) -> ManagedQuota:
    """Return a tenant's quota."""
    amounts = Resources.parse({k.replace("_", "/"): v for k, v in used.items()})
    return ManagedQuota(
        namespace=A,
        name="mine",
        uid=Uid("mine"),
        resource_version=version,
        spec_hard=amounts,
        used=amounts,
    )


def ground(tenants: ManagedQuota) -> World:
    """Return a namespace without pods, all of which are known, with a quota of its tenant's."""
    world = words.world("org: pods 9 > a")
    world.ledger.truth.relist("pods", [], 1)
    world.ledger.tenants.see(tenants)
    return world


def test_after_a_refusal_what_is_charged_for_nobody_is_written_down() -> None:
    tenants = ground(own(pods="5")).ledger.tenants
    assert tenants.due(QUIET) == []
    tenants.refused(A, NOW)
    assert tenants.due(QUIET) == [
        PatchManagedStatus(
            namespace=A, quota="mine", resource_version=5, used=Resources.from_nano({"pods": 0})
        )
    ]
    tenants.see(own(6, pods="0"))
    assert tenants.due(QUIET) == []
    tenants.see(own(7, pods="5"))
    assert tenants.due(QUIET) == [], "it was put right, and nobody was refused since"


@pytest.mark.parametrize("asked", ["granted_at", "pressed_at"])
def test_while_something_is_asked_for_nothing_is_written(asked: str) -> None:
    """A request between its two charges is no phantom."""
    world = ground(own(pods="5"))
    setattr(world.ledger.account(A, ()), asked, NOW)
    world.ledger.tenants.refused(A, NOW)
    assert world.ledger.tenants.due(QUIET - 0.1) == []
    assert len(world.ledger.tenants.due(QUIET)) == 1


def test_what_is_not_watched_is_counted_by_the_native_controller_and_once() -> None:
    tenants = ground(own(count_configmaps="5")).ledger.tenants
    tenants.refused(A, NOW)
    (put,) = tenants.due(QUIET)
    assert put == AskRecount(namespace=A, quota="mine", resource_version=5, present=True)
    asked = own(6, count_configmaps="5")
    hard = Resources.parse({**asked.spec_hard.to_strings(), names.RECOUNT: "1"})
    tenants.see(replace(asked, spec_hard=hard))
    (out,) = tenants.due(QUIET)
    assert out == AskRecount(namespace=A, quota="mine", resource_version=6, present=False)
    tenants.see(own(7, count_configmaps="1"))
    assert tenants.due(QUIET) == []
    tenants.refused(A, NOW + 9)
    assert len(tenants.due(QUIET + 9)) == 1


def test_what_an_earlier_leader_asked_for_is_taken_out_again() -> None:
    asked = own(6, count_configmaps="5")
    hard = Resources.parse({**asked.spec_hard.to_strings(), names.RECOUNT: "1"})
    tenants = ground(replace(asked, spec_hard=hard)).ledger.tenants
    (out,) = tenants.due(QUIET)
    assert out == AskRecount(namespace=A, quota="mine", resource_version=6, present=False)


def test_a_usage_that_is_too_low_is_not_our_business() -> None:
    world = ground(own(pods="0"))
    world.ledger.tenants.refused(A, NOW)
    assert world.ledger.tenants.due(QUIET) == []


def test_one_that_is_gone_is_not_written() -> None:
    tenants = ground(own(pods="5")).ledger.tenants
    tenants.refused(A, NOW)
    tenants.keep(set())
    assert tenants.due(QUIET) == []
