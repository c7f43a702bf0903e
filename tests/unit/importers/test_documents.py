"""Texts of objects are read, and what is wrong with one is said with its line."""

import pytest

from quotatree.errors import InputError
from quotatree.importers import documents, objects

POD = b"apiVersion: v1\nkind: Pod\n"


def test_documents_and_lists_are_read_and_empty_ones_are_nothing():
    text = POD + b"---\n---\n# nothing\n---\napiVersion: v1\nkind: List\nitems:\n- {kind: A}\n"
    found = documents.parse(text, name="x")
    assert [obj["kind"] for obj in found] == ["Pod", "List"]
    assert objects.of(found).counts() == {("", "Pod"): 1, ("", "A"): 1}


def test_json_is_read_too_and_numbers_keep_their_digits():
    (found,) = documents.parse(b'{"apiVersion": "v1", "kind": "X", "n": 0.1}', name="x")
    assert found["n"] == "0.1"


@pytest.mark.parametrize(
    ("data", "want"),
    [
        pytest.param(POD + b"a:\n\tb: 1\n", "f:4:1: is no YAML", id="a tab"),
        pytest.param(POD + b"a: [1, 2", "f:4:1: is no YAML", id="half a list"),
        pytest.param(POD + b"---\n- 1\n", "f:4: must be a Kubernetes object, is a list", id="list"),
        pytest.param(b"kind: Pod\n", "f:1: must be a Kubernetes object, apiVersion", id="no kind"),
        pytest.param(POD + b"a: \xff\n", "f:3: this is no text file", id="binary"),
        pytest.param(b"a" * (documents.MAX_BYTES + 1), "at most 32 MiB are read", id="too long"),
        pytest.param(b"[" * 5000, "f:", id="nested without end"),
        pytest.param(POD + b"a: !!python/object:os.system x\n", "f:3:4:", id="a tag"),
    ],
)
def test_each_mistake_is_one_line_with_its_place(data, want):
    with pytest.raises(InputError) as caught:
        documents.parse(data, name="f")
    assert want in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_list_that_holds_itself_ends():
    text = b"&a\napiVersion: v1\nkind: List\nitems: [*a]\n"
    assert objects.of(documents.parse(text, name="x")).counts() == {("", "List"): 1}
