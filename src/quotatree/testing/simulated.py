"""A simulated API server for laws about the ledger: compare-and-swap, a history, lost replies.

It knows Namespaces with a parent and one managed ResourceQuota each. Writes are made in two steps,
so that a test decides what happens in between: `propose` is a request that has passed admission,
`land` is its commit or its loss.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from quotatree.model.names import Namespace, Uid
from quotatree.model.observed import ManagedQuota, ObservedNamespace
from quotatree.units.resources import Resources

Object = ManagedQuota | ObservedNamespace


@dataclass(slots=True, kw_only=True)
class Server:
    """Committed objects, and every commit in order."""

    version: int = 0
    namespaces: dict[Namespace, ObservedNamespace] = field(default_factory=dict)
    managed: dict[Namespace, ManagedQuota] = field(default_factory=dict)
    history: list[Object] = field(default_factory=list)

    def commit(self, obj: Object) -> Object:
        """Write an object whatever it was before, with the next resourceVersion."""
        self.version += 1
        written = replace(obj, resource_version=self.version)
        if isinstance(written, ManagedQuota):
            self.managed[written.namespace] = written
        else:
            self.namespaces[written.name] = written
        self.history.append(written)
        return written

    def land(self, obj: Object) -> bool:
        """Commit an object if its resourceVersion still is the committed one."""
        if isinstance(obj, ManagedQuota):
            current: Object | None = self.managed.get(obj.namespace)
        else:
            current = self.namespaces.get(obj.name)
        if current is None or current.resource_version != obj.resource_version:
            return False
        self.commit(obj)
        return True

    def create(
        self,
        name: Namespace,
        parent: Namespace | None,
        *,
        epoch: int | None,
        measured: Iterable[str] = ("cpu", "pods"),
    ) -> None:
        """Create a Namespace and its managed ResourceQuota, measured; without an `epoch` closed."""
        self.commit(
            ObservedNamespace(name=name, uid=Uid(f"uid-{name}"), resource_version=0, parent=parent)
        )
        self.commit(
            ManagedQuota(
                namespace=name,
                name="quotatree",
                uid=Uid(f"uid-managed-{name}"),
                resource_version=0,
                used=Resources.from_nano(dict.fromkeys(measured, 0)),
                epoch=epoch,
                ready=True,
            )
        )

    def used(self, name: Namespace) -> Resources:
        """Return the committed usage of a namespace."""
        return self.managed[name].used
