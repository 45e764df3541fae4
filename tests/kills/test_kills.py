"Acts that are killed at a change to their disk, and run again, end in the same bytes."

import subprocess
import sys
from pathlib import Path

import pytest

from .points import arm, counted
from .schedule import _forked
from .subjects import SUBJECTS, Subject

ROOT = Path(__file__).parents[2]


def three_files(folder: Path) -> None:
    "An act of three changes."
    for name in "abc":
        (folder / name).write_text(name)


def test_a_schedule_strikes_where_it_says(tmp_path):
    "Before the second change there is one file; and what is counted is what was made."
    act = Subject(
        "files", lambda folder: None, three_files, lambda folder: {}, ("driver",), 1, 1, False, True
    )
    (tmp_path / "points").mkdir()
    assert _forked(act, tmp_path, tmp_path / "points", "driver", 2) == -9
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["a"]
    assert counted(tmp_path / "points", "driver") == 2
    (tmp_path / "all").mkdir()
    assert _forked(act, tmp_path, tmp_path / "all", "driver", 0) == 0
    assert counted(tmp_path / "all", "driver") == 3
    assert callable(arm)


@pytest.mark.slow
def test_acts_that_are_killed_end_in_the_same_bytes():
    "A few schedules; python -m tests.kills 400 is the whole."
    done = subprocess.run(
        [sys.executable, "-m", "tests.kills", "12"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(SUBJECTS) == 6
