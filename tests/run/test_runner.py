"The conductor: what is refused before anything runs, rounds, resumption, kills. The notebooks here are small and real."

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from PIL import Image

from artmint.core.records import Slot
from artmint.run import runner
from artmint.studio.catalog import Catalog
from artmint.studio.files import StudioBusy, hold_studio
from tests.drawn import DRAWN, enter, pictures
from tests.small import FILL, ROUND, STUDIO, WRITE, notebook, traces


@pytest.mark.slow
def test_rounds_resumption_and_repair(books, order, tmp_path):
    "Two rounds fill the slots; a second run does nothing; a changed parameter runs its stage and what follows; a lost notebook runs again."
    studio = tmp_path / "studio"
    said = []
    ran = runner.run_batch(order(), studio, said.append)
    assert [stage.name for stage in ran] == [
        "00_seeds",
        "15_generate",
        "20_curate",
        "15_generate-r2",
        "20_curate-r2",
        "25_metadata",
    ]
    assert traces(studio, "curate") == [1, 2]
    assert "  hello" in said
    executed = nbformat.read(runner.run_folder(studio, order()) / "20_curate-r2.ipynb", as_version=4)
    assert executed.metadata.papermill.end_time
    assert str(tmp_path) not in json.dumps(executed)

    assert all(stage.skipped for stage in runner.run_batch(order(), studio, said.append))
    assert traces(studio, "seeds") == [1]

    (runner.run_folder(studio, order()) / "25_metadata.ipynb").unlink()
    assert [stage.name for stage in runner.run_batch(order(), studio, said.append) if not stage.skipped] == [
        "25_metadata"
    ]

    ran = runner.run_batch(order(parameters={"00_seeds": {"warm": True}}), studio, said.append)
    assert len(ran) == 6
    assert not any(stage.skipped for stage in ran)
    assert traces(studio, "seeds") == [1, 1]


def test_a_changed_notebook_runs_again(books, order, tmp_path):
    one = order(stages=("00_seeds",))
    runner.run_batch(one, tmp_path / "studio", print)
    node = nbformat.read(books / "00_seeds.ipynb", as_version=4)
    node.cells[0].source = "# Only prose"
    nbformat.write(node, books / "00_seeds.ipynb")
    assert runner.run_batch(one, tmp_path / "studio", print)[0].skipped
    node.cells[-1].source += "\nprint('and more')"
    nbformat.write(node, books / "00_seeds.ipynb")
    assert not runner.run_batch(one, tmp_path / "studio", print)[0].skipped


@pytest.mark.slow
def test_open_slots_after_the_last_round_wait_for_people(books, order, tmp_path):
    notebook(books, "20_curate", ROUND, WRITE.format(name="curate") + FILL.format(slots=(1, 3), round=1))
    with pytest.raises(runner.WaitingForPeople) as refusal:
        runner.run_batch(order(), tmp_path / "studio", print)
    assert refusal.value.slots == [2, 4]
    assert refusal.value.exit_code == 4
    asked = Catalog(tmp_path / "studio").all("people").values()
    assert [(row["state"], row["slots"]) for row in asked] == [("needed", [2, 4])]
    assert traces(tmp_path / "studio", "curate") == [1, 2]
    assert traces(tmp_path / "studio", "metadata") == []


def test_a_failed_stage_is_one_clear_error(books, order, tmp_path):
    notebook(
        books,
        "15_generate",
        ROUND,
        "from artmint.seeds import Refusal\nclass NoPaint(Refusal):\n    colour: str\n    says = 'There is no {colour} left.'\nraise NoPaint('red')",
    )
    with pytest.raises(runner.StageFailed) as refusal:
        runner.run_batch(order(), tmp_path / "studio", print)
    assert (refusal.value.stage, refusal.value.error, refusal.value.exit_code) == (
        "15_generate",
        "NoPaint",
        1,
    )
    assert "There is no red left." in str(refusal.value)
    assert Path(refusal.value.path).name == "15_generate.failed.ipynb"
    assert Path(refusal.value.path).exists()
    assert not (runner.run_folder(tmp_path / "studio", order()) / "15_generate.ipynb").exists()


@pytest.mark.slow
def test_a_refusal_of_a_room_keeps_its_exit_code(books, order, tmp_path):
    notebook(
        books,
        "33_evidence",
        STUDIO,
        "from artmint.prove.proof import NotProven\nraise NotProven('embedded:0x', 'no store has it')",
    )
    with pytest.raises(runner.StageFailed) as refusal:
        runner.run_batch(order(stages=("33_evidence",)), tmp_path / "studio", print)
    assert refusal.value.exit_code == 3
    assert refusal.value.error == "NotProven"


def test_a_second_run_is_told_who_is_at_work(books, order, tmp_path):
    studio = tmp_path / "studio"
    with hold_studio(studio, "Batch other"), pytest.raises(StudioBusy) as refusal:
        runner.run_batch(order(), studio, print)
    assert f"process {os.getpid()}" in str(refusal.value)
    assert "Batch other" in str(refusal.value)
    runner.run_batch(order(stages=("00_seeds",)), studio, print)


@pytest.mark.slow
def test_killed_and_run_again(books, order, tmp_path):
    "SIGKILL in the middle of a stage: its notebook is known as interrupted, and the next run goes on from there."
    studio = tmp_path / "studio"
    mark = tmp_path / "mark"
    notebook(
        books,
        "15_generate",
        ROUND,
        f"import time, pathlib\nif not pathlib.Path({str(mark)!r}).exists():\n    pathlib.Path({str(mark)!r}).touch()\n    time.sleep(60)\n"
        + WRITE.format(name="generate"),
    )
    program = f"""
from pathlib import Path
from artmint.run import batch, runner
batch.notebooks = runner.notebooks = lambda: {{path.stem: path for path in sorted(Path({str(books)!r}).glob('*.ipynb'))}}
runner.run_batch(batch.Batch.model_validate_json({order().model_dump_json()!r}), Path({str(studio)!r}))
"""
    killed = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not mark.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    said: list[str] = []
    ran = runner.run_batch(order(), studio, said.append)
    assert "interrupted" in said[0]
    assert (runner.run_folder(studio, order()) / "15_generate.interrupted.ipynb").exists()
    assert [stage.skipped for stage in ran[:2]] == [True, False]
    assert traces(studio, "seeds") == [1]
    assert len(traces(studio, "generate")) == 2


# ------------------------------------------------------------------ a part of a batch


@pytest.mark.slow
def test_from_here_to_there(books, order, tmp_path):
    "A part ends where it is told to; a part that begins later takes what is before it as it was left; the whole then finds all of it finished."
    studio = tmp_path / "studio"
    said = []
    with pytest.raises(runner.NotYetMade, match="00_seeds"):
        runner.run_batch(order(), studio, print, first="generate")
    assert [stage.name for stage in runner.run_batch(order(), studio, said.append, last="generate")] == [
        "00_seeds",
        "15_generate",
    ]
    assert traces(studio, "generate") == [1]
    assert traces(studio, "curate") == []
    assert runner.finished(order(), studio) == ["00_seeds", "15_generate"]
    ran = runner.run_batch(order(), studio, said.append, first="20_curate", last="curate")
    assert [(stage.name, stage.skipped) for stage in ran] == [
        ("00_seeds", True),
        ("15_generate", True),
        ("20_curate", False),
        ("15_generate-r2", False),
        ("20_curate-r2", False),
    ]
    ran = runner.run_batch(order(), studio, said.append)
    assert [stage.name for stage in ran if not stage.skipped] == ["25_metadata"]
    assert len(runner.finished(order(), studio)) == 6


@pytest.mark.slow
def test_papermill_s_own_unfinished_notebook_is_known(books, order, tmp_path):
    "A notebook under a stage's name whose run never ended: no end_time. It is put aside and the stage runs again."
    studio = tmp_path / "studio"
    said = []
    one = order(stages=("00_seeds",))
    runner.run_batch(one, studio, said.append)
    path = runner.run_folder(studio, one) / "00_seeds.ipynb"
    node = nbformat.read(path, as_version=4)
    node.metadata.papermill.end_time = None
    nbformat.write(node, path)
    assert runner.finished(one, studio) == []
    ran = runner.run_batch(one, studio, said.append)
    assert not ran[0].skipped
    assert any("interrupted" in line for line in said)
    assert path.with_name("00_seeds.interrupted.ipynb").exists()
    assert traces(studio, "seeds") == [1, 1]


@pytest.mark.slow
def test_events_tell_programs_what_happens(books, order, tmp_path):
    notebook(
        books,
        "00_seeds",
        STUDIO,
        "import sys, time\nfor i in (1, 2, 3): print(f'draw: {i}/3 [00:0{i}<00:00]', file=sys.stderr, flush=True); time.sleep(0.3)",
    )
    events, shown = [], []
    runner.run_batch(order(stages=("00_seeds",)), tmp_path / "studio", print, shown.append, events.append)
    assert [event["event"] for event in events][:1] == ["started"]
    assert events[-1]["event"] == "finished"
    assert events[-1]["name"] == "00_seeds"
    assert {"event": "progress", "stage": "00_seeds", "done": 3, "of": 3} in events
    assert any(
        line.startswith("[1/1] 00_seeds: 3 of 3, ") and line.endswith("about 0 s left") for line in shown
    )


def test_a_silent_stage_says_how_long_it_has_been_at_work_and_what_is_left(
    books, order, tmp_path, monkeypatch
):
    "Before the first picture nothing is counted: then what it took before here tells."
    monkeypatch.setattr(runner, "HEARTBEAT", 0.0)
    notebook(books, "00_seeds", STUDIO, "import time; time.sleep(0.1)")
    one = order(stages=("00_seeds",))
    shown = []
    context = runner.RunContext(one, None, tmp_path, None, print, shown.append, forecasts={"00_seeds": 90.0})
    (stage,) = runner.plan(one, tmp_path)
    voice = context.progress_of(stage)
    voice.beat(30.0)
    voice("0/4 [00:00<?")
    voice.beat(40.0)
    voice("2/4 [00:10<00:10")
    voice.beat(50.0)
    assert "30 s so far, about 60 s left" in shown[0]
    assert "0 of 4, 40 s so far, about 50 s left" in shown[2]
    assert "2 of 4, 50 s so far, about 50 s left" in shown[4]
    unknown = runner.RunContext(one, None, tmp_path, None, print, shown.append).progress_of(stage)
    unknown.beat(10.0)
    assert shown[-1].endswith("10 s so far, what is left isn't known yet")


def test_what_is_at_work_within_a_picture_is_shown_and_counts_once(books, order, tmp_path):
    notebook(books, "00_seeds", STUDIO, "1")
    one = order(stages=("00_seeds",))
    shown, events = [], []
    context = runner.RunContext(one, None, tmp_path, None, print, shown.append, events.append)
    (stage,) = runner.plan(one, tmp_path)
    voice = context.progress_of(stage)
    voice("generate:  50%|##5  | 2/4 [00:10<00:10, 5.00s/picture, KSampler, step 3 of 8]")
    voice("generate:  50%|##5  | 2/4 [00:11<00:11, 5.50s/picture]")
    assert shown[0].endswith("left; KSampler, step 3 of 8")
    assert shown[1].endswith(" left")
    assert events == [{"event": "progress", "stage": "00_seeds", "done": 2, "of": 4}]


@pytest.mark.slow
def test_a_run_is_stopped_and_goes_on(books, order, tmp_path):
    studio = tmp_path / "studio"
    mark = tmp_path / "mark"
    notebook(
        books,
        "15_generate",
        ROUND,
        f"import time, pathlib\nif not pathlib.Path({str(mark)!r}).exists():\n    pathlib.Path({str(mark)!r}).touch()\n    time.sleep(60)\n"
        + WRITE.format(name="generate"),
    )
    program = f"""
from pathlib import Path
from artmint.console import cli
from artmint.run import batch, runner
batch.notebooks = runner.notebooks = lambda: {{path.stem: path for path in sorted(Path({str(books)!r}).glob('*.ipynb'))}}
batch.load_batch = lambda path: batch.Batch.model_validate_json({order().model_dump_json()!r})
cli.main(['run', 'small.toml', '--studio', {str(studio)!r}, '--to', 'generate'])
"""
    stopped = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 300
    while not mark.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    stopped.send_signal(signal.SIGTERM)
    said = stopped.communicate(timeout=300)[1]
    assert stopped.returncode == 130, said
    assert "Stopped in 15_generate" in said, said
    assert "Traceback" not in said, said
    assert (runner.run_folder(studio, order()) / "15_generate.interrupted.ipynb").exists()
    ran = runner.run_batch(order(), studio, print, last="generate")
    assert [(stage.name, stage.skipped) for stage in ran] == [("00_seeds", True), ("15_generate", False)]


def test_what_is_painted_so_far_lies_on_a_sheet_that_grows_and_is_told_once(
    books, order, tmp_path, monkeypatch
):
    monkeypatch.setattr(runner, "HEARTBEAT", 0.0)
    one = order(stages=("15_generate",), quantity=2)
    said = []
    catalog = Catalog(tmp_path)
    context = runner.RunContext(one, DRAWN, tmp_path, catalog, said.append, print)
    stage = runner.plan(one, tmp_path)[0]
    sheet = runner.run_folder(tmp_path, one) / runner.PAINTED_SO_FAR
    context.painted(stage)
    assert not sheet.exists() and not said
    widths = []
    for slot, (subject, image) in zip(context.slots(), pictures()):
        enter(catalog, Slot(id=slot.id, traits=vars(subject)), 1, image)
        context.painted(stage)
        widths.append(Image.open(sheet).width)
    assert widths == [192, 2 * 192 + 4]
    assert len(said) == 1 and str(sheet) in said[0]
    monkeypatch.setattr(runner, "HEARTBEAT", 3600.0)
    sheet.write_bytes(b"drawn a moment ago")
    context.painted(stage)
    assert sheet.read_bytes() == b"drawn a moment ago"
    context.painted(stage, ended=True)
    assert Image.open(sheet).width == 2 * 192 + 4


def test_a_running_notebook_is_written_at_once_and_then_seldom():
    written = []
    seldom = runner._seldom(lambda: written.append(1), every=3600)
    seldom()
    seldom()
    assert len(written) == 1
    often = runner._seldom(lambda: written.append(1), every=0)
    often()
    often()
    assert len(written) == 3
