"What pixels tell: contrast, sharpness, palette."

import numpy as np
import pytest
from PIL import Image, ImageFilter

from artmint.judge.pixels import contrast, off_palette, palette_margin, sharpness
from artmint.train.drawings import GROUNDS, PALETTES
from tests.drawn import pictures


def test_a_blank_picture_has_no_contrast():
    noise = np.random.default_rng(0)
    for subject, image in pictures():
        flat = np.array(Image.new("RGB", image.size, GROUNDS[subject.ground])) + noise.normal(
            0, 2, (128, 128, 3)
        )
        assert contrast(Image.fromarray(flat.clip(0, 255).astype(np.uint8))) < 1.5 < 3 < contrast(image)


def test_contrast_is_the_spread_of_lightness():
    halves = Image.new("RGB", (20, 10), "black")
    halves.paste("white", (0, 0, 10, 10))
    assert contrast(halves) == pytest.approx(50, abs=0.01)
    assert contrast(Image.new("RGB", (8, 8), "#336699")) == 0


def test_blurring_takes_sharpness_and_leaves_contrast():
    soft = [image.filter(ImageFilter.GaussianBlur(3)) for _, image in pictures()]
    assert (
        max(sharpness(after) / sharpness(image) for after, (_, image) in zip(soft, pictures(), strict=True))
        < 0.45
    )
    assert (
        np.median(
            [contrast(after) / contrast(image) for after, (_, image) in zip(soft, pictures(), strict=True)]
        )
        > 0.8
    )


def test_sharpness_does_not_ask_how_bold_a_picture_is():
    _, image = pictures()[0]
    pale = Image.blend(image, Image.new("RGB", image.size, "#808080"), 0.5)
    assert sharpness(pale) == pytest.approx(sharpness(image), rel=0.15)
    assert sharpness(Image.new("RGB", (16, 16), "red")) == 0


@pytest.mark.slow
def test_every_planted_palette_is_found_and_no_true_one_is_refused():
    right, wrong = [], []
    for subject, image in pictures():
        claims = {name: (*every, GROUNDS[subject.ground]) for name, every in PALETTES.items()}
        margins = {
            name: palette_margin(image, claim, [c for n, c in claims.items() if n != name])
            for name, claim in claims.items()
        }
        right.append(margins.pop(subject.palette) > 0)
        wrong += [margin < 0 for margin in margins.values()]
    assert np.mean(right) >= 0.97
    assert np.mean(wrong) >= 0.99


def test_palette_distance_by_hand():
    half = Image.new("RGB", (64, 64), "#000000")
    half.paste("#ffffff", (0, 0, 32, 64))
    found = off_palette(half, ("#000000",))
    assert found.shape == (64, 64)
    assert found[:, 40:].max() < 1e-6
    assert found[:, :32] == pytest.approx(100, abs=0.01)  # CIEDE2000 of black and white
    assert off_palette(half, ("#000000", "#ffffff")).max() < 1e-6
