"The gate: what is too dear, and what would help."

import sqlite3
from collections import Counter

import jsonschema
import pytest

from artmint.gate import (
    Remedy,
    TooCostly,
    Trial,
    gate,
    padding,
    record_refusal,
    remedies,
    tried_out,
    try_out,
    variants,
)
from artmint.judge.prune import Pruner
from artmint.make.base import load_base, load_judge
from artmint.metrics import batch_history, kpis
from artmint.seeds import frozen_slots, recipes
from artmint.studio.ledger import load_money
from tests.batches import a_try


def costly(small, revenue: float, most: float = 0.15):
    catalog, tiny = small
    money = load_money(catalog.folder).model_copy(update={"revenue_per_token": revenue, "cost_share": most})
    return kpis(batch_history(catalog, tiny, range(1, 5)), money), money


def test_the_gate_holds_at_the_limit_and_refuses_above(small):
    numbers, money = costly(small, 1.0)
    exact = money.model_copy(update={"revenue_per_token": numbers.cpfa / 0.15 * (1 + 1e-12)})
    assert "is within" in gate(numbers, exact)
    cure = Remedy(
        "steps 1", "generation.steps = 1 instead of 2", numbers.cpfa / 2, 0.5, "acceptance 4/8 → 2/8"
    )
    with pytest.raises(TooCostly, match="50% less.*quality: acceptance 4/8 → 2/8") as caught:
        gate(numbers, exact.model_copy(update={"revenue_per_token": numbers.cpfa / 0.15 * 0.999}), [cure])
    assert caught.value.limit < caught.value.cpfa == numbers.cpfa


def test_a_refusal_is_on_record_with_its_remedies_and_is_told(small):
    from artmint.service.events import event_schema, events_since

    catalog, tiny = small
    cure = Remedy("steps 1", "generation.steps = 1 instead of 2", 0.5, 0.5, "acceptance 4/8 → 2/8")
    record_refusal(catalog, tiny, range(1, 5), TooCostly(1.0, 0.75, 5.0, "EUR", [cure]))
    (event,) = [one for one in events_since(catalog, 0)[1] if one.type == "gate.refused"]
    assert (event.subject, event.data["last"], event.data["limit"]) == ("tiny/1-4", 4, 0.75)
    assert event.data["remedies"][0]["says"] == "generation.steps = 1 instead of 2"
    jsonschema.validate(event.model_dump(mode="json"), event_schema("gate.refused"))


def test_nothing_is_gated_without_a_revenue_or_rates_and_it_says_so(small, tmp_path):
    catalog, tiny = small
    bare = load_money(tmp_path)
    numbers = kpis(batch_history(catalog, tiny, range(1, 5)), bare)
    assert "revenue_per_token" in gate(numbers, bare)
    assert "rates" in gate(numbers, bare.model_copy(update={"revenue_per_token": 1.0}))
    priced, money = costly(small, 1000.0)
    assert "has no rate" in gate(
        kpis(
            batch_history(catalog, tiny, range(1, 5)),
            money.model_copy(update={"rates": (money.rates[0].model_copy(update={"ether": None}),)}),
        ),
        money,
    )


def test_remedies_follow_the_formula(small):
    numbers, _ = costly(small, 1.0)
    measured = [
        ("now", "nothing", 8.0, 4, 0.5),
        ("steps 1", "fewer", 4.0, 4, 0.4),
        ("scheduler", "other", 2.0, 0, 0.1),
        ("previews", "previews after 1 of 2 steps", 2.0, 0, 0.0),
    ]
    trials = [
        Trial(name=name, says=says, pictures=8, seconds=seconds, accepted=accepted, merit=merit)
        for name, says, seconds, accepted, merit in measured
    ]
    make = numbers.stages["generate"]["money"] / 4
    each = numbers.cpfa
    pruner = Pruner(
        step=1,
        judge="",
        rules="",
        scorers=("clip",),
        middle=(0.0,),
        spread=(1.0,),
        weights=(1.0,),
        threshold=0.0,
        keep=0.9,
        confidence=0.9,
        accepts=30,
        stopped=0.6,
    )
    rest = sum(numbers.stages[stage]["money"] for stage in ("curate", "review")) / 4
    found = {cure.name: cure for cure in remedies(numbers, trials, padded=0.25, pruner=pruner, steps=2)}
    assert found["steps 1"].cpfa == pytest.approx(each - make / 2)
    assert found["batch shape"].cpfa == pytest.approx(each - make / 4)
    assert "scheduler" not in found  # four times as many candidates: dearer than it is
    q = 0.25 + 0.4 * 0.5
    expected = each - make - rest + (q * make + rest) / 0.9
    assert ("seed pruning" in found) == (expected < each)
    assert expected >= each or found["seed pruning"].cpfa == pytest.approx(expected)
    assert [cure.cpfa for cure in found.values()] == sorted(cure.cpfa for cure in found.values())


def test_pruning_is_advised_by_its_parameter(small):
    "Previews that cost nothing and stop most candidates are worth it; the remedy names what to write into the batch file."
    numbers, _ = costly(small, 1.0)
    trials = [
        Trial(name="now", says="nothing", pictures=8, seconds=8.0, accepted=4, merit=0.5),
        Trial(
            name="previews",
            says="previews after 1 of 2 steps",
            pictures=8,
            seconds=0.08,
            accepted=0,
            merit=0.0,
        ),
    ]
    bound = {
        "judge": "",
        "rules": "",
        "scorers": ("clip",),
        "middle": (0.0,),
        "spread": (1.0,),
        "weights": (1.0,),
    }
    pruner = Pruner(step=1, threshold=0.0, keep=0.999, confidence=0.9, accepts=30, stopped=0.9, **bound)
    (cure,) = remedies(numbers, trials, pruner=pruner, steps=2)
    assert cure.name == "seed pruning"
    assert "look_after = 1 in [parameters.15_generate]" in cure.says
    assert "stop 90% of candidates" in cure.says
    assert "20_prune" not in cure.says


def test_padding_is_what_the_last_batches_lacked():
    assert padding([a_try(i, 1, "minted") for i in range(9)], 1, 8) == pytest.approx(1 - 9 / 16)
    assert padding(
        [a_try(i, 1, "minted") for i in range(8)] + [a_try(1, 2, "minted")], 1, 8
    ) == pytest.approx(1 - 9 / 16)
    assert padding([], 3, 8) == 0.0


@pytest.mark.slow
def test_changes_are_tried_out_on_real_pictures(small):
    catalog, tiny = small
    base = load_base()
    judge = load_judge()
    slots = frozen_slots(catalog, tiny, "tiny")
    attempts = recipes(tiny, slots, "tiny", range(1, 2), base.digest)
    before = Counter(
        kind
        for kind, _ in sqlite3.connect(catalog.folder / "catalog.sqlite").execute(
            "select kind, key from record"
        )
    )
    trials = try_out(catalog, base, judge, tiny, slots, attempts)
    names = [each.name for each in trials]
    assert names[0] == "now"
    assert "previews" in names
    assert set(variants(attempts[0].recipe)) <= set(names)
    assert all(each.seconds > 0 for each in trials)
    assert tried_out(catalog, tiny, base.digest) == trials
    assert tried_out(catalog, tiny, "0" * 64) == []
    after = Counter(
        kind
        for kind, _ in sqlite3.connect(catalog.folder / "catalog.sqlite").execute(
            "select kind, key from record"
        )
    )
    assert after - before == Counter(trial=1)
    steps = next(each for each in trials if each.name == "steps 1")
    assert steps.seconds < trials[0].seconds
