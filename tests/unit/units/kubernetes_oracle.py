"""Kubernetes' own parser as a program, built from `tools/oracle` when its source is new."""

import fcntl
import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "tools" / "oracle"
BUILD = ROOT / "build" / "oracle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What Go makes of a text; `error` is empty for a quantity."""

    error: str = ""
    nano: int = 0
    format: str = ""
    text: str = ""
    canonical: str = ""
    lossless: bool = False


class Oracle:
    """A running oracle: one question, one answer."""

    def __init__(self, questions: IO[str], answers: IO[str]) -> None:
        self._questions = questions
        self._answers = answers

    def ask(self, text: str) -> Answer:
        self._questions.write(json.dumps(text) + "\n")
        self._questions.flush()
        said = json.loads(self._answers.readline())
        return Answer(**said | {"nano": int(said.get("nano", "0"))})


def built(go: str) -> Path:
    """Return the program; `go` fetches the modules that it needs and checks them by go.sum."""
    digest = hashlib.sha256()
    for name in ("main.go", "go.mod", "go.sum"):
        digest.update((SOURCE / name).read_bytes())
    program = BUILD / f"oracle-{digest.hexdigest()[:12]}"
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:  # test processes build once between them
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            command = [go, "build", "-trimpath", "-o", str(program.with_suffix(".new")), "."]
            subprocess.run(command, cwd=SOURCE, check=True, env=os.environ | {"GOWORK": "off"})
            program.with_suffix(".new").rename(program)
    return program
