"""Promises of the reflector: nothing lost, nothing made up, whatever the stream does."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from tests.service.cluster.scripted import Answer, Script, Sleeps

from quotatree.cluster import client, paths, reflector


def obj(name: str, version: int, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": str(version)}, **more}


def event(kind: str, name: str, version: int, **more: Any) -> dict[str, Any]:
    return {"type": kind, "object": obj(name, version, **more)}


def listing(names: str, version: int) -> dict[str, Any]:
    items = [obj(name, version - 1) for name in names]
    return {"metadata": {"resourceVersion": str(version)}, "items": items}


def words(changes: list[reflector.Change]) -> str:
    """Changes as words: `[ab]@5 +c6 -a7 .9`."""
    out = []
    for change in changes:
        match change:
            case reflector.Listed():
                inside = "".join(item["metadata"]["name"] for item in change.items)
                out.append(f"[{inside}]@{change.resource_version}")
            case reflector.Changed():
                out.append(f"+{change.object['metadata']['name']}{change.resource_version}")
            case reflector.Deleted():
                out.append(f"-{change.object['metadata']['name']}{change.resource_version}")
            case reflector.Progress():
                out.append(f".{change.resource_version}")
            case reflector.Forbidden():
                out.append("forbidden")
    return " ".join(out)


async def run(
    api: client.Client, script: Script, sleeps: Sleeps, *, silence: float = 5.0
) -> list[reflector.Change]:
    """Collect what the reflector gives out until the script is at its end."""
    got: list[reflector.Change] = []
    follower = reflector.Reflector(
        api, paths.RESOURCE_QUOTAS, silence=silence, sleep=sleeps, chance=lambda: 0.5
    )

    async def follow() -> None:
        async for change in follower.changes():
            got.append(change)

    task = asyncio.create_task(follow())
    await asyncio.wait_for(script.finished.wait(), 10)
    task.cancel()
    await asyncio.wait([task])
    return got


def watched_from(script: Script) -> list[str]:
    return [seen.query["resourceVersion"] for seen in script.seen if "watch" in seen.query]


async def test_lists_then_gives_each_change_in_order(
    api: client.Client, script: Script, sleeps: Sleeps
) -> None:
    script.json(listing("ab", 5))
    script.watch(
        event("ADDED", "c", 6),
        event("MODIFIED", "a", 7),
        event("DELETED", "b", 8),
        event("BOOKMARK", "", 12),
    )
    assert words(await run(api, script, sleeps)) == "[ab]@5 +c6 +a7 -b8 .12"
    assert watched_from(script) == ["5", "12"]
    assert script.seen[1].query["allowWatchBookmarks"] == "true"


@pytest.mark.parametrize("hurt", ["cut", "garbage", "unknown type", "no version", "out of order"])
async def test_a_hurt_stream_goes_on_after_the_last_change_understood(
    api: client.Client, script: Script, sleeps: Sleeps, hurt: str
) -> None:
    script.json(listing("", 5))
    first = event("ADDED", "a", 6)
    bad: dict[str, Any] = {
        "cut": b'{"type":"ADDED","object":{"metadata":{"name":"b","resourceVersion":"7"',
        "garbage": b"\x00\xff garbage\n",
        "unknown type": event("CHANGED", "b", 7),
        "no version": {"type": "ADDED", "object": {"metadata": {"name": "b"}}},
        "out of order": event("ADDED", "b", 6),
    }
    script.watch(first, bad[hurt], cut=hurt == "cut")
    script.watch(event("ADDED", "b", 7))
    assert words(await run(api, script, sleeps)) == "[]@5 +a6 +b7"
    assert watched_from(script)[:2] == ["5", "6"]


async def test_a_last_line_without_its_end_is_left_out_even_if_it_looks_whole(
    api: client.Client, script: Script, sleeps: Sleeps
) -> None:
    script.json(listing("", 5))
    script.watch(b'{"type":"DELETED","object":{"metadata":{"resourceVersion":"66"}}}')
    script.watch(b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"665"}}}\n')
    assert words(await run(api, script, sleeps)) == "[]@5 .665"


@pytest.mark.parametrize("how", ["answer", "event", "too large"])
async def test_history_that_is_gone_is_listed_again(
    api: client.Client, script: Script, sleeps: Sleeps, how: str
) -> None:
    script.json(listing("a", 5))
    if how == "answer":
        script.refuse(410, "Expired", "too old resource version")
    elif how == "event":
        gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
        script.watch({"type": "ERROR", "object": gone})
    else:
        causes = {"causes": [{"reason": "ResourceVersionTooLarge"}]}
        script.refuse(504, "Timeout", "Too large resource version", details=causes)
    script.json(listing("b", 9))
    script.watch(event("ADDED", "c", 10))
    assert words(await run(api, script, sleeps)) == "[a]@5 [b]@9 +c10"


async def test_other_errors_of_the_server_keep_the_place(
    api: client.Client, script: Script, sleeps: Sleeps
) -> None:
    script.json(listing("a", 5))
    script.refuse(500)
    failed = {"kind": "Status", "code": 500, "reason": "InternalError", "message": "etcd"}
    script.watch({"type": "ERROR", "object": failed})
    script.refuse(429, "TooManyRequests")
    script.watch(event("ADDED", "c", 10))
    assert words(await run(api, script, sleeps)) == "[a]@5 +c10"
    assert watched_from(script)[:4] == ["5", "5", "5", "5"]
    assert sleeps[:3] == [0.05, 0.1, 0.2]


async def test_it_says_whether_anything_is_told(
    api: client.Client, script: Script, sleeps: Sleeps
) -> None:
    """From the first failure until a watch has begun again, be it ever so quiet."""
    follower = reflector.Reflector(api, paths.RESOURCE_QUOTAS, sleep=sleeps)
    script.json(listing("a", 5))
    script.watch(event("ADDED", "c", 10), cut=True)
    script.refuse(500)
    script.watch(hang=True)
    said: list[bool] = []
    pause = sleeps.__call__

    async def follow() -> None:
        async for _ in follower.changes():
            said.append(follower.cut)

    async def watched(seconds: float) -> None:
        said.append(follower.cut)
        await pause(seconds)

    follower._sleep = watched
    task = asyncio.create_task(follow())
    async with asyncio.timeout(10):
        while len(script.seen) < 4 or follower.cut:
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert said == [False, False, True, True]


async def test_what_stays_in_the_way_is_gone_around_by_a_list(
    api: client.Client, script: Script, sleeps: Sleeps
) -> None:
    script.json(listing("a", 5))
    for _ in range(reflector.FAILURES_BEFORE_LIST):
        script.watch(b"garbage\n")
    script.json(listing("ab", 8))
    script.watch(event("ADDED", "c", 10))
    assert words(await run(api, script, sleeps)) == "[a]@5 [ab]@8 +c10"


async def test_a_failed_list_is_tried_again(
    api: client.Client, script: Script, sleeps: Sleeps
) -> None:
    script.refuse(403, "Forbidden")
    script.json(listing("a", 5))
    script.watch(event("ADDED", "c", 10))
    assert words(await run(api, script, sleeps)) == "[a]@5 +c10"


async def test_whoever_may_not_read_any_more_is_told_so_once_and_lists_again(
    api: client.Client, script: Script, sleeps: Sleeps
) -> None:
    script.json(listing("a", 5))
    script.refuse(403, "Forbidden")
    script.refuse(403, "Forbidden")
    script.json(listing("ab", 8))
    script.watch(event("ADDED", "c", 10))
    assert words(await run(api, script, sleeps)) == "[a]@5 forbidden [ab]@8 +c10"


async def test_a_silent_watch_is_opened_again(
    api: client.Client, script: Script, sleeps: Sleeps
) -> None:
    script.json(listing("a", 5))
    script.watch(event("ADDED", "b", 6), hang=True)
    script.watch(event("ADDED", "c", 7))
    assert words(await run(api, script, sleeps, silence=0.05)) == "[a]@5 +b6 +c7"
    assert watched_from(script)[:2] == ["5", "6"]


async def test_lines_may_be_large_and_come_in_any_pieces(
    api: client.Client, script: Script, sleeps: Sleeps
) -> None:
    script.json(listing("", 5))
    import orjson

    large = orjson.dumps(event("ADDED", "a", 6, data="x" * 3_000_000)) + b"\n"
    rest = orjson.dumps(event("ADDED", "b", 7)) + b"\n"
    script.watch(large[:10], large[10:2_000_000], large[2_000_000:] + rest[:1], rest[1:])
    assert words(await run(api, script, sleeps)) == "[]@5 +a6 +b7"


async def test_a_server_that_ends_every_watch_at_once_is_not_hammered(
    api: client.Client, script: Script, sleeps: Sleeps
) -> None:
    script.json(listing("", 5))
    for _ in range(4):
        script.add(Answer())
    await run(api, script, sleeps)
    assert sleeps[:4] == [0.05, 0.1, 0.2, 0.4]


async def test_a_consumer_may_leave_in_the_middle(api: client.Client, script: Script) -> None:
    script.json(listing("a", 5))
    script.watch(event("ADDED", "b", 6), hang=True)
    follower = reflector.Reflector(api, paths.PODS, label_selector="l=1", field_selector="f=2")
    changes = follower.changes()
    got = [await anext(changes), await anext(changes)]
    await changes.aclose()
    assert words(got) == "[a]@5 +b6"
    assert follower.seen == 6
    query = script.seen[1].query
    assert (query["labelSelector"], query["fieldSelector"]) == ("l=1", "f=2")


async def test_others_get_their_turns_while_a_burst_is_given_out(
    api: client.Client, script: Script, sleeps: Sleeps
) -> None:
    """Reviews are answered on the same loop."""
    script.json(listing("", 5))
    burst = (orjson.dumps(event("ADDED", "a", 6 + n)) for n in range(200))
    script.watch(b"".join(line + b"\n" for line in burst))
    got: list[reflector.Change] = []
    jumps: list[int] = []

    async def follow() -> None:
        follower = reflector.Reflector(api, paths.RESOURCE_QUOTAS, sleep=sleeps)
        async for change in follower.changes():
            got.append(change)

    async def others() -> None:
        while True:
            before = len(got)
            await asyncio.sleep(0)
            jumps.append(len(got) - before)

    tasks = [asyncio.create_task(follow()), asyncio.create_task(others())]
    await asyncio.wait_for(script.finished.wait(), 10)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert len(got) == 201
    assert max(jumps) <= reflector.IN_A_ROW
