"""What users can set or will see is described: flags, settings, fields, labels, refusals."""

import ast
import json
import re
import subprocess
import sys

import click
import pytest
from tests.chaos.catalog import FAULTS
from tests.docs import pages
from tools import reference

from quotatree import metrics
from quotatree.cli import explain_report, plan_report
from quotatree.cli.doctor import rules
from quotatree.cli.main import COMMANDS, cli
from quotatree.codec import quota_rules, treefile_rules, treefile_schema, workloads
from quotatree.codec.desired import LABEL_APPLIED
from quotatree.manifests import crd, install
from quotatree.manifests.settings import InstallSettings
from quotatree.model import names
from quotatree.model.fit import WORDS, Reason

SOURCE = pages.ROOT / "src" / "quotatree"
INSTALLATION = install.installation(InstallSettings(version="0", image="-"))


def page(path):
    return pages.text(pages.DOCS / path)


def code_of(*parts):
    return (SOURCE.joinpath(*parts)).read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "command"), list(reference.walk(cli, "quotatree")))
def test_every_command_has_its_flags_described(name, command):
    section = page("reference/cli.md").partition(f"\n## `{name}`\n")[2].partition("\n## ")[0]
    for option in (p for p in command.params if isinstance(p, click.Option)):
        assert all(f"`{flag}`" in section for flag in (*option.opts, *option.secondary_opts))


def test_changelog_names_the_commands_that_there_are():
    listed = re.search(r"- Commands: (.*?);", pages.text(pages.ROOT / "CHANGELOG.md"), re.DOTALL)[1]
    assert set(re.findall(r"`(\w+)`", listed)) == set(COMMANDS)


@pytest.mark.parametrize("path", ["settings.py", "manifests/settings.py"])
def test_every_setting_is_described(path):
    described = page("reference/settings.md")
    tree = ast.parse(code_of(*path.split("/")))
    classes = [n for n in tree.body if isinstance(n, ast.ClassDef)]
    for node in classes:
        section = described.partition(f"\n## {node.name}\n")[2].partition("\n## ")[0]
        for field, words in reference.described_fields(node):
            assert f"| `{field}` | {words.replace('|', chr(92) + '|')} |" in section


def test_every_environment_variable_is_described():
    sources = "\n".join(p.read_text(encoding="utf-8") for p in SOURCE.rglob("*.py"))
    variables = set(re.findall(r"\b(QUOTATREE_[A-Z_]+|XDG_[A-Z_]+)\b", sources))
    assert [v for v in variables if f"`{v}`" not in page("reference/settings.md")] == []


def test_every_field_of_a_tree_quota_is_described():
    (version,) = crd.tree_quotas(InstallSettings(version="", image="-"))["spec"]["versions"]
    properties = version["schema"]["openAPIV3Schema"]["properties"]
    described = page("reference/treequota.md")
    for part in ("spec", "status"):
        assert [k for k in properties[part]["properties"] if f"`{part}.{k}`" not in described] == []


def test_every_label_annotation_and_finalizer_is_described():
    described = page("reference/labels-and-annotations.md")
    keys = [
        value
        for key, value in vars(names).items()
        if key.startswith(("LABEL_", "ANNOTATION_", "FINALIZER_"))
    ]
    keys += [names.TREE_LABEL_SUFFIX + "`", names.SLICE_PREFIX, LABEL_APPLIED]
    assert [key for key in keys if key not in described] == []


def test_every_key_scope_and_operator_of_the_file_is_described():
    described = page("reference/file-format.md")
    keys = {*treefile_rules.NODE_KEYS, *quota_rules.SPEC_KEYS, *quota_rules.SCOPES}
    keys |= {*quota_rules.OPERATORS, *treefile_rules.RESERVED}
    assert [key for key in sorted(keys) if f"`{key}`" not in described] == []


def test_every_condition_and_event_is_described():
    described = page("reference/conditions-and-events.md")
    code = code_of("engine", "status.py") + code_of("controller", "events.py")
    found = set(re.findall(r'(?:type|reason)="(\w+)"', code))
    assert found
    assert [word for word in sorted(found) if f"`{word}`" not in described] == []


def test_every_reason_and_finding_of_check_and_explain_is_described():
    described = page("reference/reasons.md")
    rows = {rule.code: f"| `{rule.code}` |" for rule in explain_report.RULES}
    assert [code for code, row in rows.items() if row not in described] == []
    for reason in Reason:
        when = "temporary" if reason.temporary else "never"
        assert f"| `{reason.value}` | {when} | {WORDS[reason].partition(';')[0]}" in described


def test_every_kind_whose_pods_are_known_is_described():
    described = page("how-to/check-before-applying.md")
    kinds = {kind for _, kind in workloads.KINDS}
    assert [k for k in sorted(kinds) if not re.search(rf"\b{k}\b", described)] == []


def test_every_policy_is_described():
    described = page("reference/errors.md")
    kind = "ValidatingAdmissionPolicy"
    policies = [m["metadata"]["name"] for m in INSTALLATION if m["kind"].startswith(kind)]
    assert [name for name in policies if f"`{name}`" not in described] == []


def test_every_webhook_and_role_is_described():
    everything = "\n".join(pages.text(p) for p in pages.PAGES)
    roles = [m["metadata"]["name"] for m in INSTALLATION if m["kind"] == "ClusterRole"]
    people = [name for name in roles if name != "quotatree-controller"]
    assert [name for name in people if f"`{name}`" not in everything] == []


def test_every_error_class_is_described():
    classes = re.findall(r"^class (\w+)\(QuotaTreeError\)", code_of("errors.py"), re.MULTILINE)
    assert [name for name in classes if f"`{name}`" not in page("reference/errors.md")] == []


def test_every_finding_is_described():
    described = page("reference/findings.md")
    lines = {f"| `{rule.code}` | {rule.level.value} |" for rule in plan_report.RULES}
    assert len(lines) == len(plan_report.RULES)
    assert [line for line in sorted(lines) if line not in described] == []


def test_architecture_names_only_files_that_exist():
    text = pages.text(pages.ROOT / "ARCHITECTURE.md")
    found = re.findall(r"`((?:\w+/)+\w+\.(?:py|md))`", text)
    roots = (SOURCE, pages.ROOT)
    assert [f for f in found if not any((root / f).exists() for root in roots)] == []


def test_every_metric_is_described_and_the_watched_ones_exist():
    described = [*metrics.Metrics().described, *metrics.AcceptorMetrics().described]
    page_ = page("reference/metrics.md")
    assert [m.name for m in described if f"| `{m.name}` | {m.kind} |" not in page_] == []
    known = {m.name for m in described}
    for name in re.findall(r"\bquotatree_[a-z_]+", page("how-to/metrics.md")):
        assert name.removesuffix("_bucket") in known | {"quotatree_"}, name


def test_generated_pages_are_up_to_date():
    for tool in ("tools.reference", "tools.components_reference", "tools.diagrams"):
        command = [sys.executable, "-m", tool, "--check"]
        done = subprocess.run(command, check=False, cwd=pages.ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_the_schema_of_the_file_is_up_to_date():
    written = (pages.DOCS / "reference" / "quotatree.schema.json").read_text(encoding="utf-8")
    assert json.loads(written) == treefile_schema.schema(), "run: make docs"


def test_every_finding_of_the_doctor_is_described():
    described = page("how-to/doctor.md")
    rows = [f"| `{rule.code}` | {rule.level.value} |" for rule in rules.RULES]
    assert [row for row in rows if row not in described] == []


def test_every_fault_of_the_fault_tests_is_described():
    page = (pages.DOCS / "explanation" / "faults.md").read_text()
    assert len(FAULTS) >= 40
    missing = [name for name, one in FAULTS.items() if f"| `{name}` | {one.what} |" not in page]
    assert not missing, missing
