"`artmint distil`, as it is typed."

import json

import pytest

from artmint.drawn import drawn_model, refuse_undrawable
from artmint.seeds import load_collection
from artmint.studio.catalog import Catalog
from tests.safes import artmint
from tests.studios import ROOT
from tests.taught import former_collection, taught_studio


def told_by(said: str) -> dict:
    "What is told a program; what a slow machine hears on the way comes after it."
    return json.JSONDecoder().raw_decode(said)[0]


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    return taught_studio(tmp_path_factory.mktemp("taught"))


@pytest.mark.slow
def test_what_can_teach_is_said_and_nothing_is_trained(drawings, tmp_path, capsys):
    studio = drawings[0].folder
    words = [
        "distil",
        former_collection(tmp_path),
        "--studio",
        studio,
        "--into",
        tmp_path / "own.bin",
        "--dry-run",
    ]
    said = artmint(capsys, *words)
    assert "48 pictures teach, 12 are held out" in said
    assert "1.5 from their palette's nearest colour" in said
    assert told_by(artmint(capsys, *words, "--json"))["digest"]
    assert not (studio / "runs").exists() and not (tmp_path / "own.bin").exists()


def test_what_can_t_be_done_is_refused_before_anything_is_read(tmp_path, capsys):
    Catalog(tmp_path / "s")
    words = ["distil", former_collection(tmp_path), "--studio", tmp_path / "s", "--into"]
    assert "0 pictures that could teach" in " ".join(
        artmint(capsys, *words, tmp_path / "a.bin", code=2).split()
    )
    artmint(capsys, *words, tmp_path / "nowhere/own.bin", code=2)
    artmint(capsys, *words, tmp_path / "own.png", code=2)
    artmint(capsys, *words, tmp_path / "a.bin", "--sheet", tmp_path / "nowhere/sheet.png", code=2)


@pytest.mark.slow
def test_its_file_is_what_37_drawn_takes(drawings, tmp_path, capsys):
    "Trained for seconds: the file draws the collection's traits, and the figures are said."
    studio, into = drawings[0].folder, tmp_path / "own.bin"
    words = ["distil", former_collection(tmp_path), "--studio", studio, "--into", into, "--minutes", 0.1]
    told = told_by(artmint(capsys, *words, "--sheet", tmp_path / "sheet.png", "--json"))
    model = drawn_model(str(into))
    assert model.digest == told["digest"]
    assert {"probe motif, teacher", "probe motif, network"} <= set(told["measured"])
    assert (tmp_path / "sheet.png").stat().st_size > 1000
    refuse_undrawable(load_collection(ROOT / "collections/onchain"), model)  # the same words
    assert list((studio / "runs").glob("distil-demo-*/checkpoint.pt"))
