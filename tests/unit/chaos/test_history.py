"""What the witness makes of the writes of the store."""

from tests.chaos import wire
from tests.chaos.history import History
from tests.chaos.store import Change


def field(number: int, content: bytes) -> bytes:
    """Return one field of a protobuf message; all that is written here is shorter than 128."""
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def texts(number: int, found: dict[str, str]) -> bytes:
    pairs = (field(1, k.encode()) + field(2, v.encode()) for k, v in found.items())
    return b"".join(field(number, pair) for pair in pairs)


def stored(metadata: bytes, status: bytes = b"") -> bytes:
    raw = field(wire.METADATA, metadata) + field(wire.STATUS, status)
    return wire.MAGIC + field(1, field(1, b"v1")) + field(2, raw)


def quota(pods: str, cpu: str, epoch: str) -> bytes:
    used = b"".join(
        field(wire.USED, field(1, name.encode()) + field(2, field(1, amount.encode())))
        for name, amount in (("pods", pods), ("cpu", cpu))
    )
    return stored(texts(wire.ANNOTATIONS, {"quotatree.dev/epoch": epoch}), used)


ALIVE = stored(field(1, b"c250-1"))
DYING = stored(field(1, b"c250-1") + field(wire.DELETION_TIMESTAMP, b"\x08\x01"))


def history(*writes: tuple[str, bytes | None]) -> History:
    found = History(_Nobody(), frozenset({"a"}))  # type: ignore[arg-type]
    for revision, (key, value) in enumerate(writes, 1):
        found._note(Change(revision=revision, key=f"/registry/{key}".encode(), value=value))
    return found


class _Nobody:
    """A store that is not asked."""


def test_a_pod_is_charged_until_its_deletion_is_written_and_is_there_until_its_key_is_gone():
    found = history(("pods/a/c250-1", ALIVE), ("pods/a/c250-1", DYING), ("pods/a/c250-1", None))

    assert [(it.revision, it.amounts) for it in found.real] == [(1, (1, 250)), (2, (0, 0))]
    assert [(it.revision, it.amounts) for it in found.there] == [(1, (1, 250)), (3, (0, 0))]


def test_other_namespaces_and_the_same_content_again_change_nothing():
    found = history(("pods/b/c250-1", ALIVE), ("pods/a/c250-1", ALIVE), ("pods/a/c250-1", ALIVE))

    assert len(found.real) == 1


def test_usage_and_epoch_are_those_of_the_managed_quota_alone():
    found = history(
        ("resourcequotas/a/quotatree", quota("2", "1500m", "7")),
        ("resourcequotas/a/own", quota("9", "9", "9")),
    )

    (step,) = found.used
    assert (step.amounts, step.epoch) == ((2, 1500), 7)
    assert found.differing() == {"a": ((2, 1500), (0, 0))}


def test_a_chapter_begins_with_what_is_there():
    found = history(("pods/a/c250-1", ALIVE), ("resourcequotas/a/quotatree", quota("1", "1", "7")))
    found.begin()

    assert not found.real
    assert found.start_real == {"a": (1, 250)}
    assert found.start_used == {"a": (1, 1000)}
    assert found.start_epochs == {"a": 7}
