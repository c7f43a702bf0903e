"""What the name of a quota's resource says: who measures it, in which unit, and whether it exists.

Native admission accepts any qualified name that has a slash, and measures nothing under most of
them: a limit on `nvidia.com/gpu` is stored and never counted. Here a name is good only if one of
the native evaluators measures it. Sources, Kubernetes 1.36: `ValidateResourceQuotaResourceName` in
`pkg/apis/core/validation`, the sets in `pkg/apis/core/helper`, the evaluators in
`pkg/quota/v1/evaluator/core`, and `apiserver/pkg/quota/v1/generic`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final

from quotatree.units.quantity import Format, Quantity, QuantityError

COUNT: Final = "count/"
REQUESTS: Final = "requests."
LIMITS: Final = "limits."
HUGE_PAGES: Final = "hugepages-"
STORAGE_CLASS: Final = ".storageclass.storage.k8s.io/"
DEVICE_CLASS: Final = ".deviceclass.resource.k8s.io/devices"
# A device class as an extended resource of pods: the only such name below kubernetes.io.
IMPLICIT_DEVICE_CLASS: Final = "deviceclass.resource.kubernetes.io/"

DEVICE_CLAIMS: Final = "resourceclaims.resource.k8s.io"
COMPUTE: Final = ("cpu", "memory", "ephemeral-storage")
"""What pods ask for: each also as `requests.…`, which is the same, and as `limits.…`."""

MUST_BE_SAID: Final = frozenset(
    f"{prefix}{name}" for prefix in ("", REQUESTS, LIMITS) for name in ("cpu", "memory")
)
"""What native admission wants every pod to say once a quota without scopes counts it."""

MEASURED: Final = {
    "pods": "pods",
    **{f"{prefix}{name}": "pods" for prefix in ("", REQUESTS, LIMITS) for name in COMPUTE},
    "persistentvolumeclaims": "persistentvolumeclaims",
    "requests.storage": "persistentvolumeclaims",
    "services": "services",
    "services.nodeports": "services",
    "services.loadbalancers": "services",
    "configmaps": "count/configmaps",
    "replicationcontrollers": "count/replicationcontrollers",
    "resourcequotas": "count/resourcequotas",
    "secrets": "count/secrets",
}
"""Names without a slash → what measures them. Native admission accepts no others but huge pages."""

SPECIAL_COUNTS: Final = {
    "count/pods": "pods",
    "count/persistentvolumeclaims": "persistentvolumeclaims",
    "count/services": "services",
    "count/resourceclaims.resource.k8s.io": "resourceclaims",
}
"""The counts that are measured together with more than a count. All others stand for themselves."""

KINDS: Final = {
    "": [
        "configmaps",
        "endpoints",
        "limitranges",
        "persistentvolumeclaims",
        "pods",
        "podtemplates",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "serviceaccounts",
        "services",
    ],
    "apps": ["controllerrevisions", "daemonsets", "deployments", "replicasets", "statefulsets"],
    "autoscaling": ["horizontalpodautoscalers"],
    "batch": ["cronjobs", "jobs"],
    "coordination.k8s.io": ["leases"],
    "discovery.k8s.io": ["endpointslices"],
    "events.k8s.io": [],
    "networking.k8s.io": ["ingresses", "networkpolicies"],
    "policy": ["poddisruptionbudgets"],
    "rbac.authorization.k8s.io": ["rolebindings", "roles"],
    "resource.k8s.io": ["resourceclaims", "resourceclaimtemplates"],
    "storage.k8s.io": ["csistoragecapacities"],
}
"""The built-in kinds that have objects in a namespace, by API group. Events are never counted."""

_COUNTS: Final = tuple(
    f"{COUNT}{kind}.{group}".rstrip(".") for group, kinds in KINDS.items() for kind in kinds
)

_ONE_RESOURCE: Final = {
    **{f"{REQUESTS}{name}": name for name in COMPUTE},
    **{name: f"{COUNT}{name}" for name in ("persistentvolumeclaims", "services")},
    **{name: kind for name, kind in MEASURED.items() if kind.startswith(COUNT)},
}
_WHOLE: Final = {name for name, kind in MEASURED.items() if kind != "pods" or name == "pods"} - {
    "requests.storage"
}

# What people write for a name to which no spelling leads.
_MEANT: Final = {
    "storage": "requests.storage",
    "limits.storage": "requests.storage",
    "gpu": "requests.nvidia.com/gpu",
    "requests.gpu": "requests.nvidia.com/gpu",
    "pvc": "persistentvolumeclaims",
    "pvcs": "persistentvolumeclaims",
    "mem": "memory",
    "ram": "memory",
    "loadbalancers": "services.loadbalancers",
    "nodeports": "services.nodeports",
}

# A qualified name: an optional DNS subdomain and a slash, then at most 63 characters.
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME: Final = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")


_BY_STORAGE_CLASS: Final = tuple(
    f"{STORAGE_CLASS}{name}" for name in ("requests.storage", "persistentvolumeclaims")
)


def is_binary(name: str) -> bool:
    """Whether the resource is measured in bytes, and so usually written with `Ki`, `Mi`, `Gi`."""
    return name.endswith(("memory", "storage")) or name.startswith(
        (HUGE_PAGES, REQUESTS + HUGE_PAGES)
    )


def format_of(name: str) -> Format:
    """Return the format in which amounts of the resource are usually written."""
    return Format.BINARY_SI if is_binary(name) else Format.DECIMAL_SI


def equivalent(name: str) -> str:
    """Return the one name under which levels are compared: the same for names of one measure.

    `requests.cpu` is `cpu`, `secrets` is `count/secrets`. `pods` and `count/pods` are two: the
    first does not count pods that have ended.
    """
    if name.startswith(REQUESTS + HUGE_PAGES):
        return name.removeprefix(REQUESTS)
    return _ONE_RESOURCE.get(name, name)


def counted_kind(name: str) -> str | None:
    """Return which native evaluator measures `name`, None when none does.

    `pods`, `persistentvolumeclaims`, `services` and `resourceclaims` measure several names; any
    other kind is counted under its own `count/<resource>[.<group>]`.
    """
    if name in MEASURED:
        return MEASURED[name]
    if name.startswith(COUNT):
        return SPECIAL_COUNTS.get(name) or (None if _count_problem(name) else name)
    if name.endswith(_BY_STORAGE_CLASS):
        return "persistentvolumeclaims"
    if name.endswith(DEVICE_CLASS):
        return "resourceclaims"
    return "pods" if is_extended(name) or _page_problem(name) == "" else None


def sources(name: str) -> tuple[str, ...]:
    """Return whose objects are counted under a name (`<plural>[.<group>]`), none if nobody's.

    An extended resource is asked for by pods, and by the claims of a device class that stands for
    it.
    """
    kind = counted_kind(name)
    if kind is None:
        return ()
    if kind == "resourceclaims":
        return (DEVICE_CLAIMS,)
    if kind == "pods" and is_extended(name):
        return (kind, DEVICE_CLAIMS)
    return (kind.removeprefix(COUNT),)


def counts_of(kind: str) -> tuple[str, ...]:
    """Return the names under which the objects of a counted kind are counted one by one.

    The first is the one to measure where none of them is limited: it is valid in every scope that
    the kind's other names are valid in (`IsResourceQuotaScopeValidForResource` in Kubernetes'
    pkg/apis/core/helper).
    """
    if kind.startswith(COUNT):
        return (kind,)
    special = tuple(name for name, counted in SPECIAL_COUNTS.items() if counted == kind)
    return ((kind,) if kind in MEASURED else ()) + special


def is_extended(name: str) -> bool:
    """Whether `name` is `requests.` and an extended resource of pods, e.g. `nvidia.com/gpu`."""
    resource = name.removeprefix(REQUESTS)
    if resource == name:
        return False
    if resource.startswith(IMPLICIT_DEVICE_CLASS):
        return True
    return "/" in resource and "kubernetes.io/" not in name and not resource.startswith(REQUESTS)


def requires_whole(name: str) -> bool:
    """Whether only whole amounts make sense: counts, devices, bytes of a storage class.

    As native admission has it, but for `requests.<extended resource>`: native quota accepts a
    fraction there, of which no pod can ask for.
    """
    return name in _WHOLE or "/" in name


def problem_with(name: str) -> str | None:
    """Return why no quota can limit `name`, as a sentence with the likely name; None when one can.

    Stricter than native admission, which stores a misspelt name with a slash and never counts it.
    """
    malformed = _syntax_problem(name)
    if malformed is not None:
        return f"{_shown(name)} is no resource name: {malformed}."
    if counted_kind(name) is not None:
        return None
    reason = _count_problem(name) or _page_problem(name)
    because = f": {reason}" if reason else ""
    meant = suggestion(name)
    hint = f"; did you mean {meant!r}?" if meant else "."
    return f"{_shown(name)} is no resource that a quota counts{because}{hint}"


def suggestion(name: str) -> str | None:
    """Return the good name that a wrong one probably means, None when none comes to mind."""
    lowered = name.lower()
    if lowered in _MEANT:
        return _MEANT[lowered]
    domain, slash, rest = lowered.partition("/")
    if slash and "." in domain:
        return _qualified_suggestion(domain, rest)
    for likely in (lowered, name.removeprefix(REQUESTS).removeprefix(LIMITS)):
        if counted_kind(likely):
            return likely
    kind = lowered.removeprefix(COUNT)
    plural = [n for n in _COUNTS if n.removeprefix(COUNT).partition(".")[0] == kind]
    return next(iter(plural), None) or _closest(lowered, (*MEASURED, *_COUNTS), cutoff=0.8)


def _qualified_suggestion(domain: str, rest: str) -> str | None:
    for marker in (STORAGE_CLASS, DEVICE_CLASS):
        ending = marker[: marker.index("/")]
        if domain.endswith(ending):
            last = [e.rpartition("/")[2] for e in (*_BY_STORAGE_CLASS, DEVICE_CLASS) if ending in e]
            return f"{domain}/{_closest(rest, last, cutoff=0.5) or last[0]}"
    prefix, _, vendor = domain.partition(".")
    if "." in vendor and _closest(prefix, (REQUESTS, LIMITS), cutoff=0.7):
        domain = vendor
    meant = f"{REQUESTS}{domain}/{rest}"
    return meant if is_extended(meant) else None


def _closest(name: str, known: Iterable[str], *, cutoff: float) -> str | None:
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=cutoff)), None)


def _count_problem(name: str) -> str | None:
    """Return what is wrong with a `count/…` name; None for a good one and for other names."""
    if not name.startswith(COUNT):
        return None
    kind, _, group = name.removeprefix(COUNT).partition(".")
    if not _SUBDOMAIN.fullmatch(f"{kind}.{group}".rstrip(".")):
        return "a count is written count/<resource>.<group>, in lower case"
    if group not in KINDS:
        # Groups of custom resources have a dot; all built-in ones without are in the table.
        return None if "." in group else f"there is no API group {group!r}"
    if kind in KINDS[group]:
        return None
    # A later Kubernetes may bring kinds to the named groups, but hardly to the core one.
    if group and KINDS[group] and not _closest(kind, KINDS[group], cutoff=0.85):
        return None
    return f"{group or 'the core group'} has no kind {kind!r} that is counted"


def _page_problem(name: str) -> str | None:
    """Return what is wrong with a huge page name, "" for a good one and None for other names."""
    size = name.removeprefix(REQUESTS)
    if not size.startswith(HUGE_PAGES):
        return None
    try:
        page = Quantity.parse(size.removeprefix(HUGE_PAGES))
    except QuantityError as error:
        return f"its page size is wrong, {error}".rstrip("?")
    return "" if page.nano > 0 and page.whole else "a page size is a positive number of bytes"


def _syntax_problem(name: str) -> str | None:
    """Return why `name` is no qualified name as Kubernetes has it, None when it is one."""
    domain, slash, last = name.rpartition("/")
    if "/" in domain:
        return "it has more than one slash"
    if slash and (len(domain) > 253 or not _SUBDOMAIN.fullmatch(domain)):
        return "before its slash there must be a domain in lower case, of at most 253 characters"
    if len(last) > 63 or not _NAME.fullmatch(last):
        return (
            "it must be 1 to 63 letters, digits, '-', '_' and '.'"
            f"{' after its slash' if slash else ''}, with a letter or digit at both ends"
        )
    return None


def _shown(name: str) -> str:
    return repr(name if len(name) <= 80 else f"{name[:80]}…")
