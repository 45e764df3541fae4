"Scores: each sees its fault, none depends on its company, none is made twice."

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from artmint.core.collection import OneOfOne
from artmint.core.records import Slot
from artmint.judge.scores import (
    FormulaScorer,
    embed_pictures,
    built_in_scorers,
    picture,
    preview_candidate,
    score,
    stored_scores,
)
from artmint.make.base import Judge
from artmint.seeds import prompt_of, recipes
from artmint.studio.catalog import Catalog
from artmint.train.drawings import GROUNDS, PALETTES, Subject
from tests.drawn import DEMO, enter, pictures


def colours(subject: Subject) -> tuple[str, ...]:
    return (*PALETTES[subject.palette], GROUNDS[subject.ground])


@pytest.mark.slow
def test_scores_do_not_depend_on_the_company(tmp_path, judge):
    "Batches of 1, 7 and 64, and any order: equal to the last decimal."
    scorers = built_in_scorers(DEMO, judge)
    results = []
    for i, (size, order) in enumerate([(1, 1), (7, -1), (64, 1)]):
        catalog = Catalog(tmp_path / str(i))
        found = [
            enter(catalog, Slot(id=n + 1, traits=vars(subject)), 1, image)
            for n, (subject, image) in enumerate(pictures()[:11])
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


@pytest.mark.slow
@settings(max_examples=4, deadline=None)
@given(st.permutations(range(6)), st.integers(1, 6))
def test_a_scorer_gives_each_candidate_the_same_number_in_any_batch(judge, order, size):
    scorers = built_in_scorers(DEMO, judge)
    slot = Slot(id=1, traits=vars(pictures()[0][0]))
    recipe = recipes(DEMO, [slot], "salt", range(1, 2), "0" * 64)[0].recipe
    made = [preview_candidate(Slot(id=1, traits=vars(s)), recipe.facts()) for s, _ in pictures()[:6]]
    images = [image for _, image in pictures()[:6]]
    for name in ("clip", "trait-motif", "palette"):
        whole = scorers[name].measure(made, images, judge.encode_images(images))
        for start in range(0, 6, size):
            part = order[start : start + size]
            some = [images[i] for i in part]
            got = scorers[name].measure([made[i] for i in part], some, judge.encode_images(some))
            assert got == [whole[i] for i in part]


def test_a_one_of_one_claims_no_value_and_is_scored_all_the_same(judge):
    works = {"queen": OneOfOne(prompt="a crowned mandala", title="The Queen")}
    collection = DEMO.model_copy(update={"one_of_ones": works})
    slot = Slot(id=1, traits={"one_of_one": "queen"})
    image = pictures()[0][1]
    made = [preview_candidate(slot, {"prompt": prompt_of(collection, slot)})]
    rows = judge.encode_images([image])
    scores = {
        name: scorer.measure(made, [image], rows)[0]
        for name, scorer in built_in_scorers(collection, judge).items()
    }
    assert np.isfinite(list(scores.values())).all()
    assert scores["palette"] == scores["palette-margin"] == 0
    assert scores["trait-motif"] == scores["clip"]  # there is no rival to lead over


def test_the_judge_tells_true_claims_from_false_ones(judge):
    scorers = built_in_scorers(DEMO, judge)
    rows = judge.encode_images([image for _, image in pictures()])

    def measured(name: str, **false: str) -> np.ndarray:
        made = []
        for subject, _ in pictures():
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
        enter(catalog, Slot(id=n + 1, traits=vars(s)), 1, image)
        for n, (s, image) in enumerate(pictures()[:4])
    ]
    first = {"counted": counted(calls)}
    assert score(catalog, judge, made[:2], first) == [{"counted": 0.1235}] * 2
    score(catalog, judge, made, first)
    assert calls == [1, 2, 3, 4]
    both = first | {"contrast": built_in_scorers(DEMO, judge)["contrast"]}
    assert [set(each) for each in score(catalog, judge, made, both)] == [{"counted", "contrast"}] * 4
    assert calls == [1, 2, 3, 4]  # a new scorer doesn't repeat the old ones
    score(catalog, judge, made, {"counted": counted(calls, changed=True)})
    assert calls == [1, 2, 3, 4] * 2
    score(catalog, judge, made, {"counted": replace(counted(calls, changed=True), version=2)})
    assert calls == [1, 2, 3, 4] * 3


def test_a_score_belongs_to_the_claim_it_was_made_under(tmp_path, judge):
    catalog = Catalog(tmp_path)
    (subject, image) = pictures()[0]
    made = enter(catalog, Slot(id=1, traits=vars(subject)), 1, image)
    scorers = built_in_scorers(DEMO, judge)
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
        for n, (s, image) in enumerate(pictures()[:5])
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
    here = built_in_scorers(DEMO, judge)
    there = built_in_scorers(other_palettes, judge)
    changed = {name for name in here if here[name].digest != there[name].digest}
    assert changed == {"palette", "palette-margin"}
    better = built_in_scorers(DEMO, replace(judge, digest="f" * 64))
    assert {name for name in here if here[name].digest != better[name].digest} == {
        "clip",
        *(f"trait-{trait}" for trait in DEMO.traits),
    }
    assert len({scorer.digest for scorer in here.values()}) == len(here)


def test_a_picture_comes_back_as_it_went_in(tmp_path):
    catalog = Catalog(tmp_path)
    (subject, image) = pictures()[0]
    made = enter(catalog, Slot(id=1, traits=vars(subject)), 1, image)
    assert picture(catalog, made.artifact).tobytes() == image.tobytes()


def test_without_colours_there_is_no_palette_score(judge):
    bare = DEMO.model_copy(update={"colour_traits": (), "palettes": {}})
    assert not {"palette", "palette-margin"} & built_in_scorers(bare, judge).keys()
