"""Pulumi's engine, Kubernetes provider and YAML: those of this machine, else built once with Go.

`uv run python -m tools.pulumi_engine` prints the directory of the programs. Where `pulumi` is on
the PATH, that one is used and nothing is built. Elsewhere they are built from their Go modules into
the user's cache: 6, 12 and 3 minutes on 2 idle cores, 9 GB in Go's own caches while it lasts
(deletable afterwards), 315 MB that stay. An interrupted build goes on where it was.

Pulumi's hosts for Python, TypeScript and Go are modules that no registry serves. `pulumi_host.py`
stands in for the first; programs in the other two cannot be run there.

To try an example by hand, with a state of its own in `build/pulumi`:

    eval "$(uv run python -m tools.pulumi_engine --env build/pulumi)"
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from quotatree.errors import QuotaTreeError, SandboxError
from quotatree.sandbox import Progress, locks, shown_on, stamp
from quotatree.sandbox.locations import Locations

CLI_VERSION: Final = "3.259.0"
PROVIDER_VERSION: Final = "4.25.0"
YAML_VERSION: Final = "1.25.0"
KIT: Final = f"{CLI_VERSION}-{PROVIDER_VERSION}"
CLI: Final = "pulumi"
PROVIDER: Final = "pulumi-resource-kubernetes"
YAML: Final = "pulumi-language-yaml"
HOST: Final = Path(__file__).with_name("pulumi_host.py")

_MODULES: Final = Path(__file__).with_name("pulumi_gomod")
_PROVIDER_MODULE: Final = "github.com/pulumi/pulumi-kubernetes/provider/v4"
_EMBEDDED: Final = ("schema.json", "terraform-mapping.json")
_INSTALL: Final = "https://www.pulumi.com/docs/iac/download-install/"
# Pulumi looks for its language hosts beside itself; which interpreter is the caller's choice.
_HOST_SCRIPT: Final = """\
#!/bin/sh
exec "${QUOTATREE_PULUMI_PYTHON:-python3}" "${QUOTATREE_PULUMI_HOST:?is not set}" "$@"
"""
_POLL_SECONDS: Final = 0.5
_TAIL_CHARACTERS: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One program to build; `version_variable` is what the linker sets to `version`."""

    name: str
    module: str
    package: str
    version_variable: str
    version: str
    usual: str


PARTS: Final = (
    Part(
        name=CLI,
        module="cli",
        package="github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        version_variable="github.com/pulumi/pulumi/sdk/v3/go/common/version.Version",
        version=f"v{CLI_VERSION}",
        usual="about 6 min",
    ),
    Part(
        name=PROVIDER,
        module="provider",
        package=".",
        version_variable=f"{_PROVIDER_MODULE}/pkg/version.Version",
        version=PROVIDER_VERSION,
        usual="about 12 min",
    ),
    Part(
        name=YAML,
        module="yaml",
        package="github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml",
        version_variable="github.com/pulumi/pulumi-yaml/pkg/version.Version",
        version=f"v{YAML_VERSION}",
        usual="about 3 min",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Where `pulumi` is; one that was `built` here has its provider beside it and gets no plugins.

    An installed one gets its plugins as Pulumi's users know it.
    """

    directory: Path
    built: bool

    def environment(self, state: Path, environ: Mapping[str, str]) -> dict[str, str]:
        """What `pulumi` is to be run with: `environ`, stacks and secrets under `state`.

        Nothing is written outside `state`, except what an installed Pulumi does by itself.
        """
        backend = state / "backend"
        backend.mkdir(parents=True, exist_ok=True)
        settings = dict(environ) | {
            # Without side files: a killed engine can leave half of one, and then no stack loads.
            "PULUMI_BACKEND_URL": f"{backend.absolute().as_uri()}?metadata=skip",
            "PULUMI_CONFIG_PASSPHRASE": "for trials only",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        if not self.built:
            return settings
        _put(self.directory / "pulumi-language-python", _HOST_SCRIPT, mode=0o755)
        return settings | {
            "PATH": os.pathsep.join([str(self.directory), environ.get("PATH", os.defpath)]),
            "PULUMI_HOME": str((state / "home").absolute()),
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "QUOTATREE_PULUMI_HOST": str(HOST),
            "QUOTATREE_PULUMI_PYTHON": sys.executable,
        }


def installed(environ: Mapping[str, str]) -> Engine | None:
    """The Pulumi that is on the PATH."""
    found = shutil.which(CLI, path=environ.get("PATH"))
    return Engine(directory=Path(found).parent, built=False) if found else None


def cached(environ: Mapping[str, str]) -> Engine:
    """The engine in the user's cache, whether or not it is whole."""
    directory = Locations.of(environ).cache / "pulumi" / KIT / "bin"
    return Engine(directory=directory, built=True)


def missing(engine: Engine) -> tuple[Part, ...]:
    """What has still to be built."""
    if not engine.built:
        return ()
    return tuple(part for part in PARTS if not stamp.valid(engine.directory, part.name))


def ensure(environ: Mapping[str, str], progress: Progress) -> Engine:
    """The engine, whole; built where there is none.

    Raises:
        SandboxError: it cannot be built; the message says what to do.
    """
    engine = installed(environ) or cached(environ)
    if not missing(engine):
        return engine
    lock = engine.directory.parent.with_name(f".{KIT}.lock")
    waiting = "waiting for another process that is building Pulumi"
    with locks.held(lock, waiting=waiting, progress=progress):
        parts = missing(engine)
        for index, part in enumerate(parts):
            after = ", then ".join(later.name for later in parts[index + 1 :])
            _build(part, engine.directory, progress=progress, after=after)
    return engine


def _build(part: Part, directory: Path, *, progress: Progress, after: str) -> None:
    work = directory.parent / "build" / part.module
    _lay_out(part, work, progress)
    target = directory / part.name
    temporary = directory / f".{part.name}.part"
    directory.mkdir(parents=True, exist_ok=True)
    flags = f"-s -w -X {part.version_variable}={part.version}"
    argv = ["build", "-trimpath", "-ldflags", flags, "-o", str(temporary), part.package]
    doing = f"building {part.name} {part.version} ({part.usual} from nothing)"
    with progress.step(doing, after=after, slow=True) as step:
        _go(argv, work, on_wait=step.tick)
    temporary.replace(target)
    stamp.record(directory, part.name, version=KIT, source="built")


def _lay_out(part: Part, work: Path, progress: Progress) -> None:
    """Put the Go module where it is built: ours, and for the provider what it embeds."""
    work.mkdir(parents=True, exist_ok=True)
    for source in (_MODULES / part.module).iterdir():
        _put(work / source.name, source.read_text())
    if part.name != PROVIDER:
        return
    with progress.step("downloading the provider's schema", slow=True) as step:
        answer = _go(["mod", "download", "-json", _PROVIDER_MODULE], work, on_wait=step.tick)
    origin = Path(json.loads(answer)["Dir"]) / "cmd" / PROVIDER
    for name in _EMBEDDED:
        document: dict[str, Any] = json.loads((origin / name).read_text())
        if name == "schema.json":
            document["version"] = PROVIDER_VERSION
        _put(work / name, json.dumps(document, separators=(",", ":")))


def _put(path: Path, text: str, *, mode: int = 0o644) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.chmod(mode)
    temporary.replace(path)


def _go(argv: list[str], directory: Path, *, on_wait: Callable[[], None]) -> str:
    """Run Go to its end and return what it printed on stdout."""
    go = shutil.which("go")
    if go is None:
        raise SandboxError(
            f"there is neither Pulumi nor Go: install Pulumi ({_INSTALL}), or Go 1.26 or newer "
            "(https://go.dev/dl/), and try again"
        )
    flags = f"{os.environ.get('GOFLAGS', '')} -buildvcs=false -mod=readonly".strip()
    environment = os.environ | {"CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": flags}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [go, *argv], cwd=directory, env=environment, text=True, stdout=pipe, stderr=pipe
    ) as process:
        try:
            output, talk = _collected(process, on_wait)
        except BaseException:
            process.send_signal(signal.SIGINT)  # Go then stops its compilers itself.
            raise
    if process.returncode != 0:
        raise SandboxError(
            f"`go {argv[0]}` failed in {directory}:\n{talk[-_TAIL_CHARACTERS:].rstrip()}\n"
            f"Try again (it goes on where it was), or install Pulumi ({_INSTALL})."
        )
    return output


def _collected(process: subprocess.Popen[str], on_wait: Callable[[], None]) -> tuple[str, str]:
    while True:
        try:
            return process.communicate(timeout=_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            on_wait()


def _exports(engine: Engine, state: Path) -> list[str]:
    settings = engine.environment(state, os.environ)
    changed = {key: value for key, value in settings.items() if os.environ.get(key) != value}
    return [f"export {key}={shlex.quote(changed[key])}" for key in sorted(changed)]


def main() -> int:
    """Say where the engine is, after building what is missing of it."""
    parser = argparse.ArgumentParser(description="Pulumi's engine and Kubernetes provider.")
    parser.add_argument("--where", action="store_true", help="only say where, build nothing")
    parser.add_argument("--env", type=Path, metavar="DIR", help="print a shell's environment")
    arguments = parser.parse_args()
    try:
        if arguments.where:
            engine = installed(os.environ) or cached(os.environ)
            print(engine.directory)
            return 1 if missing(engine) else 0
        engine = ensure(os.environ, shown_on(sys.stderr))
    except QuotaTreeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the next run goes on from here", file=sys.stderr)
        return 130
    lines = _exports(engine, arguments.env) if arguments.env else [str(engine.directory)]
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
