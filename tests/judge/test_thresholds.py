"Thresholds: what they cost, what they promise, and when they move."

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artmint.core.collection import read_collection
from artmint.judge.decisions import Action, ReviewSession, record_action
from artmint.judge.thresholds import (
    UselessScore,
    Prices,
    TooFewDecisions,
    area_under,
    curve,
    decided,
    held_out_keep,
    hindsight,
    proposal,
    tune,
    with_bound,
)
from tests.drawn import PLAIN, SLOTS, studio

TOML = (Path(__file__).parents[2] / "collections/demo/collection.toml").read_text()


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


def test_only_peoples_last_words_are_learned_from(tmp_path, judge):
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


@pytest.mark.parametrize("lead, fault", [(0.0, "no better than a coin"), (-1.5, "upside down")])
def test_a_score_that_tells_nothing_gets_no_bound(tmp_path, lead, fault):
    path = tmp_path / "collection.toml"
    path.write_text(TOML)
    rng = np.random.default_rng(3)
    good = rng.random(200) < 0.4
    tuned = tune("clip", rng.normal(good * lead, 1), good, draws=60)
    with pytest.raises(UselessScore) as refusal:
        proposal(path, tuned, apply=True)
    assert fault in str(refusal.value)
    assert path.read_text() == TOML


def test_what_is_kept_of_other_pictures_is_said_with_a_band_that_holds_it():
    rng = np.random.default_rng(0)
    pool_good = rng.random(40_000) < 0.3
    pool = rng.normal(pool_good * 1.5, 1)
    hits, flattered = [], []
    for _ in range(40):
        pick = rng.integers(len(pool), size=200)
        tuned = tune("s", pool[pick], pool_good[pick], keep=0.9, draws=1)
        truth = (pool[pool_good] >= tuned.threshold).mean()
        low, _, high = held_out_keep(pool[pick], pool_good[pick], keep=0.9, draws=60)
        hits.append(low <= truth <= high)
        flattered.append(truth < 0.9)
    assert np.mean(flattered) > 0.25  # the share asked for is met in the sample, and often not outside of it
    assert np.mean(hits) >= 0.9
