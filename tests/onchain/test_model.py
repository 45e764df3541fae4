"Recipes of twelve bytes: what they mean, what the chain makes of them, and the same by a page's own program."

import base64
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from artmint.onchain.model import (
    GROUND,
    PALETTE,
    SHAPE,
    DrawnTrait,
    NotAModel,
    NotDrawable,
    Vocabulary,
    bundled_model,
    creation_code,
    drawn_layers,
    drawn_page,
    drawn_pixels,
    drawn_png,
    drawn_uri,
    make_model,
    pack_vocabulary,
    page_program,
    prompt_text,
    read_vocabulary,
    recipe_bytes,
    split_code,
    traits_of,
    written_recipes,
)
from artmint.onchain.network import WEIGHTS_SIZE
from tests.painted import by_node, by_numpy, drawn_pages, pairs, thrown_recipe

RED = ("#880000", "#aa0000", "#cc0000", "#ee0000", "#ff8888")
TINY = Vocabulary(
    (
        DrawnTrait("shape", SHAPE, ("ring", "wave")),
        DrawnTrait("paint", PALETTE, ("red",)),
        DrawnTrait("paper", GROUND, ("white",)),
    ),
    "a {paint} {shape} on {paper}",
    (RED,),
    ("#ffffff",),
    b"\x03\x01",
)


@pytest.fixture(scope="module")
def model():
    return bundled_model()


@pytest.fixture
def recipe(model):
    return thrown_recipe(model, np.random.default_rng(4))


# the vocabulary


def test_a_vocabulary_comes_back(model):
    assert read_vocabulary(pack_vocabulary(TINY)) == TINY
    assert pack_vocabulary(model.words) == model.network[WEIGHTS_SIZE:]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"traits": TINY.traits[:2]}, "one trait for the palette"),
        ({"traits": (*TINY.traits, replace(TINY.traits[1], name="again"))}, "one trait for the palette"),
        ({"template": 'a "{paint}" {shape}'}, "a quote"),
        ({"template": "x" * 256}, "longer than 255"),
        ({"flags": b"\x03"}, "2 combinations"),
        (
            {
                "traits": (DrawnTrait("shape", SHAPE, tuple(f"s{i}" for i in range(25))), *TINY.traits[1:]),
                "flags": bytes(25),
            },
            "room for 24",
        ),
        ({"traits": (DrawnTrait("shape", SHAPE, ("ri\nng", "wave")), *TINY.traits[1:])}, "control character"),
    ],
)
def test_words_that_make_no_model_are_refused(change, words):
    with pytest.raises(NotAModel, match=words):
        pack_vocabulary(replace(TINY, **change))


def test_every_shorter_vocabulary_is_refused():
    whole = pack_vocabulary(TINY)
    for length in range(len(whole)):
        with pytest.raises(NotAModel):
            read_vocabulary(whole[:length])


def test_words_that_are_no_text_are_refused():
    with pytest.raises(NotAModel, match="no UTF-8"):
        read_vocabulary(pack_vocabulary(TINY).replace(b"ring", b"r\xffng"))


# recipes


def test_a_recipe_says_its_traits(model):
    traits = {
        "motif": "rings",
        "palette": "ocean",
        "ground": "paper",
        "density": "dense",
        "placement": "offset",
    }
    recipe = recipe_bytes(model, traits, 7)
    assert len(recipe) == 12
    assert traits_of(model, recipe) == traits
    assert prompt_text(model, recipe) == "dense rings in ocean colours on paper, offset"
    assert recipe[8:] == bytes([0, 0, 0, 7])


@pytest.mark.parametrize(
    ("traits", "words"),
    [
        ({"shape": "cube", "paint": "red", "paper": "white"}, "shape 'cube'"),
        ({"shape": "ring", "paint": "red"}, "paper None"),
        ({"shape": "ring", "paint": "red", "paper": "white", "mood": "calm"}, "the traits mood"),
    ],
)
def test_traits_that_a_model_does_not_know_are_refused(model, traits, words):
    tiny = make_model(model.network[:WEIGHTS_SIZE] + pack_vocabulary(TINY))
    with pytest.raises(NotDrawable, match=words):
        recipe_bytes(tiny, traits, 1)


@pytest.mark.parametrize("change", [(0, 6), (1, 8), (2, 3), (3, 2), (5, 1), (7, 255)])
def test_a_recipe_beside_the_vocabulary_is_refused(model, recipe, change):
    place, value = change
    with pytest.raises(NotDrawable):
        drawn_png(model, recipe[:place] + bytes([value]) + recipe[place + 1 :])
    with pytest.raises(NotDrawable):
        traits_of(model, recipe[:-1])


def test_recipes_lie_one_after_the_other():
    assert written_recipes([b"a" * 12, b"b" * 12])[0] == b"a" * 12 + b"b" * 12


# what the chain answers


def test_the_png_is_the_picture(model, recipe):
    image = Image.open(io.BytesIO(drawn_png(model, recipe)))
    assert (image.mode, image.size) == ("P", (128, 128))
    assert (np.asarray(image) == drawn_layers(model, recipe)).all()
    assert (np.asarray(image.convert("RGB")) == drawn_pixels(model, recipe)).all()


def test_the_uri_holds_picture_page_and_traits(model, recipe):
    facts = json.loads(base64.b64decode(drawn_uri(model, "One", 3, recipe).partition(",")[2]))
    assert facts["name"] == "One #3"
    assert {one["trait_type"]: one["value"] for one in facts["attributes"]} == traits_of(model, recipe)
    assert base64.b64decode(facts["image"].partition(",")[2]) == drawn_png(model, recipe)
    assert base64.b64decode(facts["animation_url"].partition(",")[2]) == drawn_page(model, recipe)
    assert facts["model"] == model.digest


def test_the_page_asks_for_nothing(model, recipe):
    page = drawn_page(model, recipe)
    assert len(page_program()) <= 4_300  # with the head; the program alone has at most 4 kB
    assert len(page_program()) - page_program().index(b'";\n') <= 4_000
    for word in (b"http:", b"https:", b"import", b"fetch", b"src=", b"eval"):
        assert word not in page.replace(base64.b64encode(model.network), b"")


def test_code_is_cut_so_that_it_fits(model):
    codes = split_code(model.data)
    assert b"".join(code[1:] for code in codes) == model.data
    assert max(map(len, codes)) <= 24_576
    assert {code[0] for code in codes} == {0}
    assert creation_code(b"\0ab").endswith(b"\0ab")


def test_the_page_s_program_draws_the_same():
    some = pairs(3, 11)
    assert by_node(drawn_pages(some)) == [by_numpy(*one) for one in some]


@pytest.mark.slow
def test_a_thousand_pages_draw_the_same():
    "Python and JavaScript: equal layers and colours on 1,000 seeds, every fourth with weights that dice threw."
    some = pairs(1_000, 12, thrown=4)
    assert by_node(drawn_pages(some)) == [by_numpy(*one) for one in some]


@pytest.mark.slow
@pytest.mark.parametrize("side", [1, 31, 64, 200, 513])
def test_a_page_draws_any_size(side):
    some = pairs(6, side)
    assert by_node(drawn_pages(some), side) == [by_numpy(*one, side) for one in some]
