"One picture, one recipe: alone, in any batch, in any order, after a restart, on any number of threads."

import hashlib
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import papermill
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from artmint.core.picture import BadPicture, infotext, old_infotext, pixel_digest, png_bytes, read_png
from artmint.core.records import Attempt, Recipe
from artmint.generate import (
    DigestMismatch,
    LostFile,
    NothingButBroken,
    broken_recipes,
    generate,
    put_picture,
    record,
)
from artmint.make.base import load_base
from artmint.make.engines import Diffusers
from artmint.make.render import render
from artmint.studio.catalog import Catalog
from artmint.train.drawings import draw, subjects
from tests.foreign import DISPLAY_P3, packed, rgb_profile

CHAPTER = Path(__file__).parents[1] / "nbs" / "15_generate.ipynb"


TINY = Path(__file__).parent / "data" / "tiny"


PROMPTS = (
    "dense rings in aurora colours on night, centred",
    "mountains in ember colours",
    "a sparse drawing of waves in ocean on paper",
    "",
)


def recipe(i: int, base: str, **more) -> Recipe:
    "The i-th of a family of recipes that differ in prompt, seed and guidance."
    facts = dict(base=base, prompt=PROMPTS[i % 4], seed=i * 7919, steps=4, width=128, height=128)
    facts["negative_prompt"] = PROMPTS[(i + 1) % 4] if i % 3 == 0 else ""
    facts["guidance"] = 1.0 + i % 5
    return Recipe(**facts | more)


@pytest.fixture(scope="module")
def base():
    return load_base()


# ---------------------------------------------------------------- PNG


@given(
    prompt=st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["C"]), max_size=60),
    seed=st.integers(0, 2**32 - 1),
)
def test_png_carries_its_recipe(prompt, seed):
    made = Recipe(base="ab" * 32, prompt=prompt, seed=seed, width=8, height=8)
    image = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8))
    data = png_bytes(image, made, "model")
    back, texts = read_png(data)
    assert pixel_digest(back) == pixel_digest(image)
    assert data == png_bytes(image, made, "model")
    assert Recipe.parse(json.loads(texts["artmint"])) == made
    assert texts["parameters"] == infotext(made, "model")


def test_other_tools_read_our_infotext(tmp_path):
    sd_parsers = pytest.importorskip("sd_parsers")
    made = Recipe(
        base="ab" * 32,
        prompt="rings, (bold:1.2)",
        negative_prompt="blurred",
        seed=4294967295,
        steps=12,
        guidance=3.5,
        width=16,
        height=24,
    )
    (tmp_path / "a.png").write_bytes(png_bytes(Image.new("RGB", (16, 24)), made, "studio base"))
    read = sd_parsers.ParserManager().parse(tmp_path / "a.png")
    sampler = read.samplers[0]
    assert [p.value for p in read.prompts] == [made.prompt]
    assert [p.value for p in read.negative_prompts] == [made.negative_prompt]
    assert sampler.name == "DDIM"
    assert int(sampler.parameters["seed"]) == made.seed
    assert int(sampler.parameters["steps"]) == 12
    assert float(sampler.parameters["cfg_scale"]) == 3.5
    assert sampler.model.hash == "ab" * 5
    assert sampler.model.name == "studio base"
    assert read.metadata["Size"] == "16x24"
    assert read.metadata["RNG"] == "CPU"


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*chunks: bytes, header: tuple = (8, 8, 8, 2, 0, 0, 0), pixels: bytes = b"\0" * 8 * 25) -> bytes:
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", *header))
        + b"".join(chunks)
        + chunk(b"IDAT", zlib.compress(pixels))
        + chunk(b"IEND", b"")
    )


HOSTILE = {
    "HTML after the end": (png() + b"<html>", "bytes follow"),
    "another picture after the end": (png() + png(), "bytes follow"),
    "cut": (png()[:-6], "inside a chunk"),
    "empty": (b"", "begin as a PNG"),
    "JPEG": (b"\xff\xd8\xff\xe0" + b"0" * 40, "begin as a PNG"),
    "30000 x 30000": (png(header=(30000, 30000, 8, 2, 0, 0, 0)), "is not between"),
    "palette": (png(header=(8, 8, 8, 3, 0, 0, 0)), "8-bit RGB"),
    "more pixels than said": (png(pixels=b"\0" * 10**6), "not as many"),
    "fewer pixels than said": (png(pixels=b"\0" * 99), "not as many"),
    "compressed text": (png(chunk(b"zTXt", b"a\0\0" + zlib.compress(b"0" * 10**6))), "chunk b'zTXt'"),
    "compressed international text": (
        png(chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(b"0"))),
        "compressed text",
    ),
    "two recipes": (png(chunk(b"tEXt", b"artmint\0{}"), chunk(b"tEXt", b"artmint\0{}")), "twice"),
    "private chunk": (png(chunk(b"prVt", b"x")), "chunk b'prVt'"),
}


def test_a_plain_png_is_read():
    assert read_png(png())[0].size == (8, 8)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pngs_are_refused(name):
    data, reason = HOSTILE[name]
    with pytest.raises(BadPicture, match=reason):
        read_png(data)


@given(data=st.data())
def test_no_flipped_bit_passes(data):
    made = Recipe(base="ab" * 32, prompt="rings", seed=1, width=8, height=8)
    whole = png_bytes(Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)), made, "m")
    at = data.draw(st.integers(0, len(whole) - 1))
    bit = data.draw(st.integers(0, 7))
    with pytest.raises(BadPicture):
        read_png(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])


# ---------------------------------------------------------------- artifacts


def test_generate_makes_only_what_is_missing(base, tmp_path):
    catalog = Catalog(tmp_path)
    seen = []
    attempts = [
        Attempt(slot=1, attempt=i + 1, recipe=recipe(i, base.digest, profile="fast")) for i in range(3)
    ]
    first = generate(catalog, Diffusers(base), attempts[:2], lambda done, total: seen.append((done, total)))
    again = generate(catalog, Diffusers(base), attempts, lambda done, total: seen.append((done, total)))
    assert seen == [(2, 2), (1, 1)]
    assert again[:2] == first
    assert [read_png(catalog.blob(a.file_digest))[0].size for a in again] == [(128, 128)] * 3


@pytest.mark.slow
def test_a_lost_file_is_painted_again_and_nothing_else(base, tmp_path):
    catalog = Catalog(tmp_path)
    seen = []
    attempts = [
        Attempt(slot=1, attempt=i + 1, recipe=recipe(i, base.digest, profile="fast")) for i in range(2)
    ]
    first = generate(catalog, Diffusers(base), attempts)
    file = catalog.blob(first[1].file_digest)
    catalog.blob_path(first[1].file_digest).unlink()
    assert (
        generate(catalog, Diffusers(base), attempts, lambda done, total: seen.append((done, total))) == first
    )
    assert seen == [(1, 1)]
    assert catalog.blob(first[1].file_digest) == file
    assert catalog.check() == []


@pytest.mark.slow
def test_a_lost_file_of_an_earlier_version_is_written_as_it_was(base, tmp_path):
    "Its infotext said less; its bytes are what was published."
    catalog = Catalog(tmp_path)
    made = recipe(1, base.digest, profile="fast", scheduler="DPM++ 2M")
    (image,) = render(base, [made])
    old = png_bytes(image, made, text=old_infotext(made, base.name))
    assert old != png_bytes(image, made, base.name)
    facts = record(catalog, Diffusers(base), [made], [image])[0].model_dump(mode="json")
    earlier = Catalog(tmp_path / "earlier")
    digest = hashlib.sha256(old).hexdigest()
    earlier.put("artifact", made.dna, facts | {"file_digest": digest})
    (again,) = generate(earlier, Diffusers(base), [Attempt(slot=1, attempt=1, recipe=made)])
    assert again.file_digest == digest
    assert earlier.blob(digest) == old


@pytest.mark.slow
@pytest.mark.parametrize("field, refusal", [("pixel_digest", DigestMismatch), ("file_digest", LostFile)])
def test_a_lost_file_that_comes_out_otherwise_is_refused(base, tmp_path, field, refusal):
    "Other pixels, or another file of the same pixels (as another version of a library writes it): what was published can't be made here."
    made = recipe(1, base.digest, profile="fast")
    one = Catalog(tmp_path / "one")
    other = Catalog(tmp_path / "other")
    attempts = [Attempt(slot=1, attempt=1, recipe=made)]
    other.put(
        "artifact",
        made.dna,
        generate(one, Diffusers(base), attempts)[0].model_dump(mode="json") | {field: "0" * 64},
    )
    if field == "pixel_digest":
        assert not other.has_blob(other.get("artifact", made.dna)["file_digest"])
    with pytest.raises(refusal) as caught:
        generate(other, Diffusers(base), attempts)
    assert caught.value.dna == made.dna
    assert other.get("artifact", made.dna)[field] == "0" * 64


def test_a_picture_to_start_from_stays_though_nothing_names_it_yet(tmp_path):
    from artmint.studio.maintenance import gc

    catalog = Catalog(tmp_path / "studio")
    sketch = draw(subjects()[5], 5, 64)
    sketch.save(tmp_path / "sketch.png")
    digest = put_picture(catalog, tmp_path / "sketch.png")
    orphan = catalog.put_blob(b"nobody's")
    assert put_picture(catalog, tmp_path / "sketch.png") == digest
    assert gc(catalog.folder, really=True, days=0).blobs == [orphan]
    assert catalog.has_blob(digest)
    assert catalog.check() == []
    catalog.blob_path(digest).unlink()
    assert catalog.check() == [f"picture {digest}: blob {digest} is missing"]


def test_a_picture_to_start_from_comes_out_of_the_studio(base, tmp_path):
    catalog = Catalog(tmp_path / "studio")
    sketch = draw(subjects()[5], 5, 64)
    sketch.save(tmp_path / "sketch.webp", lossless=True)
    made = recipe(
        1,
        base.digest,
        profile="fast",
        width=64,
        height=64,
        init=put_picture(catalog, tmp_path / "sketch.webp"),
        strength=0.3,
    )
    artifact = generate(catalog, Diffusers(base), [Attempt(slot=1, attempt=1, recipe=made)])[0]
    image, texts = read_png(catalog.blob(artifact.file_digest))
    assert np.abs(np.asarray(image).astype(int) - np.asarray(sketch)).mean() < 40
    assert "Denoising strength: 0.3" in texts["parameters"]
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(BadPicture, match=r"torn\.png"):
        put_picture(catalog, tmp_path / "torn.png")


def test_a_picture_to_start_from_is_read_as_all_from_outside(tmp_path):
    "A plain one keeps the digest that recipes know it by; one with a profile is kept without it, in sRGB."
    catalog = Catalog(tmp_path / "studio")
    sketch = draw(subjects()[5], 5, 64)
    plain = packed(sketch, "PNG")
    sketch.save(tmp_path / "sketch.bmp")
    assert put_picture(catalog, tmp_path / "sketch.bmp") == hashlib.sha256(plain).hexdigest()
    profile = rgb_profile(DISPLAY_P3, 2.2, "Display P3")
    sketch.save(tmp_path / "wide.png", icc_profile=profile, dpi=(300, 300))
    kept = catalog.blob(put_picture(catalog, tmp_path / "wide.png"))
    assert read_png(kept)[0].tobytes() != sketch.tobytes()
    sketch.putalpha(7)
    sketch.save(tmp_path / "holes.png")
    with pytest.raises(BadPicture, match="holes.png.*name a ground"):
        put_picture(catalog, tmp_path / "holes.png")
    assert put_picture(catalog, tmp_path / "holes.png", ground="#ffffff") in catalog.keys("picture")


@pytest.mark.slow
def test_the_chapter_looks_after_some_steps(tmp_path):
    "While there are too few verdicts for a bound, every candidate runs to the end, and its preview is kept."
    parameters = {"studio": str(tmp_path / "studio"), "collection": str(TINY), "quantity": 2, "look_after": 1}
    papermill.execute_notebook(CHAPTER, tmp_path / "out.ipynb", parameters, cwd=CHAPTER.parent)
    catalog = Catalog(tmp_path / "studio")
    assert set(catalog.all("artifact")) == {key.rsplit("/", 1)[1] for key in catalog.all("preview")} != set()


@pytest.mark.slow
def test_looking_after_some_steps_needs_the_serial_executor(tmp_path):
    parameters = {"studio": str(tmp_path / "studio"), "look_after": 2, "executor": "process"}
    with pytest.raises(papermill.PapermillExecutionError, match="NotSerial.*look_after to 0"):
        papermill.execute_notebook(CHAPTER, tmp_path / "out.ipynb", parameters, cwd=CHAPTER.parent)
    assert not Catalog(tmp_path / "studio").all("attempt")


def test_other_pixels_for_a_known_recipe_are_a_mismatch(base, tmp_path):
    catalog = Catalog(tmp_path)
    made = recipe(1, base.digest, profile="fast")
    image = render(base, [made])[0]
    [kept] = record(catalog, Diffusers(base), [made], [image])
    changed = image.copy()
    changed.putpixel((0, 0), tuple(255 - c for c in image.getpixel((0, 0))))
    with pytest.raises(DigestMismatch):
        record(catalog, Diffusers(base), [made], [changed])
    assert catalog.get("artifact", made.dna)["file_digest"] == kept.file_digest


# ---------------------------------------------------------------- no pictures


def overflowing(base, *which: int, count: int = 4) -> list[Attempt]:
    "Attempts in one batch, of which some have a guidance that no number can hold."
    look = {"profile": "fast", "width": 64, "height": 64, "steps": 2}
    guidance = [{"guidance": 1e38} if i in which else {} for i in range(count)]
    return [
        Attempt(slot=1, attempt=i + 1, recipe=recipe(i, base.digest, **look | guidance[i]))
        for i in range(count)
    ]


def test_what_came_out_as_no_picture_stops_itself_alone(base, tmp_path):
    catalog = Catalog(tmp_path)
    attempts = overflowing(base, 2)
    sound = [attempt for attempt in attempts if attempt.attempt != 3]
    seen = []
    made = generate(catalog, Diffusers(base), attempts, lambda done, total: seen.append((done, total)))
    assert [artifact.dna for artifact in made] == [attempt.recipe.dna for attempt in sound]
    images = render(base, [attempt.recipe for attempt in sound])
    assert [artifact.pixel_digest for artifact in made] == [pixel_digest(image) for image in images]
    assert list(catalog.all("stopped")) == [attempts[2].recipe.dna]
    assert "NaN" in broken_recipes(catalog, [attempts[2].recipe])[attempts[2].recipe.dna]
    assert (
        generate(catalog, Diffusers(base), attempts, lambda done, total: seen.append((done, total))) == made
    )
    assert seen == [(4, 4)]  # it isn't painted again


def test_settings_that_give_no_picture_at_all_are_refused(base, tmp_path):
    catalog = Catalog(tmp_path)
    for _ in range(2):
        with pytest.raises(NothingButBroken, match="All 2 attempts"):
            generate(catalog, Diffusers(base), overflowing(base, 0, 1, count=2))
    assert catalog.all("artifact") == {}
    assert generate(catalog, Diffusers(base), []) == []


@pytest.mark.slow
def test_a_flat_picture_of_earlier_stays_a_picture(tmp_path):
    "Its lost file comes back; new ones of its kind are refused."
    flat = load_base()
    with torch.no_grad():
        last = flat.pipeline.vae.decoder.layers[-1]
        last.weight.zero_()
        last.bias.fill_(0.25)
    catalog = Catalog(tmp_path)
    one, other = overflowing(flat, count=2)
    images = render(flat, [one.recipe], broken=lambda index, refusal: None)
    (artifact,) = record(catalog, Diffusers(flat), [one.recipe], images)
    catalog.blob_path(artifact.file_digest).unlink()
    assert generate(catalog, Diffusers(flat), [one, other]) == [artifact]
    assert catalog.has_blob(artifact.file_digest)
    assert list(catalog.all("stopped")) == [other.recipe.dna]
