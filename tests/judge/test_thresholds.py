"Thresholds: what they cost, what several do together, and what they keep of pictures that they weren't chosen by."

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artmint.judge.decisions import Action, ReviewSession, record_action
from artmint.judge.thresholds import (
    Prices,
    RuleScores,
    TooFewDecisions,
    area_under,
    curve,
    decided,
    effect_of,
    joint_bounds,
    score_worth,
    short_bound,
    show_tuning,
    tune,
)
from tests.drawn import PLAIN, SLOTS, studio


def test_rates_and_costs_by_hand():
    scores = np.array([4.0, 3.0, 2.0, 1.0])
    good = np.array([True, False, True, False])
    line = curve(scores, good, Prices(make=1.0, look=2.0), True)
    assert line.thresholds.tolist() == [4, 3, 2, 1]
    assert line.recall.tolist() == [0.5, 0.5, 1, 1]
    assert line.false_rate.tolist() == [0, 0.5, 0.5, 1]
    assert line.precision.tolist() == [1, 0.5, pytest.approx(2 / 3), 0.5]
    assert line.cost.tolist() == [6, 8, 5, 6]
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
    for recall, cost in zip(found.curve.recall, found.curve.cost):
        assert recall < 0.8 or cost >= found.curve.cost[found.chosen]


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


def test_the_plots_name_the_bound_and_speak_of_picks():
    rng = np.random.default_rng(0)
    good = rng.random(200) < 0.4
    found = tune("clip", rng.normal(good, 0.5), good, draws=20)
    figure = show_tuning(found, "EUR")
    words = " ".join(text.get_text() for axis in figure.axes for text in axis.get_legend().get_texts())
    assert f"clip min = {found.threshold:g}" in words
    assert "of a pick and a reject" in figure.axes[0].get_title()


@pytest.mark.parametrize(("picks", "rejects"), [(5, 25), (0, 0), (30, 9), (9, 9)])
def test_too_few_decisions_move_nothing_and_say_how_many_more(picks, rejects):
    answers = np.arange(picks + rejects) < picks
    with pytest.raises(TooFewDecisions) as refusal:
        tune("s", np.arange(float(picks + rejects)), answers)
    assert (refusal.value.accepts, refusal.value.rejects, refusal.value.exit_code) == (picks, rejects, 4)
    assert ("about" in str(refusal.value)) is (0 not in (picks, rejects))


@given(
    kept=st.floats(-1e3, 1e3),
    gap=st.floats(1e-6, 10),
    highest=st.booleans(),
)
def test_a_bound_is_short_and_parts_what_is_kept_from_what_is_not(kept, gap, highest):
    refused = kept - gap if highest else kept + gap
    bound = short_bound(kept, refused, highest)
    assert (refused < bound <= kept) if highest else (kept <= bound < refused)


def test_only_peoples_last_words_are_learned_from(tmp_path, judge):
    catalog = studio(tmp_path, {1: "aob", 2: "aaa"})
    catalog.put_all("slot", {f"demo/{slot.id}": slot.model_dump(mode="json") for slot in SLOTS[:2]})
    look = ReviewSession(catalog, PLAIN, "ada")
    dnas = tuple(look.candidates())
    record_action(look, Action(id="1", dnas=dnas[:3], decision="accept"))
    record_action(look, Action(id="2", dnas=dnas[1:2], decision="reject"))
    record_action(look, Action(id="3", dnas=dnas[2:3], decision="withdrawn"))
    pairs = [(one.slot.id, one.attempt, yes) for one, yes in decided(catalog, PLAIN)]
    assert pairs == [(1, 1, True), (1, 2, False)]


# -- several rules


def world(seed: int, n: int, leads=(1.5, 1.0, 0.0), share: float = 0.35):
    "Decisions, and scores of which some know something of them; the second is better low."
    rng = np.random.default_rng(seed)
    good = rng.random(n) < share
    rules = []
    for number, lead in enumerate(leads):
        turned = -1 if number == 1 else 1
        scores = (turned * rng.normal(good * lead, 1)).round(3)
        rules.append(RuleScores(f"s{number}", "max" if number == 1 else "min", scores))
    return rules, good


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), keep=st.sampled_from([0.6, 0.8, 0.9, 0.95, 1.0]))
def test_joint_bounds_keep_what_was_asked_for_and_cost_no_more_than_none(seed, keep):
    rules, good = world(seed, 120)
    joint = joint_bounds(rules, good, keep=keep, draws=10)
    effect = effect_of(rules, joint.bounds, good)
    counts = effect.counts
    assert counts["picks"] - counts["lost"] >= np.ceil(keep * counts["picks"] - 1e-6)
    assert joint.level >= keep
    prices = Prices()
    passing = len(good) - counts["lost"] - counts["spared"]
    with_bounds = (len(good) * prices.make + passing * prices.look) / (counts["picks"] - counts["lost"])
    without = (len(good) * prices.make + len(good) * prices.look) / counts["picks"]
    assert with_bounds <= without + 1e-9
    assert joint_bounds(rules, good, keep=keep, draws=10) == joint


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_what_a_rule_refuses_alone_is_refused_by_no_other(seed):
    rules, good = world(seed, 80)
    effect = effect_of(rules, (0.2, 0.3, None), good)
    assert not effect.refused[2].any()
    alone = effect.alone(0) | effect.alone(1)
    assert not (alone & (effect.refused.sum(0) != 1)).any()
    assert (effect.lost | effect.spared == effect.refused.any(0)).all()
    assert not (effect.lost & effect.spared).any()


def test_a_picture_without_a_score_is_refused_by_nobody():
    rules = [RuleScores("s", "min", np.array([np.nan, 1.0, 3.0])), RuleScores("t", "max", np.full(3, np.nan))]
    effect = effect_of(rules, (2.0, 0.0), np.array([True, False, True]))
    assert effect.refused.tolist() == [[False, True, False], [False, False, False]]


@pytest.mark.slow
def test_of_other_pictures_as_much_is_kept_as_the_band_says():
    "Twenty studios with two hundred decisions each, and what their bounds do to ten thousand further pictures."
    pool_rules, pool_good = world(1, 10_000)
    held, kept = [], []
    for number in range(20):
        pick = np.random.default_rng(number).integers(len(pool_good), size=200)
        joint = joint_bounds([rule.part(pick) for rule in pool_rules], pool_good[pick], keep=0.9, draws=40)
        refused = effect_of(pool_rules, joint.bounds, pool_good).lost.sum()
        truth = 1 - refused / pool_good.sum()
        low, _, high = joint.unseen
        held.append(low <= truth <= high)
        kept.append(truth)
    assert np.mean(held) >= 0.85
    assert (
        np.mean(kept) >= 0.88
    )  # the share that was asked for is meant of pictures not seen, not of the sample


@pytest.mark.parametrize(
    ("lead", "fault"), [(1.5, ""), (0.0, "no better than a coin"), (-1.5, "upside down")]
)
def test_a_score_that_tells_nothing_is_named(lead, fault):
    rng = np.random.default_rng(3)
    good = rng.random(200) < 0.4
    worth = score_worth(RuleScores("clip", "min", rng.normal(good * lead, 1)), good)
    assert (worth.fault == "") if not fault else fault in worth.fault


def test_a_gate_that_only_catches_the_worst_is_no_useless_score():
    "Most pictures are alike in contrast; blank ones aren't, and nobody picks them."
    rng = np.random.default_rng(0)
    good = np.arange(300) < 120
    contrast = rng.normal(20, 3, 300)
    contrast[-40:] = 0.0
    assert score_worth(RuleScores("contrast", "min", contrast), good).fault == ""
