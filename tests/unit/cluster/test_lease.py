"""Promises of the leader election, in simulated time against a Lease with compare-and-swap."""

from __future__ import annotations

import asyncio
import copy
import heapq
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from quotatree.cluster import lease
from quotatree.errors import ClusterError

PATH = "/apis/coordination.k8s.io/v1/namespaces/quotatree-system/leases"


class Time:
    """A clock that jumps to the next sleeper when nothing else can run."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._order), future))
        await future

    async def until(self, done: Callable[[], bool], limit: float = 100.0) -> float:
        """Let time pass until `done`; return how many seconds that took."""
        start = self.now
        while True:
            for _ in range(20):
                await asyncio.sleep(0)
            if done():
                return self.now - start
            assert self._sleepers, "nobody sleeps and it is not done"
            at, _, future = heapq.heappop(self._sleepers)
            assert at - start <= limit, f"not done after {limit} s"
            self.now = max(self.now, at)
            if not future.done():
                future.set_result(None)


class Server:
    """One Lease behind an API with optimistic concurrency, and ways to fail."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.before: Callable[[str], Awaitable[None] | None] = lambda _: None
        self.lose_reply = False
        self.down = False

    async def request(
        self, method: str, path: str, *, body: Any = None, timeout: float, retry: bool
    ) -> dict[str, Any]:
        assert path.startswith(PATH)
        assert not retry
        assert timeout > 0
        if self.down:
            raise ClusterError("down")
        if method == "GET":
            if self.lease is None:
                raise ClusterError("not found", status=404)
            return copy.deepcopy(self.lease)
        if method == "POST" and self.lease is not None:
            raise ClusterError("there is one", status=409)
        if method == "PUT":
            self._check(body)
        self.write(body)
        if self.lose_reply:
            self.lose_reply = False
            raise ClusterError("reply lost")
        assert self.lease is not None
        return copy.deepcopy(self.lease)

    def _check(self, body: Any) -> None:
        if self.lease is None:
            raise ClusterError("not found", status=404)
        if body["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise ClusterError("conflict", status=409)

    def write(self, body: Any) -> None:
        self.version += 1
        self.lease = copy.deepcopy(body)
        self.lease["metadata"]["resourceVersion"] = str(self.version)

    @property
    def spec(self) -> dict[str, Any]:
        assert self.lease is not None
        return self.lease["spec"]


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def server() -> Server:
    return Server()


Candidate = Callable[..., lease.LeaseElector]


@pytest.fixture
def candidate(time: Time, server: Server) -> Candidate:
    def make(
        identity: str,
        *,
        clock: Callable[[], float] = time,
        wall: Callable[[], float] = lambda: 1_800_000_000.0 + time.now,
    ) -> lease.LeaseElector:
        return lease.LeaseElector(
            server,  # type: ignore[arg-type]
            namespace="quotatree-system",
            name="quotatree",
            identity=identity,
            duration=15.0,
            clock=clock,
            wall=wall,
            sleep=time.sleep,
            chance=lambda: 0.5,
        )

    return make


async def finish(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_the_first_makes_the_lease_and_leads_epoch_1(
    candidate: Candidate, server: Server
) -> None:
    a = candidate("a")
    assert await a.acquire() == 1
    assert (a.epoch, a.holder, a.lost.is_set()) == (1, "a", False)
    assert server.spec == {
        "holderIdentity": "a",
        "leaseDurationSeconds": 15,
        "leaseTransitions": 1,
        "acquireTime": "2027-01-15T08:16:40.000000Z",
        "renewTime": "2027-01-15T08:16:40.000000Z",
    }


async def test_the_same_identity_takes_it_at_once_with_a_new_epoch(
    candidate: Candidate, time: Time
) -> None:
    assert await candidate("a").acquire() == 1
    before = time.now
    assert await candidate("a").acquire() == 2
    assert time.now == before


async def test_the_old_process_of_the_same_identity_finds_out(
    candidate: Candidate, time: Time
) -> None:
    old = candidate("a")
    await old.acquire()
    renewing = asyncio.create_task(old.renew())
    await candidate("a").acquire()
    await time.until(old.lost.is_set)
    assert old.epoch is None
    await renewing


async def test_a_renewed_lease_is_never_taken(
    candidate: Candidate, time: Time, server: Server
) -> None:
    a, b = candidate("a"), candidate("b")
    await a.acquire()
    tasks = [asyncio.create_task(a.renew()), asyncio.create_task(b.acquire())]
    await time.until(lambda: time.now > 1090, limit=100)
    assert (a.epoch, b.epoch, server.spec["leaseTransitions"]) == (1, None, 1)
    assert server.spec["acquireTime"] != server.spec["renewTime"]
    await finish(*tasks)


async def test_another_waits_a_whole_duration_of_its_own_observation(
    candidate: Candidate, time: Time, server: Server
) -> None:
    a, b = candidate("a"), candidate("b")
    await a.acquire()
    # Whatever the dead holder's clock said, in either direction.
    server.spec["renewTime"] = "1999-01-01T00:00:00.000000Z"
    waiting = asyncio.create_task(b.acquire())
    took = await time.until(waiting.done)
    assert 15.0 <= took <= 17.0
    assert (await waiting, b.holder) == (2, "b")


async def test_the_holders_own_duration_applies(
    candidate: Candidate, time: Time, server: Server
) -> None:
    await candidate("a").acquire()
    server.spec["leaseDurationSeconds"] = 40
    waiting = asyncio.create_task(candidate("b").acquire())
    assert 40.0 <= await time.until(waiting.done) <= 42.0


async def test_a_touched_label_is_no_renewal(
    candidate: Candidate, time: Time, server: Server
) -> None:
    await candidate("a").acquire()
    waiting = asyncio.create_task(candidate("b").acquire())
    await time.until(lambda: time.now > 1008)
    server.write(server.lease)
    await time.until(waiting.done)
    assert time.now - 1000 <= 17.0


async def test_a_released_lease_is_taken_at_the_next_look(
    candidate: Candidate, time: Time, server: Server
) -> None:
    a, b = candidate("a"), candidate("b")
    await a.acquire()
    waiting = asyncio.create_task(b.acquire())
    await time.until(lambda: b.holder == "a")
    await a.release()
    assert a.lost.is_set()
    assert server.spec["holderIdentity"] == ""
    assert await time.until(waiting.done) <= 2.0
    assert await waiting > 1


async def test_of_two_who_see_a_free_lease_one_gets_it(
    candidate: Candidate, time: Time, server: Server
) -> None:
    a = candidate("x")
    await a.acquire()
    await a.release()
    tasks = [asyncio.create_task(candidate(name).acquire()) for name in "ab"]
    await time.until(lambda: any(task.done() for task in tasks))
    for _ in range(20):
        await asyncio.sleep(0)
    assert sum(task.done() for task in tasks) == 1
    await finish(*tasks)


async def test_the_holder_gives_up_before_another_may_begin(
    candidate: Candidate, time: Time, server: Server
) -> None:
    a = candidate("a")
    await a.acquire()
    renewing = asyncio.create_task(a.renew())
    server.down = True
    assert 10.0 <= await time.until(a.lost.is_set) < 15.0
    await renewing
    assert a.epoch is None


async def test_a_process_that_stood_still_leads_no_more(
    candidate: Candidate, time: Time, server: Server
) -> None:
    a = candidate("a")
    await a.acquire()
    renewing = asyncio.create_task(a.renew())
    await time.until(lambda: time.now >= 1002)
    writes = server.version
    time.now += 60
    await time.until(a.lost.is_set)
    await renewing
    assert server.version == writes


async def test_a_renewal_whose_reply_was_lost_does_not_end_the_term(
    candidate: Candidate, time: Time, server: Server
) -> None:
    a = candidate("a")
    await a.acquire()
    renewing = asyncio.create_task(a.renew())
    server.lose_reply = True
    await time.until(lambda: time.now > 1060)
    assert a.epoch == 1
    await finish(renewing)


async def test_an_acquisition_whose_reply_was_lost_makes_a_further_epoch(
    candidate: Candidate, time: Time, server: Server
) -> None:
    server.lose_reply = True
    waiting = asyncio.create_task(candidate("a").acquire())
    await time.until(waiting.done)
    assert await waiting == 2


async def test_release_after_a_renewal_that_was_cut_off_still_frees_the_lease(
    candidate: Candidate, server: Server
) -> None:
    a = candidate("a")
    await a.acquire()
    server.write(server.lease)
    await a.release()
    assert server.spec["holderIdentity"] == ""


async def test_who_ends_with_nothing_under_way_hands_its_epoch_on(
    candidate: Candidate, server: Server
) -> None:
    first, second, third = candidate("a"), candidate("b"), candidate("c")
    epoch = await first.acquire()
    await first.release(settled=True)
    assert await second.acquire() == epoch
    assert second.continues
    await second.release()
    assert await third.acquire() > epoch
    assert not third.continues


async def test_an_epoch_is_handed_on_once_and_to_nobody_who_takes_a_lease_that_ran_out(
    candidate: Candidate, server: Server, time: Time
) -> None:
    first, second, third = candidate("a"), candidate("b"), candidate("c")
    epoch = await first.acquire()
    await first.release(settled=True)
    assert await second.acquire() == epoch
    assert server.lease is not None
    assert "annotations" not in server.lease["metadata"]
    later = asyncio.create_task(third.acquire())  # b dies
    await time.until(later.done)
    assert later.result() > epoch
    assert not third.continues


@pytest.mark.parametrize("note", ["99", "x", "-3", "", "1"])
async def test_an_epoch_that_cannot_have_been_handed_on_is_not_taken(
    candidate: Candidate, server: Server, note: str
) -> None:
    """One of the future, no number, or one below what is written already."""
    first, second = candidate("a"), candidate("b")
    epoch = await first.acquire()
    await first.release(settled=True)
    assert server.lease is not None
    server.lease["metadata"]["annotations"] = {"quotatree.dev/settled": note}
    assert await second.acquire(above=epoch + 1) > epoch + 1
    assert not second.continues


async def test_release_leaves_anothers_lease_alone(candidate: Candidate, server: Server) -> None:
    a = candidate("a")
    await a.acquire()
    theirs = copy.deepcopy(server.lease)
    assert theirs is not None
    theirs["spec"] |= {"holderIdentity": "b", "leaseTransitions": 2}
    server.write(theirs)
    await a.release()
    await a.release()
    assert server.spec["holderIdentity"] == "b"


async def test_a_deleted_lease_is_lost_and_its_epochs_are_not_repeated(
    candidate: Candidate, time: Time, server: Server
) -> None:
    a = candidate("a")
    await a.acquire()
    renewing = asyncio.create_task(a.renew())
    server.lease = None
    await time.until(a.lost.is_set)
    await renewing
    assert await candidate("b").acquire() > 1


async def test_an_epoch_is_above_all_that_are_written(candidate: Candidate, server: Server) -> None:
    """Greater ones than any resourceVersion come from the backup of another cluster."""
    server.version = 10
    assert await candidate("a").acquire(above=7) == 11
    # Neither of these two wrote its epoch anywhere, so both find the same one to be above of.
    first, second = [await candidate("a").acquire(above=90) for _ in range(2)]
    assert 90 < first < second


async def test_two_who_hold_a_lease_that_was_deleted_in_between_differ_in_epoch(
    candidate: Candidate, server: Server
) -> None:
    a, b = candidate("a"), candidate("b")
    first = await a.acquire()
    server.lease = None
    assert await b.acquire() > first
    assert a.epoch == first, "a has not heard of it"


async def test_waiting_outlives_a_server_that_is_down(
    candidate: Candidate, time: Time, server: Server
) -> None:
    server.down = True
    a = candidate("a")
    waiting = asyncio.create_task(a.acquire())
    await time.until(lambda: time.now > 1030)
    server.down = False
    await time.until(waiting.done)
    assert a.epoch == 1


# -- a watch beside it ------------------------------------------------------------------------


def shown(server: Server) -> dict[str, Any]:
    return copy.deepcopy(server.lease) or {}


async def test_a_release_that_a_watch_shows_is_taken_at_once(
    candidate: Candidate, time: Time, server: Server
) -> None:
    a, b = candidate("a"), candidate("b")
    await a.acquire()
    waiting = asyncio.create_task(b.acquire())
    await time.until(lambda: b.holder == "a")
    await a.release()
    before = time.now
    b.notice(shown(server))
    for _ in range(20):
        await asyncio.sleep(0)
    assert (waiting.done(), time.now) == (True, before)


async def test_the_lease_of_one_who_died_is_taken_as_soon_as_it_is_over(
    candidate: Candidate, time: Time, server: Server
) -> None:
    a, b = candidate("a"), candidate("b")
    await a.acquire()
    b.notice(shown(server))
    waiting = asyncio.create_task(b.acquire())
    assert await time.until(waiting.done) == pytest.approx(15.0)


async def test_a_leader_that_is_shown_another_one_steps_down_at_once(
    candidate: Candidate, time: Time, server: Server
) -> None:
    a, b = candidate("a"), candidate("b")
    await a.acquire()
    renewing = asyncio.create_task(a.renew())
    await asyncio.sleep(0)
    time.now += 30  # a process that stood still
    b.notice(shown(server))
    time.now += 15
    assert await b.acquire() == 2
    a.notice(shown(server))
    for _ in range(20):
        await asyncio.sleep(0)
    assert (renewing.done(), a.epoch, a.lost.is_set()) == (True, None, True)


async def test_an_old_state_that_a_watch_shows_late_changes_nothing(
    candidate: Candidate, server: Server
) -> None:
    a = candidate("a")
    await a.acquire()
    old = shown(server)
    await a.release()
    epoch = await a.acquire()
    a.notice(old)
    assert (a.epoch, a.lost.is_set()) == (epoch, False)


async def test_others_see_where_the_leader_is_reached_until_its_lease_is_over(
    time: Time, server: Server
) -> None:
    def make(identity: str) -> lease.LeaseElector:
        return lease.LeaseElector(
            server,  # type: ignore[arg-type]
            namespace="quotatree-system",
            name="quotatree",
            identity=identity,
            address=f"https://{identity}:9443",
            clock=time,
        )

    a, b = make("a"), make("b")
    await a.acquire()
    for elector in (a, b):
        elector.notice(shown(server))
    assert a.leader is None
    assert b.leader is not None
    assert b.leader.address == "https://a:9443"
    time.now += 15
    assert b.leader is None


# -- clocks that jump -------------------------------------------------------------------------


class Jumping:
    """A clock of one process, which somebody sets forward or back."""

    def __init__(self, true: Time) -> None:
        self._true = true
        self.ahead = 0.0

    def __call__(self) -> float:
        return self._true() + self.ahead

    def by(self, seconds: float) -> float:
        self.ahead += seconds
        return self()


@pytest.mark.parametrize("seconds", [-1e6, -20.0, 20.0, 1e6])
async def test_a_follower_whose_clock_jumps_once_takes_no_lease_that_is_renewed(
    candidate: Candidate, server: Server, time: Time, seconds: float
) -> None:
    clock = Jumping(time)
    leader, follower = candidate("one"), candidate("two", clock=clock)
    first = await leader.acquire()
    keeping = asyncio.create_task(leader.renew())
    taking = asyncio.create_task(follower.acquire())
    await time.until(lambda: server.version >= 3)
    clock.ahead = seconds
    await time.until(lambda: server.version >= 30)
    assert leader.epoch == first
    assert not taking.done()
    await cancelled(keeping, taking)


async def test_a_follower_whose_clock_runs_away_leads_early_and_in_an_epoch_of_its_own(
    candidate: Candidate, server: Server, time: Time
) -> None:
    clock = Jumping(time)
    leader, follower = candidate("one"), candidate("two", clock=lambda: clock.by(20.0))
    first = await leader.acquire()
    keeping = asyncio.create_task(leader.renew())
    taking = asyncio.create_task(follower.acquire())
    await time.until(taking.done, limit=5.0)
    # Both may believe in it until the next renewal: what they do bears different epochs.
    assert taking.result() > first
    await time.until(lambda: leader.epoch is None, limit=5.0)
    assert leader.lost.is_set()
    await cancelled(keeping, taking)


@pytest.mark.parametrize("seconds", [-1e6, -20.0, 20.0, 1e6])
async def test_a_leader_whose_clock_jumps_steps_down_or_goes_on_alone(
    candidate: Candidate, server: Server, time: Time, seconds: float
) -> None:
    clock = Jumping(time)
    leader, follower = candidate("one", clock=clock), candidate("two")
    first = await leader.acquire()
    keeping = asyncio.create_task(leader.renew())
    taking = asyncio.create_task(follower.acquire())
    await time.until(lambda: server.version >= 3)
    clock.ahead = seconds
    await time.until(lambda: taking.done() or server.version >= 30)
    assert taking.done() == (seconds > 0)
    assert (leader.epoch is None) == taking.done()
    assert not taking.done() or taking.result() > first
    await cancelled(keeping, taking)


async def test_nobody_believes_a_wall_clock(
    candidate: Candidate, server: Server, time: Time
) -> None:
    """`renewTime` is for people: a year in it takes no lease away and keeps none."""
    years = iter((1e9, -1e9, 5e8, -5e8) * 100)
    leader, follower = candidate("one", wall=lambda: 2e9 + next(years)), candidate("two")
    await leader.acquire()
    keeping = asyncio.create_task(leader.renew())
    taking = asyncio.create_task(follower.acquire())
    await time.until(lambda: server.version >= 20)
    assert leader.epoch is not None
    assert not taking.done()
    keeping.cancel()
    await time.until(taking.done, limit=20.0)
    await cancelled(keeping, taking)


async def cancelled(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
