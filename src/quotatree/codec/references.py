"""What a manifest refers to for its pods: templates, tasks and runtimes that lie elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from quotatree.codec import fields, kinds
from quotatree.codec.kinds import Kind

Body = Mapping[str, Any]
Reference = tuple[Kind, str]
"""Kind and name. Kinds that are of a namespace lie in that of the manifest."""

_ARGO: Final = "argoproj.io"
_TEKTON: Final = "tekton.dev"
_TRAINER: Final = "trainer.kubeflow.org"
_MAX_NODES: Final = 100_000  # of one manifest, aliases written out


def of(obj: Body) -> Iterator[Reference]:
    """Yield what an object refers to by name, with repetitions."""
    find = _FINDERS.get(kinds.of(obj)[0])
    if find is not None:
        yield from find(obj)
    for item in _maps(obj):
        name = fields.text(item, "resourceClaimTemplateName")
        if name:
            yield ("resource.k8s.io", "ResourceClaimTemplate"), name


def _maps(obj: Body) -> Iterator[Body]:
    """Yield every map within an object, the object first."""
    pending: list[object] = [obj]
    for _ in range(_MAX_NODES):
        if not pending:
            return
        found = pending.pop()
        if isinstance(found, dict):
            yield found
            pending += found.values()
        elif isinstance(found, list):
            pending += found


def _trainer(obj: Body) -> Iterator[Reference]:
    ref = fields.mapping(fields.mapping(obj, "spec"), "runtimeRef")
    if name := fields.text(ref, "name"):
        yield (_TRAINER, fields.text(ref, "kind") or "ClusterTrainingRuntime"), name


def _argo(obj: Body) -> Iterator[Reference]:
    for item in _maps(obj):
        for key in ("workflowTemplateRef", "templateRef"):
            ref = fields.mapping(item, key)
            if name := fields.text(ref, "name"):
                wide = ref.get("clusterScope") is True
                yield (_ARGO, "ClusterWorkflowTemplate" if wide else "WorkflowTemplate"), name


def _tekton(obj: Body) -> Iterator[Reference]:
    for item in _maps(obj):
        for key, kind in (("pipelineRef", "Pipeline"), ("taskRef", "Task")):
            ref = fields.mapping(item, key)
            if name := fields.text(ref, "name"):
                yield (_TEKTON, fields.text(ref, "kind") or kind), name


_FINDERS: Final[Mapping[str, Callable[[Body], Iterator[Reference]]]] = {
    _TRAINER: _trainer,
    _ARGO: _argo,
    _TEKTON: _tekton,
}
