"""Binaries from their official sites, accepted only with the checksum that is published there.

Not every platform has every file: servers of Kubernetes are published for Linux only.
"""

from __future__ import annotations

import hashlib
import io
import platform
import re
import stat
import tarfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Final

from quotatree.errors import SandboxError
from quotatree.sandbox.progress import Progress

# For the checksums, asked for first: a site that answers takes a fraction of this, and one that is
# filtered must not cost more before building begins.
PROBE_SECONDS: Final = 4.0
STALL_SECONDS: Final = 60.0
_CHUNK: Final = 1 << 18
_ARCHITECTURES: Final = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Unavailable(Exception):  # noqa: N818 - it is an answer to "can it be had?", not a fault
    """The site cannot be reached or does not have the file; the text says which."""


class _BrokenOff(Unavailable):
    """It came, but not to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """Operating system and architecture, in Go's words."""

    system: str
    architecture: str

    @classmethod
    def here(cls) -> Platform:
        """This machine."""
        machine = platform.machine().lower()
        return cls(
            system=platform.system().lower(), architecture=_ARCHITECTURES.get(machine, machine)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a file is published; `member` is its path inside an archive, empty for a bare file."""

    url: str
    checksums: str
    member: str = ""


def kubernetes_source(name: str, version: str, target: Platform) -> Source:
    """Where Kubernetes publishes a binary.

    Source: https://kubernetes.io/releases/download/#binaries.
    """
    folder = f"https://dl.k8s.io/release/v{version}/bin/{target.system}/{target.architecture}"
    return Source(url=f"{folder}/{name}", checksums=f"{folder}/{name}.sha256")


def etcd_source(version: str, target: Platform) -> Source:
    """Where etcd publishes its archive.

    Source: the assets of https://github.com/etcd-io/etcd/releases.
    """
    folder = f"https://github.com/etcd-io/etcd/releases/download/v{version}"
    stem = f"etcd-v{version}-{target.system}-{target.architecture}"
    suffix = "tar.gz" if target.system == "linux" else "zip"
    return Source(
        url=f"{folder}/{stem}.{suffix}", checksums=f"{folder}/SHA256SUMS", member=f"{stem}/etcd"
    )


def source(name: str, version: str, target: Platform) -> Source:
    """Where the binary `name` is published."""
    if name == "etcd":
        return etcd_source(version, target)
    return kubernetes_source(name, version, target)


def fetch(origin: Source, target: Path, progress: Progress) -> None:
    """Download, verify and put in place, executable; all or nothing.

    Raises:
        Unavailable: the site cannot be reached or has no such file.
        SandboxError: what came does not have the published checksum.
    """
    expected = published_digest(_small(origin.checksums), origin.url.rpartition("/")[2])
    try:
        content = _whole(origin.url, progress)
    except _BrokenOff as reason:  # building instead takes minutes: once more
        progress.note(str(reason))
        content = _whole(origin.url, progress)
    install(verified(content, origin, expected), target)


def _whole(url: str, progress: Progress) -> bytes:
    content = io.BytesIO()
    with (
        progress.step(f"downloading {url}", slow=True) as step,
        _open(url, timeout=STALL_SECONDS) as response,
    ):
        _copy(response, content, on_share=step.tick)
    return content.getvalue()


def verified(content: bytes, origin: Source, expected: str) -> bytes:
    """The binary in what came from `origin`.

    Raises:
        SandboxError: it does not have the expected SHA-256, or the archive lacks the binary.
    """
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise SandboxError(
            f"{origin.url} has the SHA-256 {found}, but {expected} is published for it; "
            "try again, and if it stays so, do not trust this network"
        )
    binary = _member(io.BytesIO(content), origin) if origin.member else content
    if binary is None:
        raise SandboxError(f"{origin.url} does not contain {origin.member}")
    return binary


def install(content: bytes, target: Path) -> None:
    """Put an executable in place, all or nothing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.part")
    temporary.write_bytes(content)
    temporary.chmod(temporary.stat().st_mode | stat.S_IXUSR)
    temporary.replace(target)


def published_digest(checksums: str, file: str) -> str:
    """The SHA-256 of `file` in a list of checksums, or in a file that holds just the one.

    Raises:
        Unavailable: there is none; sites behind a login page answer like that.
    """
    for line in checksums.splitlines():
        words = line.split()
        if words and _DIGEST.fullmatch(words[0]) and words[1:] in ([], [file], [f"*{file}"]):
            return words[0]
    raise Unavailable(f"no checksum is published for {file}")


def _member(content: io.BytesIO, origin: Source) -> bytes | None:
    try:
        if origin.url.endswith(".zip"):
            with zipfile.ZipFile(content) as archive:
                return archive.read(origin.member)
        with tarfile.open(fileobj=content) as tape:
            file = tape.extractfile(origin.member)
            return file.read() if file is not None else None
    except KeyError:
        return None
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise SandboxError(f"{origin.url} is a damaged archive: {error}") from error


def _copy(
    response: HTTPResponse, target: io.BytesIO, *, on_share: Callable[[float | None], None]
) -> None:
    size = int(response.headers.get("Content-Length") or 0)
    try:
        while chunk := response.read(_CHUNK):
            target.write(chunk)
            on_share(target.tell() / size if size else None)
    except TimeoutError as error:
        raise _BrokenOff(f"{response.url} stalled after {target.tell()} bytes") from error
    except (OSError, HTTPException) as error:
        raise _BrokenOff(f"{response.url} broke off: {error}") from error
    if target.tell() < size:
        raise _BrokenOff(f"{response.url} broke off after {target.tell()} of {size} bytes")


def _small(url: str) -> str:
    with _open(url, timeout=PROBE_SECONDS) as response:
        return response.read(1 << 20).decode(errors="replace")


@contextmanager
def _open(url: str, *, timeout: float) -> Iterator[HTTPResponse]:
    if not url.startswith("https://"):
        raise SandboxError(f"{url} is not https")
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:  # noqa: S310 - https
            if not response.url.startswith("https://"):
                raise SandboxError(f"{url} leads to {response.url}, which is not https")
            yield response
    except urllib.error.HTTPError as error:
        error.close()
        raise Unavailable(f"{url}: HTTP {error.code}") from error
    except (OSError, HTTPException) as error:
        raise Unavailable(f"{url}: {getattr(error, 'reason', None) or error}") from error
