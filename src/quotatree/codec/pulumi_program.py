"""A tree to the Pulumi program that describes it: Python, laid out as formatters want it.

Everything that comes from a cluster or a file stands in literals, each quoted here: nothing of it
is ever code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from quotatree.codec import treefile
from quotatree.model.treefile import TreeFile

WIDTH: Final = 88
"""The default of ruff and black."""

# Keys of quotatree.yaml that Python writes another way.
_PYTHON: Final = {
    "failurePolicy": "failure_policy",
    "scopeSelector": "scope_selector",
    "matchExpressions": "match_expressions",
    "scopeName": "scope_name",
}
_ESCAPES: Final = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the program is like: the resource's name, the namespace above, what exists already."""

    name: str
    parent: str | None
    existing: bool
    version: str


def text(tree: TreeFile, wishes: Wishes) -> str:
    """Return the program."""
    parts = [
        _docstring(wishes),
        "import pulumi\nimport pulumi_quotatree as quotatree\n",
        f"TREE: dict[str, quotatree.NodeArgs] = {_tree(tree)}\n",
        *_existing(tree, wishes),
        _component(wishes),
    ]
    return "\n".join(parts)


def project(name: str) -> str:
    """Return the Pulumi.yaml beside the program; `name` is one that Pulumi takes."""
    return f'name: "{name}"\nruntime: python\ndescription: A tree of namespaces with quotas.\n'


REQUIREMENTS: Final = "pulumi-quotatree\n"


def _docstring(wishes: Wishes) -> str:
    about = f"Namespaces and their quotas, written down by quotatree {wishes.version}."
    if not wishes.existing:
        return f'"""{about}"""\n'
    return f'''"""{about}

The first `pulumi up` imports what EXISTING names and changes nothing in the cluster; a
warning tells where this program says something else. After it, take the line with
"import_only" out: from then on this program decides.
"""
'''


def _tree(tree: TreeFile) -> str:
    nodes = treefile.to_data(tree)["tree"]
    return _block({name: _python(node) for name, node in nodes.items()}, 0)


def _existing(tree: TreeFile, wishes: Wishes) -> Iterator[str]:
    if wishes.existing:
        found = [str(node.namespace) for node in tree.nodes]
        yield f"EXISTING = {_value(found, 0, taken=len('EXISTING = '))}\n"


def _component(wishes: Wishes) -> str:
    lines = ["tree = quotatree.QuotaTree(", f"    {_quoted(wishes.name)},", "    {"]
    lines.append('        "tree": TREE,')
    if wishes.parent is not None:
        lines.append(f'        "parent": {_quoted(wishes.parent)},')
    if wishes.existing:
        lines += ['        "take_over": EXISTING,', '        "import_only": True,']
    lines += ["    },", ")", 'pulumi.export("namespaces", tree.namespaces)']
    return "\n".join(lines) + "\n"


def _python(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return a node of a file, or a part of one, with the keys that Python has for it."""
    found: dict[str, Any] = {}
    below: Any
    for key, value in node.items():
        match key, value:
            case "children", Mapping():
                below = {name: _python(child) for name, child in value.items()}
            case (("quotas" | "matchExpressions"), list()):
                below = [_python(item) for item in value]
            case "scopeSelector", Mapping():
                below = _python(value)
            case _:
                below = value
        found[_PYTHON.get(key, key)] = below
    return found


# -- literals ---------------------------------------------------------------------------------


def _value(value: object, indent: int, *, taken: int) -> str:
    """Return a literal: on one line where it fits behind what is `taken` of it, with a comma."""
    inline = _inline(value)
    nested = isinstance(value, Mapping) and any(isinstance(v, Mapping) for v in value.values())
    fits = indent + taken + len(inline) + 1 <= WIDTH
    if isinstance(value, str) or not value or (fits and not nested):
        return inline
    return _block(value, indent)


def _block(value: object, indent: int) -> str:
    """Return a map or a list with a line for each entry."""
    inner = indent + 4
    lines = []
    if isinstance(value, Mapping):
        for key, entry in value.items():
            head = f"{_quoted(key)}: "
            lines.append(f"{head}{_value(entry, inner, taken=len(head))},")
    elif isinstance(value, Sequence):
        lines = [f"{_value(entry, inner, taken=0)}," for entry in value]
    first, last = "{}" if isinstance(value, Mapping) else "[]"
    if not lines:
        return first + last
    body = "".join(f"{' ' * inner}{line}\n" for line in lines)
    return f"{first}\n{body}{' ' * indent}{last}"


def _inline(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_quoted(k)}: {_inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, str):
        return _quoted(value)
    assert isinstance(value, Sequence), value
    return "[" + ", ".join(_inline(item) for item in value) + "]"


def _quoted(value: str) -> str:
    """Return a text as a literal that is this text and nothing else, whatever it holds."""
    # Formatters take the mark that needs fewer escapes.
    mark = "'" if value.count('"') > value.count("'") else '"'
    return mark + "".join(_character(c, mark) for c in value) + mark


def _character(char: str, mark: str) -> str:
    if char == mark:
        return f"\\{mark}"
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    code = ord(char)
    for letter, digits in (("x", 2), ("u", 4)):
        if code < 16**digits:
            return f"\\{letter}{code:0{digits}x}"
    return f"\\U{code:08x}"
