import stat
from dataclasses import replace
from pathlib import Path

import pytest

from quotatree.errors import InputError, SandboxError
from quotatree.sandbox import state
from quotatree.sandbox.locations import Locations
from quotatree.sandbox.versions import Versions


def test_what_is_saved_is_loaded(tmp_path):
    known = _state(tmp_path).with_process(_process(tmp_path))

    state.save(known)

    assert state.load(tmp_path) == known


def test_only_the_owner_can_read_the_file(tmp_path):
    state.save(_state(tmp_path))

    assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600


def test_no_file_is_no_sandbox(tmp_path):
    assert state.load(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 99}', '{"format": 1}'])
def test_a_damaged_file_is_named_with_what_to_do(tmp_path, text):
    (tmp_path / "state.json").write_text(text)

    with pytest.raises(SandboxError, match=r"state\.json cannot be read .* delete"):
        state.load(tmp_path)


def test_pids_come_in_the_order_of_starting(tmp_path):
    known = _state(tmp_path)
    for component in reversed(state.COMPONENTS):
        known = known.with_process(_process(tmp_path, component=component))

    assert tuple(known.pids) == state.COMPONENTS


def test_a_forgotten_process_is_gone(tmp_path):
    known = _state(tmp_path).with_process(_process(tmp_path))

    assert known.without("etcd") == _state(tmp_path)


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a/b", "..", "a" * 41, "a\n"])
def test_what_cannot_be_a_directory_is_no_name(tmp_path, name):
    where = Locations(cache=tmp_path, state=tmp_path)

    with pytest.raises(InputError, match="cannot name a sandbox"):
        where.sandbox(name)


def test_xdg_directories_are_respected_and_relative_ones_ignored():
    where = Locations.of({"HOME": "/h", "XDG_CACHE_HOME": "/c", "XDG_STATE_HOME": "relative"})

    assert where.binaries == Path("/c/quotatree/bin")
    assert where.sandboxes == Path("/h/.local/state/quotatree/sandboxes")


def _state(directory):
    return state.SandboxState(
        name="one",
        directory=directory,
        versions=Versions(kubernetes="1.36.3", etcd="3.6.8"),
        ports=state.Ports(api_server=1, etcd=2, etcd_peer=3, webhook=4),
        kubectl=Path("/bin/kubectl"),
    )


def _process(directory, component="etcd"):
    whole = state.Process(
        component=component,
        pid=42,
        started="boot 7",
        argv=("/bin/etcd", "--x"),
        log=directory / "logs" / "etcd.log",
        env={"A": "b"},
    )
    return replace(whole, log_offset=12)
