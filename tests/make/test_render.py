"One picture, one recipe: alone, in any batch, in any order, on any number of threads."

import json
import os
import random
import subprocess
import sys

import numpy as np
import pytest
import torch

from artmint.core.picture import pixel_digest
from artmint.core.records import AdapterUse, Recipe, SecondPass
from artmint.make.base import load_base
from artmint.make.schedulers import EXACT, UnknownChoice
from artmint.make.render import render
from artmint.train.drawings import subjects


@pytest.fixture(scope="module")
def base():
    return load_base()


def recipe(i: int, base: str, **more) -> Recipe:
    "The i-th of a family of recipes that differ in prompt, seed and guidance."
    facts = dict(base=base, prompt=PROMPTS[i % 4], seed=i * 7919, steps=4, width=128, height=128)
    facts["negative_prompt"] = PROMPTS[(i + 1) % 4] if i % 3 == 0 else ""
    facts["guidance"] = 1.0 + i % 5
    return Recipe(**facts | more)


PROMPTS = (
    "dense rings in aurora colours on night, centred",
    "mountains in ember colours",
    "a sparse drawing of waves in ocean on paper",
    "",
)


@pytest.fixture(scope="module", params=[pytest.param("portable", marks=pytest.mark.slow), "fast"])
def profile(request):
    return request.param


@pytest.fixture(scope="module")
def family(base, profile):
    "Nine recipes and their digests, rendered together."
    recipes = [recipe(i, base.digest, profile=profile) for i in range(9)]
    return recipes, [pixel_digest(image) for image in render(base, recipes)]


@pytest.mark.parametrize("size", [1, *(pytest.param(size, marks=pytest.mark.slow) for size in (2, 4, 8))])
def test_batch_and_order_change_no_pixel(base, family, size):
    recipes, expected = family
    order = random.Random(size).sample(range(9), 4 if size == 1 else 8)
    got = {}
    for start in range(0, len(order), size):
        part = order[start : start + size]
        got |= {i: pixel_digest(image) for i, image in zip(part, render(base, [recipes[i] for i in part]))}
    assert got == {i: expected[i] for i in order}


def test_threads_change_no_pixel(base, family):
    recipes, expected = family
    threads = torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            assert [pixel_digest(image) for image in render(base, recipes[:4])] == expected[:4]
    finally:
        torch.set_num_threads(threads)


ELSEWHERE = """
import json, sys
from artmint.core.picture import pixel_digest
from artmint.core.records import Recipe
from artmint.make.base import load_base
from artmint.make.render import render
recipes = [Recipe.parse(facts) for facts in json.load(sys.stdin)]
print(json.dumps([pixel_digest(image) for image in render(load_base(), recipes)]))
"""


def pixels_elsewhere(recipes: list[Recipe], environment: dict[str, str]) -> list[str]:
    "Digests of what another process renders, with more environment variables."
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE],
        input=json.dumps([r.facts() for r in recipes]),
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=True,
    )
    return json.loads(done.stdout)


CAPS = {
    "one thread": {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
    "AVX2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    "SSE4": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("cap", CAPS)
def test_another_process_makes_the_same_pixels(family, profile, cap):
    if profile == "fast" and cap in ("AVX2", "SSE4"):
        pytest.skip("fast promises equal bytes on the same instruction set only")
    recipes, expected = family
    assert pixels_elsewhere(recipes, CAPS[cap]) == expected


@pytest.mark.parametrize("scheduler", [pytest.param("DDIM", marks=pytest.mark.slow), "UniPC"])
def test_every_scheduler_of_portable_gives_equal_bytes_alone_and_together(base, scheduler):
    recipes = [recipe(i, base.digest, scheduler=scheduler, width=32, height=32) for i in (1, 2, 5)]
    expected = [pixel_digest(image) for image in render(base, recipes)]
    assert [pixel_digest(render(base, [one])[0]) for one in recipes] == expected


MORE_CAPS = CAPS | {
    "restart": {},
    "MKL's compatible mode": {"MKL_CBWR": "COMPATIBLE"},
    "no oneDNN": {"TORCH_MKLDNN_ENABLED": "0"},
}


@pytest.mark.slow
@pytest.mark.parametrize("cap", MORE_CAPS)
def test_two_hundred_recipes_are_portable(base, cap, two_hundred):
    recipes, expected = two_hundred
    again = pixels_elsewhere(recipes, MORE_CAPS[cap])
    assert sum(a == b for a, b in zip(again, expected)) == len(recipes)


@pytest.fixture(scope="module")
def two_hundred(base):
    "Recipes over every caption, size, number of steps and guidance, img2img aside, and their digests."
    from artmint.train.drawings import caption

    rng = random.Random(5)
    recipes = []
    for i in range(200):
        facts = {"prompt": caption(rng.choice(subjects()), i), "seed": rng.randrange(2**32)}
        facts |= {"steps": rng.choice((2, 5, 12)), "guidance": rng.choice((1.0, 3.0, 7.5))}
        facts |= {"width": rng.choice((64, 96, 128)), "height": rng.choice((64, 128))}
        facts |= {"scheduler": EXACT[i % len(EXACT)]}
        if i % 20 == 0:
            facts |= {"hires": SecondPass(scale=1.5, steps=2), "width": 64, "height": 64}
        recipes.append(recipe(i, base.digest, **facts))
    return recipes, [pixel_digest(image) for image in render(base, recipes)]


@pytest.mark.slow
def test_other_seed_prompt_or_guidance_is_another_picture(base):
    first = recipe(1, base.digest, profile="fast")
    others = [
        first.model_copy(update=change)
        for change in ({"seed": 8}, {"prompt": PROMPTS[0]}, {"guidance": 6.0}, {"steps": 5})
    ]
    images = render(base, [first, *others])
    assert len({pixel_digest(image) for image in images}) == 5
    assert len({r.dna for r in (first, *others)}) == 5


@pytest.mark.parametrize(
    "change, word",
    [
        ({"base": "0" * 64}, "base"),
        ({"scheduler": "Heun"}, "Heun"),
        ({"scheduler": "Euler", "profile": "portable"}, "Euler"),
        ({"schedule": "karras"}, "karras"),
        ({"hires": SecondPass(scale=1.1, strength=0.1)}, "leaves no step"),
        ({"adapters": ({"digest": "0" * 64},)}, "none are at hand"),
    ],
)
def test_what_cannot_be_rendered_is_refused_before_anything_is(base, change, word):
    seen = []
    bad = Recipe(**recipe(0, base.digest).model_dump() | change)
    with pytest.raises(UnknownChoice, match=word):
        render(base, [recipe(1, base.digest), bad], lambda i, image: seen.append(i))
    assert not seen


@pytest.mark.slow
def test_every_fast_scheduler_renders(base):
    images = render(
        base,
        [
            recipe(1, base.digest, profile="fast", scheduler=name, steps=6)
            for name in ("DDIM", "Euler", "DPM++ 2M")
        ],
    )
    assert len({pixel_digest(image) for image in images}) == 3
    assert all(np.asarray(image).std() > 5 for image in images)


def test_files_are_needed(bases):
    with pytest.raises(UnknownChoice, match="none are at hand"):
        render(
            bases("sd1"),
            [
                Recipe(
                    base=bases("sd1").digest,
                    prompt="",
                    seed=1,
                    width=32,
                    height=32,
                    profile="fast",
                    adapters=(AdapterUse(digest="0" * 64),),
                )
            ],
        )
