"""Programs in copies of their own, and stacks of them, driven as Pulumi's users do.

Two ways: the Automation API, which runs a program inside this process (fast: modules are imported
once), and the command line with the language host, where the engine has to be killed, two run at
once, or its words are judged.

Each process of Pulumi's takes its time. So what can be had from the files of a stack, its
configuration and its state, is written and read there. Most of the time goes with deletion: the
controller of namespaces waits five seconds before it begins with one, so a tree takes five for each
level (Kubernetes 1.36, `pkg/controller/namespace`, namespaceDeletionGracePeriod).
"""

from __future__ import annotations

import functools
import json
import os
import re
import runpy
import shutil
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation
from pulumi.automation import _stack as of_automation
from tests.pulumi import engines
from tests.pulumi.soak import SOAK

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = REPOSITORY / "examples"
PROGRAMS = Path(__file__).with_name("programs")

Edit = Callable[[str], str]
_DIAGNOSTIC = re.compile(
    r"^  (?P<of>\S.*):$|^    error: (?P<said>.*(?:\n {5,}\S.*)*)", re.MULTILINE
)
_AFTERMATH = re.compile(r"(preview|update|destroy) failed$")


class _Terse(automation.Stack):
    """The Automation API's stack, which after each operation starts three processes more.

    They tell outputs, with and without secrets, and history; here the files are read.
    """

    def outputs(self) -> automation.OutputMap:
        return {}

    def info(self, *_: object, **__: object) -> automation.UpdateSummary:
        return _UNTOLD


_UNTOLD = automation.UpdateSummary(
    kind="",
    start_time=datetime(1970, 1, 1, tzinfo=UTC),
    message="",
    environment={},
    config={},
    result="",
)


class Stack:
    """One stack of one program; counts of operations are as Pulumi's summary gives them.

    `said` is what the last operation by the Automation API printed.
    """

    def __init__(
        self, directory: Path, name: str, *, backend: Path, config: Mapping[str, str]
    ) -> None:
        self.directory = directory
        self.name = name
        self.said = ""
        self._project = str(yaml.safe_load((directory / "Pulumi.yaml").read_text())["name"])
        self._state = backend / ".pulumi" / "stacks" / self._project / f"{name}.json"
        self.configure(**config)
        self.automation = _opened(directory, name)

    def configure(self, **config: str) -> None:
        """Add to the stack's configuration, or change it."""
        path = self.directory / f"Pulumi.{self.name}.yaml"
        settings = (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}
        given = {f"{self._project}:{key}": value for key, value in config.items()}
        settings["config"] = settings.get("config", {}) | given
        path.write_text(yaml.safe_dump(settings))

    def preview(self) -> dict[str, int]:
        return self._done(self.automation.preview)

    def up(self) -> dict[str, int]:
        return self._done(self.automation.up)

    def refresh(self) -> dict[str, int]:
        return self._done(self.automation.refresh)

    def destroy(self) -> dict[str, int]:
        return self._done(self.automation.destroy)

    def _done(self, operation: Callable[..., Any]) -> dict[str, int]:
        counts: dict[str, int] = {}

        def keep(event: automation.EngineEvent) -> None:
            if event.summary_event:
                changes = event.summary_event.resource_changes
                counts.update({str(kind): count for kind, count in changes.items()})

        self.said = operation(color="never", on_event=keep).stdout
        return counts

    @property
    def outputs(self) -> dict[str, Any]:
        """What the program exports."""
        own = [it for it in self._recorded() if it["type"] == "pulumi:pulumi:Stack"]
        return dict(own[0].get("outputs", {})) if own else {}

    @property
    def resources(self) -> list[str]:
        """URNs in the state, without the stack itself and the providers; sorted."""
        own = ("pulumi:pulumi:Stack", "pulumi:providers:")
        urns = [resource["urn"] for resource in self._recorded()]
        return sorted(urn for urn in urns if not urn.split("::")[2].startswith(own))

    def _recorded(self) -> list[dict[str, Any]]:
        checkpoint = json.loads(self._state.read_text())["checkpoint"]
        return list((checkpoint.get("latest") or {}).get("resources") or ())

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
    """Make a stack: a Python program runs in this process, any other in its language host."""
    main = _main(directory)

    def program() -> None:
        runpy.run_path(str(main), run_name="__main__")

    workspace = automation.LocalWorkspace(
        work_dir=str(directory),
        program=program if main.suffix == ".py" else None,
        pulumi_command=_command(),
    )
    return _Terse(name, workspace, of_automation.StackInitMode.CREATE)


@functools.cache
def _command() -> automation.PulumiCommand:
    """The command `pulumi`; to find its version is a process too."""
    return automation.PulumiCommand()


def _main(directory: Path) -> Path:
    """The text of a program; in YAML that is the project file itself."""
    main = directory / "__main__.py"
    return main if main.exists() else directory / "Pulumi.yaml"


class Workshop:
    """Copies of programs under `root`, and their stacks in `backend`, until `close`."""

    def __init__(self, root: Path, *, backend: Path) -> None:
        self._root = root
        self._backend = backend
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
        stack = Stack(directory, name, backend=self._backend, config=config or {})
        self._stacks.append(stack)
        return stack

    def kill(self, process: subprocess.Popen[str], *, when: Callable[[], bool]) -> None:
        """Kill an engine as soon as `when` holds; its provider lives on until `close`."""
        self._orphans += engines.kill(process, when=when)

    def leave(self, stack: Stack) -> None:
        """Let it go with the sandbox, since destroying it shows nothing; soak destroys it.

        Nobody else may use its names.
        """
        if not SOAK:
            self._stacks.remove(stack)

    def close(self) -> None:
        """Destroy what is still up, whatever happened to it."""
        engines.end(self._orphans)
        for stack in self._stacks:
            if stack.resources:
                stack.automation.cancel()
                stack.destroy()
