import json
import ssl
import stat
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from quotatree.sandbox import certs, kubeconfig, state
from quotatree.sandbox.versions import PINNED

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return certs.issue(tmp_path_factory.mktemp("certs"), now=NOW)


def test_every_file_is_there_and_for_the_owner_only(files):
    assert {stat.S_IMODE(path.stat().st_mode) for path in files.all()} == {0o600}


def test_the_api_server_is_known_by_all_its_names(files):
    names = _read(files.api_server).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    addresses = {str(address) for address in names.value.get_values_for_type(x509.IPAddress)}

    assert {"localhost", "kubernetes.default.svc"} <= set(
        names.value.get_values_for_type(x509.DNSName)
    )
    assert {"127.0.0.1", "::1"} <= addresses


@pytest.mark.parametrize(
    ("client", "want_name", "want_group"),
    [
        ("admin", "quotatree-sandbox-admin", ["system:masters"]),
        ("kube-controller-manager", "system:kube-controller-manager", []),
        ("kube-scheduler", "system:kube-scheduler", []),
    ],
)
def test_clients_have_the_names_that_roles_are_bound_to(files, client, want_name, want_group):
    subject = _read(files.client(client)).subject

    assert [a.value for a in subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == [want_name]
    assert [
        a.value for a in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    ] == want_group


def test_a_user_of_the_cluster_is_none_of_etcd(files):
    _read(files.etcd_client).verify_directly_issued_by(_read(files.etcd_ca))
    with pytest.raises(ValueError, match="Issuer"):
        _read(files.client("admin")).verify_directly_issued_by(_read(files.etcd_ca))


def test_keys_belong_to_their_certificates(files):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for path in (files.api_server, files.etcd, files.client("admin")):
        context.load_cert_chain(path, files.key(path))


def test_they_hold_for_years_and_for_clocks_that_are_a_little_behind(files):
    certificate = _read(files.client("admin"))

    assert certificate.not_valid_before_utc < NOW
    assert certificate.not_valid_after_utc > NOW + timedelta(days=3000)


def test_a_complete_set_is_kept_and_an_incomplete_one_made_anew(tmp_path):
    files = certs.issue(tmp_path, now=NOW)
    first = files.ca.read_bytes()
    assert certs.issue(tmp_path, now=NOW).ca.read_bytes() == first

    files.etcd.unlink()

    assert certs.issue(tmp_path, now=NOW).ca.read_bytes() != first


def test_a_kubeconfig_holds_everything_and_is_for_the_owner_only(tmp_path):
    current = state.SandboxState(
        name="one",
        directory=tmp_path,
        versions=PINNED,
        ports=state.Ports(api_server=20001, etcd=2, etcd_peer=3, webhook=4),
    )
    certs.issue(current.certificates, now=NOW)

    kubeconfig.write(current)

    document = json.loads(current.kubeconfig.read_text())
    assert stat.S_IMODE(current.kubeconfig.stat().st_mode) == 0o600
    assert document["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:20001"
    assert document["current-context"] == "quotatree-one"
    assert str(tmp_path) not in current.kubeconfig.read_text()


def test_each_api_server_has_a_kubeconfig_of_its_own(tmp_path):
    current = state.SandboxState(
        name="one",
        directory=tmp_path,
        versions=PINNED,
        ports=state.Ports(api_server=20001, etcd=2, etcd_peer=3, webhook=4, api_servers=(20005,)),
    )
    certs.issue(current.certificates, now=NOW)

    kubeconfig.write(current)

    served = [
        json.loads(path.read_text())["clusters"][0]["cluster"]["server"]
        for path in current.kubeconfigs
    ]
    assert served == ["https://127.0.0.1:20001", "https://127.0.0.1:20005"]
    assert current.kubeconfig == current.kubeconfigs[0]


def _read(path):
    return x509.load_pem_x509_certificate(path.read_bytes())
