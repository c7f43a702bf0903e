"""The templates of an Argo Workflow, walked from its entrypoint: pods with phases.

`steps` are phases; a `dag` is cut into stages where everything before is over before anything
after begins. A template that is entered from within another one keeps no phases of its own: its
pods all count together, which is never too little. A daemon runs on until the end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from quotatree.codec import fields
from quotatree.codec.expansion import Context, Expansion, Template, joined
from quotatree.codec.expansion import replicas as expand
from quotatree.codec.findings import Path
from quotatree.codec.order import stages

_MAX_DEPTH: Final = 32
_MAX_VISITS: Final = 10_000
_TASK: Final = re.compile(r"[A-Za-z0-9_-]+")
_STATUS: Final = re.compile(r"\.[A-Za-z]+")
_POD_KEYS: Final = (
    "volumes",
    "initContainers",
    "affinity",
    "priorityClassName",
    "activeDeadlineSeconds",
)

Body = Mapping[str, Any]


class Walk:
    """One walk over the templates of a workflow; bounded, since templates may call each other."""

    def __init__(self, spec: Body, context: Context, path: Path) -> None:
        self._spec = spec
        self._context = context
        self._path = path
        self._templates = {
            fields.text(item, "name"): (item, index)
            for index, item in enumerate(fields.items(spec, "templates"))
        }
        self._visits = 0

    def entry(self, name: str) -> Expansion:
        """Return the pods of a template with its phases, from 1 on."""
        if name not in self._templates:
            return Expansion(unknown=(_missing(name),))
        body, index = self._templates[name]
        return self._template(body, name, index=index, callers=())

    def _template(
        self, body: Body, name: str, *, index: int, callers: tuple[str, ...], times: int = 1
    ) -> Expansion:
        self._visits += 1
        if name in callers or len(callers) > _MAX_DEPTH or self._visits > _MAX_VISITS:
            text = f"template {name} calls itself, or too many others: how often is not known"
            return Expansion(unknown=(text,))
        inside = (*callers, name)
        if type(body.get("steps")) is list:
            return self._stages(list(_step_groups(body)), callers=inside, times=times)
        if type(body.get("dag")) is dict:
            tasks = list(fields.items(fields.mapping(body, "dag"), "tasks"))
            by_name = {fields.text(task, "name"): task for task in tasks}
            groups = stages({n: _dependencies(task) for n, task in by_name.items()})
            ordered = [[by_name[n] for n in group] for group in groups]
            return self._stages(ordered, callers=inside, times=times)
        return self._pods(body, name, index=index, times=times)

    def _stages(
        self, groups: list[list[Body]], *, callers: tuple[str, ...], times: int
    ) -> Expansion:
        found = []
        for phase, group in enumerate(groups, start=1):
            for call in group:
                one = self._call(call, callers=callers, times=times)
                parts = tuple(replace(p, phase=phase if p.phase else 0) for p in one.parts)
                found.append(replace(one, parts=parts))
        return joined(*found)

    def _call(self, call: Body, *, callers: tuple[str, ...], times: int) -> Expansion:
        """Return what one step or task runs, as often as it says."""
        often = _repeated(call)
        name = fields.text(call, "name")
        if often is None:
            return Expansion(unknown=(f"{name} is repeated for a list that only a run knows",))
        inline = fields.mapping(call, "inline")
        if inline:
            return self._template(inline, name, index=-1, callers=callers, times=times * often)
        ref = fields.mapping(call, "templateRef")
        if ref:
            return self._referred(ref, times=times * often)
        called = fields.text(call, "template")
        if called not in self._templates:
            return Expansion(unknown=(_missing(called),))
        body, index = self._templates[called]
        return self._template(body, called, index=index, callers=callers, times=times * often)

    def _referred(self, ref: Body, *, times: int) -> Expansion:
        kind = "ClusterWorkflowTemplate" if ref.get("clusterScope") is True else "WorkflowTemplate"
        where, name = fields.text(ref, "name"), fields.text(ref, "template")
        found = self._context.find(kind, where)
        bodies = fields.items(fields.mapping(found or {}, "spec"), "templates")
        body = next((b for b in bodies if b.get("name") == name), None)
        if body is None:
            return Expansion(unknown=(_missing(f"{where}/{name}"),))
        # Its own calls go to templates of the other workflow: only a pod can be taken over.
        if "steps" in body or "dag" in body:
            return Expansion(unknown=(f"{where}/{name} is a graph elsewhere: it is not counted",))
        return self._pods(body, f"{where}/{name}", index=-1, times=times)

    def _pods(self, body: Body, name: str, *, index: int, times: int) -> Expansion:
        body = _merged(fields.mapping(self._spec, "templateDefaults"), body)
        containers = list(_containers(body))
        if not containers:
            return Expansion()  # suspend, http, plugin: no pod of its own
        priority = fields.text(self._spec, "podPriorityClassName")
        spec = {key: body[key] for key in _POD_KEYS if key in body}
        spec = {"priorityClassName": priority} | spec | {"containers": containers}
        spec["volumes"] = [*fields.items(self._spec, "volumes"), *fields.items(body, "volumes")]
        path = (*self._path, "templates", index) if index >= 0 else self._path
        template = Template(body={"spec": spec}, path=path, role=name)
        found = expand(template, self._context, number=times)
        daemon = body.get("daemon") is True
        parts = tuple(replace(p, phase=int(p.is_pods and not daemon)) for p in found.parts)
        return replace(found, parts=parts)


def _missing(name: str) -> str:
    return f"template {name or 'without a name'} is not here: its pods are not counted"


def _step_groups(body: Body) -> Iterator[list[Body]]:
    """Yield the groups of steps: each is a list, or a single step written without one."""
    for group in body["steps"]:
        if type(group) is list:
            yield [step for step in group if type(step) is dict]
        elif type(group) is dict:
            nested = group.get("steps")
            yield [s for s in nested if type(s) is dict] if type(nested) is list else [group]


def _dependencies(task: Body) -> set[str]:
    """Return what a task waits for: `dependencies`, or the names in `depends`."""
    depends = _STATUS.sub("", fields.text(task, "depends"))
    return {*fields.texts(task, "dependencies"), *_TASK.findall(depends)}


def _repeated(call: Body) -> int | None:
    """Return how often a call is made, None when only a run can tell."""
    items = call.get("withItems")
    if type(items) is list:
        return len(items)
    sequence = fields.mapping(call, "withSequence")
    if sequence:
        number = fields.whole(sequence.get("count"))
        start, end = fields.whole(sequence.get("start", 0)), fields.whole(sequence.get("end"))
        if number is None and start is not None and end is not None:
            number = abs(end - start) + 1
        return number
    param = call.get("withParam")
    if param is None:
        return 1
    try:
        found = json.loads(str(param))
    except ValueError:
        return None
    return len(found) if type(found) is list else None


def _merged(default: Body, body: Body) -> Body:
    """Return a template over the defaults of its workflow, whose container may give resources."""
    merged = {**default, **body}
    for key in ("container", "script"):
        if key in default and key in body:
            merged[key] = {**fields.mapping(default, key), **fields.mapping(body, key)}
    return merged


def _containers(body: Body) -> Iterator[Body]:
    for key in ("container", "script"):
        if type(body.get(key)) is dict:
            yield fields.mapping(body, key)
    yield from fields.items(fields.mapping(body, "containerSet"), "containers")
    if not any(key in body for key in ("container", "script", "containerSet")) and (
        "resource" in body or "data" in body
    ):
        yield {"name": "main"}
    if any(key in body for key in ("container", "script", "containerSet", "resource", "data")):
        yield from fields.items(body, "sidecars")
