"""`quotatree completion`: what makes the shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from quotatree.cli import options


@click.command(
    epilog=options.examples(
        'eval "$(quotatree completion bash)"           # in ~/.bashrc; likewise zsh in ~/.zshrc',
        "quotatree completion fish > ~/.config/fish/completions/quotatree.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that makes SHELL complete commands and options."""
    from quotatree.cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None  # these three are Click's own
    # Click's bash class asks an installed bash for its version first; the script needs 4.4.
    script = kind.source_template % kind(cli, {}, "quotatree", "_QUOTATREE_COMPLETE").source_vars()
    click.echo(script)
