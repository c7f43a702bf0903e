"""The binaries of a control plane: from the cache, else downloaded, else built.

Each lies in a directory of its product and version, and a stamp vouches for its content.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from quotatree.errors import SandboxError
from quotatree.sandbox import build, download, gomodule, locks, stamp
from quotatree.sandbox.locations import Locations
from quotatree.sandbox.progress import Progress
from quotatree.sandbox.versions import Versions

OVERRIDE_VARIABLE: Final = "QUOTATREE_SANDBOX_BIN"
KUBECTL: Final = "kubectl"
_VERSION_TIMEOUT_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """One file of the cache."""

    name: str
    product: str
    version: str

    @classmethod
    def of(cls, name: str, versions: Versions) -> Binary:
        """The binary of that name in these versions."""
        product = "etcd" if name in gomodule.ETCD_PACKAGES else "kubernetes"
        return cls(name=name, product=product, version=getattr(versions, product))

    @property
    def kit(self) -> str:
        """The directory's name."""
        return f"{self.product}-{self.version}"


def ensure(
    names: Sequence[str],
    versions: Versions,
    *,
    locations: Locations,
    environ: Mapping[str, str],
    progress: Progress,
) -> dict[str, Path]:
    """Paths of whole, unaltered binaries; gets what is missing.

    Raises:
        SandboxError: one cannot be had; the message says what to do.
    """
    own = environ.get(OVERRIDE_VARIABLE)
    if own:
        return _own(Path(own), names)
    wanted = [Binary.of(name, versions) for name in names]
    root = locations.binaries
    with ThreadPoolExecutor() as pool:
        whole = pool.map(lambda binary: stamp.valid(root / binary.kit, binary.name), wanted)
    missing = [binary for binary, valid in zip(wanted, whole, strict=True) if not valid]
    for index, binary in enumerate(missing):
        after = ", then ".join(later.name for later in missing[index + 1 :]) or "starting etcd"
        waiting = f"waiting for another process that is getting {binary.kit}"
        with locks.held(root / f".{binary.kit}.lock", waiting=waiting, progress=progress):
            _get(binary, locations, progress=progress, after=after)
    return {binary.name: root / binary.kit / binary.name for binary in wanted}


def _own(directory: Path, names: Sequence[str]) -> dict[str, Path]:
    paths = {name: directory.absolute() / name for name in names}
    # kubectl is a convenience: a sandbox runs without it.
    missing = [
        name for name, path in paths.items() if name != KUBECTL and not os.access(path, os.X_OK)
    ]
    if missing:
        raise SandboxError(
            f"{OVERRIDE_VARIABLE}={directory}: no executable {', '.join(missing)} there; "
            "put it there or unset the variable"
        )
    return {name: path for name, path in paths.items() if os.access(path, os.X_OK)}


def _get(binary: Binary, locations: Locations, *, progress: Progress, after: str) -> None:
    directory = locations.binaries / binary.kit
    if stamp.valid(directory, binary.name):
        return  # Another process got it while this one waited.
    target = directory / binary.name
    if binary.name not in stamp.read(directory) and reports_version(target, binary.version):
        how = "found"
    elif _downloaded(binary, target, progress):
        how = "downloaded"
    else:
        job = build.Job(
            product=binary.product,
            version=binary.version,
            name=binary.name,
            directory=locations.builds / binary.kit,
            after=after,
        )
        build.build(job, target, progress)
        how = "built"
    if not reports_version(target, binary.version):
        raise SandboxError(
            f"{target} was {how}, but does not say that it is version {binary.version}; delete it "
            "and try again"
        )
    stamp.record(directory, binary.name, version=binary.version, source=how)


def _downloaded(binary: Binary, target: Path, progress: Progress) -> bool:
    origin = download.source(binary.name, binary.version, download.Platform.here())
    try:
        download.fetch(origin, target, progress)
    except download.Unavailable as reason:
        progress.note(f"not downloaded, so it is built: {reason}")
        return False
    return True


def reports_version(path: Path, version: str) -> bool:
    """Whether the file runs and says that it is that version."""
    arguments = ["version", "--client"] if path.name == KUBECTL else ["--version"]
    try:
        answer = subprocess.run(  # noqa: S603 - a file of our own cache
            [path, *arguments],
            capture_output=True,
            text=True,
            timeout=_VERSION_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    said = re.search(rf"(?<![\w.])v?{re.escape(version)}(?![\w.-])", answer.stdout)
    return answer.returncode == 0 and said is not None
