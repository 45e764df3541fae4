"Copies: exact, turned, and of training pictures."

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from artmint.core.collection import Rule
from artmint.core.picture import read_png
from artmint.curate import candidates, choose
from artmint.judge.decisions import current_verdict
from artmint.judge.duplicates import ALIKE, DUPLICATE, add_references, nearest
from artmint.studio.catalog import Catalog
from tests.drawn import NO_COLOUR, SLOTS, art, enter, studio
from tests.foreign import DISPLAY_P3, rgb_profile


@pytest.mark.parametrize(
    "turn, word",
    [
        (Image.Transpose.FLIP_LEFT_RIGHT, "mirrored"),
        (Image.Transpose.ROTATE_90, "turned by 90° clockwise"),
        (Image.Transpose.TRANSPOSE, "transposed"),
    ],
)
def test_a_turned_copy_is_a_copy_and_the_reason_says_how(tmp_path, judge, turn, word):
    catalog = Catalog(tmp_path)
    twin = art(SLOTS[0], 1)
    for attempt in (1, 2, 3):
        enter(catalog, SLOTS[0], attempt, twin)
    for attempt in (1, 2):
        enter(catalog, SLOTS[1], attempt, twin.transpose(turn))
    enter(catalog, SLOTS[1], 3, art(SLOTS[1], 3))
    rules = NO_COLOUR.model_copy(
        update={"rules": (Rule(scorer="sharpness", min=0.01), Rule(scorer=DUPLICATE, max=0.95))}
    )
    assert [edition.attempt for edition in choose(catalog, rules, judge, SLOTS[:2], 1).editions][1] == 3
    why = current_verdict(catalog, candidates(catalog, rules, SLOTS[1:2], 1)[0].dna).reasons[0]
    assert why.startswith("duplicate ")
    assert why.endswith(f"(edition 1, {word})")


def test_training_pictures_count_as_editions_do(tmp_path, judge):
    catalog = studio(tmp_path, {1: "aaa"})
    add_references(catalog, "demo", "style", [art(SLOTS[0], 2).transpose(Image.Transpose.ROTATE_180)])
    rules = NO_COLOUR.model_copy(
        update={"rules": (Rule(scorer=DUPLICATE, max=0.95), Rule(scorer=ALIKE, max=2.0))}
    )
    edition = choose(catalog, rules, judge, SLOTS[:1], 1).editions[0]
    assert edition.attempt != 2
    assert 0 < edition.scores[ALIKE] <= 1
    assert set(edition.scorers) == {DUPLICATE, ALIKE}
    assert (
        current_verdict(catalog, candidates(catalog, rules, SLOTS[:1], 1)[1].dna)
        .reasons[0]
        .endswith("(reference style, turned by 180°)")
    )


def of_length_one(rows: np.ndarray) -> np.ndarray:
    return (rows + 1e-3) / np.linalg.norm(rows + 1e-3, axis=1, keepdims=True)


shapes = st.tuples(st.integers(1, 40), st.just(6))


unit = hnp.arrays(np.float64, shapes, elements=st.floats(-1, 1, width=32)).map(of_length_one)


@settings(max_examples=60, deadline=None)
@given(unit, unit, st.integers(1, 50))
def test_nearest_is_exact_whatever_the_block(rows, others, block):
    index, cosine = nearest(rows, others, block)
    brute = np.array([[(row * each).sum() for each in others] for row in rows])
    assert np.allclose(cosine, brute.max(1), atol=1e-12)
    assert np.allclose(brute[np.arange(len(rows)), index], brute.max(1), atol=1e-12)


def test_nearest_of_nothing():
    index, cosine = nearest(np.eye(3), np.zeros((0, 3)))
    assert index.tolist() == [-1] * 3
    assert cosine.tolist() == [0] * 3


def test_a_reference_with_a_colour_profile_is_kept_plain(tmp_path):
    catalog = Catalog(tmp_path)
    image = art(SLOTS[0], 1)
    image.info["icc_profile"] = rgb_profile(DISPLAY_P3, 2.2, "Display P3")
    add_references(catalog, "demo", "style", [image])
    [body] = catalog.all("reference").values()
    assert read_png(catalog.blob(body["file_digest"]))[0].tobytes() == image.tobytes()
