"""QuotaTree: what is registered, with which options, in which order."""

import pulumi
import pytest
from recording import later, run

from pulumi_quotatree import QuotaTree, TreeError

NESTED = {
    "org": {
        "hard": {"cpu": "200", "memory": "800Gi", "requests.nvidia.com/gpu": "64"},
        "children": {
            "vision": {
                "hard": {"requests.nvidia.com/gpu": "32"},
                "guaranteed": {"requests.nvidia.com/gpu": "16"},
                "annotations": {"quotatree.dev/allow-cascading-deletion": "true"},
                "children": {
                    "ai-pipeline": {
                        "hard": {"cpu": "20", "memory": "100Gi"},
                        "lifecycle": "Owned",
                        "labels": {"stage": "prod"},
                    },
                    "scratch": None,
                    "batch": {
                        "quotas": [
                            {
                                "name": "best-effort",
                                "hard": {"pods": "100"},
                                "scopes": ["BestEffort"],
                            }
                        ]
                    },
                },
            }
        },
    }
}

LISTED = [
    {"namespace": "scratch", "parent": "vision"},
    {
        "namespace": "ai-pipeline",
        "parent": "vision",
        "hard": {"cpu": "20", "memory": "100Gi"},
        "lifecycle": "Owned",
        "labels": {"stage": "prod"},
    },
    {
        "namespace": "org",
        "hard": {"cpu": "200", "memory": "800Gi", "requests.nvidia.com/gpu": "64"},
    },
    {
        "namespace": "vision",
        "parent": "org",
        "hard": {"requests.nvidia.com/gpu": "32"},
        "guaranteed": {"requests.nvidia.com/gpu": "16"},
        "annotations": {"quotatree.dev/allow-cascading-deletion": "true"},
    },
    {
        "namespace": "batch",
        "parent": "vision",
        "quotas": [{"name": "best-effort", "hard": {"pods": "100"}, "scopes": ["BestEffort"]}],
    },
]

TEXT = """\
apiVersion: quotatree.dev/v1alpha1
kind: Tree
tree:
  org:
    hard: {cpu: "200", memory: 800Gi, requests.nvidia.com/gpu: "64"}
    children:
      vision:
        hard: {requests.nvidia.com/gpu: "32"}
        guaranteed: {requests.nvidia.com/gpu: "16"}
        annotations: {quotatree.dev/allow-cascading-deletion: "true"}
        children:
          ai-pipeline:
            hard: {cpu: "20", memory: 100Gi}
            lifecycle: Owned
            labels: {stage: prod}
          scratch:
          batch:
            quotas:
            - {name: best-effort, hard: {pods: "100"}, scopes: [BestEffort]}
"""

CRD = "lab-needs-quotatree-installed"


MADE_BY = "quotatree.dev/made-by"


def made(args=None, **options):
    def program():
        return QuotaTree("lab", args or {"tree": NESTED}, pulumi.ResourceOptions(**options))

    return run(program)


def shape(ran):
    return {(it.type, it.name): it.inputs for it in ran.monitor.found}


def test_the_component_has_the_type_of_the_package():
    assert made()["lab"].type == "pulumi-quotatree:index:QuotaTree"


def test_everything_belongs_to_the_component():
    ran = made()
    parents = {it.parent for it in ran.monitor.found if it.name != "lab"}
    assert parents == {"lab"}


def test_a_namespace_carries_its_parent_lifecycle_and_own_labels():
    assert made()["lab-ai-pipeline"].metadata["labels"] == {
        "quotatree.dev/parent": "vision",
        "quotatree.dev/lifecycle": "Owned",
        "stage": "prod",
    }


def test_a_root_has_no_parent():
    assert made()["lab-org"].metadata["labels"] == {}


def test_a_treequota_is_awaited_by_its_condition():
    quota = made()["lab-vision.quota"]
    assert quota.type == "kubernetes:quotatree.dev/v1alpha1:TreeQuota"
    assert quota.inputs["spec"] == {
        "hard": {"requests.nvidia.com/gpu": "32"},
        "guaranteed": {"requests.nvidia.com/gpu": "16"},
    }
    assert quota.metadata == {
        "name": "quota",
        "namespace": "vision",
        "annotations": {"pulumi.com/waitFor": '["condition=Ready", "condition=GuaranteeGranted"]'},
    }


def test_without_a_guarantee_none_is_awaited():
    wait = made()["lab-ai-pipeline.quota"].metadata["annotations"]["pulumi.com/waitFor"]
    assert wait == "condition=Ready"


def test_scoped_quotas_keep_their_names():
    quota = made()["lab-batch.best-effort"]
    assert quota.inputs["spec"] == {"hard": {"pods": "100"}, "scopes": ["BestEffort"]}


def test_a_namespace_without_a_quota_is_awaited_by_its_label():
    wait = made()["lab-scratch"].metadata["annotations"]["pulumi.com/waitFor"]
    assert wait == "jsonpath={.metadata.labels['quotatree.dev/enforced']}=true"


def test_a_namespace_with_a_quota_is_not_awaited_itself():
    assert made()["lab-vision"].metadata["annotations"] == {
        "quotatree.dev/allow-cascading-deletion": "true",
        MADE_BY: "project/stack/lab-vision",
    }


def test_a_namespace_waits_for_the_quotas_of_its_parent():
    ran = made()
    assert ran["lab-vision"].needs == {"lab-org.quota"}
    assert ran["lab-ai-pipeline"].needs == {"lab-vision.quota"}
    assert ran["lab-vision.quota"].needs == {"lab-vision"}


def test_between_a_child_and_its_parent_stand_the_quotas_of_the_parent():
    # Deletion is this order backwards.
    needs = made().monitor.all_needs("lab-ai-pipeline.quota")
    assert needs == {
        "lab-ai-pipeline",
        "lab-vision.quota",
        "lab-vision",
        "lab-org.quota",
        "lab-org",
        CRD,
    }


def test_below_a_namespace_without_quotas_the_namespace_itself_is_awaited():
    ran = made({"tree": {"a": {"children": {"b": None}}}})
    assert ran["lab-b"].needs == {"lab-a"}


def test_only_what_is_awaited_has_a_time_limit_and_deletion_has_none():
    ran = made({"tree": NESTED, "timeout_seconds": 45})
    limits = ran["lab-org.quota"].request.customTimeouts
    assert (limits.create, limits.update, limits.delete) == ("45s", "45s", "")
    assert ran["lab-scratch"].request.customTimeouts.create == "45s"
    assert ran["lab-org"].request.customTimeouts.create == ""


@pytest.mark.parametrize("args", [{"nodes": LISTED}, {"text": TEXT}], ids=["list", "text"])
def test_every_form_of_a_tree_gives_the_same_resources(args):
    assert shape(made(args)) == shape(made())


def test_a_file_gives_the_same_resources(tmp_path):
    path = tmp_path / "quotatree.yaml"
    path.write_text(TEXT)
    assert shape(made({"file": str(path)})) == shape(made())


def test_the_names_come_by_path():
    ran = run(lambda: QuotaTree("lab", {"tree": NESTED}).namespaces)
    assert ran.result == {
        "org": "org",
        "org/vision": "vision",
        "org/vision/ai-pipeline": "ai-pipeline",
        "org/vision/scratch": "scratch",
        "org/vision/batch": "batch",
    }
    assert ran.monitor.outputs["lab"] == {"namespaces": ran.result}


def test_a_name_is_known_at_preview():
    ran = run(lambda: QuotaTree("lab", {"tree": NESTED}).namespace("vision"), preview=True)
    assert ran.result == "vision"


def test_who_uses_a_name_waits_for_the_quota():
    def program():
        tree = QuotaTree("lab", {"tree": NESTED})
        pulumi.CustomResource("test:index:Job", "job", {"namespace": tree.namespace("ai-pipeline")})

    ran = run(program)
    assert ran["job"].needs == {"lab-ai-pipeline.quota"}
    assert ran["job"].inputs == {"namespace": "ai-pipeline"}


def test_who_depends_on_the_component_waits_for_all_of_it():
    def program():
        tree = QuotaTree("lab", {"tree": NESTED})
        opts = pulumi.ResourceOptions(depends_on=[tree])
        pulumi.CustomResource("test:index:Job", "job", {}, opts)

    ran = run(program)
    quotas = set(ran.monitor.names(":TreeQuota"))
    assert quotas | set(ran.monitor.names(":Namespace")) <= ran["job"].needs


def test_a_name_that_is_not_in_the_tree_is_told():
    with pytest.raises(
        TreeError, match=r'no namespace "visoin" in this tree.*did you mean "vision"'
    ):
        run(lambda: QuotaTree("lab", {"tree": NESTED}).namespace("visoin"))


def test_an_empty_tree_makes_nothing():
    ran = run(lambda: QuotaTree("lab", {"tree": {}}).namespaces)
    assert ran.result == {}
    assert {it.name for it in ran.monitor.found} == {"lab", CRD}


# -- parents outside, adoption, protection -------------------------------------------------------


def test_roots_can_be_put_under_a_namespace_outside():
    ran = made({"tree": {"a": {"lifecycle": "Owned"}}, "parent": "org"})
    assert ran["lab-a"].metadata["labels"] == {
        "quotatree.dev/parent": "org",
        "quotatree.dev/lifecycle": "Owned",
    }
    assert "pulumi.com/waitFor" in ran["lab-a"].metadata["annotations"]


def test_roots_wait_for_a_parent_that_is_an_output():
    def program():
        org = QuotaTree("org", {"tree": {"org": {"hard": {"cpu": "9"}}}})
        QuotaTree("lab", {"tree": {"a": None}, "parent": org.namespace("org")})

    ran = run(program)
    assert ran["lab-a"].metadata["labels"] == {"quotatree.dev/parent": "org"}
    assert "org-org.quota" in ran["lab-a"].needs


def test_an_adopted_namespace_is_patched_and_must_exist():
    ran = made({"tree": NESTED, "adopt": ["vision"]})
    patch = ran["lab-vision"]
    assert MADE_BY not in patch.metadata["annotations"]
    assert patch.type == "kubernetes:core/v1:NamespacePatch"
    assert patch.inputs["kind"] == "Namespace"
    assert patch.needs == {"lab-org.quota", "lab-vision-must-exist-to-be-adopted"}
    look = ran["lab-vision-must-exist-to-be-adopted"]
    assert (look.read, look.type, look.request.id) == (
        True,
        "kubernetes:core/v1:Namespace",
        "vision",
    )
    assert ran["lab-org"].type == "kubernetes:core/v1:Namespace"


def test_nothing_is_adopted_unless_asked_for():
    assert made().monitor.names("Patch") == []


def test_a_namespace_says_who_made_it_and_that_stays():
    note = made()["lab-org"]
    assert note.metadata["annotations"] == {MADE_BY: "project/stack/lab-org"}
    assert list(note.request.ignoreChanges) == [f'metadata.annotations["{MADE_BY}"]']


def test_an_adopted_namespace_that_is_absent_stops_the_program():
    with pytest.raises(Exception, match="lab-org-must-exist-to-be-adopted"):
        run(lambda: QuotaTree("lab", {"tree": {"org": None}, "adopt": ["org"]}), absent=("org",))


def test_protection_covers_namespaces_with_children():
    ran = made({"tree": NESTED, "protect": True})
    protected = {it.name for it in ran.monitor.found if it.protect}
    assert protected == {"lab-org", "lab-vision"}


def test_nothing_is_protected_by_default():
    assert not any(it.protect for it in made().monitor.found)


# -- the installation ---------------------------------------------------------------------------


def test_the_kind_is_looked_for_before_anything_is_made():
    ran = made()
    look = ran[CRD]
    assert (look.read, look.request.id) == (True, "treequotas.quotatree.dev")
    assert look.inputs == {}
    assert ran["lab-org"].needs == {CRD}


def test_without_the_kind_the_program_stops_and_says_what_it_needs():
    with pytest.raises(Exception, match=CRD):
        run(lambda: QuotaTree("lab", {"tree": {"a": None}}), absent=("treequotas.quotatree.dev",))


def test_the_look_can_be_left_out():
    ran = made({"tree": {"a": None}, "check_installation": False})
    assert [it.name for it in ran.monitor.found if it.read] == []
    assert ran["lab-a"].needs == set()


def test_the_look_waits_for_an_installation_of_the_same_program():
    def program():
        QuotaTree("lab", {"tree": {"a": None}, "installation": later("quotatree.dev/v1alpha1")})

    ran = run(program)
    assert ran[CRD].needs == {"source"}
    assert ran["lab-a"].needs == {"source", CRD}


# -- options -----------------------------------------------------------------------------------


def test_the_provider_of_the_component_is_that_of_its_children():
    def program():
        provider = pulumi.ProviderResource("kubernetes", "mine", {})
        QuotaTree("lab", {"tree": NESTED}, pulumi.ResourceOptions(providers=[provider]))

    ran = run(program)
    children = [it for it in ran.monitor.found if it.type.startswith("kubernetes:")]
    assert all("::mine::" in it.request.provider for it in children)


def test_what_the_component_depends_on_comes_before_all_of_it():
    def program():
        first = pulumi.CustomResource("test:index:First", "first", {})
        opts = pulumi.ResourceOptions(depends_on=[first])
        QuotaTree("lab", {"tree": NESTED}, opts)

    ran = run(program)
    assert ran[CRD].needs == {"first"}
    assert ran["lab-org"].needs == {"first", CRD}


def test_the_version_is_that_of_the_users_provider_package():
    from importlib.metadata import version

    children = [it for it in made().monitor.found if it.type.startswith("kubernetes:")]
    assert {it.request.version for it in children} == {version("pulumi-kubernetes")}


def test_a_renamed_component_carries_its_children():
    # The engine renames children with their component where their names begin with its own.
    ran = made(aliases=[pulumi.Alias(name="old")])
    assert [alias.spec.name for alias in ran["lab"].request.aliases] == ["old"]
    assert all(it.name.startswith("lab-") for it in ran.monitor.found if it.parent == "lab")


def test_no_two_quotas_come_to_one_name():
    quotas = [{"name": "b-quota", "hard": {"pods": "1"}}]
    ran = made({"tree": {"a": {"quotas": quotas}, "a-b": {"hard": {"pods": "1"}}}})
    names = [it.name for it in ran.monitor.found]
    assert len(names) == len(set(names))


# -- the controller's fields -----------------------------------------------------------------------


def test_no_field_of_the_controller_is_ever_named():
    ran = made()
    for namespace in ran.monitor.of_type(":Namespace"):
        if namespace.read:
            continue
        assert set(namespace.inputs) == {"apiVersion", "kind", "metadata"}
        assert set(namespace.metadata) == {"name", "labels", "annotations"}
        keys = {*namespace.metadata["labels"], *namespace.metadata["annotations"]}
        assert {key for key in keys if "quotatree.dev" in key} <= {
            "quotatree.dev/parent",
            "quotatree.dev/lifecycle",
            "quotatree.dev/allow-cascading-deletion",
            MADE_BY,
        }
    for quota in ran.monitor.of_type(":TreeQuota"):
        assert set(quota.inputs) == {"apiVersion", "kind", "metadata", "spec"}
