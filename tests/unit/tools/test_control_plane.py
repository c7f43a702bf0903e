import pytest
from tools import control_plane

from quotatree.sandbox import binaries, boot, gomodule


def test_what_is_got_before_the_tests_are_binaries_that_can_be_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(binaries, "ensure", lambda names, *_, **__: asked.extend(names))

    assert control_plane.main() == 0

    assert asked
    assert set(asked) <= set(gomodule.PACKAGES)
    assert len(asked) == len(set(asked))


def test_every_component_of_a_control_plane_runs_a_binary_that_can_be_built() -> None:
    assert set(boot.programs(boot.CONTROL_PLANE)) <= set(gomodule.PACKAGES)
