"""How often the counter was wrong, for metrics and Events."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Drift:
    """How often a counter was wrong: too low by a recount, too high by a charge without an object.

    `late`: objects that appeared after their claim had lapsed.
    """

    low: int = 0
    high: int = 0
    late: int = 0
