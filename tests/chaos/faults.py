"""The faults: each breaks something, lets it be broken for a while, and mends what does not mend
itself. What it returns says what it was done to.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.chaos.stage import Stage

from quotatree.cluster.lease import DURATION

LONGER = DURATION + 3.0
"""Seconds that outlast a lease."""
Act = Callable[[Stage, random.Random], Awaitable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that may happen. `headless`: for a while no replica lives at all."""

    name: str
    what: str
    act: Act
    headless: bool = False


def fault(name: str, *, headless: bool = False) -> Callable[[Act], Fault]:
    """Make a fault of a function; its docstring says what happens."""

    def made(act: Act) -> Fault:
        assert act.__doc__
        what = " ".join(act.__doc__.split()).removesuffix(".")
        return Fault(name=name, what=what, act=act, headless=headless)

    return made
