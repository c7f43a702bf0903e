import io
import itertools

from quotatree.sandbox import progress


def test_plain_lines_come_every_15_seconds_with_what_comes_next():
    stream = io.StringIO()
    clock = itertools.count(step=10.0)
    shown = progress.Plain(stream, clock=lambda: next(clock))

    with shown.step("building etcd", after="kube-apiserver", slow=True) as step:
        for _ in range(4):
            step.tick(0.5)

    assert stream.getvalue().splitlines() == [
        "building etcd; next: kube-apiserver",
        "still building etcd (50%), 20 s so far; next: kube-apiserver",
        "still building etcd (50%), 40 s so far; next: kube-apiserver",
        "building etcd: done in 50 s",
    ]


def test_a_quick_step_is_one_line():
    stream = io.StringIO()
    shown = progress.Plain(stream, clock=lambda: 0.0)

    with shown.step("starting etcd") as step:
        step.tick()

    assert stream.getvalue() == "starting etcd: done in 0.0 s\n"


def test_what_is_no_terminal_gets_plain_lines():
    assert isinstance(progress.shown_on(io.StringIO()), progress.Plain)
