"Tracing: few inks, edges one pixel wide at any size, and the same bytes whatever the machine computes with."

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter

from artmint.core.picture import infotext, pixel_digest
from artmint.core.records import NotARecipe, Recipe, Trace
from artmint.make.base import load_base
from artmint.make.render import _tracers, check, picture_paths, render
from artmint.make.tracing import TracedTooLarge, refuse_trace, trace
from artmint.train.drawings import Subject, draw
from tests.grown import edges, far

NIGHT, SUN, SEA = (12, 18, 51), (249, 160, 63), (15, 111, 156)


def poster(side: int) -> Image.Image:
    "A disc and a field in flat inks, drawn eight times as large and made smaller."
    large = Image.new("RGB", (side * 8, side * 8), NIGHT)
    pen = ImageDraw.Draw(large)
    pen.ellipse([side * 2, side, side * 6, side * 5], fill=SUN)
    pen.rectangle([0, side * 6, side * 8, side * 8], fill=SEA)
    return large.resize((side, side), Image.Resampling.BOX)


def flat_share(image: Image.Image, inks: int) -> float:
    "The share of pixels that the most frequent colours have."
    colours = image.getcolors(image.width * image.height)
    counts = sorted((count for count, _ in colours), reverse=True)
    return sum(counts[:inks]) / (image.width * image.height)


@pytest.mark.many(2)
@pytest.mark.parametrize("scale", [1, 2, 4, 8])
def test_a_softened_poster_gets_its_inks_back_and_edges_of_one_pixel_at_any_size(scale):
    soft = poster(128).filter(ImageFilter.GaussianBlur(1.5))
    size = (128 * scale, 128 * scale)
    traced, drawn = trace(soft, 8, size), poster(128 * scale)
    assert traced.size == size
    for place, ink in (((64, 48), SUN), ((64, 120), SEA), ((4, 4), NIGHT)):
        assert traced.getpixel((place[0] * scale, place[1] * scale)) == pytest.approx(ink, abs=2)
    off = np.abs(np.asarray(traced).astype(int) - np.asarray(drawn)).max(axis=2) > 40
    # a contour within a pixel of the painted picture from where it was drawn: some 330 pixels long
    assert off.mean() * size[0] * size[1] < 330 * scale * scale
    row = np.asarray(traced).astype(int)[48 * scale, : 64 * scale, 0]
    between = (row > NIGHT[0] + 8) & (row < SUN[0] - 8)
    assert between.sum() <= 3


def test_as_many_inks_as_are_asked_for_and_fewer_where_fewer_are_there():
    picture = draw(Subject("mandala", "aurora", "night", "dense", "centred"), 3, 128)
    soft = picture.filter(ImageFilter.GaussianBlur(1))
    for inks in (2, 3, 8):
        traced = trace(soft, inks, (256, 256))
        assert flat_share(traced, inks) > 0.85
    blank = Image.new("RGB", (64, 64), SUN)
    assert trace(blank, 8, (256, 256)).getcolors() == [(256 * 256, SUN)]
    two = Image.new("RGB", (64, 64), NIGHT)
    two.paste(SUN, (0, 0, 64, 32))
    assert {colour for _, colour in trace(two, 8, (64, 64)).getcolors()} >= {NIGHT, SUN}


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    inks=st.integers(2, 64),
    scale=st.floats(1, 4),
    detail=st.floats(0.5, 8),
)
def test_whatever_the_picture_it_is_traced_within_its_own_colours(seed, width, height, inks, scale, detail):
    "Noise of every shape, lines of one pixel and pictures of one pixel among them."
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    image = Image.fromarray(pixels)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    traced = np.asarray(trace(image, inks, size, detail))
    assert traced.shape == (size[1], size[0], 3)
    finer = np.asarray(image.resize((width * 2, height * 2), Image.Resampling.BICUBIC))
    assert (traced.min(axis=(0, 1)) >= finer.min(axis=(0, 1))).all()
    assert (traced.max(axis=(0, 1)) <= finer.max(axis=(0, 1))).all()
    assert trace(image, inks, size, detail).tobytes() == traced.tobytes()


AGAIN = """
from artmint.core.picture import pixel_digest
from artmint.make.tracing import trace
from tests.make.test_tracing import subjects
print(*[pixel_digest(trace(image, 8, (512, 512))) for image in subjects()])
"""
OLDER = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX2 FMA3"


def subjects() -> list[Image.Image]:
    "A soft drawing, lines, and noise."
    noise = np.random.default_rng(1).integers(0, 256, (96, 128, 3), np.uint8)
    drawing = draw(Subject("nebula", "ember", "paper", "sparse", "offset"), 5, 128)
    return [drawing.filter(ImageFilter.GaussianBlur(2)), edges(128, 96), Image.fromarray(noise)]


@pytest.mark.slow
def test_another_process_with_older_instructions_gives_the_same_bytes():
    here = [pixel_digest(trace(image, 8, (512, 512))) for image in subjects()]
    for more in ({}, {"NPY_DISABLE_CPU_FEATURES": OLDER}):
        found = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", AGAIN],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | more,
        )
        assert found.stdout.split() == here


@pytest.fixture(scope="module")
def base():
    return load_base()


def family(base, count: int = 8, **more) -> list[Recipe]:
    "Recipes of small pictures that are traced."
    facts = dict(base=base.digest, steps=1, width=32, height=32, profile="fast", guidance=2.0)
    facts["trace"] = Trace(inks=5)
    return [Recipe(prompt=f"rings {i % 3}", seed=i, **facts | more) for i in range(count)]


@pytest.mark.slow
def test_alone_and_in_a_batch_of_eight_and_from_what_is_painted_without_it(base):
    recipes = family(base)
    together = [pixel_digest(image) for image in render(base, recipes)]
    alone = render(base, recipes[5:6])[0]
    assert alone.size == recipes[5].size == (128, 128)
    assert pixel_digest(alone) == together[5]
    painted = render(base, [recipes[5].model_copy(update={"trace": None})])[0]
    assert trace(painted, 5, (128, 128)).tobytes() == alone.tobytes()


@pytest.mark.slow
def test_a_way_ends_in_the_traced_picture(base):
    (recipe,) = family(base, 1, steps=2)
    *guesses, finished = picture_paths(base, [recipe])[0]
    assert finished.tobytes() == render(base, [recipe])[0].tobytes()
    assert {guess.size for guess in guesses} == {(32, 32)}


def test_it_is_a_part_of_the_recipe_and_older_recipes_keep_their_names(base):
    (recipe,) = family(base, 1)
    without = recipe.model_copy(update={"trace": None})
    assert "trace" not in without.facts() and without.dna != recipe.dna
    assert Recipe.parse(json.loads(json.dumps(recipe.facts()))) == recipe
    assert "Trace: 5 inks x4 detail 1" in infotext(recipe, "base")
    with pytest.raises(NotARecipe, match="inks"):
        Recipe.parse(recipe.facts() | {"trace": {"inks": 1}})


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"width": 4096, "height": 64}, "4096 x 64 can't be traced to 16384 x 256 pixels"),
        ({"width": 1024, "height": 1024, "trace": Trace(scale=16)}, "1024 x 1024 can't be traced to 16384"),
    ],
)
def test_what_there_is_no_memory_for_is_refused_before_anything_is_painted(base, facts, said):
    (recipe,) = family(base, 1, **facts)
    for refuses in (lambda: check(base, [recipe]), lambda: refuse_trace(recipe)):
        with pytest.raises(TracedTooLarge, match=said):
            refuses()


def test_lines_of_one_pixel_melt_into_what_is_around_them_and_stay_with_more_detail():
    image = Image.new("RGB", (64, 64), NIGHT)
    image.paste(SUN, (31, 0, 33, 64))
    kept, gone = (trace(image, 4, (64, 64), detail) for detail in (0.5, 6.0))
    assert far(kept, Image.new("RGB", (64, 64), NIGHT)) > 150
    assert far(gone, Image.new("RGB", (64, 64), NIGHT)) < 150


def traced(seed: int, **changes) -> Recipe:
    "A small picture of two steps, traced."
    shape = {"width": 64, "height": 64, "steps": 2, "profile": "fast", "trace": Trace(inks=4, scale=4)}
    return Recipe(base=load_base().digest, prompt="rings in ember colours", seed=seed, **shape | changes)


@pytest.fixture
def threads():
    "Sets torch's threads, and puts them back."
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.slow
def test_pictures_that_are_traced_beside_each_other_are_what_each_is_alone(threads):
    recipes = [traced(seed) for seed in range(3)]
    made = []
    for count in (1, 2):
        threads(count)
        made.append([pixel_digest(image) for image in render(load_base(), recipes)])
    assert made[0] == made[1] and len(set(made[0])) == 3


@pytest.mark.slow
def test_no_more_are_traced_at_once_than_threads_and_memory_allow(threads):
    small, untraced = traced(1), traced(1, trace=None)
    wide = traced(1, width=576, height=64, trace=Trace(inks=4, scale=1))
    large = traced(1, width=320, height=320, trace=Trace(inks=4, scale=4))
    threads(2)
    at_once = [_tracers([small, other]) for other in (small, untraced, wide, large)]
    assert at_once == [2, 2, 1, 1] and _tracers([untraced]) == 1
    threads(1)
    assert _tracers([small, small]) == 1


@pytest.mark.slow
def test_what_was_finished_before_a_fault_is_told(threads, monkeypatch):
    def broken(image, inks, *facts):
        if inks == 5:
            raise MemoryError("while tracing the second")
        return trace(image, inks, *facts)

    monkeypatch.setattr("artmint.make.render.trace", broken)
    told = []
    threads(2)
    with pytest.raises(MemoryError):
        recipes = [traced(seed, trace=Trace(inks=inks, scale=4)) for seed, inks in enumerate((4, 5, 4))]
        render(load_base(), recipes, lambda i, image: told.append(i))
    assert told == [0]
