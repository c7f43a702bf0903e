"""The doctor without a cluster to look at: one message, exit 1."""

import pytest
from click.testing import CliRunner
from tests.unit.cli.test_importing import dead_kubeconfig

from quotatree.cli import main


@pytest.mark.parametrize(
    ("kubeconfig", "want"),
    [
        pytest.param(dead_kubeconfig, "127.0.0.1", id="unreachable"),
        pytest.param(lambda folder: folder / "none", "none", id="no kubeconfig"),
        pytest.param(lambda folder: folder, "directory", id="a folder"),
    ],
)
@pytest.mark.parametrize("arguments", [[], ["--fix"], ["-o", "json"]])
def test_bad_input_is_one_message_and_exit_1(tmp_path, kubeconfig, want, arguments):
    line = ["doctor", "--kubeconfig", str(kubeconfig(tmp_path)), *arguments]
    result = CliRunner().invoke(main.cli, line, env={"HOME": str(tmp_path)})
    assert result.exit_code == 1
    assert want in result.stderr
    assert result.stderr.count("Error:") == 1
    assert result.stdout == ""
