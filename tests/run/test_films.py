"The command `artmint films`."

import json
import os

import pytest

from artmint.publish.waves import release_drop
from artmint.studio.catalog import Catalog
from tests.conftest import TINY
from tests.safes import artmint
from tests.workflows import SERVED, SIMPLE

pytest.importorskip("imageio_ffmpeg", reason="ffmpeg comes with the extra artmint[films]")


@pytest.fixture
def batch(packed, tmp_path):
    "A batch of two tokens of a collection with short films, planned to be told later."
    from artmint.publish.waves import plan_of, record_plan

    folder = tmp_path / "tiny"
    folder.mkdir()
    words = (TINY / "collection.toml").read_text()
    table = "[films]\nseconds = 0.4\nfps = 10\nhold = 0.2\nside = 64\n"
    (folder / "collection.toml").write_text(words + table)
    path = tmp_path / "b.toml"
    path.write_text(
        f'name = "b"\ncollection = "{os.path.relpath(folder, tmp_path)}"\ndrop = 1\nquantity = 2\nstages = ["30_mint"]\n'
    )
    record_plan(Catalog(packed), "tiny", "b", 1, plan_of({}), tmp_path)
    return path, packed


@pytest.mark.slow
def test_films_are_looked_at_made_once_and_given_out_when_the_drop_is_told(batch, capsys, tmp_path):
    path, studio = batch
    words = ("films", path, "--studio", studio, "--format", "webp", "--slot", 2)
    said = artmint(capsys, *words, "--dry-run")
    assert "films of 1 tokens would be made; how long that takes isn't known" in said and "64 x 64" in said
    said = artmint(capsys, *words)
    assert "webp" in said and "6 frames" in said
    assert "nothing would be made" in artmint(capsys, *words, "--dry-run")
    out = tmp_path / "out"
    assert "told later" in artmint(capsys, *words, "--out", out, code=4) and not out.exists()
    release_drop(Catalog(studio), "tiny", 1, "wave 1")
    artmint(capsys, *words, "--out", out)
    assert sorted(one.name for one in out.iterdir()) == ["tiny-2.poster.png", "tiny-2.webp"]
    film = next(out.glob("*.webp"))
    film.write_bytes(b"cut by hand")
    assert "something else than this film" in artmint(capsys, *words, "--out", out, code=2)
    assert film.read_bytes() == b"cut by hand"


def test_what_is_not_there_is_refused_before_anything_is_painted(batch, capsys):
    path, studio = batch
    words = ("films", path, "--studio", studio)
    assert "none of mp4, av1, webp, gif" in artmint(capsys, *words, "--format", "avi", code=2)
    assert "isn't in" in artmint(capsys, *words, "--slot", 4, code=2)


@pytest.mark.parametrize("engine", ["comfyui", "a1111", "generator"])
def test_an_engine_that_does_not_give_its_steps_is_named_at_once(engine):
    from artmint.publish.films import NoFilms, refuse_films
    from artmint.seeds import load_collection

    tiny = load_collection(TINY)
    refuse_films(tiny)
    other = tiny.model_copy(update={"generation": tiny.generation.model_copy(update={"engine": engine})})
    with pytest.raises(NoFilms, match=f"painted by the engine {engine}, .* animation_url of their own"):
        refuse_films(other)


def test_a_collection_of_another_engine_has_no_films(batch, capsys):
    path, studio = batch
    file = path.parent / "tiny" / "collection.toml"
    (path.parent / "tiny" / "w.json").write_text(json.dumps(SIMPLE))
    own = 'steps = 2\nwidth = 64\nheight = 64\nprofile = "portable"'
    assert own in file.read_text()
    served = file.read_text().replace(own, 'engine = "comfyui"\nwidth = 64\nheight = 64') + SERVED
    file.write_text(served)
    said = artmint(capsys, "films", path, "--studio", studio, "--dry-run", code=2)
    assert "painted by the engine comfyui" in said


@pytest.mark.slow
def test_no_unet_and_no_ffmpeg_are_said_before_anything_is_made(batch, capsys, monkeypatch, tmp_path):
    "By the verb, by its dry run, and by the batch's plan."
    from artmint.publish import films
    from artmint.run.batch import load_batch
    from artmint.run.obstacles import obstacles
    from tests.families import saved

    path, studio = batch
    words = ("films", path, "--studio", studio, "--format", "gif")
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "nowhere"))
    films.film_encoder.cache_clear()
    for more in ((), ("--dry-run",)):
        assert "artmint[films]" in artmint(capsys, *words, *more, code=2)
    monkeypatch.delenv("IMAGEIO_FFMPEG_EXE")
    films.film_encoder.cache_clear()
    file = path.parent / "tiny" / "collection.toml"
    base = f'base = "{saved("sd3", tmp_path / "sd3")}"\nprofile = "fast"'
    text = (
        file.read_text()
        .replace('profile = "portable"', base)
        .replace("[films]", '[films]\nanimation = "mp4"')
    )
    file.write_text(text)
    for more in ((), ("--dry-run",)):
        assert "which has no UNet" in artmint(capsys, *words, *more, code=2)
    path.write_text(path.read_text().replace('"30_mint"', '"25_metadata"'))
    said = [row["evidence"] for row in obstacles(load_batch(path), studio, {}) if row["status"] == "failed"]
    assert any("which has no UNet" in words for words in said), said
    assert Catalog(studio).all("film") == {}
