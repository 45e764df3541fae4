"Thresholds, heads and the curator: what they are, what they promise, and what they refuse."

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from artmint.judge.curator import (
    accepts_needed,
    curator_drift,
    decisions_missing,
    describe_guarantee,
    drift,
    fit_curator,
    keep_curator,
    recall_threshold,
)
from artmint.core.collection import Model
from artmint.judge.decisions import Agreement, Verdict, record_verdict
from artmint.judge.heads import (
    features,
    predict_proba,
    read_head,
)
from artmint.judge.pixels import contrast, sharpness
from artmint.studio.catalog import Catalog
from artmint.train.drawings import draw, subjects
from tests.drawn import DEMO, table

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
    words = describe_guarantee(taught.facts)
    assert words.startswith("bounds nothing")
    assert f"about {decisions_missing(taught.facts):,} more decisions at your accept rate" in words
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
    facts = {"held_out_accepts": 200, "lost_accepts": 4}
    assert not drift(facts, 95, 100).left
    assert drift(facts, 80, 100).left
    assert "train it again" in drift(facts, 80, 100).description


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


# ---- what a promise is about


FACTS = {"threshold": None, "keep": 0.95, "confidence": 0.95, "accepts_needed": 59, "held_out": 750}


def test_what_is_missing_is_said_as_decisions():
    facts = FACTS | {"held_out_accepts": 19, "accept_rate": 0.03, "drawn_at_random": False}
    assert decisions_missing(facts) == 2700  # 40 more among the half that is held out
    assert decisions_missing(facts | {"drawn_at_random": True}) == 1400
    assert "about 2,700 more decisions at your accept rate of 3.0%" in describe_guarantee(facts)
    nothing = facts | {"held_out_accepts": 0, "accept_rate": 0.0}
    assert decisions_missing(nothing) is None
    assert "nothing has been accepted yet" in describe_guarantee(nothing)


def test_a_promise_names_whom_it_is_about_and_how_far_people_agree():
    facts = FACTS | {"threshold": 0.2, "held_out_accepts": 80, "rejected": 0.5, "rejected_noise": 0.7}
    drawn = describe_guarantee(facts | {"drawn_at_random": True}, Agreement(40, 0.9, 0.8))
    assert "like the 750 that were drawn at random" in drawn
    assert "the same of 90% of 40 pictures" in drawn
    picked = describe_guarantee(facts | {"drawn_at_random": False}, Agreement(40, 0.6, 0.2))
    assert "weren't drawn at random, and of no others" in picked
    assert "which is little (kappa 0.20)" in picked
    assert "isn't known" in describe_guarantee(facts | {"drawn_at_random": False})


class Plain:
    "A judge in name: rows are drawn, not encoded."

    digest = "0" * 64


WAYS = ("random", "best first", "until tired", "one slot only")


def world(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    "Candidates: rows of which people read the first, a score that they sort by, slots, and what they would accept."
    rows = rng.normal(size=(count, 6))
    slots = rng.integers(8, size=count)
    rows[:, 0] += 0.8 * (slots == 0)
    sorted_by = rows[:, 1] + rng.normal(0, 0.5, count)
    likes = rows[:, 0] + 0.7 * np.where(slots == 0, 1, -1) * rows[:, 1] + rng.normal(0, 0.6, count) > 0.4
    return rows, sorted_by, slots, likes


def looked_at(way: str, rng: np.random.Generator, sorted_by: np.ndarray, slots: np.ndarray) -> np.ndarray:
    "Which candidates people decide on, in each way of looking; 500 at most."
    if way == "random":
        return rng.permutation(len(slots))[:500]
    if way == "one slot only":
        return np.flatnonzero(slots == 0)[:500]
    best = np.argsort(-sorted_by)
    return best[: 500 if way == "best first" else rng.integers(300, 500)]


def kept_share(trained, rows: np.ndarray, likes: np.ndarray) -> float:
    "What a curator keeps of what people would accept."
    _, tensors = read_head("curator", trained.data, "curator", Plain)
    chances = [predict_proba(features(row, [], tensors), tensors["theta"])[1] for row in rows[likes]]
    return float((np.floor(np.array(chances) * 1e4) / 1e4 >= trained.facts["threshold"]).mean())


def promises(way: str, draws: int, audits: int) -> list[tuple[bool, bool]]:
    "Whether each of some curators says that its decisions were drawn at random, and whether 95% of all is kept."
    outcomes = []
    for seed in range(draws):
        rng = np.random.default_rng([WAYS.index(way), seed])
        rows, sorted_by, slots, likes = world(rng, 4000)
        chosen = looked_at(way, rng, sorted_by, slots)
        audit = rng.permutation(len(rows))[:audits]
        decided = np.unique(np.concatenate([chosen, audit]))
        trained = fit_curator(Plain, rows[decided], {}, likes[decided], audited=np.isin(decided, audit))
        rest = np.setdiff1d(np.arange(len(rows)), decided)
        if trained.facts["threshold"] is not None:
            outcomes.append(
                (trained.facts["drawn_at_random"], kept_share(trained, rows[rest], likes[rest]) >= 0.94)
            )
    return outcomes


def hold_in_all_ways(draws: int) -> None:
    "With an audit sample promises about all hold; without one nobody makes any."
    for way in WAYS:
        with_audit = promises(way, draws, 260)
        without = promises(way, max(draws // 10, 2), 0)
        held = [kept for drawn, kept in with_audit if drawn]
        print(
            f"{way:14} promises about all: {len(held)} of {draws}, held {np.mean(held):.3f}; without audit {without}"
        )
        assert len(held) >= 0.8 * draws
        assert np.mean(held) >= 0.92 - 1.0 / draws
        assert not any(drawn for drawn, _ in without)


def test_promises_hold_however_people_look():
    hold_in_all_ways(4)


@pytest.mark.slow
def test_promises_hold_in_two_hundred_draws_however_people_look():
    hold_in_all_ways(200)


def test_a_curator_that_loses_what_people_accept_is_named(judge, tmp_path):
    catalog = table(tmp_path, tries=3)
    rng = np.random.default_rng(0)
    rows, likes = rng.normal(size=(400, 6)), rng.random(400) < 0.5
    trained = fit_curator(Plain, rows + 2 * likes[:, None], {}, likes, audited=rng.random(400) < 0.5)
    name = keep_curator(catalog, DEMO, trained)
    model = Model(scorer="taste", kind="curator", digest=name)
    collection = DEMO.model_copy(update={"models": (model,)})
    assert curator_drift(catalog, collection) is None
    dnas = [body["dna"] for body in catalog.all("attempt", "demo/").values()]
    for i, dna in enumerate(dnas):
        record_verdict(catalog, Verdict(dna, "accept", (), {"taste": 0.0 if i % 2 else 1.0}))
        opinion = {"by": "ada", "decision": "accept", "at": "2026-01-01T00:00:00+00:00"}
        catalog.append("decision", dna, opinion | ({"via": "audit"} if i % 4 < 2 else {}))
    seen = curator_drift(catalog, collection)
    assert seen.left
    assert seen.seen == sum(i % 4 < 2 for i in range(len(dnas)))
    assert seen.rate == pytest.approx(0.5, abs=0.02)
