"""Settings by topic: the unit, the default and the consequence stand under each field."""

from __future__ import annotations

from dataclasses import dataclass, field

from quotatree.engine.reservation import Timing
from quotatree.engine.slices import SliceSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """How the controller paces itself."""

    workers: int = 16
    """Namespaces written at the same time. More: a tree stands sooner, the API server is busier."""
    writes: float = 500.0
    """Writes a second at the most: what stands in namespaces, statuses and Events. What a request
    waits for (a tightening, a touch, a new leader's fence) is not held up. More: changed limits and
    new namespaces stand sooner; the API server is busier meanwhile."""
    tick: float = 0.05
    """Seconds between looks at what is overdue: holds, touches, tightenings."""
    status_every: float = 1.0
    """Seconds between writes of TreeQuota status. Shorter: fresher figures, more writes."""
    status_most: int = 100
    """TreeQuotas' namespaces looked at in each such round only because something changed elsewhere
    in their tree, which changes what is available to them. More: fresher figures, more writes."""
    gate_every: float = 5.0
    """Seconds after which the kinds of the birth gate are written again, in case its manifest was
    re-applied. Longer: objects of rare kinds may pass uncounted for as long."""
    event_every: float = 30.0
    """Seconds in which the same Event about the same object is not repeated."""
    observe_every: float = 30.0
    """Seconds between two counts for TreeQuotas that only observe, or four times as long as the
    last one took. Shorter: fresher figures, and every object that they count is read more often."""
    observe_page: int = 250
    """Objects read at a time for them. More: fewer requests, and reviews wait longer meanwhile."""
    observe_pause: float = 0.1
    """Seconds between two such pages. Longer: gentler, and a count of many objects takes longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """Where the admission server listens and who the API server finds there."""

    host: str = "0.0.0.0"  # noqa: S104 - in a pod the API server comes from anywhere
    """Address to listen on."""
    port: int = 9443
    """Port to listen on; 0 takes a free one."""
    url: str | None = None
    """Base URL by which the API server reaches a controller outside the cluster."""
    address: str | None = None
    """Host or IP by which other replicas reach this one, to hand reviews on while it leads. None:
    they cannot, and whoever asks them is told to ask again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What is logged, to stderr."""

    level: str = "info"
    """Least level: `debug`, `info`, `warning`, `error`."""
    form: str = "text"
    """`text` for people, `json` for machines: one object a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that one replica is told."""

    namespace: str = "quotatree-system"
    """Where the Lease and the certificate's Secret live."""
    identity: str
    """Name of this replica in the Lease; the same name after a restart leads again at once."""
    lease: str = "quotatree"
    """Name of the Lease."""
    pod: str | None = None
    """The pod that this replica runs in, to be labelled while it leads. None: it runs in none."""
    api_servers: tuple[str, ...] = ()
    """Base URLs of all API servers of the cluster, each reached directly. With them a charge whose
    object never came is given up within two seconds, when each of them has proven to work on; with
    one left out, an object of its may appear after its room was given away. None: after 40 s."""
    timing: Timing = field(default_factory=Timing)
    """How long the ledger waits for what is in flight."""
    slices: SliceSettings = field(default_factory=SliceSettings)
    """Who may grow how far without asking."""
    loop: LoopSettings = field(default_factory=LoopSettings)
    """How the controller paces itself."""
    webhook: WebhookSettings = field(default_factory=WebhookSettings)
    """Where the admission server listens."""
    log: LogSettings = field(default_factory=LogSettings)
    """What is logged."""
