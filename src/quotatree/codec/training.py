"""The pods of training jobs: Kubeflow's operators, Trainer, JobSet and Ray.

Fields as in their published types: `kubeflow.org/v1` (and v2beta1 of MPIJob),
`trainer.kubeflow.org/v1alpha1`, `jobset.x-k8s.io/v1alpha2`, `ray.io/v1`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from quotatree.codec import fields
from quotatree.codec.charges import SERVICES, of_resource
from quotatree.codec.controllers import job_of
from quotatree.codec.expansion import Context, Expansion, Template, count, joined, plain
from quotatree.codec.expansion import replicas as expand
from quotatree.codec.findings import Key, Path
from quotatree.codec.kinds import Kind
from quotatree.model.workload import Part

_REPLICA_SPECS: Final[Mapping[str, str]] = {
    "JAXJob": "jaxReplicaSpecs",
    "MPIJob": "mpiReplicaSpecs",
    "PaddleJob": "paddleReplicaSpecs",
    "PyTorchJob": "pytorchReplicaSpecs",
    "TFJob": "tfReplicaSpecs",
    "XGBoostJob": "xgbReplicaSpecs",
}
_SUSPENDED: Final = "it is suspended: no pods until it is resumed"
_OPERATOR_SERVICES: Final = "the headless Services that its operator makes are not counted"
_ANCESTOR: Final = "trainer.kubeflow.org/trainjob-ancestor-step"

_AUTOSCALER: Final[Mapping[str, Any]] = {
    "requests": {"cpu": "500m", "memory": "512Mi"},
    "limits": {"cpu": "500m", "memory": "512Mi"},
}
"""Of the autoscaler's container beside the head, where the RayCluster says nothing else."""

_SUBMITTER: Final[Mapping[str, Any]] = {
    "name": "ray-job-submitter",
    "resources": {
        "requests": {"cpu": "500m", "memory": "200Mi"},
        "limits": {"cpu": "1", "memory": "1Gi"},
    },
}
"""The container that submits a RayJob, where it says nothing else."""


def _suspendable(found: Expansion, spec: Mapping[str, Any]) -> Expansion:
    """Return nothing but a note for what is suspended."""
    if spec.get("suspend") is not True:
        return found
    return Expansion(notes=(_SUSPENDED,), problems=found.problems)


def _training_job(key: str, obj: Mapping[str, Any], context: Context) -> Expansion:
    spec = fields.mapping(obj, "spec")
    groups = fields.mapping(spec, key)
    found = [
        expand(
            Template(
                body=fields.mapping(fields.mapping(groups, role), "template"),
                path=("spec", key, Key(role), "template"),
                role=role,
            ),
            context,
            number=count(fields.mapping(groups, role), "replicas", 1),
        )
        for role in groups
    ]
    notes = [_OPERATOR_SERVICES]
    most = fields.whole(fields.mapping(spec, "elasticPolicy").get("maxReplicas"))
    if most is not None:
        notes.append(f"elastic: its workers may grow to {most}")
    whole = joined(*found, Expansion(notes=tuple(notes)))
    return _suspendable(whole, fields.mapping(spec, "runPolicy"))


# -- JobSet and Trainer ---------------------------------------------------------------------


def _job_set(obj: Mapping[str, Any], context: Context) -> Expansion:
    return _replicated_jobs(fields.mapping(obj, "spec"), context, path=("spec",))


def _replicated_jobs(spec: Mapping[str, Any], context: Context, *, path: Path) -> Expansion:
    found, jobs = [], 0
    for index, item in enumerate(fields.items(spec, "replicatedJobs")):
        times = count(item, "replicas", 1)
        job = fields.mapping(fields.mapping(item, "template"), "spec")
        template = Template(
            body=fields.mapping(job, "template"),
            path=(*path, "replicatedJobs", index, "template", "spec", "template"),
            role=fields.text(item, "name"),
        )
        found.append(job_of(job, context, template=template, times=times))
        jobs += times
    whole = _suspendable(joined(*found), spec)
    made = [plain("jobs.batch", "job", jobs)]
    if fields.mapping(spec, "network").get("enableDNSHostnames") is not False:
        made.append(_service("service"))
    return replace(whole, parts=(*whole.parts, *made))


def _service(role: str, body: Mapping[str, Any] | None = None) -> Part:
    return Part(role=role, charge=of_resource(SERVICES, body or {}))


def _train_job(obj: Mapping[str, Any], context: Context) -> Expansion:
    """Return the pods of the runtime that a TrainJob names, with its own numbers put in."""
    spec = fields.mapping(obj, "spec")
    ref = fields.mapping(spec, "runtimeRef")
    kind, name = fields.text(ref, "kind") or "ClusterTrainingRuntime", fields.text(ref, "name")
    runtime = context.find(kind, name)
    if runtime is None:
        return Expansion(unknown=(f"{kind} {name} is not here: its pods are not counted",))
    body = fields.mapping(runtime, "spec")
    trainer = fields.mapping(spec, "trainer")
    nodes = trainer.get("numNodes", fields.mapping(body, "mlPolicy").get("numNodes"))
    job_set = fields.mapping(fields.mapping(body, "template"), "spec")
    jobs = [
        _trained(item, nodes=fields.whole(nodes), resources=trainer.get("resourcesPerNode"))
        for item in fields.items(job_set, "replicatedJobs")
    ]
    found = _replicated_jobs({**job_set, "replicatedJobs": jobs}, context, path=("spec",))
    notes = (*found.notes, f"by the pod templates of {kind} {name}")
    if fields.mapping(fields.mapping(body, "mlPolicy"), "mpi"):
        notes = (*notes, "MPI: a launcher that is a node takes the place of one of its nodes")
    made = plain("jobsets.jobset.x-k8s.io", "job set")
    return _suspendable(replace(found, parts=(*found.parts, made), notes=notes), spec)


def _trained(item: Mapping[str, Any], *, nodes: int | None, resources: object) -> Mapping[str, Any]:
    """Return a replicated job of a runtime with what the TrainJob says of its training nodes."""
    template = fields.mapping(item, "template")
    labels = fields.mapping(fields.mapping(template, "metadata"), "labels")
    job = dict(fields.mapping(template, "spec"))
    if labels.get(_ANCESTOR) == "trainer":
        item = {**item, "replicas": 1}
        if nodes is not None:
            job |= {"parallelism": nodes, "completions": nodes}
    pod = fields.mapping(job, "template")
    pod_spec = fields.mapping(pod, "spec")
    containers = [
        {**c, "resources": resources}
        if c.get("name") == "node" and type(resources) is dict and resources
        else c
        for c in fields.items(pod_spec, "containers")
    ]
    job["template"] = {**pod, "spec": {**pod_spec, "containers": containers}}
    return {**item, "template": {**template, "spec": job}}


# -- Ray ------------------------------------------------------------------------------------


def _ray_cluster(obj: Mapping[str, Any], context: Context) -> Expansion:
    return _cluster(fields.mapping(obj, "spec"), context, path=("spec",))


def _cluster(
    spec: Mapping[str, Any],
    context: Context,
    *,
    path: Path,
    beside: Mapping[str, Any] | None = None,
) -> Expansion:
    """Return head and workers; `beside` is one more container of the head."""
    scales = spec.get("enableInTreeAutoscaling") is True
    head = fields.mapping(fields.mapping(spec, "headGroupSpec"), "template")
    extra = [beside] if beside else []
    if scales:
        own = fields.mapping(fields.mapping(spec, "autoscalerOptions"), "resources")
        extra.append({"name": "autoscaler", "resources": own or _AUTOSCALER})
    head_template = Template(
        body=_with_containers(head, extra), path=(*path, "headGroupSpec", "template"), role="head"
    )
    groups = [
        _workers(item, context, path=(*path, "workerGroupSpecs", index), scales=scales)
        for index, item in enumerate(fields.items(spec, "workerGroupSpecs"))
    ]
    found = joined(expand(head_template, context, number=1), *groups)
    kind = fields.text(fields.mapping(spec, "headGroupSpec"), "serviceType")
    # The operator's head Service: GCS, dashboard, client, metrics and serve.
    ports = [{"port": port} for port in (6379, 8265, 10001, 8080, 8000)]
    service = _service("head service", {"spec": {"type": kind, "ports": ports}})
    return _suspendable(replace(found, parts=(*found.parts, service)), spec)


def _with_containers(
    template: Mapping[str, Any], extra: list[Mapping[str, Any]]
) -> Mapping[str, Any]:
    spec = fields.mapping(template, "spec")
    if not extra or not spec:
        return template
    return {**template, "spec": {**spec, "containers": [*fields.items(spec, "containers"), *extra]}}


def _workers(item: Mapping[str, Any], context: Context, *, path: Path, scales: bool) -> Expansion:
    role = fields.text(item, "groupName") or "workers"
    hosts = max(1, count(item, "numOfHosts", 1))
    least = count(item, "minReplicas", 0)
    most = fields.whole(item.get("maxReplicas"))
    number = max(count(item, "replicas", least), least)
    if most is not None:
        number = min(number, most)
    if item.get("suspend") is True:
        number = 0
    template = Template(body=fields.mapping(item, "template"), path=(*path, "template"), role=role)
    found = expand(template, context, number=number * hosts)
    if not scales or (most is not None and most <= number):
        return found
    to = f"to {most * hosts} pods" if most is not None else "without a bound (no maxReplicas)"
    return replace(found, notes=(f"{role}: the autoscaler may grow it {to}",))


def _ray_job(obj: Mapping[str, Any], context: Context) -> Expansion:
    spec = fields.mapping(obj, "spec")
    mode = fields.text(spec, "submissionMode") or "K8sJobMode"
    body = fields.mapping(spec, "rayClusterSpec")
    found = []
    if body:
        beside = _SUBMITTER if mode == "SidecarMode" else None
        cluster = _cluster(body, context, path=("spec", "rayClusterSpec"), beside=beside)
        found.append(cluster)
        found.append(Expansion(parts=(plain("rayclusters.ray.io", "cluster"),)))
    else:
        found.append(Expansion(notes=("it runs on a RayCluster that is there already",)))
    if mode == "K8sJobMode":
        own = fields.mapping(spec, "submitterPodTemplate")
        template = Template(
            body=own or {"spec": {"containers": [_SUBMITTER]}},
            path=("spec", "submitterPodTemplate"),
            role="submitter",
        )
        found.append(expand(template, context, number=1))
        found.append(Expansion(parts=(plain("jobs.batch", "submitter job"),)))
    return _suspendable(joined(*found), spec)


def _ray_service(obj: Mapping[str, Any], context: Context) -> Expansion:
    spec = fields.mapping(obj, "spec")
    body = fields.mapping(spec, "rayClusterConfig")
    found = _cluster(body, context, path=("spec", "rayClusterConfig"))
    made = (plain("rayclusters.ray.io", "cluster"), _service("serve service"))
    note = "an upgrade runs a second cluster beside the first for a while"
    return replace(found, parts=(*found.parts, *made), notes=(*found.notes, note))


KINDS: Final[Mapping[Kind, Callable[[Mapping[str, Any], Context], Expansion]]] = {
    **{("kubeflow.org", kind): partial(_training_job, key) for kind, key in _REPLICA_SPECS.items()},
    ("jobset.x-k8s.io", "JobSet"): _job_set,
    ("trainer.kubeflow.org", "TrainJob"): _train_job,
    ("ray.io", "RayCluster"): _ray_cluster,
    ("ray.io", "RayJob"): _ray_job,
    ("ray.io", "RayService"): _ray_service,
}
"""The training kinds whose pods are known."""
