"""What the history says: overshoots and wrong refusals, worked out without anything of quotatree.

Amounts are pairs of integers, pods and thousandths of a cpu. Pure: histories to verdicts.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.cluster.harness.marks import RETURNED_WITHIN, Mark, Marks

Amounts = tuple[int, int]
NAMES = ("pods", "cpu")
NOTHING: Amounts = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """From this revision on a namespace holds so much; `epoch` is that of the writer's term.

    It is 0 where the account is closed: there only growth within the slice, `sliced`, is none of a
    leader that leads no more.
    """

    revision: int
    namespace: str
    amounts: Amounts
    received: float
    epoch: int = 0
    sliced: Amounts = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A request that a quota refused, and what it was told."""

    namespace: str
    name: str
    amounts: Amounts
    sent: float
    answered: float
    told: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """A level above its limit."""

    revision: int
    level: str
    resource: str
    amount: int
    hard: int
    received: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The tree as it was planted: for each namespace its line up to the root, and the limits."""

    lines: Mapping[str, Sequence[str]]
    hard: Mapping[str, tuple[int | None, int | None]]

    def bounds(self, level: str) -> tuple[int | None, int | None]:
        """Return the limits of one level, None where a resource is not limited there."""
        return self.hard.get(level, (None, None))


class Levels:
    """Every level's amounts through a history, from scratch."""

    def __init__(self, limits: Limits, start: Mapping[str, Amounts], steps: Sequence[Held]) -> None:
        self._limits = limits
        self.steps = steps
        now: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        held = dict(start)
        for namespace, amounts in held.items():
            for level in limits.lines[namespace]:
                now[level] = [a + b for a, b in zip(now[level], amounts, strict=True)]
        # For each level the numbers of the states that changed it, and its amounts from then on.
        self._numbers: dict[str, list[int]] = {level: [0] for level in limits.lines}
        self._amounts: dict[str, list[Amounts]] = {
            level: [(now[level][0], now[level][1])] for level in limits.lines
        }
        self.overs: list[Over] = []
        for number, step in enumerate(steps, 1):
            before = held.get(step.namespace, NOTHING)
            held[step.namespace] = step.amounts
            for level in limits.lines[step.namespace]:
                for i in range(len(NAMES)):
                    now[level][i] += step.amounts[i] - before[i]
                self._numbers[level].append(number)
                self._amounts[level].append((now[level][0], now[level][1]))
                self._look(step, level, (now[level][0], now[level][1]))
        self.final = held

    def _look(self, step: Held, level: str, amounts: Amounts) -> None:
        for name, amount, hard in zip(NAMES, amounts, self._limits.bounds(level), strict=True):
            if hard is not None and amount > hard:
                over = Over(
                    revision=step.revision,
                    level=level,
                    resource=name,
                    amount=amount,
                    hard=hard,
                    received=step.received,
                )
                self.overs.append(over)

    def fits(self, namespace: str, amounts: Amounts, *, first: int, last: int) -> bool:
        """Whether so much more fitted every level in all states from `first` to `last`."""
        return all(
            self._most(level, i, first, last) + amounts[i] <= hard
            for level in self._limits.lines[namespace]
            for i, hard in enumerate(self._limits.bounds(level))
            if hard is not None and amounts[i]
        )

    def _most(self, level: str, i: int, first: int, last: int) -> int:
        numbers = self._numbers[level]
        begin = bisect_right(numbers, first) - 1
        end = bisect_right(numbers, last)
        return max(amounts[i] for amounts in self._amounts[level][begin:end])


def wrong_refusals(
    levels: Levels, refusals: Iterable[Refusal], marks: Iterable[Mark]
) -> list[Refusal]:
    """Return the requests that fitted all the time and were refused nevertheless.

    All the time is from `RETURNED_WITHIN` before the request to its answer; which states that were
    say the marks. What no mark embraces is not judged.
    """
    all_marks = Marks(marks)
    revisions = [step.revision for step in levels.steps]
    found = []
    for refusal in refusals:
        before = all_marks.before(refusal.sent - RETURNED_WITHIN)
        after = all_marks.after(refusal.answered)
        if before is None or after is None:
            continue
        first, last = bisect_right(revisions, before), bisect_left(revisions, after)
        if levels.fits(refusal.namespace, refusal.amounts, first=first, last=last):
            found.append(refusal)
    return found


def late_grants(
    epochs: Mapping[str, int], start: Mapping[str, Amounts], steps: Iterable[Held]
) -> list[Held]:
    """Return the writes that let usage grow in an epoch older than one committed there before.

    And those that let it grow on a closed account, beyond its slice.
    """
    newest, held = dict(epochs), dict(start)
    found = []
    for step in steps:
        before = held.get(step.namespace, NOTHING)
        free = NOTHING if step.epoch else step.sliced
        parts = zip(step.amounts, before, free, strict=True)
        grown = any(now > max(old, most) for now, old, most in parts)
        if grown and step.epoch < newest.get(step.namespace, 1):
            found.append(step)
        newest[step.namespace] = max(newest.get(step.namespace, 0), step.epoch)
        held[step.namespace] = step.amounts
    return found
