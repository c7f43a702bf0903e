import pytest

from quotatree.errors import InputError
from quotatree.sandbox import versions


def test_without_any_wish_the_pinned_versions_are_taken():
    assert versions.Versions.choose({}) == versions.PINNED


def test_a_flag_beats_the_environment_and_the_environment_beats_the_pin():
    environ = {"QUOTATREE_KUBERNETES_VERSION": "1.35.4", "QUOTATREE_ETCD_VERSION": "3.6.7"}

    chosen = versions.Versions.choose(environ, kubernetes="v1.34.4")

    assert chosen == versions.Versions(kubernetes="1.34.4", etcd="3.6.7")


@pytest.mark.parametrize("text", ["1.36", "latest", "1.36.3/../..", "1.36.3 ", "१.36.3\n"])
def test_what_is_no_version_is_refused_with_its_source(text):
    with pytest.raises(InputError, match="QUOTATREE_KUBERNETES_VERSION"):
        versions.Versions.choose({"QUOTATREE_KUBERNETES_VERSION": text})
