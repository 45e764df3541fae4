"Seed pruning: the same pixels, a promise that holds, and a round that can be judged."

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from artmint.make.base import load_base, load_judge
from artmint.make.engines import Diffusers
from artmint.seeds import frozen_slots
from artmint.studio.catalog import Catalog
from artmint.curate import choose
from artmint.make.schedulers import UnknownChoice
from artmint.generate import NothingButBroken, attempts_of, generate
from artmint.make.render import render
from artmint.judge.curator import accepts_needed
from artmint.studio.ledger import ledger_lines, load_money
from artmint.metrics import batch_history, kpis
from artmint.judge.decisions import Verdict, decide, record_verdict
from artmint.judge import prune
from artmint.judge.prune import (
    Pruner,
    _kept_under,
    _made_before,
    _outcomes,
    conditions_digest,
    current_pruner,
    fit_pruner,
    generate_some,
    render_some,
)
from artmint.core.collection import Adapter, Rule
from artmint.core.records import Attempt, Recipe
from artmint.seeds import load_collection
from tests.drawn import FORMER
from tests.suites import some

TINY = load_collection(Path(__file__).parents[1] / "data" / "tiny")
ABOUT = {"step": 1, "judge": "0" * 64, "rules": "0" * 64, "scorers": ("a", "b")}


@pytest.fixture(scope="module")
def base():
    return load_base()


def asked(base, count: int, **more) -> list[Recipe]:
    settings = {"steps": 3, "guidance": 3.0, "width": 64, "height": 64, "profile": "fast"} | more
    return [
        Recipe(base=base.digest, prompt=f"{('rings', 'waves')[i % 2]} in ocean colours", seed=i, **settings)
        for i in range(count)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "profile, scheduler, count",
    some([("fast", "DDIM", 13), ("fast", "Euler", 9), ("portable", "DDIM", 7)], [("fast", "Euler", 9)]),
)
def test_what_is_kept_has_the_same_pixels(base, profile, scheduler, count):
    "Bit for bit, whoever else was stopped, and in other company than it began with."
    recipes = asked(base, count, profile=profile, scheduler=scheduler)
    whole = render(base, recipes)
    for step, kept in ((1, lambda i: i % 3 != 1), (2, lambda i: i in (0, count - 1))):
        finished = []
        some = render_some(
            base,
            recipes,
            step,
            lambda part, previews: [kept(i) for i in part],
            lambda part, images: finished.extend(part),
        )
        assert [image is not None for image in some] == [kept(i) for i in range(count)]
        assert sorted(finished) == [i for i in range(count) if kept(i)]
        assert all(image.tobytes() == whole[i].tobytes() for i, image in enumerate(some) if image)


@pytest.mark.slow
def test_survivors_fill_batches(base):
    "Nothing but the last batch is padded, so stopping saves the forward passes that it should."
    parts = []
    render_some(
        base,
        asked(base, 24),
        1,
        lambda part, previews: [i % 3 == 0 for i in part],
        lambda part, images: parts.append(len(part)),
    )
    assert parts == [8]


@pytest.mark.parametrize(
    "change, step",
    [
        ({"scheduler": "DPM++ 2M"}, 1),
        ({}, 3),
        ({}, 0),
        ({"init": "0" * 64}, 1),
        ({"hires": {"scale": 2.0}}, 1),
    ],
)
def test_what_cannot_be_stopped_halfway_is_refused_before_anything_is_rendered(base, change, step):
    recipe = Recipe.model_validate({**asked(base, 1)[0].model_dump(), **change})
    with pytest.raises(UnknownChoice):
        render_some(base, [recipe], step, lambda part, previews: pytest.fail("it was rendered"))


def drawn(rng, n: int, ties: bool):
    "Preview scores of two kinds and what became of them, of an ugly distribution."
    good = rng.random(n) < 0.4
    scores = np.stack([rng.standard_t(2, n) + 1.5 * good, rng.exponential(1, n) ** 2], 1)
    return (np.round(scores) if ties else scores), good


@pytest.mark.parametrize("ties", [False, True])
def test_the_share_of_wrongly_stopped_is_bounded(ties):
    "In at most one of ten fits (confidence 90%) more than 10% of acceptable candidates are stopped; checked on fresh ones, 150 fits."
    rng = np.random.default_rng(3)
    broken = 0
    fits = 0
    for seed in range(150):
        made = fit_pruner(*drawn(rng, 160, ties), ABOUT, keep=0.9, confidence=0.9, seed=seed)
        if made is None:
            continue
        scores, good = drawn(rng, 4000, ties)
        fits = fits + 1
        broken = broken + ((made.value(scores[good]) < made.threshold).mean() > 0.1)
    assert fits > 100
    assert broken <= 0.1 * fits + 3 * (0.09 * fits) ** 0.5


NAMED = ABOUT | {"scorers": ("contrast", "clip")}
RULES = (
    Rule(scorer="contrast", min=0.3),
    Rule(scorer="clip", max=0.6),
    Rule(scorer="sharpness", min=9.0),  # of which no preview speaks
    Rule(scorer="contrast", max=0.0, severity="note"),
)


def foretold(rng, n: int, people: bool):
    "Scores of previews and of finished pictures, and what became of them: the rules' word, and that of people who like a third score."
    seen = rng.normal(size=(n, 2))
    finished = seen + rng.standard_t(4, (n, 2)) * 0.4
    good = (finished[:, 0] >= 0.3) & (finished[:, 1] <= 0.6)
    return seen, finished, good & (seen[:, 0] + seen[:, 1] < 0.9) if people else good


@pytest.mark.parametrize("people", [False, True])
def test_who_learns_from_finished_scores_stops_more_and_keeps_the_same_promise(people):
    "Held against the same fits from verdicts alone, and on fresh candidates."
    rng = np.random.default_rng(11)
    broken, shares = [], []
    for seed in range(60):
        seen, finished, good = foretold(rng, 300, people)
        fits = [
            fit_pruner(seen, good, NAMED, 0.9, 0.9, seed, **more)
            for more in ({}, {"finished": finished, "rules": RULES})
        ]
        if None in fits:
            continue
        assert len(fits[1].odds) == 2
        fresh, _, right = foretold(rng, 4000, people)
        went = [fit.value(fresh) >= fit.threshold for fit in fits]
        broken.append((~went[1][right]).mean() > 0.1)
        shares.append([(gone & right).sum() / gone.sum() for gone in went])
    assert len(shares) > 40
    assert np.mean(broken) <= 0.1 + 3 * (0.09 / len(broken)) ** 0.5
    before, after = np.mean(shares, 0)
    assert after > 1.05 * before


def test_a_rule_without_finished_scores_is_left_to_the_verdicts():
    seen, finished, good = foretold(np.random.default_rng(1), 300, False)
    finished[:, 1] = np.nan
    pruner = fit_pruner(seen, good, NAMED, 0.9, 0.9, finished=finished, rules=RULES)
    assert [(odds.min, odds.max) for odds in pruner.odds] == [(0.3, None)]
    assert np.isfinite(pruner.value(seen)).all()
    assert pruner.weights[1] < 0  # high ones are refused, as the verdicts say


def test_a_bound_is_read_as_it_was_learnt(tmp_path):
    seen, finished, good = foretold(np.random.default_rng(1), 300, True)
    pruner = fit_pruner(seen, good, NAMED, 0.9, 0.9, finished=finished, rules=RULES)
    catalog = Catalog(tmp_path)
    catalog.append("pruner", "tiny", pruner.model_dump(mode="json"))
    assert _made_before(catalog, TINY, NAMED, (0.9, 0.9)) == pruner
    assert _made_before(catalog, TINY, NAMED, (0.95, 0.9)) is None


def test_a_bound_from_verdicts_alone_still_decides():
    "What an earlier artmint wrote down has neither odds nor a constant."
    earlier = {"middle": (1.0, 0.0), "spread": (2.0, 1.0), "weights": (3.0, -1.0), "threshold": 0.5}
    promise = {"keep": 0.95, "confidence": 0.95, "accepts": 60, "stopped": 0.5}
    pruner = Pruner(**NAMED, **earlier, **promise)
    assert pruner.value(np.array([[1.0, 0.0], [3.0, 1.0]])).tolist() == [0.0, 2.0]


def test_finished_scores_are_those_that_rules_were_held_against(tmp_path):
    catalog = Catalog(tmp_path)
    dna = "ab" * 32
    record_verdict(catalog, decide(dna, {"contrast": 0.5}, RULES))
    record_verdict(catalog, Verdict(dna, "reject", (), {}, "mira"))
    catalog.put_all("preview", {f"rules/5/{dna}": {"scores": {"contrast": 0.4}}})
    assert _outcomes(catalog, TINY, "rules/5/") == [({"contrast": 0.4}, {"contrast": 0.5}, False)]


@dataclass(frozen=True)
class Named:
    "Of a judge what a bound is made for."

    digest: str


def test_what_one_judge_scored_is_nothing_that_another_learns_from(tmp_path, monkeypatch):
    "A score of the same name is on another scale."
    catalog = Catalog(tmp_path)
    monkeypatch.setattr(prune, "_for_previews", lambda *_: {"contrast": None})
    conditions = conditions_digest(catalog, TINY, "0" * 64)
    first, second = Named("1" * 64), Named("2" * 64)
    rng = np.random.default_rng(5)
    for number in range(300):
        dna, seen = f"{number:064x}", float(rng.normal())
        key = f"{_kept_under(conditions, first, 5)}{dna}"
        catalog.put_all("preview", {key: {"scores": {"contrast": seen}}})
        finished = {"contrast": seen + float(rng.normal()) / 3}
        record_verdict(catalog, decide(dna, finished, (Rule(scorer="contrast", min=0.2),)))
    assert current_pruner(catalog, TINY, second, "0" * 64, 5) is None
    assert current_pruner(catalog, TINY, first, "0" * 64, 5).judge == first.digest
    assert current_pruner(catalog, TINY, second, "0" * 64, 5) is None


def test_too_few_accepts_promise_nothing():
    scores, good = drawn(np.random.default_rng(0), 2 * accepts_needed() - 4, False)
    assert fit_pruner(scores, good, ABOUT) is None
    assert fit_pruner(np.zeros((400, 2)), np.ones(400, bool), ABOUT) is None  # nothing to tell apart


@pytest.fixture(scope="module")
def studio(base, tmp_path_factory):
    "A studio in which two of a slot's three previews were stopped, and its collection."
    tiny = TINY.model_copy(
        update={
            "rules": (Rule(scorer="contrast", min=0.0), Rule(scorer="clip", min=-1.0)),
            "generation": TINY.generation.model_copy(update={"attempts": 3, "profile": "fast"}),
        }
    )
    catalog = Catalog(tmp_path_factory.mktemp("pruned"))
    judge = load_judge()
    slots = frozen_slots(catalog, tiny, "tiny")
    attempts = attempts_of(catalog, tiny, slots, "tiny", 1, Diffusers(base))
    generate_some(catalog, Diffusers(base), judge, tiny, slots, attempts[:3], 1)
    previews = catalog.all("preview", f"{conditions_digest(catalog, tiny, base.digest)}/{judge.digest}/1/")
    values = sorted(body["scores"]["contrast"] for body in previews.values())
    about = {
        "step": 1,
        "judge": judge.digest,
        "rules": conditions_digest(catalog, tiny, base.digest),
        "scorers": ("contrast", "clip"),
    }
    pruner = Pruner(
        **about,
        middle=(0.0, 0.0),
        spread=(1.0, 1.0),
        weights=(1.0, 0.0),
        threshold=values[1],
        keep=0.9,
        confidence=0.9,
        accepts=22,
        stopped=0.5,
    )
    made = generate_some(catalog, Diffusers(base), judge, tiny, slots, attempts, pruner)
    return catalog, tiny, judge, slots, attempts, pruner, made


@pytest.mark.slow
def test_a_pruned_round_is_judged_without_the_stopped(base, studio, tmp_path):
    catalog, tiny, judge, slots, attempts, pruner, made = studio
    stopped = catalog.all("stopped")
    assert 0 < len(stopped) < 9
    assert len(made) == 12 - len(stopped)
    assert not {a.dna for a in made} & set(stopped)
    assert all(body["value"] < pruner.threshold == body["threshold"] for body in stopped.values())
    choice = choose(catalog, tiny, judge, slots, 1)
    assert {e.dna for e in choice.editions} <= {a.dna for a in made}
    assert choice.editions
    numbers = kpis(batch_history(catalog, tiny, range(1, 5)), load_money(catalog.folder))
    assert numbers.fates["stopped"] == len(stopped)
    assert numbers.attempts == 12
    plain = Catalog(tmp_path)
    frozen_slots(plain, tiny, "tiny")
    whole = {a.dna: a.pixel_digest for a in generate(plain, Diffusers(base), attempts)}
    assert all(whole[a.dna] == a.pixel_digest for a in made)


@pytest.mark.slow
def test_stopped_ones_cost_and_are_not_made_again(base, studio):
    catalog, tiny, judge, slots, attempts, pruner, _ = studio
    spent = ledger_lines(catalog, "generate")
    assert {line.key for line in spent if line.unit == "cpu"} == {a.recipe.dna for a in attempts}
    generate_some(catalog, Diffusers(base), judge, tiny, slots, attempts, pruner)
    assert ledger_lines(catalog, "generate") == spent


@pytest.mark.slow
def test_a_lost_file_is_painted_again_without_asking(base, studio):
    catalog, tiny, judge, slots, attempts, pruner, made = studio
    stopped = catalog.all("stopped")
    catalog.blob_path(made[0].file_digest).unlink()
    assert (
        generate_some(
            catalog,
            Diffusers(base),
            judge,
            tiny,
            slots,
            attempts,
            pruner.model_copy(update={"threshold": 1e9}),
        )
        == made
    )
    assert catalog.has_blob(made[0].file_digest)
    assert catalog.all("stopped") == stopped


@pytest.mark.slow
def test_no_bound_before_there_are_verdicts(base, studio):
    catalog, tiny, judge, *_ = studio
    assert current_pruner(catalog, tiny, judge, base.digest, 1) is None


def test_an_adapter_that_is_replaced_ends_its_bound(tmp_path):
    "A collection that names no digest means the studio's latest, and a bound learnt of another isn't its."
    catalog = Catalog(tmp_path)
    named = TINY.model_copy(update={"adapters": (Adapter(name="riso"),)})
    digests = []
    for content in (b"one", b"two", b"one"):
        catalog.append("adapter", "riso", {"digest": hashlib.sha256(content).hexdigest()})
        digests.append(conditions_digest(catalog, named, "0" * 64))
    assert digests[0] == digests[2] != digests[1]
    fixed = Adapter(name="riso", digest=hashlib.sha256(b"one").hexdigest())
    pinned = TINY.model_copy(update={"adapters": (fixed,)})
    assert conditions_digest(catalog, pinned, "0" * 64) == digests[0]


def test_bounds_that_an_earlier_artmint_learnt_still_hold(tmp_path):
    "The digests as artmint 0.3 wrote them; a new field of collections belongs to those that count when they are used."
    catalog = Catalog(tmp_path)
    digests = {
        "demo": "c3b67f2b011e5ce69c8d6ce7b0af7b4a89c87458df9b340fba2f23792fa357e7",
        "tiny": "02dd2632a34d3cd0b35896e2258d037e53739a4b2895cf996ae8711d990cdd3d",
    }
    as_it_was = FORMER.generation.model_copy(update={"scheduler": "DDIM", "steps": 16, "trace": None})
    demo = FORMER.model_copy(update={"generation": as_it_was})
    for collection, name in ((demo, "demo"), (TINY, "tiny")):
        assert conditions_digest(catalog, collection, "0" * 64) == digests[name]
        spaced = collection.generation.model_copy(update={"schedule": "karras"})
        for change in ({"generation": spaced}, {"silent": ("motif",)}):
            changed = collection.model_copy(update=change)
            assert conditions_digest(catalog, changed, "0" * 64) != digests[name]


@pytest.mark.slow
def test_what_came_out_as_no_picture_is_stopped_and_the_others_are_kept(base, tmp_path):
    catalog, judge = Catalog(tmp_path), load_judge()
    recipes = asked(base, 3)
    recipes[1] = recipes[1].model_copy(update={"guidance": 1e38})
    attempts = [Attempt(slot=i + 1, attempt=1, recipe=recipe) for i, recipe in enumerate(recipes)]
    slots = frozen_slots(catalog, TINY, "tiny")
    made = generate_some(catalog, Diffusers(base), judge, TINY, slots, attempts, 2)
    assert [artifact.dna for artifact in made] == [recipes[0].dna, recipes[2].dna]
    assert list(catalog.all("stopped")) == [recipes[1].dna]
    with pytest.raises(NothingButBroken):
        generate_some(catalog, Diffusers(base), judge, TINY, slots, attempts[1:2], 2)
