"""Programs in copies of their own, and stacks of them, driven as Pulumi's users do.

Two ways: the Automation API, which runs a program inside this process (fast: modules are imported
once), and the command line with the language host, where the engine has to be killed or two run at
once.
"""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation
from tests.pulumi import engines

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = REPOSITORY / "examples"
PROGRAMS = Path(__file__).with_name("programs")

Edit = Callable[[str], str]
_DIAGNOSTIC = re.compile(
    r"^  (?P<of>\S.*):$|^    error: (?P<said>.*(?:\n {5,}\S.*)*)", re.MULTILINE
)
_AFTERMATH = re.compile(r"(preview|update|destroy) failed$")


class Stack:
    """One stack of one program; counts of operations are as Pulumi's summary gives them."""

    def __init__(self, directory: Path, name: str, config: Mapping[str, str]) -> None:
        self.directory = directory
        self.name = name
        self.automation = _opened(directory, name)
        for key, value in config.items():
            self.automation.set_config(key, automation.ConfigValue(value))

    def preview(self) -> dict[str, int]:
        return _counts(self.automation.preview(color="never").change_summary)

    def up(self) -> dict[str, int]:
        return _counts(self.automation.up(color="never").summary.resource_changes)

    def refresh(self) -> dict[str, int]:
        return _counts(self.automation.refresh(color="never").summary.resource_changes)

    def destroy(self) -> dict[str, int]:
        return _counts(self.automation.destroy(color="never").summary.resource_changes)

    @property
    def outputs(self) -> dict[str, Any]:
        return {key: output.value for key, output in self.automation.outputs().items()}

    @property
    def resources(self) -> list[str]:
        """URNs in the state, without the stack itself and the providers; sorted."""
        deployment = self.automation.export_stack().deployment or {}
        urns = [resource["urn"] for resource in deployment.get("resources") or ()]
        own = ("pulumi:pulumi:Stack", "pulumi:providers:")
        return sorted(urn for urn in urns if not urn.split("::")[2].startswith(own))

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Run `pulumi COMMAND` by its command line, without waiting for its end."""
        argv = ["pulumi", *command, "--stack", self.name, "--non-interactive", "--color", "never"]
        return subprocess.Popen(
            argv if "preview" in command else [*argv, "--yes", "--skip-preview"],
            cwd=self.directory,
            env=os.environ,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, *command: str) -> str:
        """The same to its end; returns what it printed."""
        code, said = self._ended(*command)
        assert code == 0, said
        return said

    def errors(self, *command: str) -> list[str]:
        """The errors with which `pulumi COMMAND` fails: whose each is, and what it says.

        That the whole failed is left out.
        """
        code, said = self._ended(*command)
        assert code != 0, said
        found, owner = [], ""
        for match in _DIAGNOSTIC.finditer(said.partition("Diagnostics:")[2]):
            owner = match["of"] or owner
            if match["said"] and not _AFTERMATH.match(match["said"]):
                found.append(f"{owner}: {match['said']}")
        return found

    def _ended(self, *command: str) -> tuple[int, str]:
        with self.start(*command) as process:
            said = process.communicate()[0]
        return process.returncode, said


def _opened(directory: Path, name: str) -> automation.Stack:
    """Open a stack: a Python program runs in this process, any other in its language host."""
    options = automation.LocalWorkspaceOptions(work_dir=str(directory))
    project = yaml.safe_load((directory / "Pulumi.yaml").read_text())
    main = _main(directory)
    if main.name == "Pulumi.yaml":
        return automation.create_or_select_stack(
            stack_name=name, work_dir=str(directory), opts=options
        )

    def program() -> None:
        runpy.run_path(str(main), run_name="__main__")

    return automation.create_or_select_stack(
        stack_name=name, project_name=project["name"], program=program, opts=options
    )


def _main(directory: Path) -> Path:
    """The text of a program; in YAML that is the project file itself."""
    main = directory / "__main__.py"
    return main if main.exists() else directory / "Pulumi.yaml"


class Workshop:
    """Copies of programs under `root`, and their stacks until `close`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._stacks: list[Stack] = []
        self._orphans: list[int] = []

    def stack(
        self,
        source: Path,
        name: str = "dev",
        *,
        edit: Edit = lambda text: text,
        config: Mapping[str, str] | None = None,
    ) -> Stack:
        """Open a stack of a copy of `source`, whose program's text went through `edit`."""
        directory = self._root / f"{source.name}-{name}"
        ignored = shutil.ignore_patterns("__pycache__", "Pulumi.*.yaml", ".venv")
        shutil.copytree(source, directory, ignore=ignored)
        main = _main(directory)
        main.write_text(edit(main.read_text()))
        stack = Stack(directory, name, config or {})
        self._stacks.append(stack)
        return stack

    def kill(self, process: subprocess.Popen[str], *, when: Callable[[], bool]) -> None:
        """Kill an engine as soon as `when` holds; its provider lives on until `close`."""
        self._orphans += engines.kill(process, when=when)

    def close(self) -> None:
        """Destroy what is still up, whatever happened to it."""
        engines.end(self._orphans)
        for stack in self._stacks:
            if stack.resources:
                stack.automation.cancel()
                stack.destroy()


def _counts(changes: Mapping[Any, int] | None) -> dict[str, int]:
    return {str(operation): count for operation, count in (changes or {}).items()}
