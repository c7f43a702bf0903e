"""What a TreeQuota that only observes would do, as the last count showed it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from quotatree.model.names import Namespace
from quotatree.model.quota import Quota
from quotatree.model.verdict import Limit

Amounts = Mapping[str, int]
"""Resource name to integer of 10⁻⁹."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The numbers of one quota, were it in force with all others that only observe.

    `asked` is the quota of which they are. `waits` names the levels without room for its guarantee,
    `uncounted` the names that could not be counted, with the reason. `grown` is who grew since the
    count before, in what is over `hard`: some of that would have been refused.
    """

    asked: Quota
    used: Amounts
    charged: Amounts
    available: Amounts
    waits: tuple[Limit, ...] = ()
    uncounted: Mapping[str, str] = field(default_factory=dict)
    grown: Mapping[str, Mapping[Namespace, int]] = field(default_factory=dict)
