"Copies: exact, turned, cropped, framed, recoloured, and of training pictures."

import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from artmint.core.collection import Rule
from artmint.core.picture import read_png
from artmint.curate import candidates, choose
from artmint.judge.decisions import current_verdict
from artmint.judge.duplicates import (
    ALIKE,
    DUPLICATE,
    NEAR_COPY,
    DctEncoder,
    LayoutEncoder,
    ThumbnailEncoder,
    add_references,
    near_copy,
    nearest,
    nearest_near_copy,
    nearest_turned,
)
from artmint.studio.catalog import Catalog
from tests.drawn import NO_COLOUR, SLOTS, art, enter, studio
from artmint.core.records import Recipe
from artmint.make.base import load_base
from artmint.make.render import render
from artmint.train.drawings import draw, subjects
from tests.foreign import DISPLAY_P3, rgb_profile
from tests.suites import some


@pytest.mark.many(1)
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
    why = current_verdict(catalog, rules, candidates(catalog, rules, SLOTS[1:2], 1)[0].dna).reasons[0]
    assert why.startswith("duplicate ")
    assert why.endswith(f"(edition 1, {word})")


@pytest.mark.slow
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
        current_verdict(catalog, rules, candidates(catalog, rules, SLOTS[:1], 1)[1].dna)
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


# ---- copies that were changed: near-copy beside duplicate


def photo(seed: int, side: int = 256) -> Image.Image:
    "Noise as photographs have it, the stronger the slower, in three channels that go together."
    rng = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    frequency[0, 0] = 1
    layers = []
    for _ in range(4):
        waves = np.fft.fft2(rng.normal(size=(side, side))) / frequency ** rng.uniform(1.0, 1.6)
        layers.append(np.fft.ifft2(waves).real)
    shades = [layer / layer.std() for layer in layers]
    channels = [128 + 40 * (0.8 * shades[0] + 0.4 * shade) + rng.uniform(-40, 40) for shade in shades[1:]]
    return Image.fromarray(np.stack(channels, -1).clip(0, 255).astype(np.uint8))


def texture(seed: int, side: int = 192) -> Image.Image:
    "Waves across each other."
    rng = np.random.default_rng(seed)
    down, right = np.mgrid[:side, :side] / side
    values = np.zeros((side, side, 3))
    for _ in range(rng.integers(2, 6)):
        along = rng.normal(size=2) * rng.uniform(3, 18)
        bent = 2 * np.sin(2 * np.pi * (rng.normal() * right + rng.normal() * down))
        wave = np.sin(2 * np.pi * (along[0] * right + along[1] * down) + rng.uniform(0, 6.3) + bent)
        values += wave[..., None] * rng.uniform(-1, 1, 3)
    return Image.fromarray((255 * (values - values.min()) / np.ptp(values)).astype(np.uint8))


def shapes(seed: int, side: int = 320) -> Image.Image:
    "Ellipses and triangles, as if painted."
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (side, side), tuple(map(int, rng.integers(0, 256, 3))))
    pen = ImageDraw.Draw(image)
    for _ in range(rng.integers(5, 14)):
        fill = tuple(map(int, rng.integers(0, 256, 3)))
        middle, reach = rng.uniform(-0.1, 1.1, 2) * side, rng.uniform(0.05, 0.3, 2) * side
        if rng.random() < 0.5:
            pen.ellipse([*(middle - reach), *(middle + reach)], fill=fill)
        else:
            pen.polygon(list(map(tuple, rng.uniform(-0.1, 1.1, (3, 2)) * side)), fill=fill)
    return image


def originals(count: int, seed: int = 0) -> list[Image.Image]:
    "Drawings, noise like photographs, textures and shapes; half of them drawings."
    rng = np.random.default_rng(seed)
    chosen = rng.choice(576, count // 2, replace=False)
    images = [draw(subjects()[i], 1000 * seed + 77 + i, 128 << (k % 2)) for k, i in enumerate(chosen)]
    makers = (photo, texture, shapes)
    return images + [makers[k % 3](1000 * seed + k) for k in range(count - len(images))]


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    packed = io.BytesIO()
    image.save(packed, "JPEG", quality=quality)
    return Image.open(packed).convert("RGB")


def cropped(image: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    "Without these shares at the sides."
    width, height = image.size
    return image.crop(
        (
            round(left * width),
            round(top * height),
            round(width - right * width),
            round(height - bottom * height),
        )
    )


def framed(image: Image.Image, share: float, colour: str) -> Image.Image:
    return ImageOps.expand(image, round(share * image.width), colour)


def shifted(image: Image.Image, right: int, down: int) -> Image.Image:
    "Moved; what comes in repeats the rim."
    far = max(abs(right), abs(down))
    padded = np.pad(np.asarray(image), ((far, far), (far, far), (0, 0)), mode="edge")
    moved = padded[far - down :, far - right :][: image.height, : image.width]
    return Image.fromarray(moved)


def with_hue(image: Image.Image, degrees: int) -> Image.Image:
    pixels = np.asarray(image.convert("HSV")).copy()
    pixels[..., 0] = (pixels[..., 0].astype(int) + round(degrees * 256 / 360)) % 256
    return Image.fromarray(pixels, "HSV").convert("RGB")


def noisy(image: Image.Image, strength: float) -> Image.Image:
    noise = np.random.default_rng(0).normal(0, strength, (image.height, image.width, 3))
    return Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))


def marked(image: Image.Image) -> Image.Image:
    marked = image.copy()
    ImageDraw.Draw(marked).text((image.width * 0.6, image.height * 0.85), "(c) studio", fill="white")
    return marked


def turned_by(image: Image.Image, degrees: float) -> Image.Image:
    return image.rotate(degrees, Image.Resampling.BICUBIC)


Change = Callable[[Image.Image], Image.Image]
QUICK: dict[str, Change] = {}
QUICK["JPEG q10"] = lambda image: jpeg(image, 10)
QUICK["crop 5 %"] = lambda image: cropped(image, 0.05, 0.05, 0.05, 0.05)
QUICK["crop 10 %"] = lambda image: cropped(image, 0.1, 0.1, 0.1, 0.1)
QUICK["border 12 %"] = lambda image: framed(image, 0.12, "white")
QUICK["shift 16 px"] = lambda image: shifted(image, 16, -16)
QUICK["rotation 5°"] = lambda image: turned_by(image, 5)
QUICK["hue +60°"] = lambda image: with_hue(image, 60)
QUICK["greyscale"] = lambda image: image.convert("L").convert("RGB")
QUICK["mirrored, crop 10 %"] = lambda image: ImageOps.mirror(cropped(image, 0.1, 0.1, 0.1, 0.1))
TABLE: dict[str, Change] = dict(QUICK)
TABLE["JPEG q30"] = lambda image: jpeg(image, 30)
TABLE["crop 2 %"] = lambda image: cropped(image, 0.02, 0.02, 0.02, 0.02)
TABLE["crop right 10 %"] = lambda image: cropped(image, 0, 0, 0.1, 0)
TABLE["crop corner 10 %"] = lambda image: cropped(image, 0.1, 0.1, 0, 0)
TABLE["border 3 %"] = lambda image: framed(image, 0.03, "white")
TABLE["border 6 %"] = lambda image: framed(image, 0.06, "black")
TABLE["border 12 %, red"] = lambda image: framed(image, 0.12, "#c8372d")
TABLE["shift 3 px"] = lambda image: shifted(image, 3, 0)
TABLE["rotation 2°"] = lambda image: turned_by(image, 2)
TABLE["mirrored"] = ImageOps.mirror
TABLE["90°, JPEG q60"] = lambda image: jpeg(image.transpose(Image.Transpose.ROTATE_90), 60)
TABLE["half size"] = lambda image: image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
TABLE["blur 2 px"] = lambda image: image.filter(ImageFilter.GaussianBlur(2))
TABLE["saturation x 1.5"] = lambda image: ImageEnhance.Color(image).enhance(1.5)
TABLE["brightness x 1.3"] = lambda image: ImageEnhance.Brightness(image).enhance(1.3)
TABLE["contrast x 0.6"] = lambda image: ImageEnhance.Contrast(image).enhance(0.6)
TABLE["hue +15°"] = lambda image: with_hue(image, 15)
TABLE["watermark"] = marked
TABLE["noise 12"] = lambda image: noisy(image, 12)
BEYOND: dict[str, Change] = {}  # shown in the table, and promised by nobody
BEYOND["JPEG q5"] = lambda image: jpeg(image, 5)
BEYOND["inverted"] = ImageOps.invert
BEYOND["noise 40"] = lambda image: noisy(image, 40)
BEYOND["crop 5 %, JPEG q30, hue +30°"] = lambda image: with_hue(
    jpeg(cropped(image, 0.05, 0.05, 0.05, 0.05), 30), 30
)
BOUND = 0.8


class Crowd:
    "Pictures that copies are looked for in."

    def __init__(self, images: list[Image.Image]):
        self.imprints = DctEncoder().encode_images(images)
        self.thumbs = ThumbnailEncoder().encode_images(images)
        self.layouts = LayoutEncoder().encode_images(images)

    def near(self, image: Image.Image) -> tuple[int, float]:
        "The nearest by near-copy."
        return nearest_near_copy(ThumbnailEncoder().encode_images([image])[0], self.thumbs, self.layouts)[:2]

    def duplicate(self, image: Image.Image) -> tuple[int, float]:
        "The nearest by duplicate."
        index, cosine, _ = nearest_turned(DctEncoder().encode_images([image]), self.imprints)
        return int(index[0]), float(cosine[0])


def recalls(crowd: Crowd, images: list[Image.Image], change: Change) -> tuple[float, float, float]:
    "Of copies the share that is found by duplicate and by near-copy, and the least near-copy score but for one in twenty."
    scores, old = [], []
    for i, image in enumerate(images):
        copy = change(image)
        index, score = crowd.near(copy)
        scores.append(score * (index == i))
        before, cosine = crowd.duplicate(copy)
        old.append(before == i and cosine > 0.95)
    return float(np.mean(old)), float((np.array(scores) > BOUND).mean()), float(np.quantile(scores, 0.05))


@pytest.mark.many(1)
@pytest.mark.parametrize("name", some(QUICK, ["JPEG q10", "crop 10 %", "rotation 5°", "mirrored, crop 10 %"]))
def test_a_changed_copy_is_a_near_copy(name):
    images = originals(6)
    assert recalls(Crowd(images), images, QUICK[name])[1] == 1


@pytest.mark.slow
def test_blank_and_nearly_blank_pictures_are_no_copies():
    corner = Image.new("RGB", (128, 128), "white")
    corner.paste("red", (118, 118, 128, 128))
    dusty = noisy(Image.new("RGB", (128, 128), "#777777"), 2)
    blanks = [Image.new("RGB", (128, 128), colour) for colour in ("orange", "white", "black")]
    thumbs = ThumbnailEncoder().encode_images([corner, dusty, *blanks, photo(1)])
    for i, one in enumerate(thumbs):
        for j, other in enumerate(thumbs):
            if i != j:
                assert near_copy(one, other)[0] < 0.5
    assert nearest_near_copy(
        thumbs[2], thumbs, LayoutEncoder().encode_images([corner, dusty, *blanks, photo(1)])
    ) == (-1, 0.0, 0)


@pytest.mark.slow
def test_unrelated_pictures_are_no_near_copies():
    crowd = Crowd(originals(30, seed=5))
    assert max(crowd.near(image)[1] for image in originals(12, seed=6)) < BOUND


def drawn_siblings(count: int) -> list[tuple[Image.Image, Image.Image]]:
    "Two drawings of each of some subjects. Truchet patterns have few tiles: two of them can come out the same."
    rng = np.random.default_rng(1)
    chosen = [subjects()[i] for i in rng.choice(576, 2 * count, replace=False)]
    kept = [subject for subject in chosen if subject.motif != "truchet"][:count]
    return [(draw(subject, 1000 + i), draw(subject, 2000 + i)) for i, subject in enumerate(kept)]


def siblings_scores(pairs: list[tuple[Image.Image, Image.Image]]) -> list[float]:
    "How much of a near-copy each pair is, highest first."
    thumbs = [ThumbnailEncoder().encode_images(list(pair)) for pair in pairs]
    return sorted((near_copy(*pair)[0] for pair in thumbs), reverse=True)


@pytest.mark.slow
def test_siblings_are_no_near_copies():
    assert siblings_scores(drawn_siblings(12))[0] < BOUND


@pytest.mark.slow
def test_siblings_are_seldom_near_copies():
    scores = siblings_scores(drawn_siblings(100))
    print("drawn siblings, highest of 100:", scores[:6])
    assert scores[2] < BOUND  # mandalas of as many petals, turned, are one picture to people too


def test_a_near_copy_is_the_same_alone_or_among_others():
    images = originals(8, seed=7)
    copy = cropped(images[2], 0.08, 0.02, 0.03, 0.06)
    thumb = ThumbnailEncoder().encode_images([copy])[0]
    whole = Crowd(images)
    found = nearest_near_copy(thumb, whole.thumbs, whole.layouts)
    assert found[0] == 2
    assert found[1:] == near_copy(thumb, whole.thumbs[2])
    alone = Crowd(images[2:3])
    assert nearest_near_copy(thumb, alone.thumbs, alone.layouts)[1:] == found[1:]


@pytest.mark.slow
def test_a_cropped_copy_falls_by_the_rule_and_the_reason_says_of_what(tmp_path, judge):
    catalog = Catalog(tmp_path)
    twin = art(SLOTS[0], 1)
    for attempt in (1, 2, 3):
        enter(catalog, SLOTS[0], attempt, twin)
    for attempt in (1, 2):
        enter(
            catalog,
            SLOTS[1],
            attempt,
            ImageOps.mirror(cropped(twin, 0.06, 0.06, 0.06, 0.06)).resize(twin.size),
        )
    enter(catalog, SLOTS[1], 3, art(SLOTS[1], 3))
    rules = (
        Rule(scorer="sharpness", min=0.01),
        Rule(scorer=DUPLICATE, max=0.95),
        Rule(scorer=NEAR_COPY, max=BOUND),
    )
    editions = choose(catalog, NO_COLOUR.model_copy(update={"rules": rules}), judge, SLOTS[:2], 1).editions
    assert editions[1].attempt == 3
    assert set(editions[1].scorers) == {"sharpness", DUPLICATE, NEAR_COPY}
    why = current_verdict(catalog, NO_COLOUR, candidates(catalog, NO_COLOUR, SLOTS[1:2], 1)[0].dna).reasons
    assert len(why) == 1
    assert why[0].startswith("near-copy ")
    assert why[0].endswith("(edition 1, mirrored)")


@pytest.mark.slow
def test_the_table_of_changes():
    "40 originals among 100 others; the recall of each change by duplicate and by near-copy."
    images = originals(40)
    crowd = Crowd([*images, *originals(100, seed=1)])
    missed = []
    for name, change in (TABLE | BEYOND).items():
        old, new, least = recalls(crowd, images, change)
        print(
            f"{name:30} duplicate {old:.2f}  near-copy {new:.2f}  (95 % score at least {least:.3f})",
            flush=True,
        )
        if name in TABLE and new < 0.95:
            missed.append((name, new))
    assert not missed


def painted_siblings(seeds: int) -> list[Image.Image]:
    "What the bundled base paints for twelve prompts, with several seeds each."
    base = load_base()
    wanted = [subjects()[i] for i in np.random.default_rng(2).choice(576, 12, replace=False)]
    words = "{density} {motif} in {palette} colours on {ground}, {placement}"
    shape = {"steps": 12, "guidance": 3.0, "width": 96, "height": 96, "profile": "fast"}
    prompts = [words.format(**vars(subject)) for subject in wanted for _ in range(seeds)]
    return render(
        base, [Recipe(base=base.digest, prompt=prompt, seed=i, **shape) for i, prompt in enumerate(prompts)]
    )


@pytest.mark.slow
@pytest.mark.xfail(
    strict=True, reason="a few large shapes, recoloured or shifted, are taken for one another's copies"
)
def test_no_false_pair_among_siblings_that_were_painted():
    images = painted_siblings(4)
    thumbs = ThumbnailEncoder().encode_images(images)
    scores = {}
    for i, thumb in enumerate(thumbs):
        for j in range(i // 4 * 4, i):
            scores[i, j] = near_copy(thumb, thumbs[j])[0]
    print("painted siblings, highest:", sorted(scores.values())[-5:])
    assert max(scores.values()) < BOUND


@pytest.mark.slow
@pytest.mark.xfail(
    strict=True, reason="a few large shapes, recoloured or shifted, are taken for one another's copies"
)
def test_no_false_pair_among_five_hundred():
    images = originals(500, seed=2)
    crowd = Crowd(images)
    false = []
    for i, image in enumerate(images):
        others = np.flatnonzero(np.arange(len(images)) != i)
        thumb = crowd.thumbs[i]
        index, score, _ = nearest_near_copy(thumb, crowd.thumbs[others], crowd.layouts[others])
        false.append((score, i, int(others[index])))
    print("unrelated, highest:", sorted(false)[-8:])
    assert max(false)[0] < BOUND
