"""What waits for what: tasks to stages that follow one another."""

from __future__ import annotations

from collections.abc import Collection, Mapping


def stages(before: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Return the tasks in stages: everything in a stage is over before the next one begins.

    `before` has for each task what it waits for; names that are no task wait for nothing. Within a
    stage tasks may run side by side. A cycle, which no engine would run, is one stage.
    """
    tasks = list(before)
    ahead = _closure({t: {b for b in before[t] if b in before} for t in tasks})
    ordered = sorted(tasks, key=lambda t: len(ahead[t]))  # whatever is ahead of t has less ahead
    found: list[list[str]] = []
    stage: list[str] = []
    for index, task in enumerate(ordered):
        stage.append(task)
        done = set(ordered[: index + 1])
        if all(done <= ahead[later] for later in ordered[index + 1 :]):
            found.append(stage)
            stage = []
    return found


def _closure(before: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Return everything that is ahead of each task, directly or not."""
    ahead = {task: set(names) for task, names in before.items()}
    changed = True
    while changed:
        changed = False
        for task, names in ahead.items():
            more = set().union(names, *(ahead[name] for name in names))
            if more != names:
                ahead[task] = more
                changed = True
    return ahead
