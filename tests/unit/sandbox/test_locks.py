import threading
import time

from quotatree.sandbox import locks, readiness
from quotatree.sandbox.progress import Silent


def test_one_at_a_time_even_when_the_holder_deletes_the_file(tmp_path):
    path = tmp_path / "lock"
    order = []

    def wait_for_it():
        with locks.held(path, waiting="", progress=Silent()):
            order.append("second")

    with locks.held(path, waiting="", progress=Silent()):
        other = threading.Thread(target=wait_for_it)
        other.start()
        assert not readiness.wait(lambda: order != [], deadline=time.monotonic(), between=int)
        order.append("first")
        path.unlink()
    other.join(timeout=5.0)

    assert order == ["first", "second"]
