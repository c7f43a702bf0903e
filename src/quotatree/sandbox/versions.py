"""Which Kubernetes and etcd a sandbox runs: pinned, overridable by flag and by environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from quotatree.errors import InputError

KUBERNETES_VARIABLE = "QUOTATREE_KUBERNETES_VERSION"
ETCD_VARIABLE = "QUOTATREE_ETCD_VERSION"
_PATTERN = re.compile(r"\d+\.\d+\.\d+(?:-[0-9a-z]+(?:\.[0-9a-z]+)*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """The two versions of a control plane, without the leading "v"."""

    kubernetes: str = "1.36.3"
    etcd: str = "3.6.8"

    @classmethod
    def choose(
        cls,
        environ: Mapping[str, str],
        *,
        kubernetes: str | None = None,
        etcd: str | None = None,
    ) -> Versions:
        """What was asked for explicitly, else by the environment, else the pinned version.

        Raises:
            InputError: a version is not of the form MAJOR.MINOR.PATCH.
        """
        pinned = cls()
        return cls(
            kubernetes=_checked(
                kubernetes or environ.get(KUBERNETES_VARIABLE) or pinned.kubernetes,
                f"--kubernetes-version or {KUBERNETES_VARIABLE}",
            ),
            etcd=_checked(
                etcd or environ.get(ETCD_VARIABLE) or pinned.etcd,
                f"--etcd-version or {ETCD_VARIABLE}",
            ),
        )


PINNED = Versions()


def _checked(text: str, source: str) -> str:
    version = text.removeprefix("v")
    if not _PATTERN.fullmatch(version):
        raise InputError(f'{source}: "{text}" is no version; write it like "{PINNED.kubernetes}"')
    return version
