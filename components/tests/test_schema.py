"""The schema for other languages: Pulumi can read the components, and every field is described."""

import json
from pathlib import Path

import pytest
import yaml
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.provider.experimental.host import components_from_module

import pulumi_quotatree

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def schema():
    components = components_from_module(pulumi_quotatree)
    return json.loads(ComponentProvider(components, "pulumi-quotatree").schema)


def test_the_written_schema_is_the_analyzed_one(schema):
    written = json.loads((ROOT / "schema.json").read_text(encoding="utf-8"))
    assert written == schema, "run: make schema"


def test_the_components_are_found(schema):
    assert set(schema["resources"]) == {
        "pulumi-quotatree:index:PipelineNamespace",
        "pulumi-quotatree:index:QuotaTree",
        "pulumi-quotatree:index:QuotaTreeInstallation",
    }


def test_every_field_is_described(schema):
    silent = [
        f"{name}.{field}"
        for part in ("resources", "types")
        for name, found in schema[part].items()
        for key in ("inputProperties", "properties")
        for field, said in found.get(key, {}).items()
        if not said.get("description")
    ]
    assert silent == []


def test_every_component_and_type_is_described(schema):
    found = {**schema["resources"], **schema["types"]}
    assert [name for name, said in found.items() if not said.get("description")] == []


def test_nodes_hold_nodes(schema):
    node = schema["types"]["pulumi-quotatree:index:NodeArgs"]
    children = node["properties"]["children"]
    assert children["additionalProperties"]["$ref"] == "#/types/pulumi-quotatree:index:NodeArgs"


def test_amounts_may_be_outputs_and_the_shape_may_not(schema):
    node = schema["types"]["pulumi-quotatree:index:NodeArgs"]["properties"]
    assert "plain" not in node["hard"]
    assert "plain" not in node["hard"]["additionalProperties"]
    assert node["children"]["plain"] is True
    assert node["lifecycle"]["plain"] is True


def test_nothing_is_required_but_what_names_things(schema):
    required = {name: set(found.get("required", ())) for name, found in schema["types"].items()}
    assert required == {
        "pulumi-quotatree:index:ListedNodeArgs": {"namespace"},
        "pulumi-quotatree:index:NodeArgs": set(),
        "pulumi-quotatree:index:QuotaArgs": {"name"},
        "pulumi-quotatree:index:ScopeSelectorArgs": {"matchExpressions"},
        "pulumi-quotatree:index:ScopeTermArgs": {"scopeName", "operator"},
    }


def test_the_package_says_that_it_brings_no_provider_binary():
    plugin = ROOT / "src/pulumi_quotatree/pulumi-plugin.json"
    assert json.loads(plugin.read_text()) == {"resource": False}


def test_the_folder_is_a_plugin_in_python():
    plugin = yaml.safe_load((ROOT / "PulumiPlugin.yaml").read_text())
    assert plugin["runtime"]["name"] == "python"
