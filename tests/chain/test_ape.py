"ape: the deployment script and the contract, on ape's own chain and on anvil."

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def ape_test(folder: Path, *network: str) -> subprocess.CompletedProcess:
    "Run contracts/ape as a user of ape does."
    words = [Path(sys.executable).with_name("ape"), "test", "contracts/ape", "-q", "-o", "addopts=", *network]
    return subprocess.run(
        words,
        cwd=ROOT,
        env={**os.environ, "APE_DATA_FOLDER": str(folder), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


@pytest.mark.slow
def test_on_apes_own_chain(tmp_path):
    got = ape_test(tmp_path)
    assert got.returncode == 0, got.stdout[-3000:] + got.stderr[-2000:]
    assert "3 passed" in got.stdout, got.stdout[-3000:] + got.stderr[-2000:]


@pytest.mark.slow
def test_on_anvil(tmp_path, start_anvil):
    got = ape_test(tmp_path, "--network", f"ethereum:local:{start_anvil('--chain-id', '1337').url}")
    assert got.returncode == 0, got.stdout[-3000:] + got.stderr[-2000:]
    assert "3 passed" in got.stdout, got.stdout[-3000:] + got.stderr[-2000:]
