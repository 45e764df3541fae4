"Upscalers: tiles of one size, so neither batch, order nor restart changes a pixel; and every file that is none."

import hashlib
import json
import os
import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from artmint.core.picture import pixel_digest
from artmint.core.records import Recipe, SecondPass, Upscale
from artmint.make import upscalers
from artmint.make.adapters import pack_tensors
from artmint.make.base import PickledWeights, load_base
from artmint.make.engine import BrokenPicture
from artmint.make.render import check, render
from artmint.make.upscalers import (
    NotAnUpscaler,
    enlarge,
    load_upscaler,
    read_upscaler,
    refuse_scale,
    tile_places,
)
from tests.grown import compact, edges, far


@pytest.fixture(scope="module")
def base():
    return load_base()


def named(data: bytes):
    "The file by its digest, and what gives it."
    digest = hashlib.sha256(data).hexdigest()
    return digest, {digest: data}.__getitem__


@pytest.mark.parametrize("length", [1, 64, 128, 129, 200, 240, 241, 1000])
def test_tiles_cover_a_side_and_end_with_it(length):
    places = tile_places(length)
    assert places[0] == 0 and places[-1] + min(length, 128) == length
    covered = {i for place in places for i in range(place, min(place + 128, length))}
    assert covered == set(range(length))
    assert all(b - a <= 112 for a, b in zip(places, places[1:]))


def test_tiles_leave_no_seam_where_the_network_has_none():
    "A network that repeats each pixel: one tile and many give what a plain enlargement gives."
    upscaler = load_upscaler(compact(size=0.0))
    for width, height in ((100, 60), (200, 150)):
        image = edges(width, height)
        larger, sound = enlarge(upscaler, image, (width * 4, height * 4))
        assert sound and larger.tobytes() == image.resize(larger.size, Image.Resampling.NEAREST).tobytes()


def test_tiles_differ_from_an_untiled_picture_at_their_rims_alone(monkeypatch):
    "What the rims of tiles cost: a 150-pixel picture as four tiles and as one."
    upscaler = load_upscaler(compact(2))
    image = edges(150, 150, 3)
    tiled, _ = enlarge(upscaler, image, (600, 600))
    monkeypatch.setattr(upscalers, "TILE", 256)
    whole, _ = enlarge(upscaler, image, (600, 600))
    middle = (0, 0, 22 * 4 - 8, 22 * 4 - 8)  # before the second tile begins
    assert tiled.crop(middle).tobytes() == whole.crop(middle).tobytes()
    assert tiled.tobytes() != whole.tobytes()


def test_less_than_the_network_gives_is_made_smaller_and_more_is_refused(base):
    upscaler = load_upscaler(compact(1))
    assert enlarge(upscaler, edges(32, 32), (80, 80))[0].size == (80, 80)
    with pytest.raises(NotAnUpscaler, match="enlarges 4 times, and the recipe asks for 5"):
        refuse_scale(upscaler, 5)
    digest, blob = named(compact(1))
    recipe = Recipe(
        base=base.digest, prompt="x", seed=1, width=32, height=32, upscale=Upscale(digest=digest, scale=8)
    )
    with pytest.raises(NotAnUpscaler, match="asks for 8"):
        check(base, [recipe], blob)


def family(base, digest: str, count: int = 8, **more) -> list[Recipe]:
    facts = dict(base=base.digest, steps=1, width=32, height=32, profile="fast", guidance=2.0)
    facts["upscale"] = Upscale(digest=digest, scale=4)
    return [Recipe(prompt=f"rings {i % 3}", seed=i, **facts | more) for i in range(count)]


def test_alone_in_a_batch_of_eight_and_in_another_order(base):
    digest, blob = named(compact(1))
    recipes = family(base, digest)
    together = [pixel_digest(image) for image in render(base, recipes, blob=blob)]
    order = random.Random(1).sample(range(8), 8)
    again = render(base, [recipes[i] for i in order], blob=blob)
    assert [pixel_digest(image) for image in again] == [together[i] for i in order]
    upscalers._loaded.clear()
    alone = render(base, recipes[5:6], blob=blob)[0]
    assert alone.size == recipes[5].size == (128, 128)
    assert pixel_digest(alone) == together[5]
    plain = render(base, [recipes[5].model_copy(update={"upscale": None})])[0]
    assert far(plain.resize(alone.size, Image.Resampling.NEAREST), alone) > 8


AGAIN = """
import json, sys
from artmint.core.picture import pixel_digest
from artmint.core.records import Recipe
from artmint.make.base import load_base
from artmint.make.render import render
from tests.grown import compact
recipes = [Recipe.parse(facts) for facts in json.load(sys.stdin)]
print(json.dumps([pixel_digest(image) for image in render(load_base(), recipes, blob=lambda _: compact(1))]))
"""


def pixels_elsewhere(recipes: list[Recipe], environment: dict[str, str]) -> list[str]:
    "Digests of what another process paints, with more environment variables."
    asked = json.dumps([recipe.facts() for recipe in recipes])
    how = {
        "input": asked,
        "capture_output": True,
        "text": True,
        "check": True,
        "env": os.environ | environment,
    }
    return json.loads(subprocess.run([sys.executable, "-c", AGAIN], **how).stdout)


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["portable", "fast"])
def test_128_pixels_to_512_alone_in_a_batch_of_eight_and_after_a_restart(base, profile):
    "In a process of its own, with one thread; in portable with older instructions, too."
    digest, blob = named(compact(1))
    recipes = family(base, digest, width=128, height=128, profile=profile)
    together = [pixel_digest(image) for image in render(base, recipes, blob=blob)]
    assert pixel_digest(render(base, recipes[3:4], blob=blob)[0]) == together[3]
    caps = [{"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}]
    if profile == "portable":
        caps.append({"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"})
    for cap in caps:
        assert pixels_elsewhere(recipes[2:4], cap) == together[2:4]


@pytest.mark.slow
def test_after_a_second_pass_and_in_the_place_of_lanczos(base):
    digest, blob = named(compact(1))
    second = SecondPass(scale=2, strength=1.0)
    plain = family(base, digest, 1, hires=second)
    by_network = family(
        base, digest, 1, hires=second.model_copy(update={"upscaler": digest, "strength": 1.0})
    )
    both = render(base, plain + by_network, blob=blob)
    assert [image.size for image in both] == [(256, 256)] * 2
    weak = SecondPass(scale=2, strength=0.5, steps=2)
    one, other = (
        render(base, family(base, digest, 1, upscale=None, hires=h), blob=blob)[0]
        for h in (weak, weak.model_copy(update={"upscaler": digest}))
    )
    assert one.size == other.size == (64, 64)
    assert far(one, other) > 0


def test_a_network_that_gives_no_numbers_is_no_picture(base, monkeypatch):
    digest, blob = named(compact(1))
    real = upscalers._enlarged_tile
    monkeypatch.setattr(
        upscalers, "_enlarged_tile", lambda *it: real(*it) * (np.nan if it[1].shape[1] > 40 else 1)
    )
    recipes = family(base, digest, 2)
    monkeypatch.setattr(upscalers, "TILE", 128)
    broken = {}
    recipes = [recipe.model_copy(update={"width": 64}) for recipe in recipes]
    render(base, recipes, blob=blob, broken=broken.setdefault)
    assert sorted(broken) == [0, 1]
    assert all(
        isinstance(refusal, BrokenPicture) and "upscaler" in refusal.what for refusal in broken.values()
    )


def test_what_is_no_upscaler_is_refused_with_its_reason(tmp_path):
    (tmp_path / "4x-UltraSharp.pth").write_bytes(b"\x80\x04.")
    with pytest.raises(PickledWeights, match="pickle"):
        read_upscaler(tmp_path / "4x-UltraSharp.pth")
    with pytest.raises(NotAnUpscaler, match="no file"):
        read_upscaler(tmp_path / "nothing.safetensors")
    with pytest.raises(NotAnUpscaler, match="is a folder"):
        read_upscaler(tmp_path)
    for data, word in (
        (b"", "no safetensors file"),
        (pack_tensors({"a": torch.zeros(3)}, {}), "no network that spandrel knows"),
        (compact(1, scale=1), "doesn't enlarge"),
    ):
        with pytest.raises(NotAnUpscaler, match=word):
            load_upscaler(data)
