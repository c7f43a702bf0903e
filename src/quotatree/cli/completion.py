"""`quotatree completion`: what makes the shell complete commands and options."""

from __future__ import annotations

import sys

import click
from click.shell_completion import ShellComplete, get_completion_class

from quotatree.cli import options


@click.command(
    epilog=options.examples(
        'eval "$(quotatree completion bash)"     # in ~/.bashrc; zsh: in ~/.zshrc',
        "quotatree completion fish > ~/.config/fish/completions/quotatree.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that makes SHELL complete commands and options.

    Behind `kubectl quotatree`, kubectl's own completion works by itself.
    """
    from quotatree.cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None  # these three are Click's own
    # Click's bash class asks an installed bash for its version first; the script needs 4.4.
    script = kind.source_template % kind(cli, {}, "quotatree", "_QUOTATREE_COMPLETE").source_vars()
    click.echo(script)


def for_kubectl() -> None:
    """Answer kubectl's question what may follow `kubectl quotatree …`.

    kubectl calls `kubectl_complete-quotatree` with the words so far, the last of which is being
    typed, and reads lines of value, tab and description, then a directive (cobra's
    `ShellCompDirective`): 4 for "no file names".
    """
    from quotatree.cli.main import cli

    *words, begun = sys.argv[1:] or [""]
    found = ShellComplete(cli, {}, "kubectl quotatree", "").get_completions(words, begun)
    for item in found:
        if item.type == "plain":
            click.echo(f"{item.value}\t{item.help or ''}".rstrip())
    click.echo(":4" if all(item.type == "plain" for item in found) else ":0")
