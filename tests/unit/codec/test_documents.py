"""Manifests: what kubectl reads is read, and what cannot be read is named with its line."""

import pytest

from quotatree.codec import documents
from quotatree.codec.documents import Manifest


def read(text):
    found = documents.read(text.encode())
    assert all(isinstance(one, Manifest) for one in found), found
    return found


def problem(data):
    (found,) = documents.read(data if isinstance(data, bytes) else data.encode())
    return str(found)


def test_documents_are_read_with_the_line_on_which_they_begin():
    text = "# chart\n---\nkind: Pod\n---\n\n---\n# note\nkind: Service\n...\n"
    assert [(m.body["kind"], m.line) for m in read(text)] == [("Pod", 3), ("Service", 8)]


def test_json_is_read_too_and_lists_are_taken_apart():
    text = '{"kind": "List", "items": [{"kind": "Pod"}, {"kind": "Job"}]}'
    assert [m.body["kind"] for m in read(text)] == ["Pod", "Job"]


def test_anchors_merge_keys_dates_and_octal_numbers_are_read_as_kubectl_reads_them():
    text = "a: &x {b: 1}\nc: {<<: *x, d: 2026-01-01}\ne: 0.1\nf: 2026-99-99\n"
    assert read(text)[0].body == {
        "a": {"b": 1},
        "c": {"b": 1, "d": "2026-01-01"},
        "e": 0.1,
        "f": "2026-99-99",
    }


def test_nothing_is_no_manifest():
    assert read("") == read("---\n---\n") == read("# only words\n") == ()


@pytest.mark.parametrize(
    ("data", "want"),
    [
        ("kind: Pod\nspec:\n\tcontainers: []\n", "line 3, column 1: is no YAML: "),
        ("kind: Pod\nspec:\n\tcontainers: []\n", "indent with spaces, not tabs"),
        ("kind: {{ .Values.kind }}\n---\na: b: c", "render it first: helm template"),
        ("kind: Pod\n---\n- a\n", "line 3, column 1: must be an object, is a list"),
        ("just words", "must be an object, is the text"),
        (b"kind: \xff\xfe", "is no UTF-8: byte 6 is 0xff"),
        ("a: !Ref x", "is no YAML"),
        ("[" * 500 + "]" * 500, "nested more than 200 deep"),
        ("a: [1, 2\n", "is no YAML"),
        (b" " * (16 * 2**20 + 1), "at most 16 MiB are read"),
        ('a: "\\U00999999"', "is no YAML"),
    ],
)
def test_what_cannot_be_read_is_named(data, want):
    assert want in problem(data)


def test_a_bomb_of_aliases_is_no_more_than_a_refusal():
    items = "&l0 {kind: Pod}"
    text = f"a: {items}\n"
    for level in range(1, 8):
        alias = ", ".join([f"*l{level - 1}"] * 10)
        text += f"b{level}: &l{level} {{kind: List, items: [{alias}]}}\n"
    text += "kind: List\nitems: [*l7]\n"
    assert "more than 20,000 objects" in problem(text)
