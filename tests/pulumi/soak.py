"""The two forms of these tests: all of them run in soak, `make test` leaves repetitions out."""

import os

import pytest

SOAK = bool(os.environ.get("QUOTATREE_SOAK"))
only_in_soak = pytest.mark.skipif(not SOAK, reason="only in `make soak`")
