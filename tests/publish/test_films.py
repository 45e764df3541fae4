"Films of tokens and drops, made."

import hashlib
import shutil
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from artmint.core.canon import read_json
from artmint.core.films import FILM_ENDINGS, FilmSettings
from artmint.core.picture import pixel_digest
from artmint.core.records import Slot
from artmint.ipfs.cid import cid
from artmint.make.base import load_base, weights_files
from artmint.make.engines import Diffusers
from artmint.metadata import pack
from artmint.publish import films
from artmint.publish.tokens import BaseFacts
from artmint.seeds import frozen_slots, load_collection
from artmint.studio.catalog import Catalog
from tests.conftest import TINY, unminted
from tests.families import saved

pytest.importorskip("imageio_ffmpeg", reason="ffmpeg comes with the extra artmint[films]")
TINY_FILMS = FilmSettings(seconds=0.4, fps=10, hold=0.2, side=64, animation="mp4")
FORMATS = tuple(FILM_ENDINGS)


def filmed(folder, **more):
    "A studio, its collection with films, and what is to be filmed."
    collection = load_collection(TINY).model_copy(update={"films": TINY_FILMS.model_copy(update=more)})
    catalog = Catalog(folder)
    slots = frozen_slots(catalog, collection, collection.salt)
    return catalog, collection, films.film_orders(catalog, collection, slots)


@pytest.fixture(scope="module")
def painter():
    return Diffusers(load_base())


@pytest.fixture(scope="module")
def made(minted, painter, tmp_path_factory):
    "A studio with all films of the tiny collection."
    folder = unminted(minted[0], tmp_path_factory.mktemp("films") / "studio")
    catalog, collection, orders = filmed(folder)
    films.make_films(catalog, painter, collection.films, orders, FORMATS)
    films.make_sheet(catalog, painter, collection.films, orders, ("webp",))
    return catalog, collection, orders


def film_of(studio, order, kind):
    catalog, collection, _ = studio
    return films.find_film(catalog, films.facts_of_film(collection.films, [order], kind))


@pytest.mark.slow
def test_a_film_ends_in_the_token_s_own_picture(made):
    catalog, _, orders = made
    for order in orders:
        film = film_of(made, order, "mp4")
        poster = Image.open(BytesIO(catalog.blob(film.poster)))
        assert pixel_digest(poster) == order.pixel_digest
        assert (film.frames, film.width, film.height) == (6, 64, 64)
        assert len({film.frames_digest for film in (film_of(made, order, kind) for kind in FORMATS)}) == 1


@pytest.mark.slow
def test_every_format_is_what_it_is_called_and_plays_its_frames(made):
    import imageio_ffmpeg

    catalog, _, (order, *_) = made
    for kind, begins in (("mp4", b"ftyp"), ("av1", b"ftyp"), ("webp", b"RIFF"), ("gif", b"GIF8")):
        film = film_of(made, order, kind)
        path = catalog.blob_path(film.file_digest)
        assert begins in path.read_bytes()[:12] and film.size == path.stat().st_size
        if kind in ("mp4", "av1"):
            reader = imageio_ffmpeg.read_frames(str(path))
            facts = next(reader)
            assert facts["size"] == (64, 64) and facts["codec"].startswith(
                {"mp4": "h264", "av1": "av1"}[kind]
            )
            frames = [np.frombuffer(data, np.uint8).reshape(64, 64, 3) for data in reader]
            last = np.asarray(Image.open(BytesIO(catalog.blob(film.poster))), int)
            assert len(frames) == 6 and abs(frames[-1] - last).mean() < 6
        else:
            image = Image.open(path)
            assert image.info.get("loop") == 0 and image.n_frames > 1


@pytest.mark.slow
def test_a_lost_film_comes_back_with_the_same_bytes_and_another_studio_has_them_too(made, painter, tmp_path):
    catalog, collection, orders = made
    order = orders[0]
    before = {kind: film_of(made, order, kind) for kind in FORMATS}
    other = Catalog(shutil.copytree(catalog.folder, tmp_path / "studio"))
    for film in before.values():
        other.blob_path(film.file_digest).unlink()
    assert len(films.missing_films(other, collection.films, [order], FORMATS)) == 4
    films.make_films(other, painter, collection.films, [order], FORMATS)
    for film in before.values():
        assert hashlib.sha256(other.blob(film.file_digest)).hexdigest() == film.file_digest
    assert len(other.history("film", before["mp4"].facts.dna)) == 1


@pytest.mark.slow
def test_what_comes_out_otherwise_is_refused_and_overwrites_nothing(made, painter, tmp_path):
    import dataclasses

    catalog, collection, orders = made
    other = Catalog(shutil.copytree(catalog.folder, tmp_path / "studio"))
    wrong = dataclasses.replace(orders[0], pixel_digest="0" * 64)
    with pytest.raises(films.FilmDiffers, match="its way ends"):
        list(films.ways_of(other, painter, [wrong]))
    film = film_of(made, orders[0], "gif")
    other.blob_path(film.file_digest).unlink()
    other.append("film", film.facts.dna, {**film.model_dump(mode="json"), "frames_digest": "1" * 64})
    with pytest.raises(films.FilmDiffers, match="its frames"):
        films.make_films(other, painter, collection.films, orders[:1], ("gif",))
    assert not other.has_blob(film.file_digest)


@pytest.mark.slow
def test_it_goes_on_where_it_was_stopped(minted, painter, tmp_path, monkeypatch):
    catalog, collection, orders = filmed(unminted(minted[0], tmp_path / "studio"))
    kept, real = [], films._keep_film

    def stopped(*given):
        if len(kept) == 1:
            raise KeyboardInterrupt
        kept.append(real(*given))
        return kept[-1]

    monkeypatch.setattr(films, "_keep_film", stopped)
    with pytest.raises(KeyboardInterrupt):
        films.make_films(catalog, painter, collection.films, orders, ("webp",))
    monkeypatch.setattr(films, "_keep_film", real)
    painted, way = [], films.picture_paths
    monkeypatch.setattr(
        films,
        "picture_paths",
        lambda base, recipes, *rest: painted.extend(recipes) or way(base, recipes, *rest),
    )
    films.make_films(catalog, painter, collection.films, orders, ("webp",))
    assert len(painted) == 3 and not films.missing_films(catalog, collection.films, orders[:1], ("webp",))
    films.make_films(catalog, painter, collection.films, orders, ("webp",))
    assert len(painted) == 3


@pytest.mark.slow
def test_a_contact_sheet_has_every_token(made):
    catalog, collection, orders = made
    film = films.find_film(catalog, films.facts_of_film(collection.films, orders, "webp", sheet=True))
    poster = np.asarray(Image.open(BytesIO(catalog.blob(film.poster))))
    assert poster.shape == (64, 64, 3)
    tiles = [poster[y : y + 32, x : x + 32] for y in (0, 32) for x in (0, 32)]
    assert len({tile.tobytes() for tile in tiles}) == 4 and min(tile.std() for tile in tiles) > 1


def test_a_packed_token_names_its_film_which_lies_in_its_root(made, tmp_path):
    catalog, collection, orders = made
    folder = shutil.copytree(catalog.folder, tmp_path / "studio", ignore=shutil.ignore_patterns("drops"))
    import sqlite3

    with sqlite3.connect(folder / "catalog.sqlite") as connection:
        connection.execute("delete from record where kind in ('drop', 'audit', 'pin')")
    base = load_base()
    facts = BaseFacts(digest=base.digest, source=base.source)
    pack(Catalog(folder), collection, 1, 1, 4, facts, weights_files(base))
    root = Path(folder) / "drops/tiny-1/root"
    for order in orders:
        film = film_of(made, order, "mp4")
        token = read_json((root / f"{order.slot}.json").read_bytes())
        data = (root / f"media/{film.file_digest}.mp4").read_bytes()
        assert token["animation_url"] == f"ipfs://{cid(data)}"
    lacking = Catalog(folder)
    lacking.blob_path(film.file_digest).unlink()
    with sqlite3.connect(folder / "catalog.sqlite") as connection:
        connection.execute("delete from record where kind = 'drop'")
    with pytest.raises(films.FilmsMissing) as refused:
        pack(lacking, collection, 1, 1, 4, facts, weights_files(base))
    assert refused.value.slots == [4]


# What can't be filmed, and what can't be written


def test_what_diffusers_did_not_paint_is_refused_by_name(minted, tmp_path):
    catalog, collection, orders = filmed(unminted(minted[0], tmp_path / "studio"))
    edition = catalog.get("edition", "tiny/1")
    artifact = catalog.get("artifact", edition["dna"])
    catalog.append(
        "artifact", edition["dna"], {**artifact, "recipe": artifact["recipe"] | {"engine": "comfyui"}}
    )
    with pytest.raises(films.NoFilmOf, match="slot 1, it was painted by the engine comfyui"):
        films.film_orders(catalog, collection, frozen_slots(catalog, collection, "tiny"))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["sd3", "flux"])
def test_a_base_without_a_unet_is_refused_by_its_family(family, tmp_path):
    "As the plan asks it, and as the verb does; what has one passes."
    tiny, base = load_collection(TINY), load_base(saved(family, tmp_path / family))
    with pytest.raises(films.NoFilms, match=r"its base is of the family \w+, which has no UNet") as refused:
        films.refuse_films(tiny, Diffusers(base))
    assert type(base.pipeline).__name__ in str(refused.value) and refused.value.exit_code == 2
    films.refuse_films(tiny, Diffusers(load_base(saved("sd1", tmp_path / "sd1"))))


@pytest.fixture
def encoder(tmp_path, monkeypatch):
    "Put another program in ffmpeg's place, or none."

    def put(script):
        path = tmp_path / "ffmpeg"
        if script is not None:
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)
        monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(path))
        films.film_encoder.cache_clear()

    yield put
    films.film_encoder.cache_clear()


@pytest.mark.parametrize("script, why", [(None, "FileNotFoundError"), ("exit 1", "CalledProcessError")])
def test_an_ffmpeg_that_can_not_be_run_is_refused_before_anything_is_painted(
    encoder, minted, tmp_path, script, why
):
    catalog, collection, orders = filmed(unminted(minted[0], tmp_path / "studio"))
    encoder(script)
    for make in (films.make_films, films.make_sheet):
        with pytest.raises(films.NoFilmEncoder, match=why) as refused:
            make(catalog, None, collection.films, orders, ("mp4",))  # no painter: none is needed
        assert refused.value.exit_code == 2 and "artmint[films]" in str(refused.value)


def test_ffmpeg_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    films.film_encoder.cache_clear()
    with pytest.raises(films.NoFilmEncoder, match="imageio-ffmpeg isn't installed"):
        films.film_encoder()
    films.film_encoder.cache_clear()


@pytest.mark.slow
@pytest.mark.many(1)
@pytest.mark.parametrize(
    "encodes, why",
    [
        ("echo no such codec >&2; exit 1", "no such codec"),
        ("exit 3", "ended with 3"),
        ("exit 0", "ended with 0"),
    ],
)
def test_an_ffmpeg_that_gives_no_film_leaves_nothing_behind(encoder, made, painter, tmp_path, encodes, why):
    catalog, collection, orders = made
    studio = Catalog(shutil.copytree(catalog.folder, tmp_path / "studio"))
    settings = collection.films.model_copy(update={"hold": 0.3})  # films that aren't there
    encoder(f'[ "$1" = -version ] && exit 0\n{encodes}')
    before = studio.all("film")
    with pytest.raises(films.EncoderFailed, match=f"ffmpeg gave no gif: .*{why}"):
        films.make_films(studio, painter, settings, orders[:1], ("gif",))
    assert studio.all("film") == before


def test_a_word_that_cannot_be_drawn_or_has_no_room_is_refused():
    picture = Image.new("RGB", (64, 64))
    settings = FilmSettings(side=128, seconds=0.4, fps=10, caption=("x",))
    for line, why in (("光", "has no 光"), ("a word that is far too long " * 3, "no room")):
        with pytest.raises(films.UnfitCaption, match=why):
            list(films.film_pixels(settings, (line,), [picture, picture]))


def test_captions_are_filled_in_with_the_token_s_own_traits():
    tiny = load_collection(TINY)
    shown = tiny.model_copy(update={"films": FilmSettings(caption=("{title} #{id}", "{motif}"), traits=True)})
    slot = Slot(id=3, traits={"motif": "rings", "palette": "ocean"})
    assert films.film_caption(shown, slot) == ("Tiny #3", "rings", "motif: rings", "palette: ocean")


@pytest.mark.parametrize("template", ["square", "portrait", "landscape"])
def test_words_stand_beside_the_picture_and_not_on_it(template):
    picture = Image.new("RGB", (64, 64), "#00ff00")
    settings = FilmSettings(side=256, seconds=0.4, fps=10, template=template, ground="#000000")
    plain, worded = (
        list(films.film_pixels(settings, lines, [picture, picture]))[-1] for lines in ((), ("Words",))
    )
    assert plain.shape == worded.shape == (*settings.canvas[::-1], 3)
    green = (worded == (0, 255, 0)).all(-1)
    rows, columns = green.any(1), green.any(0)
    assert green.sum() == rows.sum() * columns.sum()
    assert ((worded > 128).all(-1) & ~green).any()
