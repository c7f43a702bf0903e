"""One fault under traffic, from a quiet moment to the next, and the verdict."""

import itertools
import random
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.chaos import verdict
from tests.chaos.faults import Fault
from tests.chaos.stage import Stage
from tests.chaos.store import StoreError
from tests.cluster.harness import load

BEFORE, AFTER = 1.5, 2.5
"""Seconds of traffic around a fault."""
RECOVERS_WITHIN = 90.0
RECOUNTS_WITHIN = 90.0
"""Seconds after which a trial gives up: no bars, only ends for what hangs."""
TRACED = 120
"""Steps that are kept of what went before an overshoot."""
QUIET = 1.5
"""Seconds after everything works again in which a refusal still belongs to the fault."""


@dataclass(kw_only=True)
class Result:
    """What one fault came to. Times in seconds; None where it was not seen.

    `over_real` are the moments, in the order of the store, at which the pods that existed were
    above a limit; `over_dying` counts those too whose deletion without grace is committed, which no
    quota does. `over_committed` is the same by usage; `worst` is the worst of them. `gap` is the
    longest time without an admission where there is always room; `recount` that from the last
    request until every usage is what the pods add up to, `unsettled` how many namespaces there are
    where it is not yet.
    """

    fault: str
    number: int
    seed: int
    headless: bool = False
    evidence: str = ""
    lasted: float = 0.0
    recovered: float | None = None
    gap: float | None = None
    recount: float | None = None
    unsettled: int = 0
    admitted: int = 0
    refused: int = 0
    deleted: int = 0
    others: str = ""
    over_real: int = 0
    over_committed: int = 0
    over_dying: int = 0
    worst: str = ""
    wrong: int = 0
    wrong_inside: int = 0
    late_grants: int = 0
    wrongly: list[str] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    error: str = ""

    @property
    def failed(self) -> bool:
        """Whether a promise was broken, or the trial could not be judged."""
        over = self.over_committed if self.headless else self.over_real
        return bool(over or self.wrong or self.late_grants or self.error)

    def document(self) -> dict[str, Any]:
        return asdict(self) | {"failed": self.failed}


async def trial(
    stage: Stage, fault: Fault, *, number: int, seed: int, patience: float = RECOUNTS_WITHIN
) -> Result:
    """Inject one fault and judge what came of it.

    Usage that is not what the pods add up to within `patience` seconds is left to what comes next.
    """
    result = Result(fault=fault.name, number=number, seed=seed, headless=fault.headless)
    stage.history.begin()
    stage.traffic.begin()
    window = _Window()
    try:
        await _happen(stage, fault, result, window, patience)
    except (AssertionError, TimeoutError, StoreError) as error:
        result.error = f"{type(error).__name__}: {error}"[:400]
    judge(stage, result, window)
    return result


@dataclass
class _Window:
    """The local time from the fault to its end, and to when everything works again."""

    began: float = 0.0
    ended: float = 0.0
    over: float = 0.0


async def _happen(
    stage: Stage, fault: Fault, result: Result, window: _Window, patience: float
) -> None:
    traffic = stage.traffic
    traffic.run()
    await traffic.goes_on(BEFORE)
    window.began = window.ended = window.over = time.monotonic()
    try:
        chance = random.Random(f"{result.seed}-{result.number}")
        result.evidence = await fault.act(stage, chance)
        window.ended = time.monotonic()
        result.lasted = round(window.ended - window.began, 2)
        await stage.whole()
        await traffic.admitted_after(window.ended, within=RECOVERS_WITHIN)
    finally:
        window.over = time.monotonic()
    result.recovered = round(window.over - window.ended, 2)
    await traffic.goes_on(AFTER)
    await traffic.pause()
    paused = time.monotonic()
    await stage.history.caught_up()
    result.recount = await recounted(stage, paused, patience)
    result.unsettled = len(stage.history.differing())
    if patience == RECOUNTS_WITHIN:
        settled(stage)


async def recounted(stage: Stage, since: float, patience: float) -> float | None:
    """Return how many seconds after `since` usage is what the pods add up to, None if not yet."""
    while stage.history.differing():
        if time.monotonic() - since > patience:
            return None
        await stage.traffic.goes_on(0.05)
    return round(time.monotonic() - since, 2)


def settled(stage: Stage) -> None:
    """Make sure that usage is what the pods add up to.

    Raises:
        TimeoutError: it is not.
    """
    if differing := stage.history.differing():
        shown = "; ".join(f"{n}: {u} used, {r} real" for n, (u, r) in differing.items())
        raise TimeoutError(f"usage is not what a recount finds: {shown}")


def judge(stage: Stage, result: Result, window: _Window) -> None:
    """Fill in what the history and the answers say."""
    history, traffic = stage.history, stage.traffic
    if history.lost:
        result.error = f"{result.error} the history was lost: {history.lost}".strip()
    answers = traffic.answers
    result.admitted = sum(answer.admitted for answer in answers)
    result.refused = sum(answer.refused for answer in answers)
    result.deleted = traffic.deleted
    result.others = load.told(a for a in answers if not a.admitted and not a.refused)
    moments = [answer.answered for answer in traffic.calm_admissions()]
    gaps = [b - a for a, b in itertools.pairwise(moments) if b > window.began]
    result.gap = round(max(gaps), 2) if gaps else None
    real = verdict.Levels(traffic.limits, history.start_real, history.real)
    used = verdict.Levels(traffic.limits, history.start_used, history.used)
    there = verdict.Levels(traffic.limits, history.start_there, history.there)
    result.over_real, result.over_committed = len(real.overs), len(used.overs)
    result.over_dying = len(there.overs)
    result.worst = "; ".join(
        _worst(what, levels, window)
        for what, levels in (("real", real), ("used", used))
        if levels.overs
    )
    if overs := real.overs or used.overs:
        result.trace = _trace(stage, overs[0], window)
    late = verdict.late_grants(history.start_epochs, history.start_used, history.used)
    result.late_grants = len(late)
    wrong = verdict.wrong_refusals(used, traffic.refusals(), history.marks)
    quiet = window.over + QUIET
    outside = [it for it in wrong if it.answered < window.began or it.sent > quiet]
    result.wrong, result.wrong_inside = len(outside), len(wrong) - len(outside)
    result.wrongly = [
        f"{it.namespace}/{it.name} at {it.sent - window.began:+.2f} s: {it.told}"
        for it in outside[:5]
    ]


def _worst(what: str, levels: verdict.Levels, window: _Window) -> str:
    over = max(levels.overs, key=lambda it: it.amount / it.hard)
    when = over.received - window.began
    return f"{what} {over.amount} of {over.hard} {over.resource} at {over.level} ({when:+.1f} s)"


def _trace(stage: Stage, over: verdict.Over, window: _Window) -> list[str]:
    """Return what was committed below a level just before it was over, for who looks for why."""
    history, lines = stage.history, stage.traffic.limits.lines
    steps = [("pods", it) for it in history.real] + [("used", it) for it in history.used]
    mine = [
        (it.revision, kind, it)
        for kind, it in steps
        if over.level in lines[it.namespace] and it.revision <= over.revision
    ]
    mine.sort(key=lambda step: step[:2])
    return [
        f"{revision} {it.received - window.began:+.2f} {kind} {it.namespace} {it.amounts}"
        f" epoch {it.epoch}"
        for revision, kind, it in mine[-TRACED:]
    ]
