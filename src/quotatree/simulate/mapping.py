"""Which namespace a row of a trace belongs to: a column says it, rules do, or all take turns.

Rules are a YAML list; the first whose conditions all hold takes the row, and gives it to its
namespaces in turns::

    - when: {num_gpu: ">1"}                 # = (may be left out), !=, >, >=, <, <=
      to: [language-pretraining, vision-training]
    - when: {qos: [BE, Burstable]}          # one of these
      to: platform-batch
    - to: ai-pipeline                       # everything else
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from quotatree.codec import yaml_tree
from quotatree.codec.findings import Finding, closest, kind_of, quoted, shown, unknown_keys
from quotatree.errors import InputError
from quotatree.model.names import Namespace
from quotatree.model.problem import Problem, in_order
from quotatree.simulate.columns import Choose, Row
from quotatree.units.quantity import Quantity, QuantityError

MAX_BYTES: Final = 2**20
"""Size of the greatest file of rules that is read."""

_ORDER: Final[Mapping[str, Callable[[int, int], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Rows for which all of `when` (column → alternatives) holds go to `to` in turns."""

    when: Mapping[str, tuple[str, ...]]
    to: tuple[Namespace, ...]


def by_column(index: int) -> Choose:
    """Let a column say it."""

    def choose(row: Row) -> Namespace:
        return Namespace(row[index])

    return choose


def in_turns(namespaces: Sequence[Namespace]) -> Choose:
    """Give the rows to `namespaces` one after the other."""
    turns = itertools.cycle(namespaces)
    return lambda _: next(turns)


def by_rules(rules: Sequence[Rule], header: Row) -> Choose:
    """Let the first rule that applies say it.

    Raises:
        InputError: a rule asks for a column that there is not. The returned function raises it for
            a row that no rule takes.
    """
    at = {name: index for index, name in enumerate(header)}
    for column in sorted({column for rule in rules for column in rule.when}):
        if column not in at:
            hint = closest(column, at) or f"there are: {', '.join(at)}"
            raise InputError(f"the rules ask for a column {quoted(column)}; {hint}")
    turns = [(_tests(rule, at), itertools.cycle(rule.to)) for rule in rules]

    def choose(row: Row) -> Namespace:
        for tests, to in turns:
            if all(test(row[index]) for index, test in tests):
                return next(to)
        raise InputError("no rule takes this row; let the last rule have no `when`")

    return choose


def _tests(rule: Rule, at: Mapping[str, int]) -> list[tuple[int, Callable[[str], bool]]]:
    return [(at[column], _any([_test(c) for c in cases])) for column, cases in rule.when.items()]


def _any(tests: Sequence[Callable[[str], bool]]) -> Callable[[str], bool]:
    return lambda text: any(test(text) for test in tests)


def _test(condition: str) -> Callable[[str], bool]:
    for sign, compare in _ORDER.items():
        if condition.startswith(sign):
            bound = Quantity.parse(condition.removeprefix(sign).strip()).nano
            return lambda text: _compared(text, compare, bound)
    if condition.startswith("!="):
        return lambda text: text != condition.removeprefix("!=").strip()
    return lambda text: text == condition.removeprefix("=").strip()


def _compared(text: str, compare: Callable[[int, int], bool], bound: int) -> bool:
    try:
        return compare(Quantity.parse(text).nano, bound)
    except QuantityError:
        return False  # a text is neither above nor below a number


# -- the file -------------------------------------------------------------------------------


def parse(data: bytes) -> tuple[Rule, ...] | tuple[Problem, ...]:
    """Return the rules that a file holds, or everything that is wrong with it."""
    if len(data) > MAX_BYTES:
        return (Problem(path="", message="the file is greater than 1 MiB"),)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return (Problem(path="", message="is not UTF-8: this is no text file"),)
    document = yaml_tree.read(text)
    found = [yaml_tree.problem_of(finding, mark) for finding, mark in document.findings]
    if document.data is not None or not found:
        found += [
            yaml_tree.problem_of(f, document.place(f.path, at_key=f.at_key))
            for f in _findings(document.data)
        ]
    return in_order(found) or tuple(_rule(entry) for entry in document.data)


def _findings(data: object) -> Iterator[Finding]:
    if not isinstance(data, list) or not data:
        want = "must be a list of rules: - {when: {<column>: <value>}, to: [<namespace>]}"
        yield Finding(path=(), message=f"{want}, is {kind_of(data)}")
        return
    for number, entry in enumerate(data):
        if isinstance(entry, dict):
            yield from unknown_keys(entry, ("when", "to"), (number,))
            yield from _to_findings(entry.get("to"), number)
            yield from _when_findings(entry.get("when", {}), number)
        else:
            yield Finding(path=(number,), message=f"must be a rule, is {kind_of(entry)}")


def _to_findings(to: object, number: int) -> Iterator[Finding]:
    names = to if isinstance(to, list) else [to]
    if not names or not all(isinstance(name, str) and name for name in names):
        message = "must name a namespace, or a list of them"
        yield Finding(path=(number, "to"), message=message)


def _when_findings(when: object, number: int) -> Iterator[Finding]:
    if not isinstance(when, dict):
        message = f"must be a map of columns to conditions, is {kind_of(when)}"
        yield Finding(path=(number, "when"), message=message)
        return
    for column, condition in when.items():
        for one in condition if isinstance(condition, list) else [condition]:
            try:
                _test(_text(one))
            except (QuantityError, TypeError) as error:
                yield Finding(path=(number, "when", column), message=shown(error))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a condition is a text in quotes, is {kind_of(value)}")
    return str(value)


def _rule(entry: Mapping[str, Any]) -> Rule:
    to = entry["to"] if isinstance(entry["to"], list) else [entry["to"]]
    when = {
        column: tuple(str(c) for c in (value if isinstance(value, list) else [value]))
        for column, value in entry.get("when", {}).items()
    }
    return Rule(when=when, to=tuple(Namespace(str(name)) for name in to))
