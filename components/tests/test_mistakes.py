"""One clear error for each mistake: it names the component, the node and what to do."""

import pulumi
import pytest
from recording import run

from pulumi_quotatree import PipelineNamespace, QuotaTree, QuotaTreeInstallation, TreeError
from quotatree.errors import InputError

ITSELF = {"hard": {"cpu": "1"}, "children": {}}
ITSELF["children"]["deeper"] = {"children": {"again": ITSELF}}


def out(value="20"):
    return pulumi.Output.from_input(value)


def node(**fields):
    return {"tree": {"org": {"children": {"vision": fields}}}}


VISION = "tree.org.children.vision"

TREES = {
    "misspelt resource": (
        lambda: node(hard={"memroy": "1Gi"}),
        (
            f"{VISION}.hard[\"memroy\"]: 'memroy' is no resource that a quota counts; "
            "did you mean 'memory'?"
        ),
    ),
    "a device without requests.": (
        lambda: node(hard={"nvidia.com/gpu": "1"}),
        "did you mean 'requests.nvidia.com/gpu'?",
    ),
    "negative amount": (
        lambda: node(hard={"cpu": "-1"}),
        f'{VISION}.hard["cpu"]: must not be negative, is -1',
    ),
    "half a pod": (
        lambda: node(hard={"pods": "500m"}),
        f'{VISION}.hard["pods"]: pods is counted in whole numbers, is 500m',
    ),
    "no quantity": (lambda: node(hard={"cpu": "20 cores"}), f'{VISION}.hard["cpu"]'),
    "a float": (
        lambda: node(hard={"cpu": 0.1}),
        f'{VISION}.hard["cpu"]: must be a quantity, is the rounded number 0.1',
    ),
    "amount of None": (
        lambda: node(hard={"cpu": None}),
        f'{VISION}.hard["cpu"]: must be a quantity',
    ),
    "a list of amounts": (
        lambda: node(hard=["cpu"]),
        f"{VISION}.hard: must be a map of resource names",
    ),
    "guarantee above its own hard": (
        lambda: node(hard={"cpu": "1"}, guaranteed={"cpu": "2"}),
        f'{VISION}.guaranteed["cpu"]: guarantees 2, above the ceiling 1',
    ),
    "guarantees that do not fit together": (
        lambda: {
            "tree": {
                "org": {
                    "hard": {"cpu": "30"},
                    "children": {
                        "vision": {"guaranteed": {"requests.cpu": "16"}},
                        "language": {"guaranteed": {"cpu": "15"}},
                    },
                }
            }
        },
        (
            'tree.org.hard["cpu"]: guarantees of 31 do not fit into 30; '
            "language keeps 15, vision keeps 16 (lower a guarantee, or raise the hard of org)"
        ),
    ),
    "a guarantee that does not fit two levels up": (
        lambda: {
            "tree": {
                "org": {
                    "hard": {"cpu": "4"},
                    "children": {"a": {"children": {"b": {"guaranteed": {"cpu": "5"}}}}},
                }
            }
        },
        'tree.org.hard["cpu"]: guarantees of 5 do not fit into 4; a keeps 5',
    ),
    "a child beyond its parent": (
        lambda: {
            "tree": {
                "org": {
                    "hard": {"requests.cpu": "10"},
                    "children": {"vision": {"hard": {"cpu": "20"}}},
                }
            },
        },
        (
            f'{VISION}.hard["cpu"]: 20 is more than the 10 of org above it; the tightest wins '
            "(lower it, or raise org)"
        ),
    ),
    "no name for a namespace": (
        lambda: {"tree": {"Org": None}},
        'tree.Org: "Org" is no name for a namespace',
    ),
    "a namespace of the cluster": (
        lambda: {"tree": {"kube-system": None}},
        "belongs to the cluster itself",
    ),
    "one namespace in two places": (
        lambda: {"tree": {"a": {"children": {"b": None}}, "b": None}},
        'tree.b: namespace "b" has a second place in the tree (its first is tree.a.children.b',
    ),
    "a tree that contains itself": (
        lambda: {"tree": {"org": ITSELF}},
        "contains itself: a namespace cannot be below itself",
    ),
    "a tree too deep": (
        lambda: {"tree": deep(60)},
        "nested more than 100 deep",
    ),
    "unknown key": (
        lambda: node(hrad={"cpu": "1"}),
        f'{VISION}.hrad: unknown key "hrad" (did you mean "hard"?)',
    ),
    "a key that is no text": (
        lambda: node(hard={1: "1"}),
        f"{VISION}.hard: a key must be a text, is 1",
    ),
    "a label of the controller": (
        lambda: node(labels={"quotatree.dev/enforced": "true"}),
        "quotatree.dev/enforced is not for files (remove it: the controller writes it)",
    ),
    "the parent as a label": (
        lambda: node(labels={"quotatree.dev/parent": "org"}),
        "put the namespace among the children of its parent",
    ),
    "no value for a label": (
        lambda: node(labels={"team": "a team"}),
        '"a team" is no value for a label',
    ),
    "a label of None": (lambda: node(labels={"team": None}), f'{VISION}.labels["team"]'),
    "a root that is owned": (
        lambda: {"tree": {"org": {"lifecycle": "Owned"}}},
        "a root has no parent that could own it",
    ),
    "unknown lifecycle": (lambda: node(lifecycle="Owend"), 'did you mean "Owned"?'),
    "unknown scope": (
        lambda: node(quotas=[{"name": "x", "hard": {"pods": "1"}, "scopes": ["BestEfort"]}]),
        f'{VISION}.quotas[0].scopes[0]: unknown scope "BestEfort" (did you mean "BestEffort"?)',
    ),
    "two quotas of one name": (
        lambda: node(quotas=[{"name": "x", "hard": {"pods": "1"}}] * 2),
        f'{VISION}.quotas[1].name: the name "x" is taken',
    ),
    "a quota without a name": (
        lambda: node(quotas=[{"hard": {"pods": "1"}}]),
        f"{VISION}.quotas[0].name: is missing",
    ),
    "a tree that is an Output": (
        lambda: {"tree": out({"org": None})},
        (
            'QuotaTree "lab": tree: is an Output, and has to be known when the program starts '
            "(amounts, labels and annotations may be Outputs, what the tree looks like may not)"
        ),
    ),
    "a node that is an Output": (
        lambda: {"tree": {"org": out({})}},
        "tree.org: is an Output, and has to be known when the program starts",
    ),
    "a lifecycle that is an Output": (
        lambda: node(lifecycle=out("Owned")),
        f"{VISION}.lifecycle: is an Output",
    ),
    "the whole tree as an Output": (lambda: {"tree": out({})}, "tree: is an Output"),
    "something that is no data": (
        lambda: node(hard={"cpu": object()}),
        f'{VISION}.hard["cpu"]: must be plain data, is a object',
    ),
    "a tree that is a list": (lambda: {"tree": ["org"]}, "tree: must be a map of namespaces"),
    # -- lists of nodes -------------------------------------------------------------------
    "cycle": (
        lambda: {
            "nodes": [
                {"namespace": "a", "parent": "c"},
                {"namespace": "b", "parent": "a"},
                {"namespace": "c", "parent": "b"},
            ]
        },
        (
            'nodes[0].parent: namespace "a" is below itself: a > b > c > a '
            "(give one of them another parent, or none)"
        ),
    ),
    "its own parent": (
        lambda: {"nodes": [{"namespace": "a", "parent": "a"}]},
        'nodes[0].parent: namespace "a" is below itself: a > a',
    ),
    "unknown parent": (
        lambda: {"nodes": [{"namespace": "vision"}, {"namespace": "a", "parent": "visoin"}]},
        (
            'nodes[1].parent: namespace "a" names the parent "visoin", which is not in the list '
            '(did you mean "vision"?)'
        ),
    ),
    "unknown parent, nothing like it": (
        lambda: {"nodes": [{"namespace": "a", "parent": "elsewhere"}]},
        "for one outside of this tree use the tree's own `parent`",
    ),
    "listed twice": (
        lambda: {"nodes": [{"namespace": "a"}, {"namespace": "a"}]},
        'nodes[1].namespace: namespace "a" is listed twice (the first is nodes[0]; keep one)',
    ),
    "an entry without a namespace": (
        lambda: {"nodes": [{"hard": {"cpu": "1"}}]},
        "nodes[0].namespace: must be the name of a namespace, is nothing",
    ),
    "an entry with children": (
        lambda: {"nodes": [{"namespace": "a", "children": {"b": None}}]},
        "nodes[0].children: belongs to the nested form of a tree",
    ),
    "a parent in the list that is an Output": (
        lambda: {"nodes": [{"namespace": "a", "parent": out("b")}]},
        "nodes[0].parent: is an Output",
    ),
    "nodes that are no list": (lambda: {"nodes": {}}, "nodes: must be a list of nodes, is a map"),
    "an entry that is no map": (lambda: {"nodes": ["a"]}, "nodes[0]: must be a map with namespace"),
    # -- arguments ------------------------------------------------------------------------
    "no tree at all": (
        dict,
        "needs exactly one of tree, nodes, file, text; it has none of them",
    ),
    "two trees": (
        lambda: {"tree": {}, "text": ""},
        "it has tree and text",
    ),
    "unknown argument": (
        lambda: {"tre": {}},
        'tre: is no argument (did you mean "tree"?)',
    ),
    "no arguments": (lambda: None, "args: must be a map, is nothing"),
    "adopting a stranger": (
        lambda: {"tree": {"vision": None}, "adopt": ["visoin"]},
        'adopt[0]: "visoin" is no namespace of this tree (did you mean "vision"?)',
    ),
    "a parent that is no name": (
        lambda: {"tree": {"a": None}, "parent": "My Org"},
        'parent: must be the name of a namespace, is the text "My Org"',
    ),
    "a parent of the cluster": (
        lambda: {"tree": {"a": None}, "parent": "kube-system"},
        "parent: namespace kube-system belongs to the cluster itself",
    ),
    "no time": (
        lambda: {"tree": {}, "timeout_seconds": 0},
        "timeout_seconds: must be a whole number from 1",
    ),
    "a flag that is an Output": (
        lambda: {"tree": {}, "strict": out(True)},
        "strict: must be true or false, is an Output",
    ),
    "a file that is absent": (
        lambda: {"file": "nowhere.yaml"},
        'file "nowhere.yaml": No such file or directory',
    ),
    "a text with a mistake": (
        lambda: {
            "text": "apiVersion: quotatree.dev/v1alpha1\nkind: Tree\ntree:\n  a: {hrad: {}}\n"
        },
        'text: line 4, column 7: tree.a.hrad: unknown key "hrad"',
    ),
}

PIPELINES = {
    "nothing limits it": (
        dict,
        "nothing limits this namespace (give it hard, guaranteed or a parent)",
    ),
    "misspelt resource": (
        lambda: {"hard": {"cpus": "1"}},
        "tree.etl.hard[\"cpus\"]: 'cpus' is no resource",
    ),
    "no name": (lambda: {"namespace": "ETL", "parent": "a"}, '"ETL" is no name for a namespace'),
    "a name that is an Output": (
        lambda: {"namespace": out("etl"), "parent": "a"},
        "namespace: must be a text that is known",
    ),
    "a default above its limit": (
        lambda: {
            "parent": "a",
            "default_requests": {"memory": "2Gi"},
            "default_limits": {"memory": "1Gi"},
        },
        'default_requests["memory"]: 2Gi is above the default limit 1Gi',
    ),
    "a default of no resource": (
        lambda: {"parent": "a", "default_requests": {"memroy": "2Gi"}},
        'default_requests["memroy"]: no container can ask for this (did you mean "memory"?)',
    ),
    "a default of no quantity": (
        lambda: {"parent": "a", "default_limits": {"cpu": "many"}},
        'default_limits["cpu"]: ',
    ),
    "an account that is no name": (
        lambda: {"parent": "a", "service_account": "My Account"},
        'service_account: "My Account" is no object name',
    ),
    "a role that is no name": (
        lambda: {"parent": "a", "role": "a/b"},
        "role: must be the name of a ClusterRole",
    ),
}

INSTALLATIONS = {
    "nothing to run": (dict, "image: needed for a controller inside the cluster"),
    "no TLS": (lambda: {"webhook_url": "http://x"}, "it must begin with https://"),
    "too slow": (
        lambda: {"image": "x", "usage_timeout_seconds": 31},
        "the API server takes whole seconds",
    ),
    "no replicas": (
        lambda: {"image": "x", "replicas": 0},
        "replicas: must be a whole number from 1 on",
    ),
    "unknown policy": (
        lambda: {"image": "x", "failure_policy": "Open"},
        'failure_policy: is the text "Open"',
    ),
    "a URL that is an Output": (
        lambda: {"webhook_url": out("https://x")},
        "webhook_url: must be a text that is known",
    ),
    "no name": (lambda: {"image": "x", "namespace": "A B"}, 'namespace: "A B" is no object name'),
}


def deep(levels):
    tree = None
    for level in range(levels):
        tree = {f"n{level}": {"children": tree}}
    return tree


def message_of(program):
    ran = []

    def inside():
        with pytest.raises(TreeError) as caught:
            program()
        ran.append(str(caught.value))

    found = run(inside)
    assert found.monitor.found == []
    return ran[0]


@pytest.mark.parametrize(("args", "want"), TREES.values(), ids=TREES)
def test_a_tree_that_cannot_be_is_told(args, want):
    message = message_of(lambda: QuotaTree("lab", args()))
    assert message.startswith('QuotaTree "lab": ')
    assert want in message


@pytest.mark.parametrize(("args", "want"), PIPELINES.values(), ids=PIPELINES)
def test_a_pipeline_that_cannot_be_is_told(args, want):
    message = message_of(lambda: PipelineNamespace("etl", args()))
    assert message.startswith('PipelineNamespace "etl": ')
    assert want in message


@pytest.mark.parametrize(("args", "want"), INSTALLATIONS.values(), ids=INSTALLATIONS)
def test_an_installation_that_cannot_be_is_told(args, want):
    message = message_of(lambda: QuotaTreeInstallation("q", args()))
    assert message.startswith('QuotaTreeInstallation "q": ')
    assert want in message


def test_all_mistakes_are_told_at_once():
    tree = {"tree": {"org": {"hard": {"cpu": "-1", "memroy": "1Gi"}, "lifecycle": "Owned"}}}
    message = message_of(lambda: QuotaTree("lab", tree))
    assert message.startswith('QuotaTree "lab": 3 mistakes:\n  ')


def test_the_error_ends_a_program_without_a_stack_trace():
    assert issubclass(TreeError, pulumi.RunError)
    assert issubclass(TreeError, InputError)


# -- warnings -------------------------------------------------------------------------------


def test_a_child_beyond_its_parent_can_be_a_warning():
    tree = {"org": {"hard": {"cpu": "10"}, "children": {"vision": {"hard": {"cpu": "20"}}}}}
    ran = run(lambda: QuotaTree("lab", {"tree": tree, "strict": False}))
    assert ran.warnings == [
        (
            'tree.org.children.vision.hard["cpu"]: 20 is more than the 10 of org above it; '
            "the tightest wins (lower it, or raise org)"
        )
    ]


def test_an_ownership_that_waits_for_its_parent_is_a_warning():
    tree = {"org": {"children": {"vision": {"lifecycle": "Owned"}}}}
    (warning,) = run(lambda: QuotaTree("lab", {"tree": tree})).warnings
    assert warning.startswith("tree.org.children.vision.lifecycle: Owned has no effect until org")


def test_a_tree_that_is_right_gives_no_warning():
    tree = {
        "org": {"hard": {"cpu": "10"}, "children": {"vision": {"hard": {"requests.cpu": "10"}}}}
    }
    assert run(lambda: QuotaTree("lab", {"tree": tree})).warnings == []


def test_a_limit_is_bounded_by_those_that_count_all_that_it_counts():
    def scoped(hard, scope):
        return {"quotas": [{"name": "x", "hard": {"pods": hard}, "scopes": [scope]}]}

    bounded = {"org": {"hard": {"pods": "5"}, "children": {"a": scoped("9", "BestEffort")}}}
    (warning,) = run(lambda: QuotaTree("lab", {"tree": bounded, "strict": False})).warnings
    assert "9 is more than the 5 of org above it" in warning
    others = {"org": scoped("5", "Terminating") | {"children": {"a": scoped("9", "BestEffort")}}}
    assert run(lambda: QuotaTree("lab", {"tree": others})).warnings == []
