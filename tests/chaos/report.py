"""Results to a table for people and a document for machines. Pure."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text
from tests.chaos.catalog import FAULTS
from tests.chaos.trial import Result


def table(results: Sequence[Result]) -> Table:
    """Return one line for each kind of fault."""
    found = Table(
        title="Faults under traffic: worst of all injections", title_justify="left", box=None
    )
    for column in (
        "fault",
        "times",
        "over, real",
        "over, used",
        "wrongly refused",
        "in the window",
        "s without admissions",
        "s to a recount",
        "admitted",
        "refused",
        "",
    ):
        found.add_column(column, justify="left" if column in {"fault", ""} else "right")
    for name in FAULTS:
        of = [result for result in results if result.fault == name]
        if of:
            found.add_row(*_row(name, of))
    return found


def _row(name: str, of: Sequence[Result]) -> list[str | Text]:
    failed = any(result.failed for result in of)
    word = Text("failed", style="bold red") if failed else Text("ok", style="green")
    return [
        name,
        str(len(of)),
        str(sum(result.over_real for result in of)),
        str(sum(result.over_committed for result in of)),
        str(sum(result.wrong for result in of)),
        str(sum(result.wrong_inside for result in of)),
        _most([result.gap for result in of]),
        _most([result.recount for result in of]),
        str(sum(result.admitted for result in of)),
        str(sum(result.refused for result in of)),
        word,
    ]


def _most(figures: Sequence[float | None]) -> str:
    known = [figure for figure in figures if figure is not None]
    return f"{max(known):.1f}" if known else "-"


def line(result: Result) -> str:
    """Say in one line what one injection came to."""
    parts = [
        f"{result.number:3} {result.fault:24} {result.evidence[:60]:60}",
        f"gap {_shown(result.gap)} s, recount {_shown(result.recount)} s,",
        *([f"{result.unsettled} unsettled,"] if result.unsettled else []),
        f"{result.admitted} in, {result.refused} refused",
    ]
    if result.wrong_inside:
        parts.append(f"({result.wrong_inside} wrongly in the window)")
    if result.worst:
        parts.append(f"over: {result.over_real} real, {result.over_committed} used, {result.worst}")
    if result.wrong:
        parts.append(f"WRONGLY REFUSED {result.wrong}: {', '.join(result.wrongly)}")
    if result.late_grants:
        parts.append(f"OLD EPOCH {result.late_grants}")
    if result.error:
        parts.append(f"ERROR {result.error}")
    return " ".join(parts)


def _shown(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.2f}"


def document(results: Sequence[Result], setting: dict[str, Any]) -> dict[str, Any]:
    """Return everything as one document."""
    return {
        "setting": setting,
        "injected": len(results),
        "failed": sum(result.failed for result in results),
        "over_real": sum(result.over_real for result in results),
        "over_committed": sum(result.over_committed for result in results),
        "wrongly_refused": sum(result.wrong for result in results),
        "results": [result.document() for result in results],
    }
