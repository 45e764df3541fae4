"Recipes: facts, dna, and the strict way back."

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artmint.core.canon import canonical, digest
from artmint.core.records import AdapterUse, NotARecipe, Recipe

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
