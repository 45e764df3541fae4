"Scores: each sees its fault, none depends on its company, none is made twice."

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from artmint.make.base import Judge, load_judge
from artmint.studio.catalog import Catalog
from artmint.train.drawings import GROUNDS, PALETTES, Subject, draw, subjects
from artmint.core.records import Artifact
from artmint.judge.pixels import contrast, sharpness
from artmint.judge.pixels import off_palette, palette_margin
from artmint.core.picture import pixel_digest, png_bytes
from artmint.core.records import Candidate
from artmint.judge.scores import (
    FormulaScorer,
    embed_pictures,
    every_scorer,
    picture,
    preview_candidate,
    score,
    stored_scores,
)
from artmint.core.records import Slot
from artmint.seeds import load_collection, recipes

DEMO = load_collection(Path(__file__).parents[2] / "collections" / "demo")


@pytest.fixture(scope="session")
def judge() -> Judge:
    return load_judge()


def enter(catalog: Catalog, slot: Slot, attempt: int, image: Image.Image) -> Candidate:
    "Record a picture as what came out of an attempt at a slot."
    recipe = recipes(DEMO, [slot], "salt", range(attempt, attempt + 1), "0" * 64)[0].recipe
    artifact = Artifact(
        dna=recipe.dna,
        recipe=recipe.facts(),
        pixel_digest=pixel_digest(image),
        file_digest=catalog.put_blob(png_bytes(image, recipe, "drawn")),
        environment={},
    )
    catalog.put("attempt", f"{DEMO.name}/{slot.id}/{attempt}", {"dna": recipe.dna, "recipe": recipe.facts()})
    catalog.put("artifact", recipe.dna, artifact.model_dump(mode="json"))
    return Candidate(slot, attempt, artifact)


def drawn(count: int, seed: int = 0) -> list[tuple[Subject, Image.Image]]:
    "Subjects and their drawings."
    known = [each for each in subjects() if each.palette in DEMO.traits["palette"]]
    chosen = [known[i] for i in np.random.default_rng(seed).choice(len(known), count, replace=False)]
    return [(subject, draw(subject, seed * 1000 + i)) for i, subject in enumerate(chosen)]


def colours(subject: Subject) -> tuple[str, ...]:
    return (*PALETTES[subject.palette], GROUNDS[subject.ground])


PICTURES = drawn(40, seed=3)


def test_a_blank_picture_has_no_contrast():
    noise = np.random.default_rng(0)
    for subject, image in PICTURES:
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
    soft = [image.filter(ImageFilter.GaussianBlur(3)) for _, image in PICTURES]
    assert (
        max(sharpness(after) / sharpness(image) for after, (_, image) in zip(soft, PICTURES, strict=True))
        < 0.45
    )
    assert (
        np.median(
            [contrast(after) / contrast(image) for after, (_, image) in zip(soft, PICTURES, strict=True)]
        )
        > 0.8
    )


def test_sharpness_does_not_ask_how_bold_a_picture_is():
    _, image = PICTURES[0]
    pale = Image.blend(image, Image.new("RGB", image.size, "#808080"), 0.5)
    assert sharpness(pale) == pytest.approx(sharpness(image), rel=0.15)
    assert sharpness(Image.new("RGB", (16, 16), "red")) == 0


def test_every_planted_palette_is_found_and_no_true_one_is_refused():
    right, wrong = [], []
    for subject, image in PICTURES:
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


def test_scores_do_not_depend_on_the_company(tmp_path, judge):
    "Batches of 1, 7 and 64, and any order: equal to the last decimal."
    scorers = every_scorer(DEMO, judge)
    results = []
    for i, (size, order) in enumerate([(1, 1), (7, -1), (64, 1)]):
        catalog = Catalog(tmp_path / str(i))
        found = [
            enter(catalog, Slot(id=n + 1, traits=vars(subject)), 1, image)
            for n, (subject, image) in enumerate(PICTURES[:11])
        ]
        results.append(
            {
                c.dna: s
                for c, s in zip(
                    found[::order], score(catalog, judge, found[::order], scorers, size), strict=True
                )
            }
        )
    assert all(result == results[0] for result in results)
    assert set(next(iter(results[0].values()))) == set(scorers)


@settings(max_examples=4, deadline=None)
@given(st.permutations(range(6)), st.integers(1, 6))
def test_a_scorer_gives_each_candidate_the_same_number_in_any_batch(judge, order, size):
    scorers = every_scorer(DEMO, judge)
    recipe = recipes(DEMO, [Slot(id=1, traits=vars(PICTURES[0][0]))], "salt", range(1, 2), "0" * 64)[0].recipe
    made = [preview_candidate(Slot(id=1, traits=vars(s)), recipe.facts()) for s, _ in PICTURES[:6]]
    images = [image for _, image in PICTURES[:6]]
    for name in ("clip", "trait-motif", "palette"):
        whole = scorers[name].measure(made, images, judge.encode_images(images))
        for start in range(0, 6, size):
            part = order[start : start + size]
            some = [images[i] for i in part]
            got = scorers[name].measure([made[i] for i in part], some, judge.encode_images(some))
            assert got == [whole[i] for i in part]


def test_the_judge_tells_true_claims_from_false_ones(judge):
    scorers = every_scorer(DEMO, judge)
    rows = judge.encode_images([image for _, image in PICTURES])

    def measured(name: str, **false: str) -> np.ndarray:
        made = []
        for subject, _ in PICTURES:
            traits = dict(vars(subject))
            for trait, (value, instead) in false.items():
                traits[trait] = value if value != traits[trait] else instead
            prompt = DEMO.template.format(**traits)
            made.append(preview_candidate(Slot(id=1, traits=traits), {"prompt": prompt}))
        return np.array(scorers[name].measure(made, [], rows))

    assert (measured("trait-motif") > 0).mean() >= 0.75
    assert (measured("trait-motif", motif=("waves", "rings")) < 0).mean() >= 0.9
    assert (
        measured("clip") > measured("clip", motif=("waves", "rings"), palette=("ember", "ocean"))
    ).mean() >= 0.9


def counted(calls: list, **settings) -> FormulaScorer:
    "A scorer that notes each slot it is asked about."

    def formula(image: Image.Image, slot: Slot) -> float:
        calls.append(slot.id)
        return 0.123456

    return FormulaScorer("counted", formula, settings)


def test_a_score_is_made_once_and_again_when_its_scorer_changes(tmp_path, judge):
    catalog = Catalog(tmp_path)
    calls = []
    made = [
        enter(catalog, Slot(id=n + 1, traits=vars(s)), 1, image) for n, (s, image) in enumerate(PICTURES[:4])
    ]
    first = {"counted": counted(calls)}
    assert score(catalog, judge, made[:2], first) == [{"counted": 0.1235}] * 2
    score(catalog, judge, made, first)
    assert calls == [1, 2, 3, 4]
    both = first | {"contrast": every_scorer(DEMO, judge)["contrast"]}
    assert [set(each) for each in score(catalog, judge, made, both)] == [{"counted", "contrast"}] * 4
    assert calls == [1, 2, 3, 4]  # a new scorer doesn't repeat the old ones
    score(catalog, judge, made, {"counted": counted(calls, changed=True)})
    assert calls == [1, 2, 3, 4] * 2
    score(catalog, judge, made, {"counted": replace(counted(calls, changed=True), version=2)})
    assert calls == [1, 2, 3, 4] * 3


def test_a_score_belongs_to_the_claim_it_was_made_under(tmp_path, judge):
    catalog = Catalog(tmp_path)
    (subject, image) = PICTURES[0]
    made = enter(catalog, Slot(id=1, traits=vars(subject)), 1, image)
    scorers = every_scorer(DEMO, judge)
    now = {"palette": scorers["palette"]}
    score(catalog, judge, [made], now)
    again = replace(
        made,
        slot=Slot(
            id=1, traits=vars(subject) | {"palette": "graphite" if subject.palette != "graphite" else "ember"}
        ),
    )
    assert stored_scores(catalog, [again], now) == [{}]
    assert score(catalog, judge, [again], now) != score(catalog, judge, [made], now)


def test_an_embedding_is_made_once(tmp_path, judge, monkeypatch):
    catalog = Catalog(tmp_path)
    asked = []
    plain = Judge.encode_images
    monkeypatch.setattr(
        Judge, "encode_images", lambda self, images: asked.append(len(images)) or plain(self, images)
    )
    made = [
        enter(catalog, Slot(id=n + 1, traits=vars(s)), 1, image).artifact
        for n, (s, image) in enumerate(PICTURES[:5])
    ]
    one = embed_pictures(catalog, judge, made[2:3])
    rows = embed_pictures(catalog, judge, made)
    assert asked == [1, 4]
    assert np.array_equal(one[0], rows[2])
    assert np.array_equal(embed_pictures(catalog, judge, made[::-1]), rows[::-1])
    assert asked == [1, 4]
    assert np.allclose(np.linalg.norm(rows, axis=1), 1)
    assert embed_pictures(catalog, judge, []).shape[0] == 0


def test_a_digest_covers_what_a_scorer_reads_and_nothing_else(judge):
    other_palettes = DEMO.model_copy(update={"palettes": DEMO.palettes | {"night": ("#000000",)}})
    here = every_scorer(DEMO, judge)
    there = every_scorer(other_palettes, judge)
    changed = {name for name in here if here[name].digest != there[name].digest}
    assert changed == {"palette", "palette-margin"}
    better = every_scorer(DEMO, replace(judge, digest="f" * 64))
    assert {name for name in here if here[name].digest != better[name].digest} == {
        "clip",
        *(f"trait-{trait}" for trait in DEMO.traits),
    }
    assert len({scorer.digest for scorer in here.values()}) == len(here)


def test_a_picture_comes_back_as_it_went_in(tmp_path):
    catalog = Catalog(tmp_path)
    (subject, image) = PICTURES[0]
    made = enter(catalog, Slot(id=1, traits=vars(subject)), 1, image)
    assert picture(catalog, made.artifact).tobytes() == image.tobytes()


def test_without_colours_there_is_no_palette_score(judge):
    bare = DEMO.model_copy(update={"colour_traits": (), "palettes": {}})
    assert not {"palette", "palette-margin"} & every_scorer(bare, judge).keys()
