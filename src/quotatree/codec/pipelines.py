"""The pods of pipelines: Argo Workflows and Tekton.

How much of a pipeline runs at once depends on its course, so what is said is an upper bound: steps
that wait for each other are phases, of which the dearest counts; what may run side by side counts
together; conditions are taken for true. Fields as published: `argoproj.io/v1alpha1`,
`tekton.dev/v1` and `v1beta1`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from quotatree.codec import fields
from quotatree.codec.argo import Walk
from quotatree.codec.expansion import Context, Expansion, Template, claim, joined, plain
from quotatree.codec.expansion import replicas as expand
from quotatree.codec.findings import Path
from quotatree.codec.kinds import Kind
from quotatree.codec.order import stages

_ARGO_NOTE: Final = "upper bound; the containers that Argo adds (init, wait) are not counted"
_TEKTON_NOTE: Final = "upper bound; the containers that Tekton adds are not counted"
_RESULT: Final = re.compile(r"\$\(tasks\.([A-Za-z0-9_-]+)\.")
_WHOLE_LIST: Final = "[*])"
"""How a reference to all values of a list ends, also where it stands in another list."""

Body = Mapping[str, Any]


# -- Argo -----------------------------------------------------------------------------------


def _workflow(obj: Body, context: Context) -> Expansion:
    return _workflow_of(fields.mapping(obj, "spec"), context, path=("spec",))


def _cron_workflow(obj: Body, context: Context) -> Expansion:
    body = fields.mapping(fields.mapping(obj, "spec"), "workflowSpec")
    found = _workflow_of(body, context, path=("spec", "workflowSpec"))
    parts = (*found.parts, plain("workflows.argoproj.io", "run"))
    return replace(found, parts=parts, notes=(*found.notes, "counted is one run at a time"))


def _workflow_of(spec: Body, context: Context, *, path: Path) -> Expansion:
    ref = fields.mapping(spec, "workflowTemplateRef")
    if name := fields.text(ref, "name"):
        kind = "ClusterWorkflowTemplate" if ref.get("clusterScope") is True else "WorkflowTemplate"
        template = context.find(kind, name)
        if template is None:
            return Expansion(unknown=(f"{kind} {name} is not here: its pods are not counted",))
        spec = {**fields.mapping(template, "spec"), **spec}
    walk = Walk(spec, context, path)
    found = [walk.entry(fields.text(spec, "entrypoint"))]
    if exit_name := fields.text(spec, "onExit"):
        last = max((part.phase for part in found[0].parts), default=0) + 1
        at_exit = walk.entry(exit_name)
        parts = tuple(replace(p, phase=last if p.phase else 0) for p in at_exit.parts)
        found.append(replace(at_exit, parts=parts))
    claims = tuple(
        claim(body, context, role="volume", number=1)
        for body in fields.items(spec, "volumeClaimTemplates")
    )
    notes = [_ARGO_NOTE]
    if spec.get("podSpecPatch"):
        notes.append("podSpecPatch is not looked at")
    whole = joined(*found, Expansion(parts=claims, notes=tuple(notes)))
    most = fields.whole(spec.get("parallelism"))
    return replace(whole, at_most=most or None)


# -- Tekton ---------------------------------------------------------------------------------


def _pipeline_run(obj: Body, context: Context) -> Expansion:
    spec = fields.mapping(obj, "spec")
    pipeline = fields.mapping(spec, "pipelineSpec")
    ref = fields.mapping(spec, "pipelineRef")
    if not pipeline:
        found = context.find("Pipeline", fields.text(ref, "name"))
        if found is None:
            return Expansion(unknown=(_missing("Pipeline", ref),))
        pipeline = fields.mapping(found, "spec")
    expansions = []
    names = _stages_of(list(fields.items(pipeline, "tasks")))
    tasks = {fields.text(t, "name"): t for t in fields.items(pipeline, "tasks")}
    groups: list[list[Body]] = [[tasks[n] for n in stage] for stage in names]
    groups.append(list(fields.items(pipeline, "finally")))
    for phase, group in enumerate(groups, start=1):
        for task in group:
            one = _task(task, spec, context)
            parts = tuple(replace(p, phase=phase if p.is_pods else 0) for p in one.parts)
            expansions.append(replace(one, parts=parts))
    own = Expansion(parts=_workspace_claims(spec, context), notes=(_TEKTON_NOTE,))
    return joined(*expansions, own)


def _stages_of(tasks: Sequence[Body]) -> list[list[str]]:
    """Return the tasks of a pipeline in stages: by `runAfter` and by the results they use."""
    before = {
        fields.text(task, "name"): {*fields.texts(task, "runAfter"), *_used_results(task)}
        for task in tasks
    }
    return stages(before)


def _used_results(task: Body) -> set[str]:
    """Return the tasks whose results a task uses: in its parameters, its matrix or its `when`."""
    said: list[object] = []
    for item in (
        *fields.items(task, "params"),
        *fields.items(fields.mapping(task, "matrix"), "params"),
        *fields.items(task, "when"),
    ):
        for key in ("value", "values", "input"):
            found = item.get(key)
            said += found if type(found) is list else [found]
    return {name for text in said if type(text) is str for name in _RESULT.findall(text)}


def _missing(kind: str, ref: Body) -> str:
    where = fields.text(ref, "name") or fields.text(ref, "resolver") or "without a name"
    return f"{kind} {where} is not here: its pods are not counted"


def _task(task: Body, run: Body, context: Context) -> Expansion:
    """Return the pods of one task of a pipeline: one for each combination of its matrix."""
    name = fields.text(task, "name")
    spec = fields.mapping(task, "taskSpec")
    ref = fields.mapping(task, "taskRef")
    if not spec:
        found = context.find(fields.text(ref, "kind") or "Task", fields.text(ref, "name"))
        if found is None:
            return Expansion(unknown=(_missing(fields.text(ref, "kind") or "Task", ref),))
        spec = fields.mapping(found, "spec")
    own = next(
        (s for s in fields.items(run, "taskRunSpecs") if s.get("pipelineTaskName") == name), {}
    )
    number = _combinations(fields.mapping(task, "matrix"))
    if number is None:
        return Expansion(unknown=(f"{name} is repeated for a list that only a run knows",))
    found_pods = _task_pods(spec, own, run, context=context, role=name, number=number)
    made = plain("taskruns.tekton.dev", f"{name} run", number)
    return replace(found_pods, parts=(*found_pods.parts, made))


def _combinations(matrix: Body) -> int | None:
    """Return how often a matrix runs its task, None when only a run can tell.

    It is the product of its lists; `include` adds a run where it gives one of their parameters a
    value that is not in the list, and is all there is where there are no lists.
    """
    params, include = list(fields.items(matrix, "params")), list(fields.items(matrix, "include"))
    if not params:
        return len(include) or 1
    lists: dict[str, list[object]] = {}
    for param in params:
        values = param.get("value")
        if type(values) is not list or any(_WHOLE_LIST in str(value) for value in values):
            return None
        lists[fields.text(param, "name")] = values
    further = sum(
        any(p.get("value") not in lists.get(fields.text(p, "name"), [p.get("value")]) for p in its)
        for its in (fields.items(item, "params") for item in include)
    )
    return math.prod(map(len, lists.values())) + further


def _task_run(obj: Body, context: Context) -> Expansion:
    spec = fields.mapping(obj, "spec")
    task = fields.mapping(spec, "taskSpec")
    ref = fields.mapping(spec, "taskRef")
    if not task:
        found = context.find(fields.text(ref, "kind") or "Task", fields.text(ref, "name"))
        if found is None:
            return Expansion(unknown=(_missing("Task", ref),))
        task = fields.mapping(found, "spec")
    pods = _task_pods(task, spec, spec, context=context, role="", number=1)
    own = Expansion(parts=_workspace_claims(spec, context), notes=(_TEKTON_NOTE,))
    return joined(pods, own)


def _task_pods(
    spec: Body, own: Body, run: Body, *, context: Context, role: str, number: int
) -> Expansion:
    """Return the pods of a task: its steps are containers of one pod, though they take turns."""
    base = fields.mapping(spec, "stepTemplate")
    overrides = {
        fields.text(item, "name"): item
        for key in ("stepSpecs", "stepOverrides", "sidecarSpecs", "sidecarOverrides")
        for item in fields.items(own, key)
    }
    steps = [_container(s, overrides, base) for s in fields.items(spec, "steps")]
    sidecars = [_container(s, overrides, {}) for s in fields.items(spec, "sidecars")]
    whole = fields.mapping(own, "computeResources")
    if whole:  # for all steps together
        steps = [{"name": "steps", "resources": whole}]
    pod_template = fields.mapping(fields.mapping(run, "taskRunTemplate"), "podTemplate")
    pod_template = pod_template or fields.mapping(run, "podTemplate")
    pod = {
        **{
            k: pod_template[k]
            for k in ("priorityClassName", "runtimeClassName")
            if k in pod_template
        },
        "volumes": spec.get("volumes"),
        "containers": [*steps, *sidecars],
    }
    path: Path = ("spec", "tasks", role) if role else ("spec",)
    template = Template(body={"spec": pod if steps else {}}, path=path, role=role)
    return expand(template, context, number=number)


def _container(step: Body, overrides: Mapping[str, Body], base: Body) -> Body:
    name = fields.text(step, "name")
    found: dict[str, Any] = {}
    for item in (base, step, overrides.get(name, {})):
        for key in ("resources", "computeResources"):
            for part, amounts in fields.mapping(item, key).items():
                found[part] = amounts
    return {"name": name or "step", "resources": found}


def _workspace_claims(spec: Body, context: Context) -> tuple[Any, ...]:
    return tuple(
        claim(body, context, role=f"workspace {fields.text(item, 'name')}", number=1)
        for item in fields.items(spec, "workspaces")
        if (body := fields.mapping(item, "volumeClaimTemplate"))
    )


KINDS: Final[Mapping[Kind, Callable[[Body, Context], Expansion]]] = {
    ("argoproj.io", "Workflow"): _workflow,
    ("argoproj.io", "CronWorkflow"): _cron_workflow,
    ("tekton.dev", "PipelineRun"): _pipeline_run,
    ("tekton.dev", "TaskRun"): _task_run,
}
"""The pipeline kinds whose pods are known."""
