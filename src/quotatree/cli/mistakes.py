"""What is wrong with a file, as lines that editors and terminals can follow."""

from __future__ import annotations

from typing import Final

from quotatree.model.problem import Problem

_SHOWN: Final = 50


def problem_list(
    filename: str, problems: tuple[Problem, ...], *, outcome: str = "nothing was changed"
) -> str:
    """Return the mistakes of a file, `-` is stdin, and what has come of them."""
    name = "<stdin>" if filename == "-" else filename
    count = f"{len(problems)} mistake{'' if len(problems) == 1 else 's'}"
    lines = [f"{name}: {count}, {outcome}"]
    lines += [problem_line(name, problem) for problem in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        lines.append(f"… and {len(problems) - _SHOWN} more")
    return "\n".join(lines)


def problem_line(name: str, problem: Problem) -> str:
    """Return one mistake of the file `name`, its place first."""
    place = f"{name}:{problem.line}:{problem.column}" if problem.line else name
    path = f" {problem.path}:" if problem.path else ""
    hint = f"; {problem.hint}" if problem.hint else ""
    return f"{place}:{path} {problem.message}{hint}"
