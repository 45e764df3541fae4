"Thresholds, heads and the curator: what they are, what they promise, and what they refuse."

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from artmint.judge.curator import (
    accepts_needed,
    describe_guarantee,
    drift,
    fit_curator,
    keep_curator,
    recall_threshold,
)
from artmint.judge.heads import (
    features,
    predict_proba,
    read_head,
)
from artmint.judge.pixels import contrast, sharpness
from artmint.studio.catalog import Catalog
from artmint.train.drawings import draw, subjects
from tests.drawn import DEMO

TOML = (Path(__file__).parents[2] / "collections/demo/collection.toml").read_text()


# ---- the curator


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.floats(0.5, 0.99), st.floats(0.5, 0.99))
def test_a_bound_needs_as_many_accepts_as_it_says(n, keep, confidence):
    found = recall_threshold(np.arange(n, dtype=float), keep, confidence)
    assert (found is None) == (n < accepts_needed(keep, confidence))
    assert found is None or (np.arange(n) < found).mean() <= 1 - keep


def simulated(count: int, seed: int) -> tuple[list[Image.Image], np.ndarray]:
    """Candidates and decisions of a stated hidden preference: ocean, aurora, orchid or citrus; not a truchet pattern; nothing blurred or blank; one in twenty refused on a whim."""
    rng = np.random.default_rng(seed)
    images = []
    good = []
    for i in range(count):
        subject = subjects()[rng.integers(576)]
        spoiled = rng.random()
        image = draw(subject, seed * 1_000_000 + i, 96)
        if spoiled < 0.1:
            image = Image.new("RGB", image.size, image.getpixel((1, 1)))
        elif spoiled < 0.2:
            image = image.filter(ImageFilter.GaussianBlur(3))
        images.append(image)
        good.append(
            spoiled >= 0.2
            and subject.palette in ("ocean", "aurora", "orchid", "citrus")
            and subject.motif != "truchet"
            and rng.random() > 0.05
        )
    return images, np.array(good)


def read(judge, images: list[Image.Image]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    return judge.encode_images(images), {
        "contrast": np.array([contrast(i) for i in images]),
        "sharpness": np.array([sharpness(i) for i in images]),
    }


def liked(taught, judge, rows: np.ndarray, scores: dict[str, np.ndarray]) -> np.ndarray:
    _, tensors = read_head("curator", taught.data, "curator", judge)
    chances = []
    for i, row in enumerate(rows):
        read = features(row, [column[i] for column in scores.values()], tensors)
        chances.append(predict_proba(read, tensors["theta"])[1])
    return np.array(chances)


def test_few_decisions_bound_nothing(judge):
    images, good = simulated(80, 1)
    taught = fit_curator(judge, *read(judge, images), good)
    assert taught.facts["threshold"] is None
    assert "rejected" not in taught.facts
    assert describe_guarantee(taught.facts).startswith("bounds nothing")
    assert (
        fit_curator(judge, *read(judge, images), good).digest == taught.digest
    )  # the same decisions make the same file


def test_versions_follow_each_other_and_drift_is_reported(judge, tmp_path):
    images, good = simulated(60, 2)
    rows, scores = read(judge, images)
    catalog = Catalog(tmp_path)
    first = fit_curator(judge, rows, scores, good)
    second = fit_curator(judge, rows, {}, good)
    for _ in range(2):
        keep_curator(catalog, DEMO, first)
    keep_curator(catalog, DEMO, second)
    assert [(row["digest"], row["parent"]) for row in catalog.history("curator", "demo")] == [
        (first.digest, None),
        (second.digest, first.digest),
    ]
    facts = {"held_out": 400, "rejected": 0.75}
    assert not drift(facts, 100, 400).left
    assert drift(facts, 40, 400).left
    assert drift(facts, 170, 400).left


@pytest.mark.slow
def test_the_curator_rejects_noise_and_keeps_its_promise(judge):
    "1,500 decisions, at least 120 held-out accepts; the promise (95% kept, 95% confidence) in 200 resamplings of 120 accepts against 1,000 others."
    images, good = simulated(1500, 3)
    taught = fit_curator(judge, *read(judge, images), good)
    assert taught.facts["held_out_accepts"] >= 120, taught.facts
    assert taught.facts["rejected_noise"] >= 0.8, taught.facts
    fresh, truth = simulated(3600, 4)
    found = np.floor(liked(taught, judge, *read(judge, fresh)) * 1e4) / 1e4
    accepts = found[truth]
    rng = np.random.default_rng(0)
    kept = []
    for _ in range(200):
        order = rng.permutation(len(accepts))
        kept.append(float((accepts[order[120:]] >= recall_threshold(accepts[order[:120]])).mean()))
    held = np.mean(np.array(kept) >= 0.95)
    accepts_kept = (found[truth] >= taught.facts["threshold"]).mean()
    noise_rejected = (found[~truth] < taught.facts["threshold"]).mean()
    print(describe_guarantee(taught.facts))
    print(f"on fresh candidates: {accepts_kept:.3f} of accepts kept, {noise_rejected:.3f} of noise rejected")
    print(f"promise held in {held:.3f} of 200 resamplings, {len(accepts)} accepts in the pool")
    assert held >= 0.93
    assert noise_rejected >= 0.8
