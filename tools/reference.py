"""Write the reference that the code already knows: `uv run python -m tools.reference`.

The commands come from Click, the fields of a TreeQuota from its CustomResourceDefinition, the
settings from the docstrings under their fields, the metrics from what makes them. `--check` writes
nothing and fails when a page is out of date.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

import click

from quotatree import metrics
from quotatree.cli.main import cli
from quotatree.manifests import crd, objects
from quotatree.manifests.settings import InstallSettings

ROOT: Final = Path(__file__).parents[1]
REFERENCE: Final = ROOT / "docs" / "reference"

_GENERATED: Final = "<!-- Written by tools/reference.py; run `make docs` after a change. -->"


# -- commands ---------------------------------------------------------------------------------


def commands() -> str:
    """Return the page of all commands with their options."""
    parts = [
        "# Commands",
        _GENERATED,
        _COMMANDS_INTRO,
        _EXIT_CODES,
    ]
    for name, command in walk(cli, "quotatree"):
        parts += _command(name, command)
    return "\n\n".join(parts) + "\n"


_COMMANDS_INTRO: Final = """\
`quotatree` is also installed as `kubectl-quotatree`, so `kubectl quotatree tree` works. Data goes
to stdout, talk to stderr. Every command takes `-h` and `--help`."""

_EXIT_CODES: Final = """\
| exit code | meaning |
|--:|---|
| 0 | done, it fits, or there was nothing to do |
| 1 | error: refused, not enforced in time, or the cluster cannot be reached |
| 2 | bad usage of the command line |
| 3 | it does not fit: from commands that only ask |
| 10 | `plan --detailed-exitcode` alone: changes that fit |"""


def walk(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and all commands below it, with their full names."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name)
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None
            yield from walk(found, f"{name} {child}")


def _command(name: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=name)
    yield f"## `{name}`"
    yield f"```text\n{name} {' '.join(command.collect_usage_pieces(context))}\n```"
    yield "\n\n".join(_paragraphs(command.help or ""))
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    if options:
        rows = [f"| {_flags(o)} | {_meaning(o)} | {_default(o)} |" for o in options]
        yield "\n".join(["| option | meaning | default |", "|---|---|---|", *rows])
    if command.epilog and command.epilog.startswith("\b"):
        lines = command.epilog.partition("\n\n")[0].splitlines()[2:]
        yield "\n".join(["```text", *(line.removeprefix("  ") for line in lines), "```"])


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.replace("\b", "").split("\n\n"):
        yield _safe(" ".join(paragraph.split()))


def _safe(text: str) -> str:
    """Return text that a cell of a table can hold."""
    return text.replace("|", "\\|")


def _flags(option: click.Option) -> str:
    names = ", ".join(f"`{flag}`" for flag in (*option.opts, *option.secondary_opts))
    if option.is_flag:
        return names
    if isinstance(option.type, click.Choice):
        return f"{names} {', '.join(f'`{choice}`' for choice in option.type.choices)}"
    return f"{names} {option.metavar or option.type.name.upper().partition(' ')[0]}"


def _meaning(option: click.Option) -> str:
    words = [_safe(option.help or "")]
    if option.required:
        words.append("Required.")
    if isinstance(option.type, click.IntRange | click.FloatRange):
        words.append(f"Range: {option.type._describe_range()}.")
    return " ".join(word for word in words if word)


def _default(option: click.Option) -> str:
    if isinstance(option.show_default, str):
        return option.show_default
    value = option.default
    if option.is_flag and option.secondary_opts:
        return f"`{option.opts[0] if value else option.secondary_opts[0]}`"
    plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    return f"`{value}`" if plain and not option.is_flag else ""


# -- TreeQuota --------------------------------------------------------------------------------


def tree_quota() -> str:
    """Return the page of the fields, columns and rules of a TreeQuota."""
    settings = InstallSettings(version="", image="-")
    spec = crd.tree_quotas(settings)["spec"]
    (version,) = spec["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    fields = list(_fields(schema["properties"]["spec"], "spec"))
    status = list(_fields(schema["properties"]["status"], "status"))
    columns = [
        f"| {c['name']} | `{c['jsonPath']}` | {'`-o wide`' if c.get('priority') else 'always'} |"
        for c in version["additionalPrinterColumns"]
    ]
    names = spec["names"]
    intro = (
        f"`{spec['group']}/{version['name']}`, kind `{names['kind']}`, namespaced, short name "
        f"`{names['shortNames'][0]}`. {schema['description']} It lies in the namespace that it "
        "limits. What the numbers mean: [numbers](../explanation/numbers.md). What the conditions "
        "say: [conditions and events](conditions-and-events.md)."
    )
    parts = [
        "# TreeQuota",
        _GENERATED,
        intro,
        "## Fields that you set",
        _field_table(fields),
        "## Fields that the controller answers with",
        _field_table(status),
        "## What the API server itself refuses",
        "Controller or not, these hold (CEL rules of the CustomResourceDefinition):",
        "\n".join(f"- `{path}`: {message}" for path, message in _rules(schema, "")),
        "## Columns of `kubectl get treequotas`",
        "\n".join(["| column | from | shown |", "|---|---|---|", *columns]),
    ]
    return "\n\n".join(parts) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    path: str
    type: str
    meaning: str


def _field_table(fields: list[_Field]) -> str:
    rows = [f"| `{f.path}` | {f.type} | {f.meaning} |" for f in fields]
    return "\n".join(["| field | type | meaning |", "|---|---|---|", *rows])


def _fields(schema: Mapping[str, Any], path: str) -> Iterator[_Field]:
    for name, below in schema.get("properties", {}).items():
        here = f"{path}.{name}"
        yield _Field(path=here, type=_type(below), meaning=_words(below))
        yield from _fields(below, here)
        yield from _fields(below.get("items", {}), f"{here}[]")


def _type(schema: Mapping[str, Any]) -> str:
    if "additionalProperties" in schema:
        return "map of resource name to quantity"
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    return str(schema.get("type", ""))


def _words(schema: Mapping[str, Any]) -> str:
    words = [str(schema.get("description", ""))]
    values = schema.get("enum") or schema.get("items", {}).get("enum")
    if values:
        words.append("One of " + ", ".join(f"`{value}`" for value in values) + ".")
    if "default" in schema:
        words.append(f"Default `{schema['default']}`.")
    return _safe(" ".join(word for word in words if word))


def _rules(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield path + rule.get("fieldPath", ""), rule["message"]
    for name, below in schema.get("properties", {}).items():
        yield from _rules(below, f"{path}.{name}".removeprefix("."))
    for key, mark in (("items", "[]"), ("additionalProperties", "[name]")):
        if isinstance(schema.get(key), dict):
            yield from _rules(schema[key], path + mark)


# -- settings ---------------------------------------------------------------------------------

_SETTINGS: Final = (
    ("quotatree.settings", "Settings"),
    ("quotatree.settings", "WebhookSettings"),
    ("quotatree.settings", "LogSettings"),
    ("quotatree.settings", "LoopSettings"),
    ("quotatree.engine.reservation", "Timing"),
    ("quotatree.engine.slices", "SliceSettings"),
    ("quotatree.manifests.settings", "InstallSettings"),
)

_SETTINGS_INTRO: Final = """\
The controller is told what it needs by the flags of
[`quotatree controller`](cli.md#quotatree-controller), an installation by those of
[`quotatree manifests`](cli.md#quotatree-manifests). The fields below are the values behind those
flags. Fields without a flag have a fixed value in this version; programs and tests that build a
controller themselves may give another one."""

_ENVIRONMENT: Final = {
    "KUBECONFIG": "as for kubectl, wherever `--kubeconfig` is not given",
    "QUOTATREE_KUBERNETES_VERSION": (
        "the sandbox's Kubernetes, where `--kubernetes-version` is not given"
    ),
    "QUOTATREE_ETCD_VERSION": "the sandbox's etcd, where `--etcd-version` is not given",
    "POD_IP": "`quotatree controller --address`, where it is not given",
    "POD_NAME": "`quotatree controller --pod`, where it is not given",
    "QUOTATREE_SANDBOX_BIN": (
        "a directory with your own `etcd`, `kube-apiserver` and `kube-controller-manager`; nothing "
        "is downloaded or built then"
    ),
    "XDG_CACHE_HOME": "the sandbox's binaries lie in its folder `quotatree` (default `~/.cache`)",
    "XDG_STATE_HOME": (
        "the sandboxes' data, keys and logs lie in its folder `quotatree` "
        "(default `~/.local/state`)"
    ),
}


def settings() -> str:
    """Return the page of all settings, by class."""
    parts = ["# Settings", _GENERATED, _SETTINGS_INTRO]
    for module, name in _SETTINGS:
        parts += _setting_class(module, name)
    rows = [f"| `{name}` | {words} |" for name, words in _ENVIRONMENT.items()]
    table = ["| variable | meaning |", "|---|---|", *rows]
    parts += ["## Environment variables", "\n".join(table)]
    return "\n\n".join(parts) + "\n"


def _setting_class(module: str, name: str) -> Iterator[str]:
    found = importlib.import_module(module)
    assert found.__file__ is not None
    tree = ast.parse(Path(found.__file__).read_text(encoding="utf-8"))
    (node,) = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name)
    summary = (ast.get_docstring(node) or "").partition("\n\n")[0]
    yield f"## {name}"
    yield f"{_oneline(summary)} (`{module}.{name}`)"
    fields = {field.name: field for field in dataclasses.fields(getattr(found, name))}
    rows = [
        f"| `{field}` | {_safe(words)} | {_default_of(fields[field])} |"
        for field, words in described_fields(node)
    ]
    yield "\n".join(["| field | meaning | default |", "|---|---|---|", *rows])


def _default_of(field: dataclasses.Field[Any]) -> str:
    """Return the default for people: a class of settings by a link to its own table."""
    if dataclasses.is_dataclass(field.default_factory):
        name = getattr(field.default_factory, "__name__", "")
        return f"[{name}](#{name.lower()})"
    if field.default is dataclasses.MISSING:
        return "required"
    value = field.default.value if isinstance(field.default, Enum) else field.default
    return f"`{value}`" if isinstance(value, int | float) or value else "none"


def described_fields(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Yield name and docstring of every field of a class.

    Raises:
        ValueError: a field has no docstring under it.
    """
    for statement, following in zip(node.body, [*node.body[1:], None], strict=True):
        if not isinstance(statement, ast.AnnAssign):
            continue
        words = following.value if isinstance(following, ast.Expr) else None
        if not isinstance(words, ast.Constant) or not isinstance(words.value, str):
            raise ValueError(f"{node.name}.{ast.unparse(statement.target)} has no docstring")
        yield ast.unparse(statement.target), _oneline(words.value)


def _oneline(text: str) -> str:
    return " ".join(text.split())


# -- metrics ----------------------------------------------------------------------------------

_METRICS_INTRO: Final = f"""\
Each replica serves `{objects.METRICS_PATH}` on the port of the webhook ({objects.WEBHOOK_PORT}),
over TLS with the webhook's own certificate, in Prometheus' text format. Nobody is asked who he is:
no series names a namespace, but for the roots of trees. How to have them collected:
[metrics](../how-to/metrics.md).

Counters begin at 0 with the process. Those of decisions grow in the replica that leads; the others
show 0 in `quotatree_leader` and in all gauges of the ledger. The usual `process_…` and
`python_gc_…` series are those of the decider."""

_METRICS_FRONT: Final = """\
The process in front: it answers while its decider hangs. Its own memory and processor time are in
`quotatree_acceptor_process_…`."""


def metric_pages() -> str:
    """Return the page of all metrics."""
    decider, acceptor = metrics.Metrics(), metrics.AcceptorMetrics()
    parts = [
        "# Metrics",
        _GENERATED,
        _METRICS_INTRO,
        "## Of the decider",
        _metric_table(decider.described),
        "## Of the acceptor",
        _METRICS_FRONT,
        _metric_table(acceptor.described),
    ]
    return "\n\n".join(parts) + "\n"


def _metric_table(described: list[metrics.Described]) -> str:
    rows = []
    for metric in described:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows.append(f"| `{metric.name}` | {metric.kind} | {labels} | {_safe(metric.words)} |")
    return "\n".join(["| metric | kind | labels | meaning |", "|---|---|---|---|", *rows])


# -- all of it --------------------------------------------------------------------------------

PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "cli.md": commands,
    "treequota.md": tree_quota,
    "settings.md": settings,
    "metrics.md": metric_pages,
}
"""File in docs/reference → what writes it."""


def main(arguments: list[str]) -> int:
    """Write all pages, or with `--check` say which are out of date."""
    stale = []
    for name, write in PAGES.items():
        path, text = REFERENCE / name, write()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
            print(f"wrote docs/reference/{name}")
    if stale and "--check" in arguments:
        print(f"out of date: {', '.join(stale)}; run: make docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
