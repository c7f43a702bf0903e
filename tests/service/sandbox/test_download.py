"""Binaries over the wire: a site over TLS that serves archives and checksums, well and badly."""

import hashlib
import io
import ssl
import sys
import tarfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from quotatree.errors import SandboxError
from quotatree.sandbox import binaries, build, download, stamp
from quotatree.sandbox.download import Source, Unavailable
from quotatree.sandbox.locations import Locations
from quotatree.sandbox.progress import Plain, Silent
from quotatree.sandbox.versions import Versions
from quotatree.webhook import certificates, chain
from quotatree.webhook.certificates import Step

PROGRAM = b"#!/bin/sh\necho etcd Version: 3.6.8\n" + b"# filler\n" * 50_000
KUBECTL = b"#!/bin/sh\necho Client Version: v1.36.3\n"


@dataclass
class Answer:
    """`cut`: bytes after which the connection ends; `stall`: seconds of silence there instead."""

    body: bytes = b""
    status: int = 200
    location: str = ""
    cut: int | None = None
    stall: float = 0.0
    chunked: bool = False


@dataclass
class Site:
    """What is published: path → answers, of which the last one stays."""

    url: str
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def publish(self, path: str, *answers: Answer) -> None:
        self.answers[path] = list(answers)

    def take(self, path: str) -> Answer:
        self.asked.append(path)
        found = self.answers.get(path, [Answer(status=404, body=b"not found")])
        return found.pop(0) if len(found) > 1 else found[0]


def handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer = site.take(self.path)
            self.close_connection = True
            self.send_response(answer.status)
            if answer.location:
                self.send_header("Location", answer.location)
            if answer.chunked:
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.write(b"%x\r\n" % len(answer.body))
            else:
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
            self.wfile.write(answer.body[: answer.cut])
            if answer.chunked and answer.cut is None:
                self.wfile.write(b"\r\n0\r\n\r\n")
            self.wfile.flush()
            time.sleep(answer.stall)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    return Handler


@pytest.fixture
def site(tmp_path, monkeypatch) -> Iterator[Site]:
    now = datetime.fromtimestamp(time.time(), UTC)
    made = certificates.carry_out(Step.START, None, hosts=("127.0.0.1",), now=now)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    chain.load(context, certificates.pem(made.chain) + made.key_pem)
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(made.bundle)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(urllib.request, "_opener", None)  # it keeps what it trusted before
    monkeypatch.setattr(download, "STALL_SECONDS", 0.5)
    monkeypatch.setattr(download, "PROBE_SECONDS", 0.5)
    found = Site(url="")
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(found))
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.socket = context.wrap_socket(server.socket, server_side=True)
    found.url = f"https://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


def archive(content: bytes = PROGRAM) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tape:
        entry = tarfile.TarInfo("etcd-v3.6.8-linux-amd64/etcd")
        entry.size = len(content)
        tape.addfile(entry, io.BytesIO(content))
    return made.getvalue()


WHOLE = archive()
FILE = "/etcd-v3.6.8-linux-amd64.tar.gz"


def origin(site: Site) -> Source:
    return Source(
        url=site.url + FILE,
        checksums=f"{site.url}/SHA256SUMS",
        member="etcd-v3.6.8-linux-amd64/etcd",
    )


def sums(content: bytes) -> Answer:
    digest = hashlib.sha256(content).hexdigest()
    return Answer(f"{'0' * 64}  another.zip\n{digest}  {FILE[1:]}\n".encode())


def published(site: Site, *files: Answer, of: bytes = WHOLE) -> Source:
    site.publish("/SHA256SUMS", sums(of))
    site.publish(FILE, *files)
    return origin(site)


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_what_has_the_published_checksum_is_put_in_place_and_runs(site, tmp_path, chunked):
    target = tmp_path / "bin" / "etcd"
    download.fetch(published(site, Answer(WHOLE, chunked=chunked)), target, Silent())
    assert target.read_bytes() == PROGRAM
    assert binaries.reports_version(target, "3.6.8")
    assert site.asked == ["/SHA256SUMS", FILE]


def test_what_has_another_checksum_is_refused_and_leaves_nothing(site, tmp_path):
    altered = archive(PROGRAM + b"rm -rf /\n")
    with pytest.raises(SandboxError, match="is published for it"):
        download.fetch(published(site, Answer(altered)), tmp_path / "etcd", Silent())
    assert not (tmp_path / "etcd").exists()


BAD_ENDS = {
    "short": Answer(WHOLE, cut=len(WHOLE) // 2),
    "silent": Answer(WHOLE, cut=len(WHOLE) // 2, stall=2.0),
    "a broken chunk": Answer(WHOLE, cut=len(WHOLE) // 2, chunked=True),
}


@pytest.mark.parametrize("bad", BAD_ENDS.values(), ids=BAD_ENDS)
def test_what_breaks_off_once_is_fetched_again(site, tmp_path, bad, capsys):
    download.fetch(published(site, bad, Answer(WHOLE)), tmp_path / "etcd", Plain(sys.stderr))
    assert (tmp_path / "etcd").read_bytes() == PROGRAM
    assert site.asked == ["/SHA256SUMS", FILE, FILE]
    said = capsys.readouterr().err
    assert "broke off" in said or "stalled" in said


@pytest.mark.parametrize("bad", BAD_ENDS.values(), ids=BAD_ENDS)
def test_what_breaks_off_again_cannot_be_had(site, tmp_path, bad):
    with pytest.raises(Unavailable, match=r"broke off|stalled"):
        download.fetch(published(site, bad), tmp_path / "etcd", Silent())
    assert not (tmp_path / "etcd").exists()


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/SHA256SUMS", Answer(status=404)),
        ("/SHA256SUMS", Answer(status=503)),
        ("/SHA256SUMS", Answer(b"<html>please log in</html>")),
        ("/SHA256SUMS", Answer(b"0" * 64, cut=0, stall=2.0)),
        (FILE, Answer(status=404)),
        (FILE, Answer(status=403, body=b"filtered")),
    ],
    ids=["no checksums", "busy", "a login page", "silence", "no file", "a filter"],
)
def test_what_is_not_published_cannot_be_had(site, tmp_path, path, answer):
    found = published(site, Answer(WHOLE))
    site.publish(path, answer)
    with pytest.raises(Unavailable):
        download.fetch(found, tmp_path / "etcd", Silent())
    assert not (tmp_path / "etcd").exists()


def test_a_file_may_lie_elsewhere_but_only_over_tls(site, tmp_path):
    moved = Answer(status=302, location=f"{site.url}/elsewhere")
    site.publish("/elsewhere", Answer(WHOLE))
    download.fetch(published(site, moved), tmp_path / "etcd", Silent())
    assert (tmp_path / "etcd").read_bytes() == PROGRAM
    plain = ThreadingHTTPServer(("127.0.0.1", 0), handler(site))
    thread = threading.Thread(target=plain.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        away = Answer(status=302, location=f"http://127.0.0.1:{plain.server_port}/elsewhere")
        with pytest.raises(SandboxError, match="which is not https"):
            download.fetch(published(site, away), tmp_path / "other", Silent())
    finally:
        plain.shutdown()
        plain.server_close()
        thread.join()
    assert not (tmp_path / "other").exists()


def test_a_site_that_nobody_vouches_for_is_not_believed(site, tmp_path, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setattr(urllib.request, "_opener", None)
    with pytest.raises(Unavailable, match=r"(?i)certificate"):
        download.fetch(published(site, Answer(WHOLE)), tmp_path / "etcd", Silent())


@pytest.mark.parametrize(
    "content", [WHOLE[: len(WHOLE) // 2], b"no archive", b""], ids=["half", "text", "empty"]
)
def test_a_damaged_archive_with_the_right_checksum_is_refused(site, tmp_path, content):
    with pytest.raises(SandboxError, match="damaged archive"):
        download.fetch(published(site, Answer(content), of=content), tmp_path / "etcd", Silent())


def ensure(tmp_path, *names: str) -> dict[str, object]:
    where = Locations(cache=tmp_path / "cache", state=tmp_path / "state")
    versions = Versions(kubernetes="1.36.3", etcd="3.6.8")
    return dict(binaries.ensure(names, versions, locations=where, environ={}, progress=Silent()))


def sources(site: Site, monkeypatch) -> None:
    kubectl = Source(url=f"{site.url}/kubectl", checksums=f"{site.url}/kubectl.sha256")
    site.publish("/kubectl", Answer(KUBECTL))
    site.publish("/kubectl.sha256", Answer(hashlib.sha256(KUBECTL).hexdigest().encode()))
    known = {"etcd": published(site, Answer(WHOLE)), "kubectl": kubectl}
    monkeypatch.setattr(download, "source", lambda name, _version, _target: known[name])


def test_a_cache_is_filled_from_the_site_once(site, tmp_path, monkeypatch):
    sources(site, monkeypatch)
    first = ensure(tmp_path, "etcd", "kubectl")
    assert len(site.asked) == 4
    assert ensure(tmp_path, "etcd", "kubectl") == first
    assert len(site.asked) == 4
    assert stamp.read(first["etcd"].parent)["etcd"].source == "downloaded"


def test_what_is_gone_from_the_site_is_built(site, tmp_path, monkeypatch):
    sources(site, monkeypatch)
    site.publish(FILE, Answer(status=404))
    built = []

    def build_it(job, target, _progress):
        built.append(job.name)
        download.install(PROGRAM, target)

    monkeypatch.setattr(build, "build", build_it)
    found = ensure(tmp_path, "etcd", "kubectl")
    assert built == ["etcd"]
    assert stamp.read(found["etcd"].parent)["etcd"].source == "built"


def test_a_wrong_checksum_is_no_reason_to_build(site, tmp_path, monkeypatch):
    sources(site, monkeypatch)
    site.publish(FILE, Answer(WHOLE[:-1] + b"x"))
    monkeypatch.setattr(build, "build", lambda *_: pytest.fail("built what was tampered with"))
    with pytest.raises(SandboxError, match="do not trust this network"):
        ensure(tmp_path, "etcd")
