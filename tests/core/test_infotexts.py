"A1111's text and its relatives', read whatever stands in the prompt."

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artmint.core.infotexts import infotext_origin, prompt_loras, real_number, settings_pairs, whole_number
from artmint.core.picture import infotext as written
from artmint.core.records import Recipe
from tests.elsewhere import PAIRS, infotext

WORDS = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=60).map(str.strip)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(WORDS, WORDS, st.integers(0, 2**64 - 1))
def test_prompts_and_seeds_come_out_as_they_went_in(prompt, negative, seed):
    if "Negative prompt:" in prompt or "<" in prompt:
        return
    origin = infotext_origin(infotext(prompt, negative, PAIRS.replace("Seed: 7", f"Seed: {seed}")))
    assert (origin.prompt, origin.negative_prompt, origin.seed) == (prompt, negative, seed)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(WORDS)
def test_a_quoted_value_is_one_value(text):
    pairs = settings_pairs(f"Steps: 20, Model: {json.dumps(text)}, Seed: 7")
    assert pairs == {"Steps": "20", "Model": text, "Seed": "7"}


def test_what_artmint_writes_it_reads():
    recipe = Recipe(
        base="ab" * 32, prompt="rings, dense", negative_prompt="grey", seed=2**32 - 1, width=64, height=96
    )
    origin = infotext_origin(written(recipe, "a, b: c"))
    stated = (
        origin.tool,
        origin.prompt,
        origin.negative_prompt,
        origin.seed,
        origin.model,
        origin.model_hash,
    )
    assert stated == ("artmint", "rings, dense", "grey", 2**32 - 1, "a, b: c", "ab" * 5)


@pytest.mark.parametrize(
    "text", ["", "rings", "a: b, c: d", "Steps: 20", "rings\nNegative prompt: x", "Steps: x, Seed: y"]
)
def test_what_is_no_infotext_is_none(text):
    assert infotext_origin(text) is None


@pytest.mark.parametrize(
    "prompt, plain, loras",
    [
        ("rings <lora:a:0.5>", "rings", [("a", 0.5)]),
        ("<lora:a>x", "x", [("a", 1.0)]),
        ("x <lyco:a:te=0.5:unet=1>", "x", [("a", 0.5)]),
        ("x <lora:a:b>", "x", [("a", None)]),
        ("x <hypernet:a:1> <segment:face>", "x <hypernet:a:1> <segment:face>", []),
    ],
)
def test_loras_are_taken_out_of_a_prompt(prompt, plain, loras):
    text, found = prompt_loras(prompt)
    assert (text, [(lora.name, lora.weight) for lora in found]) == (plain, loras)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=300))
def test_any_text_is_read_or_none(text):
    infotext_origin(text)
    infotext_origin(f"{text}\n{PAIRS}, {text}")


def test_numbers_are_numbers():
    values = [
        (7, 7),
        ("7", 7),
        (7.0, 7),
        ("7.0", 7),
        (True, None),
        ("1e3", None),
        (None, None),
        ([1], None),
        ("9" * 21, None),
    ]
    assert [whole_number(value) for value, _ in values] == [number for _, number in values]
    assert real_number("7.5") == 7.5 and real_number("nan") is real_number("inf") is real_number({}) is None
