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

from artmint import batch as file
from artmint import run as room
from artmint.catalog import Catalog

DATA = Path(__file__).parent / "data"
WRITE = "from pathlib import Path\nfrom artmint.catalog import Catalog\nbook = Catalog(Path(studio))\nbook.append('trace', '{name}', {{'round': globals().get('round', 1)}})\n"


def notebook(folder: Path, name: str, parameters: str, code: str) -> None:
    "A notebook with an example that would fail, a parameters cell and one more."
    cells = [new_markdown_cell("# Test"), new_code_cell("1 / 0"), new_markdown_cell("## Run"), new_code_cell(parameters), new_code_cell(code)]
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
    notebook(folder, "00_seeds", STUDIO + "\nquantity: int = 1  # how many\nwarm: bool = False  # a switch\nscale: float = 1.0  # a size", WRITE.format(name="seeds") + "print('hello')")
    notebook(folder, "15_generate", ROUND, WRITE.format(name="generate") + TRY)
    notebook(folder, "20_curate", ROUND, WRITE.format(name="curate") + FILL.format(slots=(1, 2, 3), round=1) + FILL.format(slots=(4,), round=2))
    notebook(folder, "25_metadata", STUDIO, WRITE.format(name="metadata"))
    monkeypatch.setattr(room, "notebooks", lambda: {path.stem: path for path in sorted(folder.glob("*.ipynb"))})
    return folder


@pytest.fixture
def order(tmp_path):
    "Make a batch from keys that differ from the usual ones."
    def make(**changes) -> file.Batch:
        facts = {"name": "small", "collection": str(DATA / "tiny"), "quantity": 4, "path": str(tmp_path / "small.toml"),
                 "stages": ("00_seeds", "15_generate", "20_curate", "25_metadata")}
        return file.Batch(**(facts | changes))
    return make


def traces(studio: Path, name: str) -> list[int]:
    "In which rounds a notebook ran."
    return [row["round"] for row in Catalog(studio).history("trace", name)]


@pytest.mark.parametrize("text, said", [
    ("", "name"), ("name = ", "Invalid"), ("name = 'small'\ncollection = 'c'\nquantity = 0\nstages = ['a']", "quantity"),
    ("name = '../up'\ncollection = 'c'\nquantity = 1\nstages = ['a']", "name"), ("name = 'small'\ncolection = 'c'\nquantity = 1\nstages = ['a']", "colection"),
])
def test_a_bad_batch_file_is_refused(tmp_path, text, said):
    (tmp_path / "batch.toml").write_text(text)
    with pytest.raises(file.BadBatch) as refusal: file.load_batch(tmp_path / "batch.toml")
    assert said in str(refusal.value) and refusal.value.exit_code == 2


def test_a_missing_batch_file_is_refused(tmp_path):
    with pytest.raises(file.BadBatch): file.load_batch(tmp_path / "none.toml")


@pytest.mark.parametrize("stage, given, error", [
    ("00_seeds", {"sed": 1}, file.UnknownParameter), ("00_seeds", {"quantity": "4"}, file.WrongType), ("00_seeds", {"quantity": True}, file.WrongType),
    ("00_seeds", {"warm": 1}, file.WrongType), ("00_seeds", {"scale": "big"}, file.WrongType), ("99_none", {}, file.UnknownStage),
])
def test_parameters_are_refused_before_anything_runs(books, order, tmp_path, stage, given, error):
    with pytest.raises(error) as refusal: room.run(order(parameters={stage: given}), tmp_path / "studio")
    assert refusal.value.exit_code == 2 and not (tmp_path / "studio").exists()


def test_an_unknown_stage_is_refused(books, order, tmp_path):
    with pytest.raises(file.UnknownStage, match="05_nowhere"): room.plan(order(stages=("05_nowhere",)), tmp_path)


def test_a_whole_number_is_fine_for_a_float(books, order, tmp_path):
    assert room.plan(order(parameters={"00_seeds": {"scale": 2}}), tmp_path)[0].parameters["scale"] == 2


def test_the_plan_names_no_machine_path(books, order, tmp_path):
    stages = room.plan(order(), tmp_path / "studio")
    assert [stage.repeats for stage in stages] == [False, True, True, False]
    assert stages[0].parameters == {"studio": "../..", "quantity": 4}


def test_rounds_resumption_and_repair(books, order, tmp_path):
    "Two rounds fill the slots; a second run does nothing; a changed parameter runs its stage and what follows; a lost notebook runs again."
    studio, said = tmp_path / "studio", []
    ran = room.run(order(), studio, said.append)
    assert [stage.name for stage in ran] == ["00_seeds", "15_generate", "20_curate", "15_generate-r2", "20_curate-r2", "25_metadata"]
    assert traces(studio, "curate") == [1, 2] and "  hello" in said
    executed = nbformat.read(room.runs(studio, order()) / "20_curate-r2.ipynb", as_version=4)
    assert executed.metadata.papermill.end_time and str(tmp_path) not in json.dumps(executed)

    assert all(stage.skipped for stage in room.run(order(), studio, said.append)) and traces(studio, "seeds") == [1]

    (room.runs(studio, order()) / "25_metadata.ipynb").unlink()
    assert [stage.name for stage in room.run(order(), studio, said.append) if not stage.skipped] == ["25_metadata"]

    ran = room.run(order(parameters={"00_seeds": {"warm": True}}), studio, said.append)
    assert len(ran) == 6 and not any(stage.skipped for stage in ran) and traces(studio, "seeds") == [1, 1]


def test_a_changed_notebook_runs_again(books, order, tmp_path):
    one = order(stages=("00_seeds",))
    room.run(one, tmp_path / "studio", print)
    node = nbformat.read(books / "00_seeds.ipynb", as_version=4)
    node.cells[0].source = "# Only prose"
    nbformat.write(node, books / "00_seeds.ipynb")
    assert room.run(one, tmp_path / "studio", print)[0].skipped
    node.cells[-1].source += "\nprint('and more')"
    nbformat.write(node, books / "00_seeds.ipynb")
    assert not room.run(one, tmp_path / "studio", print)[0].skipped


def test_open_slots_after_the_last_round_wait_for_people(books, order, tmp_path):
    notebook(books, "20_curate", ROUND, WRITE.format(name="curate") + FILL.format(slots=(1, 3), round=1))
    with pytest.raises(room.WaitingForPeople) as refusal: room.run(order(), tmp_path / "studio", print)
    assert refusal.value.slots == [2, 4] and refusal.value.exit_code == 4
    assert traces(tmp_path / "studio", "curate") == [1, 2] and traces(tmp_path / "studio", "metadata") == []


def test_a_failed_stage_is_one_clear_error(books, order, tmp_path):
    notebook(books, "15_generate", ROUND, "from artmint.seeds import Refusal\nclass NoPaint(Refusal):\n    colour: str\n    says = 'There is no {colour} left.'\nraise NoPaint('red')")
    with pytest.raises(room.StageFailed) as refusal: room.run(order(), tmp_path / "studio", print)
    assert (refusal.value.stage, refusal.value.error, refusal.value.exit_code) == ("15_generate", "NoPaint", 1)
    assert "There is no red left." in str(refusal.value) and Path(refusal.value.path).name == "15_generate.failed.ipynb" and Path(refusal.value.path).exists()
    assert not (room.runs(tmp_path / "studio", order()) / "15_generate.ipynb").exists()


def test_a_refusal_of_a_room_keeps_its_exit_code(books, order, tmp_path):
    notebook(books, "33_evidence", STUDIO, "from artmint.evidence import NotProven\nraise NotProven('embedded:0x', 'no store has it')")
    with pytest.raises(room.StageFailed) as refusal: room.run(order(stages=("33_evidence",)), tmp_path / "studio", print)
    assert refusal.value.exit_code == 3 and refusal.value.error == "NotProven"


def test_a_second_run_is_told_who_is_at_work(books, order, tmp_path):
    studio = tmp_path / "studio"
    with room._alone(studio, order(name="other")), pytest.raises(room.StudioBusy) as refusal: room.run(order(), studio, print)
    assert f"process {os.getpid()}" in str(refusal.value) and "Batch other" in str(refusal.value)
    room.run(order(stages=("00_seeds",)), studio, print)


def test_killed_and_run_again(books, order, tmp_path):
    "SIGKILL in the middle of a stage: its notebook is known as interrupted, and the next run goes on from there."
    studio, mark = tmp_path / "studio", tmp_path / "mark"
    notebook(books, "15_generate", ROUND, f"import time, pathlib\nif not pathlib.Path({str(mark)!r}).exists():\n    pathlib.Path({str(mark)!r}).touch()\n    time.sleep(60)\n" + WRITE.format(name="generate"))
    program = f"""
from pathlib import Path
from artmint import batch as file, run as room
room.notebooks = lambda: {{path.stem: path for path in sorted(Path({str(books)!r}).glob('*.ipynb'))}}
room.run(file.Batch.model_validate_json({order().model_dump_json()!r}), Path({str(studio)!r}))
"""
    killed = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not mark.exists() and time.monotonic() < deadline: time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    said: list[str] = []
    ran = room.run(order(), studio, said.append)
    assert "interrupted" in said[0] and (room.runs(studio, order()) / "15_generate.interrupted.ipynb").exists()
    assert [stage.skipped for stage in ran[:2]] == [True, False] and traces(studio, "seeds") == [1] and len(traces(studio, "generate")) == 2
