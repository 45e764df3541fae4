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
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from artmint.run import batch, runner, sweep
from artmint.studio.catalog import Catalog
from artmint.studio.files import StudioBusy, hold_studio

DATA = Path(__file__).parents[1] / "data"
WRITE = "from pathlib import Path\nfrom artmint.studio.catalog import Catalog\nbook = Catalog(Path(studio))\nbook.append('trace', '{name}', {{'round': globals().get('round', 1)}})\n"


def notebook(folder: Path, name: str, parameters: str, code: str) -> None:
    "A notebook with an example that would fail, a parameters cell and one more."
    cells = [
        new_markdown_cell("# Test"),
        new_code_cell("1 / 0"),
        new_markdown_cell("## Run"),
        new_code_cell(parameters),
        new_code_cell(code),
    ]
    cells[3].metadata["tags"] = ["parameters"]
    nbformat.write(new_notebook(cells=cells), folder / f"{name}.ipynb")


STUDIO = 'studio: str = ""  # the studio'
ROUND = STUDIO + "\nround: int = 1  # which round\ncollection: str = ''  # which collection"
FILL = "for slot in {slots}:\n    if round >= {round}: book.put('edition', f'tiny/{{slot}}', {{'slot': slot, 'attempt': {round} * 2}})\n"

TRY = "for slot in range(1, 5):\n    for attempt in (round * 2 - 1, round * 2): book.put('attempt', f'tiny/{slot}/{attempt}', {'dna': f'{slot}-{attempt}'})\n"


@pytest.fixture
def books(tmp_path, monkeypatch):
    "A folder of four small notebooks in place of the project's."
    folder = tmp_path / "nbs"
    folder.mkdir()
    notebook(
        folder,
        "00_seeds",
        STUDIO
        + "\nquantity: int = 1  # how many\nwarm: bool = False  # a switch\nscale: float = 1.0  # a size",
        WRITE.format(name="seeds") + "print('hello')",
    )
    notebook(folder, "15_generate", ROUND, WRITE.format(name="generate") + TRY)
    notebook(
        folder,
        "20_curate",
        ROUND,
        WRITE.format(name="curate")
        + FILL.format(slots=(1, 2, 3), round=1)
        + FILL.format(slots=(4,), round=2),
    )
    notebook(folder, "25_metadata", STUDIO, WRITE.format(name="metadata"))
    for where in (batch, runner, sweep):
        monkeypatch.setattr(
            where, "notebooks", lambda: {path.stem: path for path in sorted(folder.glob("*.ipynb"))}
        )
    return folder


@pytest.fixture
def order(tmp_path):
    "Make a batch from keys that differ from the usual ones."

    def make(**changes) -> batch.Batch:
        facts = {
            "name": "small",
            "collection": str(DATA / "tiny"),
            "quantity": 4,
            "path": str(tmp_path / "small.toml"),
            "stages": ("00_seeds", "15_generate", "20_curate", "25_metadata"),
        }
        return batch.Batch(**(facts | changes))

    return make


def traces(studio: Path, name: str) -> list[int]:
    "In which rounds a notebook ran."
    return [row["round"] for row in Catalog(studio).history("trace", name)]


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "name"),
        ("name = ", "Invalid"),
        ("name = 'small'\ncollection = 'c'\nquantity = 0\nstages = ['a']", "quantity"),
        ("name = '../up'\ncollection = 'c'\nquantity = 1\nstages = ['a']", "name"),
        ("name = 'small'\ncolection = 'c'\nquantity = 1\nstages = ['a']", "colection"),
    ],
)
def test_a_bad_batch_file_is_refused(tmp_path, text, said):
    (tmp_path / "batch.toml").write_text(text)
    with pytest.raises(batch.BadBatch) as refusal:
        batch.load_batch(tmp_path / "batch.toml")
    assert said in str(refusal.value)
    assert refusal.value.exit_code == 2


def test_a_missing_batch_file_is_refused(tmp_path):
    with pytest.raises(batch.BadBatch):
        batch.load_batch(tmp_path / "none.toml")


@pytest.mark.parametrize(
    "stage, given, error",
    [
        ("00_seeds", {"sed": 1}, batch.UnknownParameter),
        ("00_seeds", {"quantity": "4"}, batch.WrongType),
        ("00_seeds", {"quantity": True}, batch.WrongType),
        ("00_seeds", {"warm": 1}, batch.WrongType),
        ("00_seeds", {"scale": "big"}, batch.WrongType),
        ("99_none", {}, batch.UnknownStage),
    ],
)
def test_parameters_are_refused_before_anything_runs(books, order, tmp_path, stage, given, error):
    with pytest.raises(error) as refusal:
        runner.run_batch(order(parameters={stage: given}), tmp_path / "studio")
    assert refusal.value.exit_code == 2
    assert not (tmp_path / "studio").exists()


def test_an_unknown_stage_is_refused(books, order, tmp_path):
    with pytest.raises(batch.UnknownStage, match="05_nowhere"):
        runner.plan(order(stages=("05_nowhere",)), tmp_path)


def test_a_whole_number_is_fine_for_a_float(books, order, tmp_path):
    assert runner.plan(order(parameters={"00_seeds": {"scale": 2}}), tmp_path)[0].parameters["scale"] == 2


def test_the_plan_names_no_machine_path(books, order, tmp_path):
    stages = runner.plan(order(), tmp_path / "studio")
    assert [stage.repeats for stage in stages] == [False, True, True, False]
    assert stages[0].parameters == {"studio": "../..", "quantity": 4}


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


def test_open_slots_after_the_last_round_wait_for_people(books, order, tmp_path):
    notebook(books, "20_curate", ROUND, WRITE.format(name="curate") + FILL.format(slots=(1, 3), round=1))
    with pytest.raises(runner.WaitingForPeople) as refusal:
        runner.run_batch(order(), tmp_path / "studio", print)
    assert refusal.value.slots == [2, 4]
    assert refusal.value.exit_code == 4
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


@pytest.mark.parametrize(
    "ends, error",
    [
        (("mint", ""), batch.UnknownStage),
        (("", "05_none"), batch.UnknownStage),
        (("metadata", "seeds"), batch.NothingChosen),
    ],
)
def test_a_part_that_is_none_is_refused(books, order, tmp_path, ends, error):
    with pytest.raises(error) as refusal:
        runner.run_batch(order(), tmp_path / "studio", print, first=ends[0], last=ends[1])
    assert refusal.value.exit_code == 2
    assert not (tmp_path / "studio").exists()


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
    assert any(line.startswith("[1/1] 00_seeds draw: 3/3") for line in shown)


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
from artmint.run import batch, cli, runner
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
    assert stopped.returncode == 1, said
    assert "Stopped in 15_generate" in said, said
    assert "Traceback" not in said, said
    assert (runner.run_folder(studio, order()) / "15_generate.interrupted.ipynb").exists()
    ran = runner.run_batch(order(), studio, print, last="generate")
    assert [(stage.name, stage.skipped) for stage in ran] == [("00_seeds", True), ("15_generate", False)]


# ------------------------------------------------------------------ the plan


def test_the_plan_learns_from_what_was(books, order, tmp_path):
    studio = tmp_path / "studio"
    some = order(stages=("00_seeds", "15_generate"))
    first = batch.forecast_stages(some, studio)
    assert not studio.exists()
    assert [each.seconds is None for each in first] == [True, False]
    assert first[1].basis.startswith("assumed")
    assert first[1].pictures == (8, 16)
    assert first[1].slots == 4
    runner.run_batch(some, studio, print, last="seeds")
    again = batch.forecast_stages(some, studio)[0]
    assert again.basis == "as 1 times before here"
    assert again.seconds > 0
    assert (
        batch.forecast_stages(order(name="more", stages=("00_seeds",), quantity=2), studio)[0].seconds
        == again.seconds
    )  # a kernel takes its time for two slots as for four


def test_the_rate_in_force_is_taken(tmp_path):
    assert batch.rate_of(tmp_path) is None
    (tmp_path / "studio.toml").write_text(
        "currency = 'EUR'\n[[rates]]\nsince = 2099-01-01\ncpu_hour = 9.0\n[[rates]]\nsince = 2020-01-01\ncpu_hour = 0.1\n[[rates]]\nsince = 2021-01-01\ncpu_hour = 0.2\n"
    )
    assert batch.rate_of(tmp_path) == (0.2, "EUR")


# ------------------------------------------------------------------ a sweep

SHOW = "from IPython.display import JSON, display\nif seed == 3: raise ValueError('no three')\ndisplay(JSON({'double': 2 * seed, 'side': side}))"


def test_a_sweep_gathers_one_table_and_goes_on(books, tmp_path):
    notebook(books, "04_drawings", "seed: int = 1  # a seed\nside: str = 'a'  # a side", SHOW)
    (tmp_path / "sweep.toml").write_text(
        "name = 'trial'\nnotebook = '04_drawings'\n[grid]\nseed = [1, 3]\nside = ['x', 'y']\n"
    )
    order = sweep.load_sweep(tmp_path / "sweep.toml")
    rows, table = sweep.run_sweep(order, tmp_path / "studio", print)
    assert [(row["seed"], row["side"], row.get("double"), row.get("error")) for row in rows] == [
        (1, "x", 2, None),
        (1, "y", 2, None),
        (3, "x", None, "ValueError: no three"),
        (3, "y", None, "ValueError: no three"),
    ]
    assert table.read_text().splitlines()[0] == "notebook,seed,side,double,seconds,error"
    assert len(table.read_text().splitlines()) == 5
    said: list = []
    before = (table.parent / "04_drawings-001.ipynb").stat().st_mtime_ns
    assert sweep.run_sweep(order, tmp_path / "studio", said.append)[0] == rows
    assert (table.parent / "04_drawings-001.ipynb").stat().st_mtime_ns == before


@pytest.mark.parametrize("apart, counts", [(False, [1, 2]), (True, [1, 1])])
def test_points_share_a_studio_or_have_their_own(books, tmp_path, apart, counts):
    notebook(
        books,
        "04_drawings",
        STUDIO + "\nseed: int = 1  # a seed",
        WRITE.format(name="point")
        + "from IPython.display import JSON, display\ndisplay(JSON({'count': len(book.history('trace', 'point'))}))",
    )
    order = sweep.Sweep(name="trial", notebook="04_drawings", apart=apart, grid={"seed": (1, 2)})
    rows, table = sweep.run_sweep(order, tmp_path / "studio", print)
    assert [row["count"] for row in rows] == counts
    assert len(Catalog(tmp_path / "studio").all("trace")) == (not apart)
    assert [
        (table.parent / name / "catalog.sqlite").exists() for name in ("04_drawings-001", "04_drawings-002")
    ] == [apart, apart]


@pytest.mark.parametrize(
    "text, error",
    [
        ("name = 'a'\nnotebook = '04_drawings'\n[grid]\nsed = [1]", batch.UnknownParameter),
        ("name = 'a'\nnotebook = '04_drawings'\n[grid]\nseed = ['x']", batch.WrongType),
        ("name = 'a'\nnotebook = '99_none'\n[grid]\nseed = [1]", batch.UnknownStage),
        ("name = 'a'\nnotebook = '04_drawings'", batch.BadBatch),
        ("name = ", batch.BadBatch),
    ],
)
def test_a_sweep_is_refused_before_anything_runs(books, tmp_path, text, error):
    notebook(books, "04_drawings", "seed: int = 1  # a seed", "1")
    (tmp_path / "sweep.toml").write_text(text)
    with pytest.raises(error) as refusal:
        sweep.run_sweep(sweep.load_sweep(tmp_path / "sweep.toml"), tmp_path / "studio", print)
    assert refusal.value.exit_code == 2
    assert not (tmp_path / "studio").exists()
