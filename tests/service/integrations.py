"""Runs the shell steps of the integrations as a CI system would, in a folder of the user's."""

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
INTEGRATIONS: Final = ROOT / "integrations"
_EXPRESSION: Final = re.compile(r"\$\{\{\s*([\w.]+)\s*\}\}")

TREE: Final = """\
apiVersion: quotatree.dev/v1alpha1
kind: Tree
tree:
  research:
    hard: {pods: "10"}
    children:
      vision: {hard: {pods: "5"}, guaranteed: {pods: "4"}}
      language: {guaranteed: {pods: "3"}}
"""
TOO_MUCH: Final = TREE.replace(
    'language: {guaranteed: {pods: "3"}}', 'language: {guaranteed: {pods: "9"}}'
)
BROKEN: Final = TREE.replace("pods", "pots", 1)


def pods(count: int, namespace: str = "vision") -> str:
    """A Deployment of so many pods."""
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: train, namespace: {namespace}}}
spec:
  replicas: {count}
  selector: {{matchLabels: {{app: train}}}}
  template:
    metadata: {{labels: {{app: train}}}}
    spec: {{containers: [{{name: c, image: none.invalid/x}}]}}
"""


@dataclass
class Done:
    code: int
    out: str
    folder: Path

    def report(self, name: str) -> str:
        return (self.folder / "quotatree-reports" / name).read_text(encoding="utf-8")


def run(folder: Path, command: str, **variables: str) -> Done:
    """Run a line of shell in a folder, with the project's own commands and nothing else set."""
    environment = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        # One report is enough where reports are not what is looked at.
        "QUOTATREE_FORMATS": "markdown",
        **variables,
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        check=False,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return Done(code=done.returncode, out=done.stdout + done.stderr, folder=folder)


def script(folder: Path, name: str, **variables: str) -> Done:
    return run(folder, shlex.quote(str(INTEGRATIONS / "ci" / name)), **variables)


_GITHUB: Final = """\
import json, re, sys

words = sys.argv[1:]
comments = json.load(open("comments.json"))
if words[:2] == ["pr", "view"]:
    print("https://github.example/org/app/pull/7")
elif "--jq" in words:
    assert "repos/org/app/issues/7/comments" in words
    mark = re.search(r'startswith[(]"(.*?)"[)]', words[-1])[1]
    print(*(number for number, body in comments.items() if body.startswith(mark)), sep="\\n")
else:
    method, path = words[words.index("--method") + 1 :][:2]
    places = {"POST": "repos/org/app/issues/7/comments", "PATCH": "repos/org/app/issues/comments/"}
    assert path.startswith(places[method])
    number = str(len(comments)) if method == "POST" else path.rpartition("/")[2]
    (file,) = (word.removeprefix("body=@") for word in words if word.startswith("body=@"))
    comments[number] = open(file).read()
    json.dump(comments, open("comments.json", "w"))
"""


class GitHub:
    """The comments of one pull request, and a GitHub CLI that knows no more than those."""

    def __init__(self, folder: Path, *comments: str) -> None:
        self._file = folder / "comments.json"
        self._file.write_text(json.dumps(dict(enumerate(comments))), encoding="utf-8")
        tools = folder / "tools"
        tools.mkdir()
        gh = tools / "gh"
        gh.write_text(f"#!{sys.executable}\n{_GITHUB}", encoding="utf-8")
        gh.chmod(0o755)
        self.variables = {"PATH": f"{tools}{os.pathsep}/usr/bin{os.pathsep}/bin"}

    @property
    def comments(self) -> list[str]:
        return list(json.loads(self._file.read_text(encoding="utf-8")).values())


def filled(value: Any, values: dict[str, str]) -> str:
    """Return a text with each `${{ expression }}` replaced by its value."""
    return _EXPRESSION.sub(lambda match: values[match[1]], str(value))
