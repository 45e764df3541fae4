"Which of a test's parameters are tried on every change; the others are in the long suite."

import pytest


def some(values, quick) -> list:
    "All of these; those that aren't named as quick in the long suite."
    return [
        pytest.param(
            *(value if isinstance(value, tuple) else (value,)),
            marks=() if value in quick else pytest.mark.slow,
        )
        for value in values
    ]
