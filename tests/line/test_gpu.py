"The script that measures a card, on the smallest shapes."

import json
import subprocess
import sys

import pytest

from tests.house.house import ROOT

SCRIPT = [sys.executable, str(ROOT / "scripts/gpu.py")]


def run(*words: str) -> subprocess.CompletedProcess:
    "The script, with these words behind it."
    return subprocess.run([*SCRIPT, *words], capture_output=True, text=True, cwd=ROOT, timeout=1800)


@pytest.mark.slow
def test_what_it_can_not_do_is_said_before_anything_is_made():
    assert "say --tiny" in run("--device", "cpu").stderr
    assert "there is no part 'sd3'" in run("sd3", "--tiny").stderr


@pytest.mark.slow
def test_every_part_comes_to_its_end_and_no_picture_depends_on_its_company(tmp_path):
    done = run("--tiny", "--device", "cpu", "--into", str(tmp_path / "gpu.json"))
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "gpu.json").read_text())
    rows = {row["name"]: row["value"] for row in found["rows"]}
    assert not found["failed"] and found["about"]["tiny"]
    for profile in ("fast", "half"):
        assert {rows[f"same_{profile}_{way}"] for way in ("alone", "order", "restart")} == {8}
    assert rows["sdxl_half"] > 0 and rows["lora_vs_diffusers"] > 0 and rows["judge_bfloat16"] > 0
    assert rows["memory"] is None  # a CPU doesn't say what it held
