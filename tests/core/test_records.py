"Recipes: facts, dna, and the strict way back."

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artmint.core.canon import canonical, digest
from artmint.core.records import (
    AdapterUse,
    ControlUse,
    NotARecipe,
    Recipe,
    Region,
    SecondPass,
    Upscale,
    recipe_files,
)

BASE = "0" * 64


FIELDS = {
    "base": st.from_regex("[0-9a-f]{64}", fullmatch=True),
    "prompt": st.text(st.characters(exclude_categories=["Cs"])),
    "seed": st.integers(0, 2**32 - 1),
    "steps": st.integers(1, 1000),
    "guidance": st.floats(0, 1e6),
    "width": st.integers(1, 100).map(lambda n: 8 * n),
    "height": st.just(64),
    "profile": st.sampled_from(["portable", "fast"]),
}


RECIPES = st.builds(Recipe, **FIELDS)


@given(RECIPES)
def test_parse_is_the_inverse_of_facts(recipe):
    again = Recipe.parse(json.loads(canonical(recipe.facts())))
    assert again == recipe
    assert again.dna == recipe.dna == digest(recipe.facts())


def test_dna_leaves_defaults_out():
    recipe = Recipe(base=BASE, prompt="rings", seed=7, width=128, height=128)
    assert recipe.facts() == {
        "schema": 1,
        "base": BASE,
        "prompt": "rings",
        "seed": 7,
        "width": 128,
        "height": 128,
    }
    assert (
        recipe.dna
        == hashlib.sha256(
            f'{{"base":"{BASE}","height":128,"prompt":"rings","schema":1,"seed":7,"width":128}}'.encode()
        ).hexdigest()
    )


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"schema": None},
        {"steps": 20},
        {"colour": "red"},
        {"seed": "7"},
        {"seed": 2**32},
        {"seed": -1},
        {"seed": True},
        {"base": "abc"},
        {"width": 100},
        {"guidance": -1},
        {"steps": 0},
        {"profile": "quick"},
        {"adapters": [{"digest": BASE, "weight": 1}]},
    ],
)
def test_facts_that_no_recipe_gives_are_refused(change):
    facts = Recipe(base=BASE, prompt="rings", seed=7, width=128, height=128).facts() | change
    with pytest.raises(NotARecipe):
        Recipe.parse({k: v for k, v in facts.items() if v is not None})


def test_adapters_change_the_dna():
    plain = Recipe(base="0" * 64, prompt="", seed=1, width=8, height=8)
    uses = [
        plain.model_copy(update={"adapters": (AdapterUse(digest=d * 64, weight=w),)}).dna
        for d in "ab"
        for w in (0.5, 1.0)
    ]
    assert len({plain.dna, *uses}) == 5


def test_recipes_without_what_was_added_later_keep_their_names():
    "The dna that 0.7.0 gave, before there were masks, regions, controls, picture prompts and upscalers."
    plain = Recipe(base=BASE, prompt="x", seed=1, width=64, height=64)
    assert plain.dna == "d6820eeb747eef1dab4b276fccac826ea49b0547e72aff389670cd79369f1354"
    passes = {"init": "3" * 64, "strength": 0.5, "hires": SecondPass(scale=2, strength=0.4, steps=6)}
    words = {"prompt": "rings", "negative_prompt": "blurred", "prompt_syntax": "a1111", "clip_skip": 2}
    files = {"adapters": (AdapterUse(digest="1" * 64, weight=0.5),), "embeddings": ("2" * 64,)}
    steps = {"scheduler": "Euler", "schedule": "karras", "steps": 8, "guidance": 4.5, "guidance_rescale": 0.7}
    full = Recipe(base=BASE, seed=7, width=64, height=96, profile="fast", **passes, **words, **files, **steps)
    assert full.dna == "e56b4db462710a416f9279828011fa3403f3170d999480b76096ae7816768bb3"


def test_what_was_added_is_read_back_and_names_its_files():
    control = ControlUse(digest="4" * 64, picture="5" * 64, end=0.5)
    region = Region(prompt="a sky", box=(0, 0, 1, 0.5))
    hires = SecondPass(scale=1.5, upscaler="6" * 64)
    upscale = Upscale(digest="7" * 64, scale=2.5)
    more = {
        "controls": (control,),
        "regions": (region,),
        "hires": hires,
        "upscale": upscale,
        "init": "8" * 64,
        "mask": "9" * 64,
    }
    recipe = Recipe(base=BASE, prompt="x", seed=1, width=64, height=64, **more)
    assert Recipe.parse(json.loads(canonical(recipe.facts()))) == recipe
    assert (recipe.painted_size, recipe.size) == ((96, 96), (240, 240))
    roles = {"4": "control", "5": "picture", "6": "upscaler", "7": "upscaler", "8": "init", "9": "picture"}
    assert recipe_files(recipe) == {digit * 64: role for digit, role in roles.items()}
