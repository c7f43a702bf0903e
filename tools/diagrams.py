"""Draw what ARCHITECTURE.md shows from the code itself: `uv run python -m tools.diagrams`.

Two parts, each between a pair of markers: the layers with what each package says of itself, and
the states of a reservation. `--check` writes nothing and fails when a part is out of date.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from quotatree.engine.reservation import TRANSITIONS, Happening, State

ROOT: Final = Path(__file__).parents[1]
TARGET: Final = ROOT / "ARCHITECTURE.md"
PACKAGE: Final = ROOT / "src" / "quotatree"


def layers() -> str:
    """Return the layers, the highest first, as a table: name and what it is for."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = config["tool"]["importlinter"]["contracts"]
    (levels,) = (c["layers"] for c in contracts if c["type"] == "layers")
    rows = [
        f"| {level} | `{name}` | {_purpose(name)} |"
        for level, names in enumerate(reversed(levels))
        for name in names.split(" | ")
    ]
    return "\n".join(["| level | package | what it is for |", "|--:|---|---|", *reversed(rows)])


def _purpose(name: str) -> str:
    """Return the first sentence of a module's or package's docstring."""
    path = PACKAGE / name / "__init__.py"
    if not path.exists():
        path = PACKAGE / f"{name}.py"
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split()).replace("|", "\\|")


def reservation() -> str:
    """Return the transitions of a reservation as a diagram, and as a table with the words."""
    arrows = [
        f"    {before.name} --> {after.name}: {happening.name}"
        for (before, happening), after in TRANSITIONS.items()
    ]
    ends = [f"    {State.SETTLED.name} --> [*]"]
    starts = [f"    [*] --> {state.name}" for state in (State.PENDING, State.HELD)]
    header = "| what happens | " + " | ".join(state.name for state in _LIVING) + " |"
    rows = [
        f"| {happening.name}: {happening.value} | "
        + " | ".join(_after(state, happening) for state in _LIVING)
        + " |"
        for happening in Happening
    ]
    return "\n".join(
        [
            "```mermaid",
            "stateDiagram-v2",
            *starts,
            *arrows,
            *ends,
            "```",
            "",
            header,
            "|---" * (len(_LIVING) + 1) + "|",
            *rows,
        ]
    )


_LIVING: Final = tuple(state for state in State if state is not State.SETTLED)


def _after(state: State, happening: Happening) -> str:
    after = TRANSITIONS.get((state, happening))
    return "cannot happen" if after is None else after.name


PARTS: Final[Mapping[str, Callable[[], str]]] = {"layers": layers, "reservation": reservation}
"""Name in the markers → what draws the part."""


def drawn(text: str) -> str:
    """Return `text` with every part drawn anew.

    Raises:
        ValueError: the markers of a part are missing.
    """
    for name, draw in PARTS.items():
        begin, end = f"<!-- begin {name} (tools/diagrams.py) -->", f"<!-- end {name} -->"
        pattern = re.compile(f"{re.escape(begin)}\n.*?{re.escape(end)}", re.DOTALL)
        part = f"{begin}\n{draw()}\n{end}"
        text, found = pattern.subn(lambda _, part=part: part, text)  # type: ignore[misc]
        if found != 1:
            raise ValueError(f"the text needs one pair of markers: {begin} … {end}")
    return text


def main(arguments: list[str]) -> int:
    """Draw, or with `--check` say whether there is anything to draw."""
    before = TARGET.read_text(encoding="utf-8")
    after = drawn(before)
    if "--check" not in arguments:
        TARGET.write_text(after, encoding="utf-8")
    elif before != after:
        print(f"{TARGET.name} is out of date; run: make docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
