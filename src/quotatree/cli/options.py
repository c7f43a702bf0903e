"""What the commands share: options, the connection, confirmation, how an event loop is run."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from quotatree.errors import InputError

if TYPE_CHECKING:
    from quotatree.cluster.client import Client

_Command = TypeVar("_Command", bound=Callable[..., Any])
_T = TypeVar("_T")

OK: Final = 0
ERROR: Final = 1
BAD_USAGE: Final = 2
DOES_NOT_FIT: Final = 3
EXIT_CODES: Final = (
    "Exit codes: 0 it fits or there is nothing to do, 1 error, 2 bad usage, 3 it does not fit."
)


def examples(*lines: str) -> str:
    """Return an epilog that Click does not wrap: that is what the backspace tells it."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def cluster_options(command: _Command) -> _Command:
    """Add --kubeconfig and --context, with kubectl's meaning."""
    command = click.option(
        "--context", "context", metavar="NAME", help="The context of the kubeconfig to use."
    )(command)
    return click.option(
        "--kubeconfig",
        metavar="FILE",
        type=click.Path(),
        help="The kubeconfig. Default as kubectl: $KUBECONFIG, ~/.kube/config, in-cluster.",
    )(command)


def offline_options(command: _Command) -> _Command:
    """Add --offline and --state: a tree that was saved, in place of a cluster."""
    command = click.option(
        "--state",
        "state_file",
        metavar="FILE",
        type=click.Path(allow_dash=True),
        help="With --offline: the tree as `quotatree tree -o json` printed it; - is stdin.",
    )(command)
    return click.option("--offline", is_flag=True, help="Ask no cluster, but the file of --state.")(
        command
    )


def output_option(*choices: str) -> Callable[[_Command], _Command]:
    """Add -o; the first choice is the default."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        help="Form of what goes to stdout.",
    )


def yes_option(command: _Command) -> _Command:
    """Add --yes."""
    return click.option("-y", "--yes", is_flag=True, help="Do not ask; needed without a terminal.")(
        command
    )


def confirm(question: str, *, yes: bool) -> None:
    """Ask a person; without a terminal only --yes will do.

    Raises:
        click.UsageError: nobody can be asked and --yes is missing.
        click.Abort: the answer was no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask at; add --yes to go ahead")
    click.confirm(question, abort=True, err=True)


def read_bytes(filename: str, most: int) -> bytes:
    """Return the content of a file, `-` is stdin; of a greater one no more than shows that.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with click.open_file(filename, "rb") as file:
            # One byte more than is allowed tells too much from just enough.
            return bytes(file.read(most + 1))
    except OSError as error:
        raise InputError(f"{filename}: {error.strerror}") from error


async def connect(kubeconfig: str | None, context: str | None) -> Client:
    """Return a client for the cluster that the options name."""
    # Imported late: the help texts need no HTTP.
    from quotatree.cluster.client import Client

    return await Client.connect(kubeconfig, context)


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a command's asynchronous part to its end."""
    return asyncio.run(work)


def talk(message: str) -> None:
    """Say something to the person at the screen; stdout stays data."""
    click.echo(message, err=True)
