import sys

import pyarrow
import pyarrow.parquet
import pytest

from quotatree.errors import InputError
from quotatree.simulate import reading
from quotatree.simulate.trace import SECOND

KNOWN = ("org", "alice", "bob")
LEAVES = ("alice", "bob")
GOOD = "name,namespace,arrival,cpu\none,alice,0,1\ntwo,bob,5,2\n"


def read(folder, content, *, name="trace.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return reading.read(path, known=KNOWN, leaves=LEAVES)


def test_rows_become_workloads_in_the_order_of_the_file(tmp_path):
    found = read(tmp_path, GOOD)
    assert [(w.name, w.namespace, w.arrival) for w in found.workloads] == [
        ("one", "alice", 0),
        ("two", "bob", 5 * SECOND),
    ]
    assert found.notes == ()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(GOOD.replace("\n", "\r\n"), id="lines of Windows"),
        pytest.param("\ufeff" + GOOD, id="byte order mark"),
        pytest.param(GOOD.replace("\n", "\n\n"), id="blank lines"),
        pytest.param(GOOD.replace("one", '"one"').replace("name,", " name ,"), id="quotes, blanks"),
        pytest.param(GOOD.rstrip(), id="no newline at the end"),
    ],
)
def test_csv_as_programs_write_it_is_read(tmp_path, content):
    assert read(tmp_path, content).workloads == read(tmp_path, GOOD).workloads


def test_without_a_namespace_the_leaves_take_turns_and_that_is_said(tmp_path):
    found = read(tmp_path, "arrival\n1\n2\n3\n")
    assert [w.namespace for w in found.workloads] == ["alice", "bob", "alice"]
    assert "in turns to the 2 namespaces without children" in found.notes[0]


@pytest.mark.parametrize(
    ("content", "want"),
    [
        pytest.param("", "trace.csv: the file is empty", id="empty"),
        pytest.param("\n\n", "trace.csv: the file is empty", id="blank"),
        pytest.param("arrival\n", "trace.csv:1: the trace is empty", id="header alone"),
        pytest.param("a,b\n1,2\n", "trace.csv:1: these are not the columns", id="columns"),
        pytest.param(GOOD + "three,bo", r"trace.csv:4: the row has 2 of 4 fields", id="cut off"),
        pytest.param(GOOD + "a,b,c,d,e\n", "trace.csv:4: the row has 5 fields", id="too many"),
        pytest.param(GOOD + '"three,bob,1', "trace.csv:4: is no CSV: a quote is", id="open quote"),
        pytest.param(GOOD + "x,bob,soon,1\n", "trace.csv:4: the arrival: ", id="value"),
        pytest.param(GOOD + "x,bop,1,1\n", 'trace.csv:4: namespace "bop".*"bob"', id="unknown"),
        pytest.param(GOOD + "x,,1,1\n", "trace.csv:4: the namespace is empty", id="no namespace"),
        pytest.param(GOOD.encode() + b"\xff\n", "trace.csv:.*0xFF is not UTF-8", id="bytes"),
        pytest.param("x" * 20_000, "trace.csv:1: is no CSV: field larger", id="one long line"),
        pytest.param(b"PAR1" + b"\0" * 50, "trace.csv: is no whole Parquet", id="half Parquet"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(tmp_path, content, want):
    with pytest.raises(InputError, match=want):
        read(tmp_path, content)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"trace.csv: No such file"):
        reading.read(tmp_path / "trace.csv", known=KNOWN, leaves=LEAVES)


def test_a_row_over_several_lines_is_named_by_its_first(tmp_path):
    content = 'name,namespace,arrival\n"a\nb",alice,1\nx,alice,soon\n'
    with pytest.raises(InputError, match=r"trace.csv:4: "):
        read(tmp_path, content)


# -- Parquet ----------------------------------------------------------------------------------


def parquet(folder, **columns):
    path = folder / "trace.parquet"
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return reading.read(path, known=KNOWN, leaves=LEAVES)


def test_parquet_says_the_same_as_csv(tmp_path):
    columns = {"name": ["one", "two"], "namespace": ["alice", "bob"], "arrival": [0.0, 5.0]}
    assert parquet(tmp_path, **columns, cpu=[1, 2]).workloads == read(tmp_path, GOOD).workloads


def test_missing_values_of_parquet_are_empty(tmp_path):
    found = parquet(tmp_path, arrival=[1, 2], duration=[None, 3])
    assert [w.duration for w in found.workloads] == [None, 3 * SECOND]


def test_a_wrong_row_of_parquet_is_named_by_its_number(tmp_path):
    with pytest.raises(InputError, match=r"trace.parquet, row 2: namespace"):
        parquet(tmp_path, arrival=[1, 2], namespace=["bob", "eve"])


def test_missing_pyarrow_is_named_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pip install 'quotatree\[parquet\]'"):
        read(tmp_path, b"PAR1", name="trace.parquet")
