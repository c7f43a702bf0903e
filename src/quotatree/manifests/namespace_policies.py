"""Policies on Namespace objects: who attaches, who marks, who owns, who deletes.

Labels, annotations, finalizers and ownerReferences of a Namespace can also be changed through its
subresources `status` and `finalize` (their strategies reset only `spec` or `status`), so every rule
here covers all three.
"""

from __future__ import annotations

from typing import Any, Final

from quotatree.manifests import cel, objects
from quotatree.manifests.quota_policies import binding, policy
from quotatree.manifests.settings import InstallSettings
from quotatree.model import names

TREE_LABELS: Final = "quotatree-tree-labels"
ATTACH: Final = "quotatree-attach"
OWNERS: Final = "quotatree-owners"
DELETION: Final = "quotatree-deletion"
MADE_BY: Final = "quotatree-made-by"

# The cluster must be able to repair itself whatever a tree above it says.
_NEVER_BELOW: Final = ("kube-system", "kube-public", "kube-node-lease")

_LABELS: Final = cel.variable("labels", cel.new("metadata.labels", "{}"))
_OLD_LABELS: Final = cel.variable("oldLabels", cel.old("metadata.labels", "{}"))
_ANNOTATIONS: Final = cel.variable("annotations", cel.new("metadata.annotations", "{}"))
_OLD_ANNOTATIONS: Final = cel.variable("oldAnnotations", cel.old("metadata.annotations", "{}"))
_NAME: Final = cel.variable("name", "(object == null ? oldObject : object).metadata.name")


def tree_labels(settings: InstallSettings) -> list[objects.Manifest]:
    """Return the guard of what the controller answers with on Namespaces.

    Managers pass, so that a backup with such labels can be restored; the controller puts right
    what they bring.
    """
    ours = f"(k.endsWith('{names.TREE_LABEL_SUFFIX}') || k == '{names.LABEL_ENFORCED}')"
    notes = cel.quoted((names.ANNOTATION_CHILDREN, names.ANNOTATION_HELD))
    finalizer = f"'{names.FINALIZER_PARENT}'"
    spec = {
        "matchConstraints": _constraints("CREATE", "UPDATE"),
        "matchConditions": [
            {"name": "not-the-controller", "expression": f"!({cel.by_controller(settings)})"}
        ],
        "variables": [
            _NAME,
            _LABELS,
            _OLD_LABELS,
            _ANNOTATIONS,
            _OLD_ANNOTATIONS,
            cel.variable(
                "changed",
                f"""
                variables.labels.filter(k, {ours}
                    && variables.oldLabels[?k] != optional.of(variables.labels[k]))
                  + variables.oldLabels.filter(k, {ours} && !(k in variables.labels))
                  + {notes}.filter(k, variables.annotations[?k] != variables.oldAnnotations[?k])
                  + (({finalizer} in object.metadata.?finalizers.orValue([]))
                     != (oldObject != null
                         && {finalizer} in oldObject.metadata.?finalizers.orValue([]))
                     ? [{finalizer}] : [])
                """,
            ),
        ],
        "validations": [
            cel.validation(
                f"variables.changed.size() == 0 || {cel.MANAGER}",
                message="labels, annotations and finalizers of the tree belong to quotatree",
                says="""
                variables.changed.join(', ') + ' on namespace ' + variables.name
                  + ': written by quotatree only; leave it as it is'
                """,
            )
        ],
    }
    return [
        policy(settings, TREE_LABELS, spec=spec),
        binding(settings, TREE_LABELS, of=TREE_LABELS),
    ]


def attach(settings: InstallSettings) -> list[objects.Manifest]:
    """Return the guard of the tree's edges, and of what they mean for deletion.

    Asking about the old parent as well keeps a tenant from leaving a limit by relabelling. Where
    there is none, the namespace itself is asked about: else anyone who may update Namespace objects
    could charge somebody else's to a limit of their own, and starve it.
    """
    protected = cel.quoted((*_NEVER_BELOW, settings.namespace))
    cascade = f"'{names.ANNOTATION_CASCADE}'"
    spec = {
        "matchConstraints": _constraints("CREATE", "UPDATE"),
        "variables": [
            _NAME,
            _ANNOTATIONS,
            _OLD_ANNOTATIONS,
            _label_variable("parent", "object", names.LABEL_PARENT),
            _label_variable("oldParent", "oldObject", names.LABEL_PARENT),
            _label_variable("lifecycle", "object", names.LABEL_LIFECYCLE),
            _label_variable("oldLifecycle", "oldObject", names.LABEL_LIFECYCLE),
        ],
        "validations": [
            cel.validation(
                f"""
                variables.parent == variables.oldParent || variables.parent.orValue('') == ''
                  || !(variables.name in {protected})
                """,
                message="the namespaces of the cluster itself cannot be put under a parent",
                says="""
                'namespace ' + variables.name + ' keeps the cluster itself running'
                  + ' and cannot be put under a parent'
                """,
            ),
            cel.validation(
                "variables.parent == variables.oldParent || variables.parent != optional.of('')",
                message=(
                    f"label {names.LABEL_PARENT} is empty; name a namespace or remove the label"
                ),
            ),
            _right_in(
                "parent", when="variables.parent != variables.oldParent", verb="put it under"
            ),
            _right_in(
                "oldParent", when="variables.parent != variables.oldParent", verb="take it from"
            ),
            cel.validation(
                f"""
                variables.parent == variables.oldParent || oldObject == null
                  || variables.oldParent.orValue('') != ''
                  || {cel.may_update_quotas("variables.name")}
                """,
                message="this needs the right to update treequotas in the namespace itself",
                says="""
                'namespace ' + variables.name + ' has had no parent; to give it one, '
                  + request.userInfo.username
                  + ' needs the right to update treequotas in namespace ' + variables.name
                """,
            ),
            _right_in(
                "parent",
                when=(
                    "variables.lifecycle != variables.oldLifecycle"
                    " && variables.parent == variables.oldParent"
                ),
                verb=f"change its label {names.LABEL_LIFECYCLE} under",
            ),
            cel.validation(
                f"""
                variables.annotations[?{cascade}] == variables.oldAnnotations[?{cascade}]
                  || {cel.may_update_quotas("variables.name")}
                  || {cel.by_controller(settings)}
                """,
                message=f"{names.ANNOTATION_CASCADE} needs the right to update treequotas there",
                says=f"""
                'to change annotation ' + {cascade} + ' on namespace ' + variables.name + ', '
                  + request.userInfo.username
                  + ' needs the right to update treequotas in namespace ' + variables.name
                """,
            ),
        ],
    }
    return [policy(settings, ATTACH, spec=spec), binding(settings, ATTACH, of=ATTACH)]


def owners(settings: InstallSettings) -> list[objects.Manifest]:
    """Return the guard against ownerReferences between Namespaces.

    The garbage collector takes an owner with another UID for absent and deletes the child, so not
    even a manager may bring one. Removing one needs the right in the parent, which the garbage
    collector has everywhere.
    """
    spec = {
        "matchConstraints": _constraints("CREATE", "UPDATE"),
        "matchConditions": [
            {"name": "not-the-controller", "expression": f"!({cel.by_controller(settings)})"}
        ],
        "variables": [
            _NAME,
            _owner_variable("owners", cel.new("metadata.ownerReferences", "[]")),
            _owner_variable("oldOwners", cel.old("metadata.ownerReferences", "[]")),
        ],
        "validations": [
            cel.validation(
                "variables.owners.all(it, it in variables.oldOwners)",
                message="a Namespace must not name another Namespace as its owner",
                says=f"""
                'namespace ' + variables.name + ' names another Namespace as its owner, and would'
                  + ' be deleted if that was ever re-created; remove metadata.ownerReferences and'
                  + ' set the label {names.LABEL_LIFECYCLE}: Owned instead'
                """,
            ),
            cel.validation(
                f"""
                variables.oldOwners.all(it, it in variables.owners
                  || {cel.may_update_quotas("it.split('/')[0]")})
                """,
                message="removing the owner of a Namespace needs the right in the parent",
                says=f"""
                'the ownerReference of namespace ' + variables.name + ' is written by quotatree;'
                  + ' to end it, remove the label {names.LABEL_LIFECYCLE}'
                """,
            ),
        ],
    }
    return [policy(settings, OWNERS, spec=spec), binding(settings, OWNERS, of=OWNERS)]


def deletion(settings: InstallSettings) -> list[objects.Manifest]:
    """Return the guard of parents: none goes while namespaces lie under it, unless it says so.

    It holds for everybody, the garbage collector and cluster-admins included.
    """
    children = "oldObject.metadata.?annotations['" + names.ANNOTATION_CHILDREN + "'].orValue('0')"
    cascade = "oldObject.metadata.?annotations['" + names.ANNOTATION_CASCADE + "'].orValue('')"
    spec = {
        "matchConstraints": {
            "matchPolicy": "Equivalent",
            "resourceRules": [_rule(["namespaces"], ("DELETE",))],
        },
        "validations": [
            cel.validation(
                f"{children} == '0' || {cascade} == 'true'",
                message="this namespace has children",
                says=f"""
                'namespace ' + oldObject.metadata.name + ' has ' + {children}
                  + ' namespaces under it; move or delete them first, or annotate it'
                  + ' {names.ANNOTATION_CASCADE}=true to give them up too'
                """,
            )
        ],
    }
    return [policy(settings, DELETION, spec=spec), binding(settings, DELETION, of=DELETION)]


def made_by(settings: InstallSettings) -> list[objects.Manifest]:
    """Return the guard of the note who made a Namespace, which comes with its creation only.

    A tool that applies an object server-side cannot tell whether that made it. With this note it
    can: where the namespace exists already, and was not made by the same program, the request that
    brings the note is refused, a dry run too, and nobody deletes what is not his.

    The answer is "invalid", not "forbidden": Pulumi's provider takes the latter, at preview, for a
    user without rights, and goes on.
    """
    note = f"'{names.ANNOTATION_MADE_BY}'"
    rule = cel.validation(
        f"variables.annotations[?{note}] == variables.oldAnnotations[?{note}]",
        message=f"annotation {names.ANNOTATION_MADE_BY} comes with the creation of a namespace",
        says=f"""
        'namespace ' + variables.name + ' exists already'
          + variables.oldAnnotations[?{note}].optMap(it, ', made by ' + it).orValue('')
          + '; whoever did not make it can adopt it, which never deletes it. Annotation ' + {note}
          + ' comes with the creation of a namespace and stays as it is'
        """,
    )
    spec = {
        "matchConstraints": _constraints("UPDATE"),
        "variables": [_NAME, _ANNOTATIONS, _OLD_ANNOTATIONS],
        "validations": [{**rule, "reason": "Invalid"}],
    }
    return [policy(settings, MADE_BY, spec=spec), binding(settings, MADE_BY, of=MADE_BY)]


def _right_in(parent: str, *, when: str, verb: str) -> dict[str, Any]:
    """Return the validation that asks for the right in the namespace that `parent` names."""
    target = f"variables.{parent}.orValue('')"
    return cel.validation(
        f"""
        !({when}) || {target} == ''
          || {cel.may_update_quotas(target)}
        """,
        message="this needs the right to update treequotas in the parent namespace",
        says=f"""
        'namespace ' + variables.name + ': to {verb} ' + {target} + ', '
          + request.userInfo.username
          + ' needs the right to update treequotas in namespace ' + {target}
        """,
    )


def _label_variable(name: str, of: str, label: str) -> dict[str, Any]:
    expression = f"{of}.metadata.?labels['{label}']"
    if of == "oldObject":
        expression = f"oldObject == null ? optional.none() : {expression}"
    return cel.variable(name, expression)


def _owner_variable(name: str, references: str) -> dict[str, Any]:
    """Return the owners of kind Namespace as `name/uid`."""
    return cel.variable(
        name,
        f"({references}).filter(it, it.kind == 'Namespace').map(it, it.name + '/' + it.uid)",
    )


def _constraints(*operations: str) -> dict[str, Any]:
    kinds = ["namespaces", "namespaces/status", "namespaces/finalize"]
    return {"matchPolicy": "Equivalent", "resourceRules": [_rule(kinds, operations)]}


def _rule(resources: list[str], operations: tuple[str, ...]) -> dict[str, Any]:
    return {
        "apiGroups": [""],
        "apiVersions": ["*"],
        "operations": list(operations),
        "resources": resources,
        "scope": "Cluster",
    }
