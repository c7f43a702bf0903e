"""Kubernetes' own parser as a fixture."""

import shutil
import subprocess
from collections.abc import Iterator

import pytest
from tests.unit.units.kubernetes_oracle import Oracle, built


@pytest.fixture(scope="session")
def oracle() -> Iterator[Oracle]:
    go = shutil.which("go")
    if go is None:
        pytest.skip("no `go` on PATH: Kubernetes' own parser cannot be built to compare with")
    with subprocess.Popen(
        [built(go)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="ascii"
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Oracle(process.stdin, process.stdout)
        process.stdin.close()
