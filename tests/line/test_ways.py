"One batch, four ways: notebooks in Jupyter, papermill, the functions in a script, the console script with workers. What crosses over to minting is the same to the last byte."

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from artmint.run.batch import notebooks, working_copy

pytestmark = pytest.mark.slow
TINY = Path(__file__).parents[1] / "data" / "tiny"
STAGES = ("00_seeds", "15_generate", "20_curate", "25_metadata")
BATCH = """
name = "tiny"
collection = "tiny"
quantity = 4
stages = ["00_seeds", "15_generate", "20_curate", "25_metadata"]
[parameters.15_generate]
executor = "process"
workers = 2
"""
SCRIPT = """
import sys
from artmint.make.base import load_base, load_judge, weights_files
from artmint.make.engines import Diffusers
from artmint.seeds import frozen_slots
from artmint.studio.catalog import Catalog
from artmint.curate import choose
from artmint.generate import attempts_of, generate, open_slots
from artmint.metadata import BaseFacts, pack
from artmint.seeds import load_collection, salt_of
tiny, catalog, base, judge = load_collection("tiny"), Catalog("studio"), load_base(), load_judge()
salt = salt_of(tiny, catalog.folder)
painter = Diffusers(base)
slots = frozen_slots(catalog, tiny, salt)
for number in range(1, tiny.generation.rounds + 1):
    generate(catalog, painter, attempts_of(catalog, tiny, list(reversed(open_slots(catalog, tiny, salt, 1, 4))), salt, number, painter))
    if not choose(catalog, tiny, judge, slots, number).open: break
pack(catalog, tiny, 1, 1, 4, BaseFacts(digest=base.digest, source=base.source), weights_files(base))
"""


@pytest.fixture
def place(tmp_path):
    "Makes folders with the collection in them."

    def make(name: str) -> Path:
        shutil.copytree(TINY, tmp_path / name / "tiny")
        return tmp_path / name

    return make


def given(name: str) -> dict:
    "What a stage is given."
    known = {"studio": "studio", "collection": "tiny", "drop": 1, "first": 1, "quantity": 4, "round": 1}
    code = next(
        cell.source
        for cell in working_copy(notebooks()[name]).cells
        if "parameters" in cell.metadata.get("tags", [])
    )
    return {key: value for key, value in known.items() if f"{key}:" in code}


def by_hand(folder: Path) -> None:
    "As in JupyterLab: values are typed into the parameters cell, and all cells are run."
    from nbclient import NotebookClient

    for name in STAGES:
        node = working_copy(notebooks()[name])
        cell = next(cell for cell in node.cells if "parameters" in cell.metadata.get("tags", []))
        cell.source += "\n" + "\n".join(f"{key} = {value!r}" for key, value in given(name).items())
        NotebookClient(node, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()


def by_papermill(folder: Path) -> None:
    "papermill's own script, with -p for every parameter."
    for name in STAGES:
        nbformat.write(working_copy(notebooks()[name]), folder / f"{name}.ipynb")
        words = [word for key, value in given(name).items() for word in ("-p", key, str(value))]
        subprocess.run(
            [
                Path(sys.executable).with_name("papermill"),
                "--no-progress-bar",
                f"{name}.ipynb",
                f"{name}.out.ipynb",
                *words,
            ],
            cwd=folder,
            check=True,
            capture_output=True,
        )


def by_script(folder: Path) -> None:
    "The functions, with the slots in another order."
    subprocess.run([sys.executable, "-c", SCRIPT], cwd=folder, check=True, capture_output=True)


def by_console(folder: Path) -> None:
    "The console script, with two worker processes."
    (folder / "tiny.toml").write_text(BATCH)
    subprocess.run(
        [Path(sys.executable).with_name("artmint"), "run", "tiny.toml"],
        cwd=folder,
        check=True,
        capture_output=True,
        env=os.environ,
    )


def test_four_ways_end_in_the_same_bytes(place):
    made = {}
    for way in (by_console, by_script, by_papermill, by_hand):
        folder = place(way.__name__)
        way(folder)
        made[way.__name__] = [
            (folder / "studio/drops/tiny-1" / name).read_bytes() for name in ("drop.json", "drop.car")
        ]
    assert len({files[0] for files in made.values()}) == 1
    assert len({files[1] for files in made.values()}) == 1
