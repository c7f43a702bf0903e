"""The tree under fire: 59 namespaces in four levels, limits at each level, and a calm corner.

Of the two roots `org` is full all the time, at several levels and in two resources. In `calm` there
is always room, so every refusal there is wrong, and every pause there is time without admissions.
"""

from collections.abc import Mapping

from tests.chaos.verdict import Limits
from tests.cluster.harness.trees import Tree

DIVISIONS: Mapping[str, str] = {"vision": ": pods 44", "speech": ": cpu 6", "search": ""}
TEAMS: Mapping[str, str] = {"a": ": pods 15", "b": ": cpu 3, pods 30", "c": ""}
LEAVES: Mapping[str, str] = {"1": ": pods 5", "2": "", "3": ": cpu 1", "4": ""}
CALM: Mapping[str, tuple[str, ...]] = {"x": ("1", "2", "3"), "y": ("1", "2", "3")}


def _words() -> str:
    chains = []
    for division, of_division in DIVISIONS.items():
        for team, of_team in TEAMS.items():
            for leaf, of_leaf in LEAVES.items():
                names = [f"{division}{of_division}", f"{division}-{team}{of_team}"]
                chains.append(" > ".join([_ORG, *names, f"{division}-{team}{leaf}{of_leaf}"]))
    for team, leaves in CALM.items():
        chains += [f"{_FREE} > still > still-{team} > still-{team}{leaf}" for leaf in leaves]
    return "; ".join(chains)


_ORG = "org: pods 110, cpu 24"
_FREE = "calm: pods 20000, cpu 20k"
WORDS = _words()


def leaves(tree: Tree, *, calm: bool) -> list[str]:
    """Return the namespaces without children, of the calm corner or of the rest."""
    inner = set(tree.parents.values())
    found = [name for name in tree.parents if name not in inner]
    return [name for name in found if (tree.line(name)[-1] == tree["calm"]) == calm]


def limits(tree: Tree) -> Limits:
    """Return the tree as the verdict wants it."""
    hard = {}
    for name, resources in tree.hard.items():
        shown = resources.to_strings()
        pods = resources.nano("pods") // 10**9 if "pods" in shown else None
        cpu = resources.nano("cpu") // 10**6 if "cpu" in shown else None
        hard[str(name)] = pods, cpu
    lines = {str(name): [str(level) for level in tree.line(name)] for name in tree.parents}
    return Limits(lines=lines, hard=hard)
