"""Binaries built with Go: for places that cannot reach the official sites.

Go's own module and build caches make it resumable: what was compiled is not compiled again.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from quotatree.errors import SandboxError
from quotatree.sandbox import gomodule
from quotatree.sandbox.progress import Progress
from quotatree.sandbox.versions import PINNED

# Measured on 2 cores with an empty build cache.
_USUAL: Final = {
    "etcd": "about 1 min",
    "kube-apiserver": "about 4 min",
    "kube-controller-manager": "about 2 min",
}
_POLL_SECONDS: Final = 0.5
_TAIL_CHARACTERS: Final = 2000
_MODULE_PATHS: Final = {
    "kubernetes": "k8s.io/kubernetes",
    "etcd": gomodule.ETCD_PACKAGES["etcd"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One binary to build: `directory` is where its Go module lies or will lie."""

    product: str
    version: str
    name: str
    directory: Path
    after: str = ""


def build(job: Job, target: Path, progress: Progress) -> None:
    """Build one binary and put it in place; all or nothing.

    Raises:
        SandboxError: Go is missing or too old, or the build failed.
    """
    _require_go(_prepare(job, progress))
    temporary = target.with_name(f".{target.name}.part")
    temporary.parent.mkdir(parents=True, exist_ok=True)
    usual = f" ({_USUAL[job.name]} from nothing)" if job.name in _USUAL else ""
    flags = ["-trimpath", "-ldflags", gomodule.linker_flags(job.product, job.version)]
    with progress.step(
        f"building {job.name} {job.version}{usual}", after=job.after, slow=True
    ) as s:
        argv = ["go", "build", *flags, "-o", str(temporary), gomodule.PACKAGES[job.name]]
        _run(argv, job.directory, on_wait=s.tick)
    temporary.replace(target)


def _prepare(job: Job, progress: Progress) -> Path:
    """Lay out the Go module; returns its go.mod."""
    go_mod = job.directory / "go.mod"
    if (job.directory / "go.sum").exists() and go_mod.exists():
        return go_mod
    job.directory.mkdir(parents=True, exist_ok=True)
    if job.version == getattr(PINNED, job.product):
        shipped = resources.files("quotatree.sandbox") / "gomod" / job.product
        for name in ("go.mod", "go.sum"):
            (job.directory / name).write_text((shipped / name).read_text())
        return go_mod
    _require_go(None)
    doing = f"resolving the Go modules of {job.product} {job.version}"
    with progress.step(doing, after=f"building {job.name}", slow=True) as step:
        text = _generated(job)
        # Under another name first: a module without its go.sum must not look finished.
        work = job.directory.with_name(f".{job.directory.name}.part")
        work.mkdir(parents=True, exist_ok=True)
        (work / "go.mod").write_text(text)
        _run(["go", "mod", "tidy"], work, on_wait=step.tick)
        shutil.rmtree(job.directory)
        work.replace(job.directory)
    return go_mod


def _generated(job: Job) -> str:
    module = _MODULE_PATHS[job.product]
    answer = _run(["go", "mod", "download", "-json", f"{module}@v{job.version}"], job.directory)
    go_mod = Path(json.loads(answer)["GoMod"]).read_text()
    if job.product == "etcd":
        return gomodule.etcd_module(job.version, go_mod=go_mod)
    return gomodule.kubernetes_module(job.version, go_mod=go_mod)


def _require_go(go_mod: Path | None) -> None:
    wanted = gomodule.go_version(go_mod.read_text()) if go_mod else gomodule.go_version("")
    advice = (
        f"install Go {wanted} or newer (https://go.dev/dl/), or put the binaries into a directory "
        "and name it in QUOTATREE_SANDBOX_BIN"
    )
    if shutil.which("go") is None:
        raise SandboxError(f"the official sites cannot be reached, and there is no Go: {advice}")
    answer = _run(["go", "env", "GOVERSION", "GOTOOLCHAIN"], Path.cwd()).split()
    found = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", answer[0])
    have = tuple(int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    if have < tuple(int(part) for part in wanted.split(".")) and "local" in answer[1:]:
        raise SandboxError(f"{answer[0]} is too old to build the control plane: {advice}")


def _run(argv: Sequence[str], directory: Path, *, on_wait: Callable[[], None] | None = None) -> str:
    """Run to the end and return what was printed; nothing is left running on an interrupt."""
    environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off"}
    with subprocess.Popen(  # noqa: S603 - the arguments are ours
        argv,
        cwd=directory,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            output = _output(process, on_wait)
        except BaseException:
            # `go build` starts compilers: the whole session ends.
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode != 0:
        raise SandboxError(
            f"`{' '.join(argv[:3])}` failed in {directory}:\n{output[-_TAIL_CHARACTERS:].rstrip()}"
        )
    return output


def _output(process: subprocess.Popen[str], on_wait: Callable[[], None] | None) -> str:
    while True:
        try:
            return process.communicate(timeout=_POLL_SECONDS)[0]
        except subprocess.TimeoutExpired:
            if on_wait is not None:
                on_wait()
