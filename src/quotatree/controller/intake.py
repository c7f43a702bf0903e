"""Changes from the API server into the world; returns whose plan has to be made again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from quotatree.cluster.live import Live
from quotatree.cluster.reflector import Change, Changed, Deleted, Listed
from quotatree.codec import managed, namespaces, quotas
from quotatree.engine.account import Way
from quotatree.model import names
from quotatree.model.names import Namespace, QuotaName
from quotatree.model.quota import Quota

Dirty = set[Namespace]
QuotaKey = tuple[Namespace, QuotaName]


class Intake:
    """Takes changes in.

    TreeQuotas that vanish are set aside in `departed` until it is known why: when the whole CRD
    goes, its objects go with it, and the last limits have to stay.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._world = live.world
        self.departed: dict[QuotaKey, Quota] = {}
        self.orphaned: set[QuotaKey] = set()
        self.conditions: dict[QuotaKey, list[Mapping[str, Any]]] = {}

    # -- namespaces ---------------------------------------------------------------------------

    def namespaces(self, change: Change) -> Dirty:
        """Take in a change of Namespaces."""
        match change:
            case Listed(items=items, resource_version=version):
                seen = [namespaces.parse(item) for item in items]
                present = {namespace.name for namespace in seen}
                dirty: Dirty = set()
                for name in [n for n in self._world.namespaces if n not in present]:
                    dirty |= self._world.lose_namespace(name, version)
                return dirty.union(*(self._world.see_namespace(one) for one in seen))
            case Changed(object=obj):
                dirty = self._world.see_namespace(namespaces.parse(obj), changed=True)
            case Deleted(object=obj, resource_version=version):
                dirty = self._world.lose_namespace(namespaces.parse(obj).name, version)
            case _:
                return set()
        self._live.ring()
        return dirty

    # -- managed ResourceQuotas ---------------------------------------------------------------

    def managed(self, change: Change) -> Dirty:
        """Take in a change of ResourceQuotas; those of tenants change no plan."""
        match change:
            case Listed(items=items):
                return self._list_managed(items)
            case Changed(object=obj) if managed.is_managed(obj):
                dirty = self._world.see_managed(managed.parse(obj))
                self._live.ring()
                return dirty
            case Deleted(object=obj) if managed.is_managed(obj):
                return self._world.lose_managed(managed.parse(obj))
            case Changed(object=obj):
                self._world.ledger.tenants.see(managed.parse(obj))
            case Deleted(object=obj):
                gone = managed.parse(obj)
                self._world.ledger.tenants.lose(gone.namespace, gone.name)
            case _:
                pass
        return set()

    def _list_managed(self, items: tuple[dict[str, Any], ...]) -> Dirty:
        seen = [managed.parse(item) for item in items if managed.is_managed(item)]
        present = {(one.namespace, one.name) for one in seen}
        self._list_tenants([item for item in items if not managed.is_managed(item)])
        known = [q for found in self._world.managed.values() for q in found.values()]
        dirty: Dirty = set()
        for quota in known:
            if (quota.namespace, quota.name) not in present:
                dirty |= self._world.lose_managed(quota)
        for one in seen:
            dirty |= self._world.see_managed(one, way=Way.LISTED)
        self._live.ring()
        return dirty

    def _list_tenants(self, items: Iterable[dict[str, Any]]) -> None:
        tenants, seen = self._world.ledger.tenants, [managed.parse(item) for item in items]
        tenants.keep({(one.namespace, one.name) for one in seen})
        for one in seen:
            tenants.see(one)

    # -- TreeQuotas ---------------------------------------------------------------------------

    def quotas(self, change: Change) -> Dirty:
        """Take in a change of TreeQuotas."""
        match change:
            case Listed(items=items):
                present = {quotas.parse(item).key for item in items}
                for quota in list(self._world.limits.all()):
                    if quota.key not in present and quota.key not in self.orphaned:
                        self.departed[quota.key] = quota
                return set().union(*(self._see_quota(item) for item in items))
            case Changed(object=obj):
                return self._see_quota(obj)
            case Deleted(object=obj):
                quota = quotas.parse(obj)
                self.departed[quota.key] = quota
            case _:
                pass
        return set()

    def remembered(self) -> list[Quota]:
        """Return the TreeQuotas that managed ResourceQuotas remember and nobody has listed."""
        return [
            quota
            for found in self._world.managed.values()
            for quota in (found[names.MANAGED_QUOTA].limits if names.MANAGED_QUOTA in found else ())
            if self._world.limits.find(quota.key) is None
        ]

    def recall(self, *, kind_since: str | None) -> Dirty:
        """Put those in force that went with their kind.

        That is all of them while there is no such kind (`kind_since` is None), and those that are
        older than the kind: they went with the one before it.
        """
        dirty: Dirty = set()
        for quota in self.remembered():
            if kind_since is None or quota.created < kind_since:
                self.orphaned.add(quota.key)
                dirty |= self._world.see_quota(quota)
        return dirty

    def _see_quota(self, obj: Mapping[str, Any]) -> Dirty:
        quota = quotas.parse(obj)
        self.departed.pop(quota.key, None)
        self.orphaned.discard(quota.key)
        status = obj.get("status")
        found = status.get("conditions") if isinstance(status, dict) else None
        self.conditions[quota.key] = found if isinstance(found, list) else []
        return self._world.see_quota(quota)

    def bury(self, keys: Iterable[QuotaKey], *, by_hand: bool) -> Dirty:
        """End departed TreeQuotas if somebody deleted them; if their CRD went, keep them."""
        dirty: Dirty = set()
        for key in keys:
            quota = self.departed.pop(key, None)
            if quota is None:
                continue  # it is there again
            if by_hand:
                self.conditions.pop(key, None)
                dirty |= self._world.lose_quota(quota)
            else:
                self.orphaned.add(key)
        return dirty
