"""Every command that the documentation names exists, with the options that it is given."""

import re
import shlex

import click
import pytest
from tests.docs import pages

from quotatree.cli.main import cli

# What a shell puts between two commands.
_SEPARATORS = re.compile(r'\$\(|[|;()]|&&|"\$|\beval\b')
CALLS = [
    (place, part.strip().removeprefix("kubectl ").removeprefix("uv run "))
    for place, line in pages.commands()
    for part in _SEPARATORS.split(line.partition(" #")[0])
    if re.match(r"(kubectl |uv run )?quotatree\b", part.strip())
]
TARGETS = sorted(
    {
        (place, target)
        for place, line in pages.commands()
        for target in re.findall(r"^make ([a-z-]+)", line.strip())
    }
)


def resolve(words):
    """Return the command that the words name, and what is left of them."""
    command = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, f"there is no command {words[0]}"
        command, words = found, words[1:]
    return command, words


def test_the_documentation_shows_commands():
    assert len(CALLS) > 20


@pytest.mark.parametrize(("place", "call"), CALLS)
def test_command_exists_with_its_options(place, call):
    words = shlex.split(call.replace('"', "").partition(">")[0])
    command, rest = resolve(words[1:])
    known = {flag for p in command.params for flag in (*p.opts, *p.secondary_opts)}
    used = {word.partition("=")[0] for word in rest if word.startswith("-") and word != "-"}
    assert used <= known | {"-h", "--help"}, place


@pytest.mark.parametrize(("place", "target"), TARGETS)
def test_make_target_exists(place, target):
    makefile = (pages.ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:.*## ", makefile, re.MULTILINE), f"{place}: make {target}"


def test_every_make_target_is_explained_by_make_help():
    makefile = (pages.ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split()
    assert [t for t in phony if not re.search(rf"^{t}:.*## ", makefile, re.MULTILINE)] == []
