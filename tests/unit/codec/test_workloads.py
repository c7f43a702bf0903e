"""Manifests to pods: how many, which, and what is said where a number cannot be known."""

import pytest
import yaml

from quotatree.codec import controllers, workloads
from quotatree.codec.expansion import Context
from quotatree.model.scope import ScopeTerm

NAMES = ("pods", "count/pods", "requests.cpu", "requests.nvidia.com/gpu")

POD = "spec: {containers: [{name: c, resources: {requests: {cpu: 1}}}]}"
GPU = "spec: {containers: [{name: c, resources: {limits: {cpu: 2, nvidia.com/gpu: 1}}}]}"
RES = "resources: {requests: {cpu: 1}}"


def objects(text):
    return [one for doc in yaml.safe_load_all(text) for one in workloads.flatten(doc)]


def read(text, *others):
    context = Context().knowing(o for other in others for o in objects(other))
    return workloads.read(objects(text)[0], context)


def cost(workload, names=NAMES):
    return workload.cost((), names).to_strings()


def pods(number, cpu, gpu=None, total=None):
    found = {"pods": number, "count/pods": total or number, "requests.cpu": cpu}
    return {k: str(v) for k, v in found.items()} | (
        {"requests.nvidia.com/gpu": str(gpu)} if gpu is not None else {}
    )


def head(kind, api_version, rest):
    return f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: x}}\n{rest}"


BUILT_IN = [
    ("a pod", head("Pod", "v1", POD), pods(1, 1)),
    (
        "a deployment",
        head("Deployment", "apps/v1", f"spec: {{replicas: 3, template: {{{POD}}}}}"),
        pods(3, 3),
    ),
    (
        "one replica where none is said",
        head("ReplicaSet", "apps/v1", f"spec: {{template: {{{POD}}}}}"),
        pods(1, 1),
    ),
    (
        "a stateful set scaled to nothing",
        head("StatefulSet", "apps/v1", f"spec: {{replicas: 0, template: {{{POD}}}}}"),
        {"pods": "0", "count/pods": "0", "requests.cpu": "0"},
    ),
    (
        "a job: two at a time, and five stay as finished pods",
        head("Job", "batch/v1", f"spec: {{parallelism: 2, completions: 5, template: {{{POD}}}}}"),
        pods(2, 2, total=5),
    ),
    (
        "a job that needs fewer pods than it may run",
        head("Job", "batch/v1", f"spec: {{parallelism: 9, completions: 2, template: {{{POD}}}}}"),
        pods(2, 2),
    ),
    (
        "a cron job: one run",
        head(
            "CronJob",
            "batch/v1",
            f"spec: {{jobTemplate: {{spec: {{parallelism: 2, template: {{{POD}}}}}}}}}",
        ),
        pods(2, 2),
    ),
    (
        "a job set",
        head(
            "JobSet",
            "jobset.x-k8s.io/v1alpha2",
            f"""
spec:
  replicatedJobs:
  - {{name: driver, template: {{spec: {{template: {{{POD}}}}}}}}}
  - name: workers
    replicas: 2
    template: {{spec: {{parallelism: 3, completions: 3, template: {{{GPU}}}}}}}
""",
        ),
        pods(7, 13, 6),
    ),
    *(
        (
            f"a {kind}",
            head(
                kind,
                "kubeflow.org/v1",
                f"""
spec:
  {key}:
    Master: {{template: {{{POD}}}}}
    Worker: {{replicas: 4, template: {{{GPU}}}}}
""",
            ),
            pods(5, 9, 4),
        )
        for kind, key in [
            ("PyTorchJob", "pytorchReplicaSpecs"),
            ("TFJob", "tfReplicaSpecs"),
            ("MPIJob", "mpiReplicaSpecs"),
            ("XGBoostJob", "xgbReplicaSpecs"),
            ("PaddleJob", "paddleReplicaSpecs"),
            ("JAXJob", "jaxReplicaSpecs"),
        ]
    ),
]

RAY = f"""
    headGroupSpec: {{template: {{{POD}}}}}
    workerGroupSpecs:
    - {{groupName: small, replicas: 2, numOfHosts: 2, template: {{{GPU}}}}}
"""
PIPELINES = [
    ("a ray cluster", head("RayCluster", "ray.io/v1", f"spec:{RAY}"), pods(5, 9, 4)),
    (
        "no more workers than it may have",
        head(
            "RayCluster",
            "ray.io/v1",
            f"spec:{RAY.replace('replicas: 2', 'replicas: 9, maxReplicas: 2')}",
        ),
        pods(5, 9, 4),
    ),
    (
        "its autoscaler runs beside the head",
        head("RayCluster", "ray.io/v1", f"spec:{RAY}    enableInTreeAutoscaling: true"),
        pods(5, "9500m", 4),
    ),
    (
        "a ray job has a pod that submits it",
        head("RayJob", "ray.io/v1", f"spec:\n  rayClusterSpec:{RAY}"),
        pods(6, "9500m", 4),
    ),
    (
        "or a container beside the head",
        head(
            "RayJob", "ray.io/v1", f"spec:\n  submissionMode: SidecarMode\n  rayClusterSpec:{RAY}"
        ),
        pods(5, "9500m", 4),
    ),
    (
        "a ray service",
        head("RayService", "ray.io/v1", f"spec:\n  rayClusterConfig:{RAY}"),
        pods(5, 9, 4),
    ),
    (
        "a workflow's steps run one after the other",
        head(
            "Workflow",
            "argoproj.io/v1alpha1",
            f"""
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {{name: load, template: one}}
    - - {{name: train, template: one, withItems: [a, b, c]}}
      - {{name: watch, template: one}}
  - {{name: one, container: {{{RES}}}}}
""",
        ),
        pods(4, 4, total=5),
    ),
    (
        "a graph is cut where everything waits",
        head(
            "Workflow",
            "argoproj.io/v1alpha1",
            f"""
spec:
  entrypoint: main
  onExit: one
  templates:
  - name: main
    dag:
      tasks:
      - {{name: load, template: one}}
      - {{name: a, template: one, dependencies: [load]}}
      - {{name: b, template: one, depends: load.Succeeded}}
      - {{name: report, template: one, depends: a && b}}
  - {{name: one, container: {{{RES}}}}}
""",
        ),
        pods(2, 2, total=5),
    ),
    (
        "parallelism bounds the pods, the dearest first",
        head(
            "Workflow",
            "argoproj.io/v1alpha1",
            """
spec:
  entrypoint: main
  parallelism: 2
  templates:
  - name: main
    steps: [[{name: a, template: small, withSequence: {count: 3}}, {name: b, template: big}]]
  - {name: small, container: {resources: {requests: {cpu: 1}}}}
  - {name: big, container: {resources: {requests: {cpu: 5}}}}
""",
        ),
        pods(2, 6, total=4),
    ),
    (
        "what a matrix includes runs beside its lists where no list has it",
        head(
            "PipelineRun",
            "tekton.dev/v1",
            """
spec:
  pipelineSpec:
    tasks:
    - name: build
      matrix:
        params: [{name: os, value: [linux, mac]}, {name: v, value: [1, 2, 3]}]
        include:
        - {name: more for one, params: [{name: os, value: mac}, {name: flags, value: -O2}]}
        - {name: more for all, params: [{name: flags, value: -g}]}
        - {name: one more, params: [{name: os, value: bsd}]}
      taskSpec: {steps: [{computeResources: {requests: {cpu: 1}}}]}
""",
        ),
        pods(7, 7),
    ),
    (
        "a daemon runs beside all steps",
        head(
            "Workflow",
            "argoproj.io/v1alpha1",
            f"""
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {{name: db, template: db}}
    - - {{name: a, template: one}}
    - - {{name: b, template: one}}
  - {{name: one, container: {{{RES}}}}}
  - {{name: db, daemon: true, container: {{{RES}}}}}
""",
        ),
        pods(2, 2, total=3),
    ),
    (
        "a pipeline run: tasks in order of what they use, finally at the end",
        head(
            "PipelineRun",
            "tekton.dev/v1",
            """
spec:
  pipelineSpec:
    tasks:
    - {name: fetch, taskSpec: {steps: [{computeResources: {requests: {cpu: 1}}}]}}
    - name: test
      params: [{name: rev, value: $(tasks.fetch.results.rev)}]
      matrix: {params: [{name: v, value: [a, b]}]}
      taskSpec:
        steps:
        - {computeResources: {requests: {cpu: 1}}}
        - {resources: {requests: {cpu: 2}}}
    finally:
    - {name: clean, taskSpec: {steps: [{computeResources: {requests: {cpu: 4}}}]}}
""",
        ),
        pods(2, 6, total=4),
    ),
    (
        "what a run says of a task counts for all its steps",
        head(
            "PipelineRun",
            "tekton.dev/v1",
            """
spec:
  taskRunSpecs: [{pipelineTaskName: t, computeResources: {requests: {cpu: 1}}}]
  pipelineSpec:
    tasks:
    - {name: t, taskSpec: {steps: [{computeResources: {requests: {cpu: 9}}}, {name: b}]}}
""",
        ),
        pods(1, 1),
    ),
]
ALL = BUILT_IN + PIPELINES


@pytest.mark.parametrize(("text", "want"), [c[1:] for c in ALL], ids=[c[0] for c in ALL])
def test_a_workload_costs_what_its_pods_cost(text, want):
    assert cost(read(text)) == want


def test_claims_of_a_stateful_set_and_of_ephemeral_volumes_come_with_each_pod():
    text = head(
        "StatefulSet",
        "apps/v1",
        """
spec:
  replicas: 3
  volumeClaimTemplates:
  - {metadata: {name: data}, spec: {resources: {requests: {storage: 10Gi}}}}
  template:
    spec:
      containers: [{name: c}]
      volumes:
      - name: scratch
        ephemeral: {volumeClaimTemplate: {spec: {resources: {requests: {storage: 1Gi}}}}}
""",
    )
    names = ("persistentvolumeclaims", "requests.storage", "count/statefulsets.apps")
    found = read(text)
    assert cost(found, names) == {
        "count/statefulsets.apps": "1",
        "persistentvolumeclaims": "6",
        "requests.storage": "33Gi",
    }


def test_the_objects_that_a_controller_makes_count_too():
    text = head("Deployment", "apps/v1", f"spec: {{template: {{{POD}}}}}")
    assert cost(read(text), ("count/deployments.apps", "count/replicasets.apps")) == {
        "count/deployments.apps": "1",
        "count/replicasets.apps": "1",
    }


def test_devices_from_claim_templates_count_for_each_pod():
    text = head(
        "Job",
        "batch/v1",
        """
spec:
  parallelism: 2
  template:
    spec:
      containers: [{name: c}]
      resourceClaims: [{name: gpu, resourceClaimTemplateName: one-gpu}]
""",
    )
    template = """
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {name: one-gpu}
spec: {spec: {devices: {requests: [{name: r, exactly: {deviceClassName: gpu}}]}}}
"""
    name = "gpu.deviceclass.resource.k8s.io/devices"
    assert cost(read(text, template), (name,)) == {name: "2"}
    assert "one-gpu is not here" in read(text).unknown[0]


RUNTIME = f"""
apiVersion: trainer.kubeflow.org/v1alpha1
kind: ClusterTrainingRuntime
metadata: {{name: torch}}
spec:
  mlPolicy: {{numNodes: 1}}
  template:
    spec:
      replicatedJobs:
      - name: node
        template:
          metadata: {{labels: {{trainer.kubeflow.org/trainjob-ancestor-step: trainer}}}}
          spec: {{template: {{spec: {{containers: [{{name: node, {RES}}}]}}}}}}
"""


def test_a_train_job_runs_the_nodes_of_its_runtime():
    text = head(
        "TrainJob",
        "trainer.kubeflow.org/v1alpha1",
        """
spec:
  runtimeRef: {name: torch}
  trainer: {numNodes: 3, resourcesPerNode: {requests: {cpu: 4}}}
""",
    )
    assert cost(read(text, RUNTIME)) == pods(3, 12)
    assert read(text).unknown == (
        "ClusterTrainingRuntime torch is not here: its pods are not counted",
    )


MATRIX = """
spec:
  pipelineSpec:
    tasks:
    - name: t
      matrix: {{params: [{{name: p, value: {values}}}, {{name: q, value: [a, b]}}]}}
      taskSpec: {{steps: [{{}}]}}
"""


@pytest.mark.parametrize(
    ("text", "want"),
    [
        (head("DaemonSet", "apps/v1", f"spec: {{template: {{{POD}}}}}"), "how many is not known"),
        (head("Widget", "example.com/v1", ""), "kind Widget of example.com is not known here"),
        ("metadata: {name: x}", "it says no kind"),
        (head("Job", "batch/v1", "spec: {}"), "there is no pod template"),
        (
            head(
                "Workflow",
                "argoproj.io/v1alpha1",
                "spec: {entrypoint: a, templates: [{name: a, steps: [[{name: s, template: a}]]}]}",
            ),
            "template a calls itself",
        ),
        (
            head(
                "Workflow",
                "argoproj.io/v1alpha1",
                """
spec:
  entrypoint: a
  templates: [{name: a, steps: [[{name: s, template: b, withParam: "{{x}}"}]]}]
""",
            ),
            "s is repeated for a list that only a run knows",
        ),
        *(
            (
                head("PipelineRun", "tekton.dev/v1", MATRIX.format(values=values)),
                "t is repeated for a list that only a run knows",
            )
            for values in (
                "'$(params.all[*])'",
                "'$(tasks.x.results.y[*])'",
                "[one, '$(params.more[*])']",
            )
        ),
        (
            head("PipelineRun", "tekton.dev/v1", "spec: {pipelineRef: {name: p}}"),
            "Pipeline p is not here",
        ),
    ],
)
def test_what_cannot_be_known_is_named(text, want):
    assert want in " ".join(read(text).unknown)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        (head("Job", "batch/v1", f"spec: {{suspend: true, template: {{{POD}}}}}"), "suspended"),
        (
            head("Deployment", "apps/v1", f"spec: {{replicas: 5, template: {{{POD}}}}}"),
            "up to 2 more",
        ),
        (
            head(
                "CronJob", "batch/v1", f"spec: {{jobTemplate: {{spec: {{template: {{{POD}}}}}}}}}"
            ),
            "lets runs overlap",
        ),
        (
            head(
                "PyTorchJob",
                "kubeflow.org/v1",
                "spec: {elasticPolicy: {maxReplicas: 8}, pytorchReplicaSpecs: {}}",
            ),
            "may grow to 8",
        ),
    ],
)
def test_what_is_assumed_is_said(text, want):
    assert want in " ".join(read(text).notes)


def test_a_suspended_job_has_no_pods_yet():
    for kind, version, spec in [
        ("Job", "batch/v1", f"{{suspend: true, template: {{{POD}}}}}"),
        ("RayCluster", "ray.io/v1", f"{{suspend: true, headGroupSpec: {{template: {{{POD}}}}}}}"),
    ]:
        assert read(head(kind, version, f"spec: {spec}")).pods == 0


def test_amounts_that_the_server_would_refuse_are_problems_with_their_place():
    text = head(
        "Deployment",
        "apps/v1",
        """
spec:
  template:
    spec:
      containers:
      - resources: {requests: {cpu: lots, memory: 2Gi}, limits: {memory: 1Gi}}
      - resources: {requests: {nvidia.com/gpu: 1}}
""",
    )
    found = {problem.path: problem.message for problem in read(text).problems}
    base = "spec.template.spec.containers"
    assert found.keys() == {
        f'{base}[0].resources.requests["cpu"]',
        f'{base}[0].resources.requests["memory"]',
        f'{base}[1].resources.requests["nvidia.com/gpu"]',
    }
    assert found[f'{base}[0].resources.requests["memory"]'] == "requests 2Gi, above its limit 1Gi"


def test_lists_are_taken_apart():
    text = f"""
kind: List
items:
- {{kind: PodList, apiVersion: v1, items: [{{metadata: {{name: a}}, {POD}}}]}}
- {{kind: Service, apiVersion: v1, metadata: {{name: s}}}}
"""
    found = [workloads.read(o, Context()) for o in objects(text)]
    assert [w.label for w in found] == ["pod/a", "service/s"]


def test_a_status_in_a_manifest_counts_for_nothing():
    text = head("Pod", "v1", POD) + "\nstatus: {phase: Succeeded}"
    assert cost(read(text)) == pods(1, 1)


def test_a_scoped_quota_counts_the_parts_that_match():
    text = head(
        "PyTorchJob",
        "kubeflow.org/v1",
        f"""
spec:
  pytorchReplicaSpecs:
    Master: {{template: {{spec: {{containers: [{{name: c}}]}}}}}}
    Worker: {{replicas: 4, template: {{{GPU}}}}}
""",
    )
    best_effort = (ScopeTerm(scope="BestEffort"),)
    assert read(text).cost(best_effort, ("pods",)).to_strings() == {"pods": "1"}


@pytest.mark.parametrize(
    ("kind", "spec", "status", "want"),
    [
        ("Deployment", {"replicas": 3}, {"replicas": 1}, (3, 1)),
        ("StatefulSet", {}, {}, (1, 0)),
        ("Job", {"parallelism": 4}, {"active": 2}, (4, 2)),
        ("Job", {"parallelism": 4, "completions": 5}, {"succeeded": 3, "active": 1}, (2, 1)),
        ("Job", {"suspend": True}, {}, (0, 0)),
        ("RayCluster", {}, {}, None),
    ],
)
def test_a_controller_says_how_many_of_its_pods_it_has(kind, spec, status, want):
    assert controllers.standing({"kind": kind, "spec": spec, "status": status}) == want


@pytest.mark.parametrize("kind", list(workloads.KINDS), ids=lambda k: k[1])
@pytest.mark.parametrize(
    "spec", [None, [], "text", {"replicas": "many", "template": 3}, {"templates": [1], "tasks": {}}]
)
def test_no_kind_is_broken_by_nonsense(kind, spec):
    group, name = kind
    version = f"{group}/v1" if group else "v1"
    workloads.read({"apiVersion": version, "kind": name, "metadata": 1, "spec": spec}, Context())
