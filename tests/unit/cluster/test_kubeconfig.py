"""Which server and which user, from the same files as kubectl and by the same rules."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from quotatree.cluster import kubeconfig
from quotatree.errors import InputError

PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
DATA = base64.b64encode(PEM.encode()).decode()


def config(
    name: str = "one",
    *,
    cluster: dict[str, Any] | None = None,
    user: dict[str, Any] | None = None,
    current: str | None = None,
) -> dict[str, Any]:
    return {
        "current-context": name if current is None else current,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}"} | (cluster or {})}],
        "users": [{"name": name, "user": user or {}}],
    }


def write(file: Path, content: object) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(content))
    return str(file)


def load(
    tmp_path: Path, path: str | None = None, context: str | None = None, **env: str
) -> kubeconfig.Access:
    return kubeconfig.load(path, context, env=env, service_account=tmp_path / "account")


def one(tmp_path: Path, **parts: Any) -> kubeconfig.Access:
    return load(tmp_path, write(tmp_path / "config", config(**parts)))


def test_the_flag_wins_over_the_environment(tmp_path: Path) -> None:
    flag = write(tmp_path / "flag", config("flag"))
    env = write(tmp_path / "env", config("env"))
    assert load(tmp_path, flag, KUBECONFIG=env).server == "https://flag"


def test_of_a_list_the_first_file_to_name_a_thing_wins(tmp_path: Path) -> None:
    first = config("a", current="")
    second = config("b")
    second["clusters"].append({"name": "a", "cluster": {"server": "https://other"}})
    listed = [
        str(tmp_path / "absent"),
        write(tmp_path / "first", first),
        write(tmp_path / "second", second),
    ]
    env = {"KUBECONFIG": ":".join(listed)}
    assert load(tmp_path, **env).server == "https://b"
    assert load(tmp_path, None, "a", **env).server == "https://a"


def test_relative_paths_are_relative_to_their_file(tmp_path: Path) -> None:
    for name in ("ca", "crt", "key"):
        (tmp_path / "deep").mkdir(exist_ok=True)
        (tmp_path / "deep" / name).write_text(f"{name} PEM")
    content = config(
        cluster={"certificate-authority": "ca"},
        user={
            "client-certificate": "crt",
            "client-key": "key",
            "tokenFile": "token",
            "exec": {"apiVersion": "v", "command": "./login"},
        },
    )
    access = load(tmp_path, write(tmp_path / "deep" / "config", content))
    assert (access.ca, access.certificate, access.key) == ("ca PEM", "crt PEM", "key PEM")
    assert access.token_file == tmp_path / "deep" / "token"
    assert access.plugin is not None
    assert Path(access.plugin.command) == tmp_path / "deep" / "login"


def test_inline_data_wins_over_files(tmp_path: Path) -> None:
    access = one(
        tmp_path,
        cluster={"certificate-authority": "absent", "certificate-authority-data": DATA},
    )
    assert access.ca == PEM


def test_everything_of_a_cluster_and_a_user_is_read(tmp_path: Path) -> None:
    access = one(
        tmp_path,
        cluster={
            "server": "https://one/",
            "insecure-skip-tls-verify": True,
            "tls-server-name": "name",
            "proxy-url": "http://proxy",
        },
        user={
            "token": "t",
            "username": "u",
            "password": "p",
            "as": "tom",
            "as-uid": "7",
            "as-groups": ["dev", "ops"],
            "as-user-extra": {"scope": ["x", "y"]},
        },
    )
    assert access.server == "https://one"
    assert access.insecure
    assert access.tls_server_name == "name"
    assert access.proxy == "http://proxy"
    assert access.token == "t"
    assert access.basic == ("u", "p")
    assert access.impersonate == (
        ("Impersonate-User", "tom"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Group", "dev"),
        ("Impersonate-Group", "ops"),
        ("Impersonate-Extra-scope", "x"),
        ("Impersonate-Extra-scope", "y"),
    )


def test_a_plugin_is_told_about_the_cluster_only_when_it_asks(tmp_path: Path) -> None:
    spec = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "login",
        "args": ["--x"],
        "env": [{"name": "A", "value": "1"}],
        "interactiveMode": "Never",
        "installHint": "install it",
    }
    silent = one(tmp_path, user={"exec": spec}).plugin
    assert silent is not None
    assert (silent.command, silent.args, silent.env) == ("login", ("--x",), {"A": "1"})
    assert (silent.interactive, silent.install_hint) == ("Never", "install it")
    assert silent.cluster_info is None
    told = one(
        tmp_path,
        cluster={"certificate-authority-data": DATA},
        user={"exec": spec | {"provideClusterInfo": True}},
    ).plugin
    assert told is not None
    assert told.cluster_info == {"server": "https://one", "certificate-authority-data": DATA}


def account(tmp_path: Path) -> dict[str, str]:
    for name, text in (("token", "t"), ("ca.crt", PEM), ("namespace", "ns\n")):
        (tmp_path / "account").mkdir(exist_ok=True)
        (tmp_path / "account" / name).write_text(text)
    return {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}


def test_a_pod_without_kubeconfig_uses_its_service_account(tmp_path: Path) -> None:
    access = load(tmp_path, KUBECONFIG=str(tmp_path / "absent"), **account(tmp_path))
    assert access.server == "https://[fd00::1]:443"
    assert (access.namespace, access.ca, access.token) == ("ns", PEM, None)
    assert access.token_file == tmp_path / "account" / "token"


def test_a_kubeconfig_wins_over_the_service_account(tmp_path: Path) -> None:
    env = write(tmp_path / "env", config("env"))
    assert load(tmp_path, KUBECONFIG=env, **account(tmp_path)).server == "https://env"


def test_the_account_of_a_pod_without_its_environment_is_an_error(tmp_path: Path) -> None:
    account(tmp_path)
    with pytest.raises(InputError, match="KUBERNETES_SERVICE_HOST is not set"):
        load(tmp_path, KUBECONFIG=str(tmp_path / "absent"))


def broken(**changes: Any) -> dict[str, Any]:
    return config() | changes


@pytest.mark.parametrize(
    ("content", "want"),
    [
        ("just text", "a mapping is expected at the top"),
        (broken(clusters=["x"]), r"clusters\[0\]: a mapping with `name` and `cluster`"),
        (broken(users=[{"name": 1}]), r"users\[0\]: a mapping with `name` and `user`"),
        (broken(users=[{"name": "one", "user": "x"}]), r"users\[0\]\.user: a mapping"),
        (broken(clusters=[]), "no cluster 'one'; there are: none"),
        (broken(**{"current-context": ""}), "no current-context is set; .* one of: one"),
        (broken(**{"current-context": "x"}), "no context 'x'; there are: one"),
        (broken(contexts=[{"name": "one", "context": None}]), "names no cluster"),
        (config(cluster={"server": ""}), "cluster 'one' has no server"),
        (config(user={"auth-provider": {"name": "oidc"}}), "use the provider's exec plugin"),
        (config(user={"exec": {"command": "x"}}), "exec needs `command` and `apiVersion`"),
        (config(cluster={"certificate-authority-data": "!"}), "is not base64 of PEM"),
        (config(cluster={"certificate-authority": "absent"}), "absent: cannot be read"),
    ],
)
def test_a_malformed_file_says_where(tmp_path: Path, content: object, want: str) -> None:
    with pytest.raises(InputError, match=want):
        load(tmp_path, write(tmp_path / "config", content))


def test_what_is_no_yaml_or_not_there_is_named(tmp_path: Path) -> None:
    file = tmp_path / "config"
    with pytest.raises(InputError, match="config: cannot be read"):
        load(tmp_path, str(file))
    file.write_text("a: [")
    with pytest.raises(InputError, match="config:1:5: is no YAML"):
        load(tmp_path, str(file))
    file.write_text("a:\n\tb: c")
    with pytest.raises(InputError, match=r"config:2:1: is no YAML: .*; indent with spaces"):
        load(tmp_path, str(file))
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="config: cannot be read"):
        load(tmp_path, str(file))


def test_no_cluster_at_all_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no cluster is configured: .*absent not found; give --k"):
        load(tmp_path, KUBECONFIG=str(tmp_path / "absent"))
