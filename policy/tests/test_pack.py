"""The pack as Pulumi meets it: rules, levels, configuration, state; and once over the wire."""

import json
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import grpc
import pytest
import yaml
from checking import as_sent, check, container, deployment, namespace, node, state, urn
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

import quotatree
from pulumi_quotatree_policy import RULES, policies

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT.parent / "docs" / "reference" / "policy-rules.md"
CPU = container({"cpu": "2"})


def test_the_rules_are_these_with_their_levels():
    assert {rule.name: rule.level for rule in RULES} == {
        "namespace-limited": "mandatory",
        "resource-quota-complete": "advisory",
        "workload-requests": "advisory",
        "gpu-limited": "mandatory",
        "tree-room": "mandatory",
    }


def test_every_rule_has_a_schema_with_defaults_and_words():
    for policy, rule in zip(policies(), RULES, strict=True):
        assert set(policy.config_schema.properties) == {it.name for it in rule.properties}
        for schema in policy.config_schema.properties.values():
            assert {"type", "default", "description"} <= set(schema)
        assert policy.remediation_steps == rule.remedy


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_and_property_is_in_the_reference(rule):
    page = REFERENCE.read_text()
    section = page.partition(f"\n## `{rule.name}`\n")[2].partition("\n## ")[0]
    assert section, "no section"
    assert rule.description in section
    assert rule.remedy in section
    assert f"Default level: `{rule.level}`." in section
    listed = {line.split("`")[1] for line in section.splitlines() if line.startswith("| `")}
    assert listed == {it.name for it in rule.properties}


def test_the_reference_describes_each_property_with_its_default():
    page = REFERENCE.read_text()
    for it in {it.name: it for rule in RULES for it in rule.properties}.values():
        default = json.dumps(list(it.default) if isinstance(it.default, tuple) else it.default)
        assert f"| `{it.name}` | {it.description} | `{default}` |" in page


def test_the_files_of_the_pack_agree():
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    described = yaml.safe_load((ROOT / "PulumiPolicy.yaml").read_text())
    assert described["version"] == project["version"]
    assert described["runtime"] == "python"
    module = ROOT / "src" / "pulumi_quotatree_policy"
    assert json.loads((module / "pulumi-plugin.json").read_text()) == {"resource": False}


def test_the_contract_decides_about_every_package():
    with (ROOT / "pyproject.toml").open("rb") as file:
        contract = tomllib.load(file)["tool"]["importlinter"]["contracts"][0]
    forbidden = {name.removeprefix("quotatree.") for name in contract["forbidden_modules"]}
    packages = {it.name for it in pkgutil.iter_modules(quotatree.__path__)} - {"__main__"}
    assert packages == forbidden | {"codec", "engine", "errors", "manifests", "model", "units"}


# -- configuration and state ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "want"),
    [
        ({"stat": "x"}, 'there is no property "stat"; did you mean "state"?'),
        ({"unknown": "maybe"}, 'unknown must be warn or fail, is the text "maybe"'),
        ({"exemptNamespaces": "x"}, "exemptNamespaces must be a list of texts"),
        ({"state": "/nowhere/state.json"}, "state /nowhere/state.json: No such file"),
        ({"state": "live", "stateCommand": ["/nowhere/quotatree"]}, "cannot be run"),
        ({"state": "live", "stateCommand": ["false"]}, "`false` failed with exit code 1"),
        ({"state": "live", "stateCommand": ["echo", "hello"]}, "is no JSON"),
        ({"state": "live", "stateCommand": ["echo", "[" * 100_000]}, "is no JSON"),
        ({"state": "live", "stateCommand": ["echo", "{}"]}, "apiVersion: must be"),
    ],
    ids=["name", "value", "type", "no-file", "no-command", "fails", "no-json", "deep", "no-state"],
)
def test_what_cannot_be_read_is_a_violation_and_no_pass(config, want):
    told = check("tree-room", namespace("a"), **config)
    assert told.one().startswith("nothing was judged: ")
    assert want in told.one()


def test_the_live_cluster_is_asked_by_a_command(tmp_path):
    where = state(tmp_path, node("org", hard={"cpu": "1"}))
    told = check("tree-room", deployment("org", CPU), state="live", stateCommand=["cat", where])
    assert "exceeded quota: org" in told.one()


def test_the_environment_may_name_the_state(tmp_path, monkeypatch):
    monkeypatch.setenv("QUOTATREE_POLICY_STATE", state(tmp_path, node("org", hard={"cpu": "1"})))
    assert "exceeded quota: org" in check("tree-room", deployment("org", CPU)).one()


# -- over the wire ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def analyzer():
    """The pack in a process of its own, as Pulumi's language host starts it."""
    argv = [sys.executable, "-um", "pulumi.policy", "127.0.0.1:0", str(ROOT)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        port = process.stdout.readline().strip()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield analyzer_pb2_grpc.AnalyzerStub(channel)
        process.terminate()


def request(*resources):
    found = []
    for token, name, props in resources:
        properties = json_format.ParseDict(as_sent(props), struct_pb2.Struct())
        found.append(
            analyzer_pb2.AnalyzerResource(
                type=token, name=name, urn=urn(token, name), properties=properties
            )
        )
    return analyzer_pb2.AnalyzeStackRequest(resources=found)


def test_the_pack_serves_its_rules(analyzer):
    info = analyzer.GetAnalyzerInfo(empty_pb2.Empty())
    assert info.name == "quotatree"
    assert [it.name for it in info.policies] == [rule.name for rule in RULES]
    schema = json_format.MessageToDict(info.policies[0].configSchema.properties)
    assert schema["unknown"]["enum"] == ["warn", "fail"]


def test_a_violation_has_its_level_and_its_resource(analyzer):
    answer = analyzer.AnalyzeStack(request(namespace("etl")))
    (told,) = [it for it in answer.diagnostics if it.policyName == "namespace-limited"]
    assert told.enforcementLevel == analyzer_pb2.MANDATORY
    assert told.urn.endswith("::etl")
    assert "has neither a quota nor a parent" in told.message


def test_levels_are_pulumis_and_unknown_is_a_warning(analyzer):
    disabled = {"namespace-limited": analyzer_pb2.DISABLED, "tree-room": analyzer_pb2.ADVISORY}
    config = {
        name: analyzer_pb2.PolicyConfig(enforcementLevel=level) for name, level in disabled.items()
    }
    analyzer.Configure(analyzer_pb2.ConfigureAnalyzerRequest(policyConfig=config))
    answer = analyzer.AnalyzeStack(request(namespace("etl", "org"), deployment("etl", CPU)))
    told = {it.policyName: it for it in answer.diagnostics}
    assert "namespace-limited" not in told
    assert told["tree-room"].enforcementLevel == analyzer_pb2.ADVISORY
    assert "not judged: namespace etl: whether it fits above org" in told["tree-room"].message
