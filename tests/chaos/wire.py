"""What the store holds: just enough of Kubernetes' protobuf encoding to judge by it.

Source: `staging/src/k8s.io/api/core/v1/generated.proto` and apimachinery's `runtime.Unknown`.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

MAGIC = b"k8s\x00"
METADATA, STATUS = 1, 3
"""Fields of a ResourceQuota."""
DELETION_TIMESTAMP, ANNOTATIONS = 9, 12
"""Fields of ObjectMeta."""
USED = 2
"""Field of ResourceQuotaStatus."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A stored ResourceQuota; amounts are texts of Kubernetes."""

    annotations: dict[str, str]
    used: dict[str, str]


def quota(stored: bytes) -> Quota:
    """Decode a ResourceQuota as etcd holds it."""
    fields = _object(stored)
    metadata = _fields(_one(fields, METADATA))
    used = _map(_fields(_one(fields, STATUS)).get(USED, []))
    return Quota(
        annotations=_texts(metadata.get(ANNOTATIONS, [])),
        used={name: _one(_fields(amount), 1).decode() for name, amount in used.items()},
    )


def is_deleted(stored: bytes) -> bool:
    """Whether a stored object bears a deletionTimestamp.

    The API server deletes a pod in two writes, this one and the removal of the key. Where there is
    no grace, native quota counts the pod no more from the first one on (`QuotaV1Pod` in
    `pkg/quota/v1/evaluator/core/pods.go`).
    """
    return DELETION_TIMESTAMP in _fields(_one(_object(stored), METADATA))


def _object(stored: bytes) -> dict[int, list[bytes]]:
    assert stored.startswith(MAGIC), stored[:8]
    return _fields(_one(_fields(stored[len(MAGIC) :]), 2))


def _texts(entries: list[bytes]) -> dict[str, str]:
    return {key: value.decode() for key, value in _map(entries).items()}


def _map(entries: list[bytes]) -> dict[str, bytes]:
    pairs = map(_fields, entries)
    return {_one(pair, 1).decode(): _one(pair, 2) for pair in pairs}


def _one(fields: dict[int, list[bytes]], number: int) -> bytes:
    """Return the last value of a field, as protobuf counts; empty when it is absent."""
    return fields[number][-1] if number in fields else b""


def _fields(message: bytes) -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = defaultdict(list)
    for number, value in _read(message):
        found[number].append(value)
    return found


def _read(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the fields of a message; of numbers only that they are there."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        match key & 7:
            case 0:
                _, place = _varint(message, place)
                yield key >> 3, b""
            case 1:
                place += 8
            case 2:
                length, place = _varint(message, place)
                yield key >> 3, message[place : place + length]
                place += length
            case 5:
                place += 4
            case other:
                raise ValueError(f"wire type {other} at {place}")


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7
