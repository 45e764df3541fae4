"A drop of sixteen by a generator and one by an ONNX file, as a user runs them: minted, and proven by strangers who paint again."

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from artmint.make.base import DATA_FOLDER
from artmint.make.graphs import onnx_version
from tests.generators import as_graph

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PROGRAM = "from artmint.__main__ import main; main()"


def artmint(*words: str, cwd: Path) -> subprocess.CompletedProcess:
    "The console script."
    where = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=1800,
        env=where,
    )


def place(folder: Path) -> Path:
    "A user's folder with the generator's collection and batch."
    shutil.copytree(ROOT / "collections/generator", folder / "collections/generator")
    (folder / "batches").mkdir()
    shutil.copy(ROOT / "batches/generator.toml", folder / "batches")
    return folder


def proven(folder: Path) -> str:
    "Run the batch, then prove its tokens as a stranger does; what the proof said."
    ran = artmint("run", "batches/generator.toml", cwd=folder)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    words = ran.stdout.strip().splitlines()[-1].split()
    proof = artmint(*words[1:], cwd=folder)
    assert proof.returncode == 0 and "✗" not in proof.stdout, proof.stdout + proof.stderr
    manifest = json.loads((folder / "studio/drops/generator-1/drop.json").read_text())
    assert len(manifest["tokens"]) == 16
    return proof.stdout


def statements(folder: Path) -> list[dict]:
    "What the tokens say of themselves."
    files = (folder / "studio/drops/generator-1/root").glob("[0-9]*.json")
    return [json.loads(path.read_text()) for path in files]


def test_sixteen_tokens_by_the_bundled_generator(tmp_path):
    folder = place(tmp_path)
    said = proven(folder)
    assert re.search(r"16 of 16 pictures, rendered again.*ipfs://", said, re.S), said
    for facts in statements(folder):
        recipe = facts["artmint"]["recipe"]
        assert recipe["engine"] == "generator" and not {"steps", "guidance", "scheduler"} & set(recipe)
    counts = {}
    for facts in statements(folder):
        for trait in facts["attributes"]:
            pair = trait["trait_type"], trait["value"]
            counts[pair] = counts.get(pair, 0) + 1
    assert counts["motif", "waves"] == counts["motif", "mandala"] == 4 and counts["ground", "night"] == 8


@pytest.mark.skipif(not onnx_version(), reason="onnxruntime isn't installed: pip install 'artmint[onnx]'")
def test_sixteen_tokens_by_an_onnx_file(tmp_path):
    folder = place(tmp_path)
    as_graph(DATA_FOLDER / "generator", folder / "bases/drawings")
    file = folder / "collections/generator/collection.toml"
    text = file.read_text()
    assert text.count('base = "bundled"') == text.count('profile = "portable"') == 1
    where = json.dumps(str(folder / "bases/drawings"))
    file.write_text(text.replace('base = "bundled"', f"base = {where}").replace('"portable"', '"fast"'))
    said = proven(folder)
    assert re.search(r"16 of 16 pictures, rendered again.*ipfs://", said, re.S), said
