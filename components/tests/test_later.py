"""Values that are Outputs: judged when they are known, and carried to what waits for them."""

import pulumi
import pytest
from pulumi.output import Unknown
from recording import later, run, unknown

from pulumi_quotatree import PipelineNamespace, QuotaTree, TreeError


def tree(node, **args):
    """Return a program; what is callable is made inside of it, as Outputs have to be."""

    def program():
        given = {key: value() for key, value in args.items()}
        return QuotaTree("lab", {"tree": {"org": node() if callable(node) else node}, **given})

    return program


def test_an_amount_can_be_an_output():
    ran = run(tree(lambda: {"hard": {"cpu": later("20"), "memory": "1Gi"}}))
    quota = ran["lab-org.quota"]
    assert quota.inputs["spec"] == {"hard": {"cpu": "20", "memory": "1Gi"}}
    assert quota.needs == {"lab-org", "source"}


def test_only_what_needs_the_output_waits_for_it():
    ran = run(tree(lambda: {"hard": {"cpu": later("20")}, "labels": {"a": "b"}}))
    assert "source" not in ran["lab-org"].needs
    assert ran["lab-org"].metadata["labels"] == {"a": "b"}


def test_all_amounts_together_can_be_an_output():
    ran = run(tree(lambda: {"hard": later({"cpu": "20"})}))
    assert ran["lab-org.quota"].inputs["spec"] == {"hard": {"cpu": "20"}}


def test_an_amount_can_be_awaited():
    async def amount():
        return "20"

    ran = run(tree(lambda: {"hard": {"cpu": amount()}}))
    assert ran["lab-org.quota"].inputs["spec"] == {"hard": {"cpu": "20"}}


@pytest.mark.parametrize(
    ("guaranteed", "want"),
    [
        ({"cpu": "2"}, '["condition=Ready", "condition=GuaranteeGranted"]'),
        ({}, "condition=Ready"),
    ],
    ids=["some", "none"],
)
def test_a_guarantee_is_awaited_once_it_is_known_to_be_one(guaranteed, want):
    ran = run(tree(lambda: {"hard": {"cpu": "5"}, "guaranteed": later(guaranteed)}))
    assert ran["lab-org.quota"].metadata["annotations"]["pulumi.com/waitFor"] == want


def test_labels_and_annotations_can_be_outputs():
    def program():
        node = {
            "labels": {"team": later("vision", "label")},
            "annotations": later({"owner": "ann"}, "annotation"),
        }
        QuotaTree("lab", {"tree": {"org": {"children": {"a": node}}}})

    ran = run(program)
    assert ran["lab-a"].metadata["labels"] == {"team": "vision", "quotatree.dev/parent": "org"}
    assert ran["lab-a"].metadata["annotations"]["owner"] == "ann"
    assert "pulumi.com/waitFor" in ran["lab-a"].metadata["annotations"]
    assert {"label", "annotation"} <= ran["lab-a"].needs


def test_amounts_deep_in_a_list_of_nodes_find_their_place():
    def program():
        nodes = [
            {"namespace": "c", "parent": "b", "hard": {"cpu": later("1")}},
            {"namespace": "b", "parent": "a"},
            {"namespace": "a", "quotas": [{"name": "x", "hard": {"pods": later("7", "pods")}}]},
        ]
        QuotaTree("lab", {"nodes": nodes})

    ran = run(program)
    assert ran["lab-c.quota"].inputs["spec"] == {"hard": {"cpu": "1"}}
    assert ran["lab-a.x"].inputs["spec"] == {"hard": {"pods": "7"}}


def test_what_is_unknown_at_preview_is_unknown_and_passes():
    ran = run(tree(lambda: {"hard": {"cpu": unknown()}}), preview=True)
    assert isinstance(ran["lab-org.quota"].inputs["spec"], Unknown)
    assert ran["lab-org.quota"].metadata["namespace"] == "org"


def test_an_unknown_parent_is_unknown_and_passes():
    ran = run(tree({"hard": {"cpu": "1"}}, parent=unknown), preview=True)
    assert isinstance(ran["lab-org"].metadata["labels"]["quotatree.dev/parent"], Unknown)


def test_an_unknown_installation_is_looked_for_later():
    ran = run(tree({"hard": {"cpu": "1"}}, installation=unknown), preview=True)
    assert ran["lab-needs-quotatree-installed"].request.id != "treequotas.quotatree.dev"


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (None, r'tree\.org\.hard\["cpu"\]: must be a quantity.*is nothing'),
        ("-1", r'tree\.org\.hard\["cpu"\]: must not be negative, is -1'),
        ("20 cores", r'tree\.org\.hard\["cpu"\]: .*20 cores'),
        ({"x": "y"}, r'tree\.org\.hard\["cpu"\]: must be a quantity.*is a map'),
    ],
    ids=["none", "negative", "no quantity", "a map"],
)
@pytest.mark.parametrize("preview", [True, False], ids=["preview", "up"])
def test_a_bad_amount_is_told_as_soon_as_it_is_known(value, want, preview):
    program = tree(lambda: {"hard": {"cpu": pulumi.Output.from_input(value)}})
    with pytest.raises(TreeError, match=want):
        run(program, preview=preview)


def test_amounts_that_turn_out_to_be_nothing_at_all_are_told():
    with pytest.raises(TreeError, match=r"tree\.org\.hard: must be a map.*is nothing"):
        run(tree(lambda: {"hard": pulumi.Output.from_input(None)}))


def test_a_guarantee_that_turns_out_not_to_fit_is_told():
    node = lambda: {  # noqa: E731
        "hard": {"cpu": later("10")},
        "children": {"a": {"guaranteed": {"cpu": "11"}}},
    }
    with pytest.raises(TreeError, match=r'tree\.org\.hard\["cpu"\]: guarantees of 11 do not fit'):
        run(tree(node))


def test_a_limit_that_turns_out_never_to_bite_is_told_once():
    node = lambda: {  # noqa: E731
        "hard": {"cpu": later("10")},
        "children": {"a": {"hard": {"cpu": "11"}}, "b": {"hard": {"cpu": later("1", "b")}}},
    }
    ran = run(tree(node, strict=lambda: False))
    assert len(ran.warnings) == 1
    assert 'tree.org.children.a.hard["cpu"]' in ran.warnings[0]


def test_a_parent_that_turns_out_to_be_none_is_told():
    with pytest.raises(TreeError, match="parent: must be the name of a namespace, is nothing"):
        run(tree({"hard": {"cpu": "1"}}, parent=lambda: pulumi.Output.from_input(None)))


def test_defaults_of_a_pipeline_can_be_outputs():
    def program():
        PipelineNamespace(
            "etl",
            {
                "hard": {"limits.cpu": later("20")},
                "default_requests": {"cpu": later("2", "request")},
            },
        )

    ran = run(program)
    (limits,) = ran["etl-defaults"].inputs["spec"]["limits"]
    assert limits["defaultRequest"] == {"cpu": "2", "memory": "128Mi"}
    assert limits["default"] == {"cpu": "2"}
