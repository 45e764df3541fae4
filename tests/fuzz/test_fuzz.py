"Every gate takes inputs that are almost right, for a while: nothing foreign comes out. Longer: python -m tests.fuzz GATE SECONDS."

import warnings

import pytest

import tests.fuzz.wires  # noqa: F401 registers its gates
from tests.fuzz.__main__ import fuzz
from tests.fuzz.gates import GATES

SLOW_GATES = {"bases": 3, "archives": 150, "service": 300}  # executions, where one of them takes long


@pytest.mark.slow
@pytest.mark.parametrize("gate", sorted(GATES))
def test_nothing_foreign_comes_out(gate):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = fuzz(gate, executions=SLOW_GATES.get(gate, 600), seed=1)
    assert found["foreign"] == {}
    assert found["executions"] == found["taken"] + found["refused"] > 0
