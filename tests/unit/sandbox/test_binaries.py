import hashlib
import io
import tarfile
import zipfile

import pytest

from quotatree.errors import SandboxError
from quotatree.sandbox import binaries, build, download, stamp
from quotatree.sandbox.locations import Locations
from quotatree.sandbox.progress import Silent
from quotatree.sandbox.versions import Versions

LINUX = download.Platform(system="linux", architecture="amd64")
MAC = download.Platform(system="darwin", architecture="arm64")
VERSIONS = Versions(kubernetes="1.36.3", etcd="3.6.8")


def test_a_whole_binary_is_taken_from_the_cache(tmp_path):
    where = _cache(tmp_path, etcd="3.6.8")

    assert _ensure(where, ["etcd"]) == {"etcd": where.binaries / "etcd-3.6.8" / "etcd"}


@pytest.mark.parametrize(
    "damage",
    [
        lambda p: p.write_bytes(p.read_bytes()[:5]),
        lambda p: p.write_bytes(b"x" + p.read_bytes()[1:]),
    ],
    ids=["truncated", "altered"],
)
def test_a_damaged_binary_is_got_again(tmp_path, monkeypatch, damage):
    where = _cache(tmp_path, etcd="3.6.8")
    path = where.binaries / "etcd-3.6.8" / "etcd"
    whole = path.read_bytes()
    damage(path)
    monkeypatch.setattr(download, "fetch", lambda _, target, __: download.install(whole, target))

    _ensure(where, ["etcd"])

    assert path.read_bytes() == whole
    assert stamp.read(path.parent)["etcd"].source == "downloaded"


def test_a_binary_without_a_stamp_is_adopted_if_it_says_the_right_version(tmp_path):
    where = _cache(tmp_path, etcd="3.6.8")
    (where.binaries / "etcd-3.6.8" / "stamp.json").unlink()

    _ensure(where, ["etcd"])

    assert stamp.read(where.binaries / "etcd-3.6.8")["etcd"].source == "found"


def test_what_cannot_be_downloaded_is_built(tmp_path, monkeypatch):
    where = Locations(cache=tmp_path, state=tmp_path)
    jobs = []

    def unreachable(origin, _target, _progress):
        raise download.Unavailable(f"{origin.url}: no route")

    def built(job, target, _progress):
        jobs.append(job)
        download.install(_program(f"etcd Version: {job.version}"), target)

    monkeypatch.setattr(download, "fetch", unreachable)
    monkeypatch.setattr(build, "build", built)

    _ensure(where, ["etcd"])

    assert [(job.name, job.version) for job in jobs] == [("etcd", "3.6.8")]
    assert stamp.read(where.binaries / "etcd-3.6.8")["etcd"].source == "built"


def test_a_binary_of_another_version_is_not_run(tmp_path, monkeypatch):
    where = Locations(cache=tmp_path, state=tmp_path)
    other = _program("etcd Version: 3.6.80")
    monkeypatch.setattr(download, "fetch", lambda _, target, __: download.install(other, target))

    with pytest.raises(SandboxError, match=r"does not say that it is version 3\.6\.8"):
        _ensure(where, ["etcd"])


def test_own_binaries_are_used_as_they_are(tmp_path):
    download.install(b"anything", tmp_path / "etcd")

    found = _ensure(Locations(cache=tmp_path, state=tmp_path), ["etcd", "kubectl"], own=tmp_path)

    assert found == {"etcd": tmp_path / "etcd"}


def test_what_is_missing_among_own_binaries_is_named(tmp_path):
    where = Locations(cache=tmp_path, state=tmp_path)

    with pytest.raises(SandboxError, match="no executable etcd, kube-apiserver there"):
        _ensure(where, ["etcd", "kube-apiserver", "kubectl"], own=tmp_path)


def test_without_go_it_says_which_one_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    job = build.Job(
        product="kubernetes", version="1.36.3", name="kube-apiserver", directory=tmp_path / "module"
    )

    with pytest.raises(SandboxError, match=r"install Go 1\.26\.0 or newer"):
        build.build(job, tmp_path / "kube-apiserver", Silent())


def test_content_with_another_checksum_is_refused():
    origin = download.kubernetes_source("kubectl", "1.36.3", LINUX)

    with pytest.raises(SandboxError, match="is published for it"):
        download.verified(b"altered", origin, hashlib.sha256(b"original").hexdigest())


@pytest.mark.parametrize("target", [LINUX, MAC], ids=["tar", "zip"])
def test_the_binary_is_taken_out_of_its_archive(target):
    origin = download.etcd_source("3.6.8", target)
    archive = _archive(origin, {origin.member: b"binary"})

    assert download.verified(archive, origin, hashlib.sha256(archive).hexdigest()) == b"binary"


@pytest.mark.parametrize("target", [LINUX, MAC], ids=["tar", "zip"])
def test_an_archive_without_the_binary_is_refused(target):
    origin = download.etcd_source("3.6.8", target)
    archive = _archive(origin, {"other": b"binary"})

    with pytest.raises(SandboxError, match="does not contain"):
        download.verified(archive, origin, hashlib.sha256(archive).hexdigest())


def test_sources_are_the_official_ones():
    server = download.source("kube-apiserver", "1.36.3", LINUX)
    etcd = download.source("etcd", "3.6.8", MAC)

    assert server.url == "https://dl.k8s.io/release/v1.36.3/bin/linux/amd64/kube-apiserver"
    assert server.checksums == f"{server.url}.sha256"
    assert etcd.url.endswith("/etcd/releases/download/v3.6.8/etcd-v3.6.8-darwin-arm64.zip")
    assert etcd.checksums.endswith("/v3.6.8/SHA256SUMS")


DIGEST = "ab" * 32


@pytest.mark.parametrize(
    "text",
    [DIGEST, f"{DIGEST}\n", f"{'cd' * 32}  other\n{DIGEST}  file\n", f"{DIGEST} *file\n"],
    ids=["bare", "with newline", "in a list", "binary mode"],
)
def test_the_published_checksum_is_found(text):
    assert download.published_digest(text, "file") == DIGEST


@pytest.mark.parametrize("text", ["", "<html>log in</html>", f"{DIGEST}  other", "abc file"])
def test_without_a_published_checksum_nothing_is_downloaded(text):
    with pytest.raises(download.Unavailable):
        download.published_digest(text, "file")


def test_a_damaged_stamp_vouches_for_nothing(tmp_path):
    (tmp_path / "etcd").write_bytes(b"x")
    (tmp_path / "stamp.json").write_text('{"files": ')

    assert not stamp.valid(tmp_path, "etcd")


def _ensure(where, names, own=None):
    environ = {} if own is None else {"QUOTATREE_SANDBOX_BIN": str(own)}
    return binaries.ensure(names, VERSIONS, locations=where, environ=environ, progress=Silent())


def _cache(root, etcd):
    where = Locations(cache=root, state=root)
    directory = where.binaries / f"etcd-{etcd}"
    download.install(_program(f"etcd Version: {etcd}"), directory / "etcd")
    stamp.record(directory, "etcd", version=etcd, source="built")
    return where


def _program(says):
    return f"#!/bin/sh\necho '{says}'\n".encode()


def _archive(origin, members):
    content = io.BytesIO()
    if origin.url.endswith(".zip"):
        with zipfile.ZipFile(content, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
    else:
        with tarfile.open(fileobj=content, mode="w:gz") as archive:
            for name, data in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return content.getvalue()
