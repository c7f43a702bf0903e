"""What uninstall takes off a Namespace, and what it names as left."""

from quotatree.cli import plan_uninstall


def namespace(**metadata):
    return {"metadata": {"name": "a", "uid": "u1", "resourceVersion": "7", **metadata}}


def test_everything_of_ours_goes_in_one_write_and_nothing_else():
    patch = plan_uninstall.cleaned(
        namespace(
            labels={
                "quotatree.dev/parent": "b",
                "quotatree.dev/lifecycle": "Owned",
                "quotatree.dev/enforced": "true",
                "quotatree.dev/applied": "b",
                "b.tree.quotatree.dev/depth": "1",
                "stage": "prod",
            },
            annotations={
                "quotatree.dev/children": "1",
                "quotatree.dev/allow-cascading-deletion": "true",
                "note": "x",
            },
            finalizers=["quotatree.dev/has-children", "other.dev/x"],
            ownerReferences=[
                {"apiVersion": "v1", "kind": "Namespace", "name": "b", "uid": "u"},
                {"apiVersion": "x.dev/v1", "kind": "Project", "name": "p", "uid": "v"},
            ],
        )
    )
    assert patch == {
        "metadata": {
            "uid": "u1",
            "resourceVersion": "7",
            "labels": dict.fromkeys(
                [
                    "quotatree.dev/parent",
                    "quotatree.dev/lifecycle",
                    "quotatree.dev/enforced",
                    "quotatree.dev/applied",
                    "b.tree.quotatree.dev/depth",
                ]
            ),
            "annotations": dict.fromkeys(
                ["quotatree.dev/children", "quotatree.dev/allow-cascading-deletion"]
            ),
            "finalizers": ["other.dev/x"],
            "ownerReferences": [
                {"apiVersion": "x.dev/v1", "kind": "Project", "name": "p", "uid": "v"}
            ],
        }
    }


def test_a_namespace_without_anything_of_ours_is_not_written():
    foreign = namespace(
        labels={"stage": "prod"},
        annotations={"note": "x"},
        finalizers=["kubernetes"],
        ownerReferences=[{"apiVersion": "x.dev/v1", "kind": "Project", "name": "p", "uid": "v"}],
    )
    assert plan_uninstall.cleaned(foreign) is None
    assert plan_uninstall.cleaned(namespace()) is None


def test_keys_alone_are_taken_off_whatever_else_has_changed():
    patch = plan_uninstall.cleaned(namespace(labels={"quotatree.dev/parent": "b"}))
    assert patch == {"metadata": {"uid": "u1", "labels": {"quotatree.dev/parent": None}}}


def test_what_is_left_is_named_by_the_commands_that_remove_it():
    left = [
        ("namespaces", "quotatree-system", None),
        ("roles.rbac.authorization.k8s.io", "quotatree", "quotatree-system"),
        ("roles.rbac.authorization.k8s.io", "quotatree", "kube-system"),
        ("customresourcedefinitions.apiextensions.k8s.io", "treequotas.quotatree.dev", None),
    ]
    assert plan_uninstall.removal_commands(left) == [
        "kubectl delete customresourcedefinitions.apiextensions.k8s.io treequotas.quotatree.dev",
        "kubectl delete namespaces quotatree-system",
        "kubectl delete roles.rbac.authorization.k8s.io quotatree -n kube-system",
    ]


def test_who_leads_is_read_from_the_lease():
    lease = {"spec": {"holderIdentity": "one", "renewTime": "now"}}
    assert (plan_uninstall.holder(lease), plan_uninstall.renewed(lease)) == ("one", "now")
    assert (plan_uninstall.holder(None), plan_uninstall.renewed({"spec": None})) == ("", "")
