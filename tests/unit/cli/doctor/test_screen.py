"""The doctor's screen at 100 columns, held against `tests/golden/cli`."""

from pathlib import Path

from quotatree.cli.doctor import command, installed, screen
from quotatree.cli.doctor.installed import Answer
from quotatree.cli.doctor.rules import Check, found
from quotatree.cli.doctor.standing import Drift, Look, usage, world
from quotatree.engine.survey import Observed
from quotatree.model.report import Verdict

GOLDEN = Path(__file__).parents[3] / "golden" / "cli"

DRIFT = Drift(
    namespace="vision",
    quota="quotatree",
    resource="requests.nvidia.com/gpu",
    used="7",
    recount="3",
    difference=4 * 10**9,
)
EMPTY = Observed()
NOTHING = Look(seen=EMPTY, world=world(EMPTY), charges={}, counted=frozenset({"pods"}))
CHECKS = [
    Check(name="API server", summary="Kubernetes v1.36.3 at https://10.0.0.1:6443"),
    installed.webhook(
        Answer(
            wrong='Internal error occurred: failed calling webhook "namespace.quotatree.dev": '
            "failed to call webhook: Post "
            '"https://quotatree-webhook.quotatree-system.svc:443/validate/namespace?timeout=5s": '
            "dial tcp 10.96.0.17:443: connect: connection refused"
        ),
        leader="",
        namespace="quotatree-system",
    ),
    usage(NOTHING, (DRIFT,), repaired=(), unread={"widgets.example.com": "the group is unknown"}),
    Check(
        name="others",
        summary="1 limit namespaces of the tree",
        items=(found("other-tool", "hnc limits 2 namespaces of the tree as well: a, b"),),
    ),
]


def test_screen_is_the_accepted_one_and_fits_100_columns():
    text = screen.render(CHECKS, command.report(CHECKS)) + "\n"
    assert text == (GOLDEN / "doctor.txt").read_text(encoding="utf-8")
    assert max(map(len, text.splitlines())) <= 100


def test_only_errors_make_it_unsound():
    assert command.report(CHECKS).verdict is Verdict.DOES_NOT_FIT
    warned = command.report([CHECKS[0], CHECKS[3]])
    assert (warned.verdict, warned.headline) == (Verdict.FITS, "sound, 1 warning")
