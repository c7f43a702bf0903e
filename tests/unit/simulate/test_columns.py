import pytest

from quotatree.errors import InputError
from quotatree.simulate import columns
from quotatree.simulate.trace import SECOND, Workload
from quotatree.units.quantity import NANO

GPU = "requests.nvidia.com/gpu"
ALIBABA = [
    "name",
    "cpu_milli",
    "memory_mib",
    "num_gpu",
    "gpu_milli",
    "qos",
    "pod_phase",
    "creation_time",
    "deletion_time",
]


def workload(header, row):
    return columns.understand(header).workload(row, 7, choose=lambda _: "team")


def test_alibaba_row_is_one_pod_with_whole_devices():
    row = ["pod-1", "12000", "16384", "1", "460", "LS", "Running", "100", "250"]
    found = workload(ALIBABA, row)
    assert found == Workload("pod-1", "team", 100 * SECOND, 150 * SECOND, found.ask, 2)
    assert found.ask.amounts == {
        "pods": NANO,
        "count/pods": NANO,
        "cpu": 12 * NANO,
        "memory": 16 * 2**30 * NANO,
        GPU: NANO,
    }


def test_plain_row_may_have_no_more_than_an_arrival():
    found = workload(["arrival"], ["1.5"])
    assert found == Workload("row-7", "team", 1_500_000, None, found.ask)
    assert found.ask.amounts == {"pods": NANO, "count/pods": NANO}


PLAIN = ["arrival", "duration", "nvidia.com/gpu", "requests.cpu", "pods", "priority"]


def test_plain_columns_are_named_as_pods_or_quotas_name_resources():
    found = workload(PLAIN, ["0", "90", "8", "500m", "2", "-3"])
    assert found.duration == 90 * SECOND
    assert found.priority == -3
    assert found.ask.amounts == {
        "pods": 2 * NANO,
        "count/pods": 2 * NANO,
        GPU: 8 * NANO,
        "cpu": NANO // 2,
    }


def test_cost_is_what_the_namespace_has_measured_under_each_of_its_names():
    ask = workload(PLAIN, ["0", "", "8", "500m", "2", ""]).ask
    names = ["cpu", "requests.cpu", "limits.cpu", "count/pods", GPU]
    assert ask.cost(dict.fromkeys(names)) == {
        "cpu": NANO // 2,
        "requests.cpu": NANO // 2,
        "count/pods": 2 * NANO,
        GPU: 8 * NANO,
    }


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("0", 0),
        ("12.5", 12_500_000),
        ("-3", -3_000_000),
        ("0.0000005", 1),
        ("1e3", 1_000_000_000),
        ("2026-01-31T10:00:00Z", 1_769_853_600_000_000),
        ("2026-01-31 10:00:00.25", 1_769_853_600_250_000),
        ("2026-01-31T12:00:00+02:00", 1_769_853_600_000_000),
    ],
)
def test_times_are_seconds_or_dates(text, want):
    assert columns.moment(text, "the arrival") == want


@pytest.mark.parametrize("text", ["", "soon", "NaN", "1_0", "٣", "1e99", "9" * 40, "2026-13-01"])
def test_what_is_no_time_is_named(text):
    with pytest.raises(InputError, match="the arrival: "):
        columns.moment(text, "the arrival")


@pytest.mark.parametrize(
    ("header", "want"),
    [
        pytest.param(["a", "b"], r"not the columns of a trace: \"a, b\"", id="neither"),
        pytest.param(["arival", "cpu"], r'did you mean "arival"', id="a near miss"),
        pytest.param(ALIBABA[:-1], "lacks deletion_time", id="one missing"),
        pytest.param(["arrival", "cpu", "cpu"], 'a column twice: "cpu"', id="twice"),
        pytest.param(["arrival", "duration", "departure"], "keep one of the two", id="two ends"),
    ],
)
def test_wrong_columns_are_named(header, want):
    with pytest.raises(InputError, match=want):
        columns.understand(header)


@pytest.mark.parametrize(
    ("header", "row", "want"),
    [
        pytest.param(["arrival", "cpu"], ["0", "2 cores"], "cpu: '2 cores'", id="quantity"),
        pytest.param(["arrival", "cpu"], ["0", "-1"], "negative", id="negative"),
        pytest.param(["arrival", "priority"], ["0", "high"], "no whole number", id="priority"),
        pytest.param(["arrival", "departure"], ["5", "4"], "before it begins", id="order"),
        pytest.param(
            ALIBABA,
            [*["p", "1.5", "0", "0", "0", "LS", "Running", "0", "1"]],
            "cpu_milli",
            id="milli",
        ),
    ],
)
def test_wrong_values_are_named(header, row, want):
    with pytest.raises(InputError, match=want):
        workload(header, row)


def test_columns_without_a_meaning_are_named_but_for_those_that_rules_read():
    found = columns.understand(["arrival", "memroy", "user"])
    note = columns.unused_note(found, {"user"})
    assert note == 'columns without a meaning here: memroy (did you mean "memory"?)'
    assert columns.unused_note(found, {"user", "memroy"}) == ""


def test_equal_rows_share_what_they_ask_for():
    meaning = columns.understand(["arrival", "cpu"])
    first, second = (meaning.workload([t, "2"], 1, choose=lambda _: "a") for t in "01")
    assert first.ask is second.ask
