"""The pods of Kubernetes' own controllers: how many of which template, and what else they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from quotatree.codec import fields, pod_rules
from quotatree.codec.expansion import Context, Expansion, Template, claim, count, joined, plain
from quotatree.codec.expansion import replicas as expand
from quotatree.codec.findings import Path
from quotatree.codec.kinds import Kind

_JOBS: Final = "jobs.batch"
_TEMPLATE: Final[Path] = ("spec", "template")


def _pod(obj: Mapping[str, Any], context: Context) -> Expansion:
    body = {"metadata": _born(obj), "spec": fields.mapping(obj, "spec")}
    found = expand(Template(body=body, path=(), role=""), context, number=1)
    return replace(found, is_object=True)


def _born(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the metadata of a new object: nothing of it is being deleted."""
    metadata = fields.mapping(obj, "metadata")
    return {key: value for key, value in metadata.items() if not key.startswith("deletion")}


def _claim(obj: Mapping[str, Any], _: Context) -> Expansion:
    return Expansion(problems=pod_rules.claim_problems(fields.mapping(obj, "spec"), ("spec",)))


def _of_template(obj: Mapping[str, Any], role: str = "") -> Template:
    spec = fields.mapping(obj, "spec")
    return Template(body=fields.mapping(spec, "template"), path=_TEMPLATE, role=role)


def _replicated(obj: Mapping[str, Any], context: Context) -> Expansion:
    number = count(fields.mapping(obj, "spec"), "replicas", 1)
    return expand(_of_template(obj), context, number=number)


def _deployment(obj: Mapping[str, Any], context: Context) -> Expansion:
    found = _replicated(obj, context)
    spec = fields.mapping(obj, "spec")
    surge = _surge(fields.mapping(spec, "strategy"), count(spec, "replicas", 1))
    more = "one more pod" if surge == 1 else f"up to {surge} more pods"
    notes = (f"a rollout runs {more} for a while (maxSurge)",) if surge else ()
    parts = (*found.parts, plain("replicasets.apps", "replica set"))
    return replace(found, parts=parts, notes=notes)


def _surge(strategy: Mapping[str, Any], replicas: int) -> int:
    """Return by how many pods a rollout may go above its replicas; a share is rounded up."""
    if strategy.get("type") == "Recreate":
        return 0
    most = fields.mapping(strategy, "rollingUpdate").get("maxSurge", "25%")
    if type(most) is str and most.endswith("%") and (share := fields.whole(most[:-1])) is not None:
        return -(-replicas * share // 100)
    return fields.whole(most) or 0


def _stateful_set(obj: Mapping[str, Any], context: Context) -> Expansion:
    spec = fields.mapping(obj, "spec")
    number = count(spec, "replicas", 1)
    claims = tuple(
        claim(body, context, role=f"volume {_name(body)}", number=number)
        for body in fields.items(spec, "volumeClaimTemplates")
    )
    own = Expansion(parts=(*claims, plain("controllerrevisions.apps", "revision")))
    return joined(_replicated(obj, context), own)


def _name(obj: Mapping[str, Any]) -> str:
    return fields.text(fields.mapping(obj, "metadata"), "name")


def _daemon_set(obj: Mapping[str, Any], context: Context) -> Expansion:
    one = expand(_of_template(obj), context, number=1)
    text = "a DaemonSet has a pod on each node that it matches: how many is not known here"
    cost = one.parts[0].charge.amounts.without(["count/pods", "pods", "cpu", "memory"])
    return Expansion(
        parts=(plain("controllerrevisions.apps", "revision"),),
        unknown=(
            f"{text}; each costs {', '.join(f'{n} {a}' for n, a in cost.to_strings().items())}",
        ),
        problems=one.problems,
    )


def job_of(
    spec: Mapping[str, Any], context: Context, *, template: Template, times: int = 1
) -> Expansion:
    """Return the pods of the spec of a Job that exists `times` times.

    With completions no more run than are still needed; finished pods stay and go on counting in
    `count/pods`.
    """
    parallel = count(spec, "parallelism", 1)
    completions = fields.whole(spec.get("completions"))
    total = parallel if completions is None else completions
    number = min(parallel, total)
    if spec.get("suspend") is True:
        found = expand(template, context, number=0, total=0)
        return replace(found, notes=("it is suspended: no pods until it is resumed",))
    return expand(template, context, number=number * times, total=total * times)


def _job(obj: Mapping[str, Any], context: Context) -> Expansion:
    return job_of(fields.mapping(obj, "spec"), context, template=_of_template(obj))


def _cron_job(obj: Mapping[str, Any], context: Context) -> Expansion:
    spec = fields.mapping(obj, "spec")
    job = fields.mapping(fields.mapping(spec, "jobTemplate"), "spec")
    path = ("spec", "jobTemplate", "spec", "template")
    template = Template(body=fields.mapping(job, "template"), path=path, role="")
    found = job_of(job, context, template=template)
    notes = [*found.notes, "counted is one run at a time"]
    if (fields.text(spec, "concurrencyPolicy") or "Allow") == "Allow":
        notes.append("concurrencyPolicy Allow lets runs overlap: then it is a multiple")
    if spec.get("suspend") is True:
        notes.append("it is suspended: no run until it is resumed")
    return replace(found, parts=(*found.parts, plain(_JOBS, "run")), notes=tuple(notes))


def standing(obj: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return how many pods a controller wants and how many it has, None where it does not say."""
    spec, status = fields.mapping(obj, "spec"), fields.mapping(obj, "status")
    kind = fields.text(obj, "kind")
    if kind in {"Deployment", "ReplicaSet", "StatefulSet", "ReplicationController"}:
        return count(spec, "replicas", 1), count(status, "replicas", 0)
    if kind != "Job":
        return None
    wanted = count(spec, "parallelism", 1)
    if (completions := fields.whole(spec.get("completions"))) is not None:
        wanted = min(wanted, max(0, completions - count(status, "succeeded", 0)))
    return (0 if spec.get("suspend") is True else wanted), count(status, "active", 0)


KINDS: Final[Mapping[Kind, Callable[[Mapping[str, Any], Context], Expansion]]] = {
    ("", "Pod"): _pod,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "ReplicationController"): _replicated,
    ("apps", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _replicated,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("batch", "Job"): _job,
    ("batch", "CronJob"): _cron_job,
}
"""The built-in kinds that lead to pods, and the claim, whose amounts are checked."""
