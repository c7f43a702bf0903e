"""The command `quotatree`: the list of commands, and the one place that turns errors into words."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Final

import click

from quotatree.cli import options
from quotatree.errors import QuotaTreeError

# A command is imported when it is called: help and completion must not wait for HTTP and TLS.
COMMANDS: Final = {
    "apply": ("quotatree.cli.apply:apply", "Bring the cluster in line with quotatree.yaml."),
    "check": ("quotatree.cli.check:check", "Tell whether manifests fit into the tree."),
    "completion": ("quotatree.cli.completion:completion", "Print the shell completion script."),
    "controller": (
        "quotatree.cli.controller:controller_command",
        "Run the controller and its webhook.",
    ),
    "doctor": (
        "quotatree.cli.doctor.command:doctor",
        "Look whether the installation is sound, and mend wrong counts.",
    ),
    "explain": ("quotatree.cli.explain:explain", "Explain who refuses, and what would help."),
    "import": (
        "quotatree.cli.importing:import_command",
        "Write quotatree.yaml from what other tools limit now.",
    ),
    "export": ("quotatree.cli.export:export", "Write the tree in the form of another tool."),
    "manifests": (
        "quotatree.cli.manifests:manifests_command",
        "Print everything that an installation needs.",
    ),
    "plan": (
        "quotatree.cli.plan:plan",
        "Show what applying quotatree.yaml would do, and whether it fits.",
    ),
    "sandbox": ("quotatree.cli.sandbox:sandbox", "Run a real control plane on loopback."),
    "simulate": (
        "quotatree.cli.simulate:simulate",
        "Replay a trace of workloads against a tree.",
    ),
    "tree": ("quotatree.cli.tree:tree", "Show the tree with its usage."),
    "uninstall": ("quotatree.cli.uninstall:uninstall", "Take quotatree out of the cluster."),
    "version": (
        "quotatree.cli.version:version",
        "Print the versions of quotatree and the cluster.",
    ),
}
"""Command → where it is, and its line in the help."""


class _Lazy(click.Group):
    """A group whose commands are imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - Click's signature
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in sorted(COMMANDS)])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from quotatree.codec.findings import closest

            raise click.UsageError(f"{error.message} {closest(args[0], COMMANDS)}", ctx) from None

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; an error of ours becomes one message and exit code 1."""
        try:
            return super().invoke(ctx)
        except QuotaTreeError as error:
            raise click.ClickException(str(error)) from error


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\n\n".join(
        (
            options.examples(
                "quotatree sandbox up                       to try it without a cluster",
                "quotatree manifests | kubectl apply -f -   to install it in one",
                "quotatree apply -f quotatree.yaml",
                "quotatree tree                             also: kubectl quotatree tree",
            ),
            f"{options.EXIT_CODES} Data goes to stdout, talk to stderr.",
        )
    ),
)
@click.version_option(package_name="quotatree", message="%(prog)s %(version)s")
def cli() -> None:
    """Hierarchical resource quotas for Kubernetes: exact and explainable.

    A quota on a namespace holds for that namespace and everything below it.
    """


def main() -> None:
    """Run the command that the arguments name; also installed as `kubectl-quotatree`."""
    called = Path(sys.argv[0]).name
    cli(prog_name="kubectl quotatree" if called.startswith("kubectl-") else "quotatree")
