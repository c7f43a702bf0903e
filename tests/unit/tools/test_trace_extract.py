from pathlib import Path

import pytest
from tools import trace_extract

PODS = trace_extract.read(trace_extract.EXTRACT)


def pod(**given: str) -> trace_extract.Pod:
    return dict.fromkeys(trace_extract.COLUMNS, "1") | {"gpu_spec": ""} | given


def test_the_extract_has_about_600_pods_each_once_in_order_of_creation() -> None:
    assert 550 <= len(PODS) <= 650
    assert len({p["name"] for p in PODS}) == len(PODS)
    created = [int(p["creation_time"]) for p in PODS]
    assert created == sorted(created)


def test_every_pod_of_the_extract_asks_for_amounts_that_a_pod_can_ask_for() -> None:
    assert all(tuple(p) == trace_extract.COLUMNS for p in PODS)
    assert all(int(p["cpu_milli"]) > 0 and int(p["memory_mib"]) > 0 for p in PODS)
    assert all(0 <= int(p["gpu_milli"]) <= 1000 for p in PODS)
    assert all(int(p["deletion_time"]) >= int(p["creation_time"]) for p in PODS)


def test_the_extract_has_every_shape_of_pod() -> None:
    assert {p["num_gpu"] for p in PODS} == {"0", "1", "2", "4", "8"}
    assert {p["qos"] for p in PODS} == {"LS", "BE", "Burstable", "Guaranteed"}
    assert len({(p["cpu_milli"], p["memory_mib"]) for p in PODS}) > 50


def test_of_each_group_the_first_and_then_every_nth_is_kept() -> None:
    usual = [pod(name=f"a{i}") for i in range(15)]
    large = [pod(name=f"b{i}", num_gpu="8") for i in range(4)]
    kept = trace_extract.extract([*usual, *large])
    assert [p["name"] for p in kept] == ["a0", "a14", "b0", "b3"]
    assert tuple(kept[0]) == trace_extract.COLUMNS


def test_an_extract_can_be_made_and_read(tmp_path: Path) -> None:
    full, made = tmp_path / "full.csv", tmp_path / "made.csv"
    trace_extract.write(full, trace_extract.extract([pod(name="one")]))
    assert trace_extract.main([str(full), "--output", str(made)]) == 0
    assert [p["name"] for p in trace_extract.read(made)] == ["one"]


@pytest.mark.parametrize("content", [None, "", "name,cpu\n1,2\n"])
def test_a_wrong_file_is_refused_and_nothing_is_written(
    content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, made = tmp_path / "source.csv", tmp_path / "made.csv"
    if content is not None:
        source.write_text(content)
    assert trace_extract.main([str(source), "--output", str(made)]) == 1
    assert "source.csv" in capsys.readouterr().err
    assert not made.exists()
