"""`quotatree sandbox`: a real control plane on this machine, for trying things and for tests."""

from __future__ import annotations

import functools
import json
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import IO, Any, Final, NoReturn, TypeVar

import click

from quotatree import sandbox as control_plane
from quotatree.cli import options
from quotatree.errors import InputError
from quotatree.sandbox import locations, state, versions

_POLL_SECONDS: Final = 0.2
_Command = TypeVar("_Command", bound=Callable[..., Any])


@click.group(
    epilog=options.examples(
        'eval "$(quotatree sandbox up)"       start, and point kubectl at it',
        "quotatree sandbox up --name other    a second one beside it",
        "quotatree sandbox status",
        "quotatree sandbox logs kube-apiserver -f",
        "quotatree sandbox down --purge       stop it and delete its data",
    )
)
def sandbox() -> None:
    """Run a real control plane on loopback: etcd, kube-apiserver, kube-controller-manager.

    Binaries are downloaded once, or built with Go where the official sites cannot be reached.

    Exit codes: 0 done, 1 error (of `status`: something does not run), 2 bad usage.
    """


def _checked_name(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not locations.NAME_PATTERN.fullmatch(value):
        raise click.BadParameter('use 1 to 40 of a-z, 0-9 and "-", not at the ends')
    return value


def _checked_version(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    try:
        versions.Versions.choose({}, kubernetes=value)
    except InputError as error:
        raise click.BadParameter(f'"{value}" is not of the form MAJOR.MINOR.PATCH') from error
    return value


def _name_option(default: str | None) -> Callable[[_Command], _Command]:
    return click.option(
        "--name",
        default=default,
        show_default=default is not None,
        callback=_checked_name,
        help="Which sandbox.",
    )


def _output_option(command: _Command) -> _Command:
    short = click.option("--json", "output", flag_value="json", help="The same as `-o json`.")
    return options.output_option("text", "json")(short(command))


@sandbox.command(
    epilog=options.examples(
        'eval "$(quotatree sandbox up)"',
        "quotatree sandbox up --no-quotatree --name bare -o json",
        "quotatree sandbox up --kubernetes-version 1.35.4 --name older",
        "quotatree sandbox up --replicas 3 --api-servers 2 --name ha",
    )
)
@_name_option("default")
@click.option(
    "--kubernetes-version",
    callback=_checked_version,
    metavar="VERSION",
    help=f"Default: ${versions.KUBERNETES_VARIABLE}, else {versions.PINNED.kubernetes}.",
)
@click.option(
    "--etcd-version",
    callback=_checked_version,
    metavar="VERSION",
    help=f"Default: ${versions.ETCD_VARIABLE}, else {versions.PINNED.etcd}.",
)
@click.option("--scheduler", is_flag=True, help="Run kube-scheduler too.")
@click.option("--no-quotatree", is_flag=True, help="Only the bare control plane.")
@click.option(
    "--replicas",
    type=click.IntRange(1, len(state.REPLICAS)),
    show_default="as many as run, or 1",
    help="Replicas of quotatree's controller, behind one address.",
)
@click.option(
    "--api-servers",
    type=click.IntRange(1, len(state.API_SERVERS)),
    show_default="as many as there are, or 1",
    help="API servers on the one etcd; replicas are spread over them.",
)
@click.option(
    "--durable",
    is_flag=True,
    help="Let etcd wait for the disk. Slower; without it, data survives killed processes but not "
    "a crash of the machine.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=120.0,
    show_default=True,
    help="Seconds to wait until all of it is ready (getting binaries not counted).",
)
@_output_option
def up(
    *,
    name: str,
    kubernetes_version: str | None,
    etcd_version: str | None,
    scheduler: bool,
    no_quotatree: bool,
    replicas: int | None,
    api_servers: int | None,
    durable: bool,
    timeout: float,
    output: str,
) -> None:
    """Start a sandbox, or what is missing of it, and print how to point kubectl at it.

    Running it again is harmless. When it fails or is interrupted, it leaves nothing running.
    """
    from quotatree.cli import install as installer

    if no_quotatree and replicas:
        raise click.UsageError("--replicas and --no-quotatree contradict one another")
    install = functools.partial(installer.into_sandbox, replicas=replicas)
    settings = control_plane.Settings(
        name=name,
        kubernetes=kubernetes_version,
        etcd=etcd_version,
        scheduler=scheduler,
        api_servers=api_servers,
        durable=durable,
        timeout=timeout,
    )
    began = time.monotonic()
    progress = control_plane.shown_on(sys.stderr)
    with _ended_by_signals():
        current = control_plane.up(
            settings, progress=progress, install=None if no_quotatree else install
        )
    for line in _greeting(current, time.monotonic() - began):
        click.echo(line, err=True)
    if output == "json":
        click.echo(
            json.dumps(
                {
                    "kubeconfig": str(current.kubeconfig),
                    "server": current.server,
                    "kubeconfigs": list(map(str, current.kubeconfigs)),
                    "pids": current.pids,
                }
            )
        )
    else:
        click.echo(f"export KUBECONFIG={shlex.quote(str(current.kubeconfig))}")


@sandbox.command(
    epilog=options.examples(
        "quotatree sandbox down",
        "quotatree sandbox down --all --purge",
    )
)
@_name_option("default")
@click.option("--all", "everything", is_flag=True, help="Every sandbox, whatever its name.")
@click.option("--purge", is_flag=True, help="Delete data, keys and logs as well.")
@_output_option
def down(*, name: str, everything: bool, purge: bool, output: str) -> None:
    """Stop a sandbox. Its data stays for the next `up`, unless --purge is given."""
    progress = control_plane.shown_on(sys.stderr)
    asked = control_plane.names() if everything else (name,)
    stopped = [n for n in asked if control_plane.down(n, purge=purge, progress=progress)]
    if output == "json":
        click.echo(json.dumps({"stopped": stopped}))
    elif not stopped:
        click.echo("there is nothing to stop", err=True)


@sandbox.command(
    epilog=options.examples(
        "quotatree sandbox status",
        "quotatree sandbox status --name other -o json",
    )
)
@_name_option(None)
@_output_option
@click.pass_context
def status(context: click.Context, *, name: str | None, output: str) -> None:
    """Show which processes run, of one sandbox or of all. Exit code 1 if something does not run."""
    names = (name,) if name is not None else control_plane.names()
    found = [control_plane.status(n) for n in names]
    if output == "json":
        click.echo(json.dumps({"sandboxes": [_document(one) for one in found]}))
    elif found:
        _print_columns([("SANDBOX", "COMPONENT", "PID", "STATE"), *_rows(found)])
    else:
        click.echo("there is no sandbox; start one with `quotatree sandbox up`", err=True)
    context.exit(0 if all(one.running for one in found) else 1)


@sandbox.command(
    epilog=options.examples(
        "quotatree sandbox logs kube-apiserver -n 100",
        "quotatree sandbox logs -f",
    )
)
@click.argument("component", required=False, type=click.Choice(state.COMPONENTS))
@_name_option("default")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written, until Ctrl-C.")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Lines from the end of each log.",
)
@_output_option
def logs(*, component: str | None, name: str, follow: bool, lines: int, output: str) -> None:
    """Print the end of the logs, of one component or of all."""
    current = control_plane.find(name)
    components = (component,) if component else state.COMPONENTS
    existing = [c for c in components if current.log(c).exists()]
    width = max(map(len, existing), default=0) if component is None else 0
    with ExitStack() as stack:
        files = {c: stack.enter_context(current.log(c).open(errors="replace")) for c in existing}
        for source, line in _lines(files, last=lines, follow=follow):
            if output == "json":
                click.echo(json.dumps({"component": source, "line": line}))
            else:
                click.echo(f"{source:{width}} | {line}" if width else line)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into an exception, so that what was started is stopped again."""

    def end(number: int, _: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _greeting(current: control_plane.SandboxState, seconds: float) -> Iterator[str]:
    kubernetes = current.versions.kubernetes
    other = "" if current.name == "default" else f" --name {current.name}"
    yield (
        f"sandbox {current.name} is up after {seconds:.1f} s: "
        f"Kubernetes {kubernetes} at {', '.join(current.servers)}"
    )
    for path in current.kubeconfigs[1:]:
        yield f"another API server: export KUBECONFIG={shlex.quote(str(path))}"
    if current.kubectl is not None:
        yield f"kubectl of this version: {current.kubectl}"
    yield f"stop it with: quotatree sandbox down{other}"


def _document(found: control_plane.Status) -> dict[str, object]:
    current = found.state
    return {
        "name": current.name,
        "running": found.running,
        "ready": found.ready,
        "server": current.server,
        "kubeconfig": str(current.kubeconfig),
        "kubernetes": current.versions.kubernetes,
        "etcd": current.versions.etcd,
        "components": [
            {
                "name": one.process.component,
                "pid": one.process.pid,
                "running": one.running,
                "log": str(one.process.log),
            }
            for one in found.components
        ],
    }


def _rows(found: Sequence[control_plane.Status]) -> Iterator[tuple[str, ...]]:
    for one in found:
        if not one.components:
            yield one.state.name, "-", "-", "stopped"
        for component in one.components:
            process = component.process
            words = "running" if component.running else "dead"
            if component.running and process.component in state.API_SERVERS and not one.ready:
                words = "not ready"
            yield one.state.name, process.component, str(process.pid), words


def _print_columns(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _lines(files: Mapping[str, IO[str]], *, last: int, follow: bool) -> Iterator[tuple[str, str]]:
    for source, file in files.items():
        content = file.read().splitlines()
        for line in content[len(content) - last :] if last < len(content) else content:
            yield source, line
    while follow:
        for source, file in files.items():
            for line in file.read().splitlines():
                yield source, line
        time.sleep(_POLL_SECONDS)
