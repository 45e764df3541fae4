"A drop by a real ComfyUI, killed and killed again; and how its pictures compare with those of artmint's own engine."

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from artmint.core.collection import Workflow
from artmint.core.records import Recipe
from artmint.make.base import load_base
from artmint.make.comfyui import ComfyServer, ComfyUI, EngineAway, EngineLacks
from artmint.make.render import render
from artmint.make.workflows import guess_inputs, output_node, read_plan, read_workflow, table_lines
from artmint.studio.catalog import Catalog
from tests.comfyui import CHECKPOINT, Comfy, pipeline_folder
from tests.workflows import SIMPLE, TWO_SAMPLERS, TWO_TEXTS, node

pytestmark = pytest.mark.slow

COLLECTION = """
name = "served"
title = "Served"
description = "Sixteen small pictures by somebody's own ComfyUI."
supply = 16
license = "CC0-1.0"
salt = "served"
template = "{motif}, zwei Hügel 山"
publish_weights = true

[traits.motif]
rings = 8
waves = 8

[generation]
engine = "comfyui"
scheduler = "euler"
steps = 2
width = 64
height = 64
attempts = 1
"""
DRIVER = """
import sys
from artmint.run.sample import sample_studio
from artmint.seeds import load_collection
sample_studio(sys.argv[1], load_collection(sys.argv[2]), "packed", 1, 16)
"""


def with_checkpoint(graph: dict) -> dict:
    "A graph that loads the tests' own model."
    return graph | {"4": node("CheckpointLoaderSimple", ckpt_name=CHECKPOINT)}


@pytest.fixture(scope="module")
def comfy(tmp_path_factory):
    server = Comfy(tmp_path_factory.mktemp("comfy"))
    yield server
    server.kill()


@pytest.fixture
def served(tmp_path):
    "A collection that ComfyUI paints."
    folder = tmp_path / "served"
    folder.mkdir()
    text = json.dumps(with_checkpoint(SIMPLE))
    (folder / "hill.json").write_text(text)
    table = table_lines("hill.json", *guess_inputs(read_workflow(text, "hill.json"), "9"))
    (folder / "collection.toml").write_text(f"{COLLECTION}\n{table}\n")
    return folder


def studio_of(folder: Path, comfy: Comfy) -> Path:
    "A studio that names the server."
    folder.mkdir(exist_ok=True)
    (folder / "studio.toml").write_text(f'[engines.gpu]\nkind = "comfyui"\nurl = "{comfy.url}"\n')
    return folder


def driver(studio: Path, collection: Path) -> subprocess.Popen:
    "Who paints and packs."
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(studio), str(collection)], stdout=subprocess.DEVNULL
    )


def painted(studio: Path) -> int:
    "How many pictures a studio has."
    there = (studio / "catalog.sqlite").exists()
    return len(Catalog(studio).keys("artifact")) if there else 0


def wait_for(studio: Path, count: int, process: subprocess.Popen) -> None:
    "Until so many pictures are there."
    while painted(studio) < count:
        assert process.poll() is None, process.returncode
        time.sleep(0.1)


def files_of(comfy: Comfy) -> int:
    "How many pictures the server wrote."
    return len(list((comfy.folder / "output").rglob("*.png")))


def test_a_drop_of_sixteen_with_server_and_driver_killed_is_the_undisturbed_one(comfy, served, tmp_path):
    calm, rough = studio_of(tmp_path / "calm", comfy), studio_of(tmp_path / "rough", comfy)
    assert driver(calm, served).wait() == 0
    comfy.kill()  # its history is gone with it
    shutil.rmtree(comfy.folder / "output")
    comfy.start()
    first = driver(rough, served)
    wait_for(rough, 4, first)
    comfy.kill()
    comfy.start()
    wait_for(rough, 9, first)
    first.kill()
    first.wait()
    assert painted(rough) < 16
    assert driver(rough, served).wait() == 0
    drops = [(studio / "drops" / "served-1" / "drop.json").read_bytes() for studio in (calm, rough)]
    assert drops[0] == drops[1]
    assert len(json.loads(drops[0])["tokens"]) == 16
    assert painted(rough) == 16
    assert files_of(comfy) <= 17  # one may have been lost with the server


def plan_of(graph: dict, **more):
    "A plan with the guessed table, without the spacing of steps, which the graph says."
    read = read_workflow(json.dumps(graph), "w.json")
    table, _ = guess_inputs(read, output_node(read, "w.json"))
    table.pop("schedule", None)
    inputs = {own: tuple(places) for own, places in (table | more).items()}
    return read_plan(Workflow(file="w.json", graph=json.dumps(graph), inputs=inputs))
