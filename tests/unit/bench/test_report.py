import asyncio
import json
from typing import Any

from bench import engine, report, scenes, webhook
from bench.creation import Pair, Sample
from rich.console import Console


def sample(scene: scenes.Scene, *, seconds: float, latency: float, refused: int = 100) -> Sample:
    return Sample(
        scene=scene.name,
        label=scene.label,
        width=scene.width,
        pods=100,
        seconds=seconds,
        latencies=[latency] * 100,
        busy={"kube-apiserver": 1.0},
        calls=10,
        called=0.1,
        machine_load=0.0,
        full=scene.full,
        statuses={"403": refused, "429": 100 - refused} if scene.full else {"201": 100},
    )


def size(namespaces: int, *, microseconds: float, megabytes: int) -> dict[str, Any]:
    return {
        "namespaces": namespaces,
        "depth": 8,
        "resources": 5,
        "decide_us": [microseconds],
        "settle_us": [5.0],
        "bytes": megabytes * 10**6,
    }


def results(*, seconds: float, latency: float, microseconds: float) -> report.Results:
    native = sample(scenes.native(1), seconds=1.0, latency=0.1)
    other = sample(scenes.tree(4, 1), seconds=seconds, latency=latency)
    return report.Results(
        pairs=[Pair(native=native, other=other)],
        engine=[size(10_000, microseconds=microseconds, megabytes=46)],
        controller={"before": 60 * 10**6, "after": 70 * 10**6},
    )


def test_a_figure_on_the_wrong_side_of_its_bar_is_below_it() -> None:
    good = results(seconds=1.15, latency=0.12, microseconds=49)
    assert [bar.reached for bar in good.bars] == [True] * 4
    bad = results(seconds=1.2, latency=0.14, microseconds=51)
    assert [bar.reached for bar in bad.bars] == [False, False, False, True]


def test_the_tables_say_without_colour_what_was_reached() -> None:
    console = Console(width=140, color_system=None)
    with console.capture() as shown:
        console.print(report.screen(results(seconds=1.3, latency=0.12, microseconds=49)))
    lines = shown.get().splitlines()
    assert any("pods/s at depth 4" in line and "below" in line for line in lines)
    assert any("p99 at depth 4" in line and line.rstrip().endswith("ok") for line in lines)


def tight(*, seconds: float, latency: float) -> report.Results:
    native = sample(scenes.native(1, full=True), seconds=1.0, latency=0.1)
    other = sample(scenes.tree(4, 1, full=True), seconds=seconds, latency=latency, refused=90)
    return report.Results(pairs=[Pair(native=native, other=other)])


def test_refusals_have_bars_and_a_table_of_their_own() -> None:
    good, bad = tight(seconds=1.9, latency=0.25), tight(seconds=2.1, latency=0.35)
    assert [bar.reached for bar in good.bars] == [True, True]
    assert [bar.reached for bar in bad.bars] == [False, False]
    found = report.document(good, {})
    assert found["creation"]["pairs"] == []
    assert found["refusal"]["summary"]["depth4-1-full"]["refused"]["median"] == 0.9
    console = Console(width=140, color_system=None)
    with console.capture() as shown:
        console.print(report.screen(good))
    assert "Refusals at a full limit" in shown.get()
    assert "Pod creation" not in shown.get()


def test_the_webhook_alone_has_a_bar() -> None:
    spent = {"p50_us": 600.0, "p99_us": 900.0, "decider_us": 300.0, "acceptor_us": 250.0}
    (bar,) = report.Results(webhook=spent).bars
    assert (bar.figure, bar.reached) == (550.0, True)
    slow = report.Results(webhook=spent | {"decider_us": 900.0})
    assert not slow.bars[0].reached


def test_the_webhook_alone_is_asked_as_by_an_api_server_and_admits_everything() -> None:
    with asyncio.Runner() as runner:
        found = runner.run(webhook.measure(20))
    assert found["reviews"] == 20
    assert found["p50_us"] > 0


def test_the_document_holds_every_sample() -> None:
    found = json.loads(
        json.dumps(report.document(results(seconds=1.2, latency=0.1, microseconds=9), {"a": 1}))
    )
    assert len(found["creation"]["pairs"][0]["other"]["latencies"]) == 100
    ratio = found["creation"]["summary"]["depth4-1"]["ratio_pods_per_second"]["median"]
    assert round(ratio, 3) == 0.833
    assert found["setting"] == {"a": 1}


def test_the_forest_of_the_benchmark_has_its_leaves_at_depth_8_and_every_level_limited() -> None:
    live = engine.build(30)
    forest = live.world.ledger.forest
    leaf = engine.leaves(30)[0]
    path = forest.path(leaf)  # type: ignore[arg-type]
    assert len(path) == 8
    assert all(set(forest.node(name).book(()).hard) == set(engine.RESOURCES) for name in path)


def test_a_decision_of_the_benchmark_is_granted_and_settled() -> None:
    live = engine.build(30)
    deciding, settling = engine.decisions(live.world, 30, seconds=0)
    assert len(deciding) == len(settling) >= 3
    assert not live.world.ledger.unsettled
