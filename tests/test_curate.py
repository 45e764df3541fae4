"Curation: verdicts with reasons, and a choice that comes out the same in whatever pieces it is made."

import random

import numpy as np
import pytest

from artmint.core.collection import People, Rule
from artmint.core.records import Edition
from artmint.curate import (
    IncompleteRound,
    candidates,
    choose,
    merit,
    nearest_to_editions,
    show_candidates,
    show_scores,
)
from artmint.judge.decisions import (
    Opinion,
    Verdict,
    current_verdict,
    record_opinions,
    record_verdict,
    slots_awaiting_review,
)
from artmint.judge.duplicates import DUPLICATE
from artmint.judge.heads import UnknownScorer, scorers_for
from artmint.studio.catalog import Catalog
from artmint.studio.editions import place_edition
from tests.drawn import DEMO, NO_COLOUR, PLAIN, RULES, SLOTS, art, enter, studio
from tests.judges import Remembering
from tests.suites import some


@pytest.fixture(scope="module")
def judge(judge):
    "The bundled judge, which embeds no picture of these studios twice."
    return Remembering(judge)


def test_a_rule_without_a_scorer_is_refused_before_anything_is_written(tmp_path, judge):
    catalog = studio(tmp_path, {1: "aaa"})
    strange = PLAIN.model_copy(update={"rules": (*RULES, Rule(scorer="beauty", min=1.0))})
    with pytest.raises(UnknownScorer) as refusal:
        choose(catalog, strange, judge, SLOTS[:1], 1)
    assert refusal.value.names == ["beauty"]
    assert {"clip", "palette", DUPLICATE} <= set(refusal.value.available)
    assert "beauty" in str(refusal.value)
    assert catalog.all("score") == catalog.all("decision") == catalog.all("edition") == {}


def test_half_a_round_is_refused(tmp_path, judge):
    catalog = studio(tmp_path, {1: "aaa", 2: "aa"})
    with pytest.raises(IncompleteRound) as refusal:
        choose(catalog, PLAIN, judge, SLOTS[:2], 1)
    assert refusal.value.missing == ["demo/2/3"]
    assert refusal.value.round == 1
    assert catalog.all("edition") == {}
    enter(catalog, SLOTS[1], 3, art(SLOTS[1], 3))
    assert choose(catalog, PLAIN, judge, SLOTS[:2], 1).open == ()


def test_planted_faults_are_rejected_for_their_own_reason(tmp_path, judge):
    rings = next(slot for slot in SLOTS[6:] if slot.traits["motif"] == "rings")
    catalog = studio(tmp_path, {slot.id: "oba" for slot in SLOTS[:6]} | {rings.id: "sss"})
    choice = choose(catalog, PLAIN, judge, [*SLOTS[:6], rings], 1)
    assert choice.open == (rings.id,)
    assert [edition.attempt for edition in choice.editions] == [3] * 6
    for candidate in candidates(catalog, PLAIN, SLOTS[:6], 1):
        verdict = current_verdict(catalog, PLAIN, candidate.dna)
        expected = {1: "palette-margin", 2: "contrast", 3: None}[candidate.attempt]
        assert verdict.decision == ("reject" if expected else "accept")
        assert expected is None or any(why.startswith(expected) for why in verdict.reasons)
    for candidate in candidates(catalog, PLAIN, [rings], 1):
        assert any(
            why.startswith("sharpness") for why in current_verdict(catalog, PLAIN, candidate.dna).reasons
        )


def test_the_best_by_the_first_rule_wins_and_of_equals_the_earlier(tmp_path, judge):
    catalog = studio(tmp_path, {1: "aaa"})
    edition = choose(catalog, PLAIN, judge, SLOTS[:1], 1).editions[0]
    scores = [
        current_verdict(catalog, PLAIN, c.dna).scores["sharpness"]
        for c in candidates(catalog, PLAIN, SLOTS[:1], 1)
    ]
    assert edition.attempt == 1 + int(np.argmax(scores))
    assert edition.scores["sharpness"] == max(scores)
    least = PLAIN.model_copy(update={"rules": (Rule(scorer="palette", max=99.0),)})
    other = choose(studio(tmp_path / "least", {1: "aaa"}), least, judge, SLOTS[:1], 1).editions[0]
    dnas = [c.dna for c in candidates(catalog, PLAIN, SLOTS[:1], 1)]
    verdicts = [current_verdict(Catalog(tmp_path / "least"), PLAIN, dna) for dna in dnas]
    assert other.scores["palette"] == min(verdict.scores["palette"] for verdict in verdicts)
    none = PLAIN.model_copy(update={"rules": ()})
    assert choose(studio(tmp_path / "none", {1: "bbb"}), none, judge, SLOTS[:1], 1).editions[0].attempt == 1
    assert merit((Rule(scorer="palette", max=1.0),), {"palette": 3.0}) == -3.0


def test_an_edition_carries_its_scores_and_their_digests(tmp_path, judge):
    catalog = studio(tmp_path, {1: "aaa"})
    edition = choose(catalog, PLAIN, judge, SLOTS[:1], 1).editions[0]
    assert Edition(**catalog.get("edition", "demo/1")) == edition
    assert set(edition.scores) == set(edition.scorers) == {rule.scorer for rule in RULES}
    assert all(round(value, 4) == value for value in edition.scores.values())
    assert {
        name: scorer.digest for name, scorer in scorers_for(PLAIN, judge).items()
    }.items() <= edition.scorers.items()
    artifact = catalog.get("artifact", edition.dna)
    assert (edition.pixel_digest, edition.file_digest, edition.traits) == (
        artifact["pixel_digest"],
        artifact["file_digest"],
        SLOTS[0].traits,
    )


def test_a_picture_is_not_chosen_twice_and_the_reason_names_its_twin(tmp_path, judge):
    catalog = Catalog(tmp_path)
    twin = art(SLOTS[0], 1)
    for attempt in (1, 2, 3):
        enter(catalog, SLOTS[0], attempt, twin)  # equal attempts at one slot don't count against each other
    for attempt in (1, 2):
        enter(catalog, SLOTS[1], attempt, twin)
    enter(catalog, SLOTS[1], 3, art(SLOTS[1], 3))
    choice = choose(catalog, NO_COLOUR, judge, SLOTS[:2], 1)
    assert [edition.attempt for edition in choice.editions] == [1, 3]
    assert choice.editions[0].scores[DUPLICATE] == 0
    verdict = current_verdict(catalog, PLAIN, candidates(catalog, NO_COLOUR, SLOTS[1:2], 1)[0].dna)
    assert verdict.decision == "reject"
    assert verdict.reasons == ("duplicate 1 is above 0.9999 by 0.0001 (edition 1)",)


def test_earlier_drops_count_and_later_ones_do_not(tmp_path, judge):
    for name, order in (("up", [SLOTS[:2], SLOTS[2:4]]), ("down", [SLOTS[2:4], SLOTS[:2]])):
        catalog = Catalog(tmp_path / name)
        twin = art(SLOTS[0], 1)
        for slot in (SLOTS[0], SLOTS[2]):
            for attempt in (1, 2, 3):
                enter(catalog, slot, attempt, twin)
        for slot in (SLOTS[1], SLOTS[3]):
            for attempt in (1, 2, 3):
                enter(catalog, slot, attempt, art(slot, attempt))
        still_open = [choose(catalog, NO_COLOUR, judge, drop, 1).open for drop in order]
        assert still_open == ([(), (3,)] if name == "up" else [(), ()])


class Killed(BaseException):
    "The process died."


def killed_after(catalog: Catalog, editions: int, monkeypatch) -> None:
    "Let a catalog die when it is asked to write one edition too many."
    written = []
    put = catalog.put

    def dying(kind: str, *rest, **more):
        if kind == "edition":
            if len(written) == editions:
                raise Killed
            written.append(rest)
        return put(kind, *rest, **more)

    monkeypatch.setattr(catalog, "put", dying)


PLAN = {1: "oaa" + "aaa", 2: "ooo" + "baa", 3: "aaa", 4: "bob" + "oao", 5: "aoa", 6: "sss" + "sso"}


EXPECTED_OPEN = (6,)


def editions_of(catalog: Catalog) -> dict:
    return dict(sorted(catalog.all("edition").items()))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, judge):
    "Editions of one quiet run over two rounds, and the decisions."
    catalog = studio(tmp_path_factory.mktemp("quiet"), PLAN)
    assert choose(catalog, PLAIN, judge, SLOTS[:6], 2).open == EXPECTED_OPEN
    return editions_of(catalog), dict(sorted(catalog.all("decision").items()))


@pytest.mark.slow
def test_two_rounds_fill_what_can_be_filled(undisturbed):
    editions, _ = undisturbed
    rounds = {key: 1 + (body["attempt"] - 1) // 3 for key, body in editions.items()}
    assert rounds == {"demo/1": 1, "demo/2": 2, "demo/3": 1, "demo/4": 2, "demo/5": 1}


@pytest.mark.slow
@pytest.mark.parametrize("seed", some(range(3), [0]))
def test_order_and_pieces_change_nothing(tmp_path, judge, undisturbed, seed):
    catalog = studio(tmp_path, PLAN)
    mixed = random.Random(seed).sample(SLOTS[:6], 6)
    if seed:
        choose(catalog, PLAIN, judge, mixed, 1)
    if seed == 2:
        choose(catalog, PLAIN, judge, mixed, 1)
    assert choose(catalog, PLAIN, judge, mixed[::-1], 2).open == EXPECTED_OPEN
    assert (editions_of(catalog), dict(sorted(catalog.all("decision").items()))) == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("written", some(range(5), [3]))
def test_killed_anywhere_and_run_again(tmp_path, judge, undisturbed, written, monkeypatch):
    catalog = studio(tmp_path, PLAN)
    killed_after(catalog, written, monkeypatch)
    with pytest.raises(Killed):
        choose(catalog, PLAIN, judge, SLOTS[:6], 2)
    again = Catalog(tmp_path)
    assert choose(again, PLAIN, judge, SLOTS[:6], 2).open == EXPECTED_OPEN
    assert (editions_of(again), dict(sorted(again.all("decision").items()))) == undisturbed


def test_running_again_adds_nothing(tmp_path, judge, monkeypatch):
    catalog = studio(tmp_path, PLAN)
    first = choose(catalog, PLAIN, judge, SLOTS[:6], 2)
    appended = []
    append = catalog.append
    monkeypatch.setattr(
        catalog, "append", lambda *row, **more: appended.append(row[0]) or append(*row, **more)
    )
    assert choose(catalog, PLAIN, judge, SLOTS[:6], 2) == first
    assert appended == []


def test_review_waits_for_people(tmp_path, judge):
    asks = PLAIN.model_copy(update={"rules": (Rule(scorer="palette-margin", min=0.0, severity="review"),)})
    catalog = studio(tmp_path, {1: "ooo"})
    assert choose(catalog, asks, judge, SLOTS[:1], 1).open == (1,)
    assert {
        current_verdict(catalog, PLAIN, c.dna).decision for c in candidates(catalog, asks, SLOTS[:1], 1)
    } == {"review"}


def test_a_relaxed_rule_is_judged_anew(tmp_path, judge):
    catalog = studio(tmp_path, {1: "ooo"})
    assert choose(catalog, PLAIN, judge, SLOTS[:1], 1).open == (1,)
    relaxed = PLAIN.model_copy(update={"rules": RULES[:1]})
    assert choose(catalog, relaxed, judge, SLOTS[:1], 1).open == ()


@pytest.mark.slow
def test_the_contact_sheet_and_histograms_show_every_candidate(tmp_path, judge):
    catalog = studio(tmp_path, {1: "oba"})
    choose(catalog, PLAIN, judge, SLOTS[:1], 1)
    found = candidates(catalog, PLAIN, SLOTS[:1], 1)
    shown = nearest_to_editions(catalog, PLAIN, found)
    assert [(candidate.attempt, word) for candidate, word, _ in shown] == [
        (3, "chosen"),
        (1, "reject"),
        (2, "reject"),
    ]
    three, one = (show_candidates(catalog, PLAIN, found, columns=2, most=most).image for most in (48, 1))
    assert three.width == 330 and three.height > one.height
    assert [
        axis.get_title()
        for axis in show_scores([current_verdict(catalog, PLAIN, c.dna) for c in found], RULES).axes
        if axis.get_title()
    ] == [rule.scorer for rule in RULES]


def test_a_sheet_of_many_shows_open_slots_and_nearest_misses_first(tmp_path):
    "Its cost is that of the pictures on it, however many candidates there are."
    catalog = studio(tmp_path, {slot: "ooa" for slot in range(1, 7)})
    found = [candidate for slot in SLOTS[:6] for candidate in candidates(catalog, PLAIN, [slot], 1)]
    for candidate in found:
        near = candidate.attempt == 2
        reasons = ("sharpness 0.04 is below 0.05 by 0.01", "contrast 2 is below 3 by 1")[: 1 if near else 2]
        verdict = Verdict(candidate.dna, "reject", reasons, {"sharpness": 0.04})
        record_verdict(catalog, verdict)
    for candidate in found[:9:3]:
        facts = candidate.artifact.model_dump(include={"dna", "pixel_digest", "file_digest"})
        edition = Edition(slot=candidate.slot.id, attempt=1, traits={}, scores={}, scorers={}, **facts)
        place_edition(catalog, DEMO.name, edition)
    shown = nearest_to_editions(catalog, PLAIN, found, 6)
    assert [one.slot.id for one, _, _ in shown] == [1, 2, 3, 4, 5, 6]
    assert [word for _, word, _ in shown] == ["chosen"] * 3 + ["reject"] * 3
    assert [one.attempt for one, _, _ in shown] == [1, 1, 1, 2, 2, 2]
    assert [one.slot.id for one, _, _ in nearest_to_editions(catalog, PLAIN, found, 3)] == [4, 5, 6]


# ---- people decide last


def say(
    catalog: Catalog, candidate, decision: str, by: str = "Ada", minute: int = 0, stars: int | None = None
):
    "A person's word on a candidate."
    at = f"2026-01-01T00:{minute:02}:00.000000+00:00"
    record_opinions(catalog, [(candidate.dna, Opinion(by=by, decision=decision, at=at, stars=stars))])


def of_slot(catalog: Catalog, slot: int) -> dict:
    "Candidates of a slot's first round, by attempt."
    return {c.attempt: c for c in candidates(catalog, PLAIN, SLOTS[slot - 1 : slot], 1)}


def test_an_edition_that_a_person_rejects_falls_and_the_next_best_takes_its_slot(tmp_path, judge):
    catalog = studio(tmp_path, {1: "aaa", 2: "aaa"})
    first = choose(catalog, PLAIN, judge, SLOTS[:2], 1).editions
    own = of_slot(catalog, 1)
    say(catalog, own[first[0].attempt], "reject")
    after = choose(catalog, PLAIN, judge, SLOTS[:2], 1)
    assert after.editions[0].attempt != first[0].attempt
    assert after.editions[1] == first[1]
    for minute, attempt in enumerate(own, 1):
        say(catalog, own[attempt], "reject", minute=minute)
    assert choose(catalog, PLAIN, judge, SLOTS[:2], 1).open == (1,)
    felled = [body["felled"] for body in catalog.history("edition", "demo/1") if "felled" in body]
    assert felled == ["Ada rejected it"] * len(felled) and felled


def test_a_pick_replaces_what_the_rules_chose(tmp_path, judge):
    catalog = studio(tmp_path, {1: "aoa"})
    first = choose(catalog, PLAIN, judge, SLOTS[:1], 1).editions[0]
    own = of_slot(catalog, 1)
    assert first.attempt != 2
    say(catalog, own[2], "accept")  # which the rules reject
    assert choose(catalog, PLAIN, judge, SLOTS[:1], 1).editions[0].attempt == 2
    say(catalog, own[2], "withdrawn", minute=1)
    assert choose(catalog, PLAIN, judge, SLOTS[:1], 1).editions[0] == first


@pytest.mark.many(1)
@pytest.mark.parametrize(
    "words, chosen",
    [
        ({1: (1, 5), 2: (2, 1)}, 1),  # attempt: (minute, stars)
        ({1: (1, 3), 2: (2, 3)}, 2),  # equal stars: the latest word
        ({1: (2, None), 3: (1, 1)}, 3),  # a star is more than none
        ({1: (1, None), 2: (3, None), 3: (2, None)}, 2),
    ],
)
def test_of_several_picks_the_most_stars_win_and_then_the_latest_word(tmp_path, judge, words, chosen):
    catalog = studio(tmp_path, {1: "aaa"})
    choose(catalog, PLAIN, judge, SLOTS[:1], 1)
    own = of_slot(catalog, 1)
    for attempt, (minute, stars) in words.items():
        say(catalog, own[attempt], "accept", minute=minute, stars=stars)
    assert choose(catalog, PLAIN, judge, SLOTS[:1], 1).editions[0].attempt == chosen
    assert choose(catalog, PLAIN, judge, SLOTS[:1], 1).editions[0].attempt == chosen


@pytest.mark.slow
def test_a_rule_that_is_tightened_fells_what_it_would_reject_and_one_that_is_loosened_nothing(
    tmp_path, judge
):
    catalog = studio(tmp_path, {1: "aaa", 2: "aaa"})
    first = choose(catalog, PLAIN, judge, SLOTS[:2], 1).editions
    loose = PLAIN.model_copy(update={"rules": (Rule(scorer="sharpness", min=0.0),)})
    assert choose(catalog, loose, judge, SLOTS[:2], 1).editions == first
    between = sorted(edition.scores["sharpness"] for edition in first)
    tight = PLAIN.model_copy(update={"rules": (Rule(scorer="sharpness", min=sum(between) / 2),)})
    choice = choose(catalog, tight, judge, SLOTS[:2], 1)
    kept = next(edition for edition in first if edition.scores["sharpness"] == between[1])
    assert kept in choice.editions
    assert all(edition.scores["sharpness"] >= sum(between) / 2 for edition in choice.editions)


def test_a_packed_edition_stays_whatever_people_say(tmp_path, judge):
    catalog = studio(tmp_path, {1: "aaa"})
    first = choose(catalog, PLAIN, judge, SLOTS[:1], 1).editions
    catalog.append("drop", "demo/1", {"first": 1, "quantity": 1})
    for attempt in of_slot(catalog, 1).values():
        say(catalog, attempt, "reject")
    assert choose(catalog, PLAIN, judge, SLOTS[:1], 1).editions == first


@pytest.mark.slow
def test_changed_decisions_settle_and_running_again_adds_nothing(tmp_path, judge):
    catalog = studio(tmp_path, PLAN)
    choose(catalog, PLAIN, judge, SLOTS[:6], 2)
    for slot in (1, 3):
        edition = catalog.get("edition", f"demo/{slot}")
        say(catalog, of_slot(catalog, slot)[edition["attempt"]], "reject")
    settled = choose(catalog, PLAIN, judge, SLOTS[:6], 2)
    rows = len(catalog.bodies())
    assert choose(catalog, PLAIN, judge, SLOTS[:6], 2) == settled
    assert len(catalog.bodies()) == rows


@pytest.mark.slow
def test_what_a_pick_replaced_counts_against_nobody_any_more(tmp_path, judge):
    catalog = Catalog(tmp_path)
    twin = art(SLOTS[0], 1)
    enter(catalog, SLOTS[0], 1, twin)
    for attempt in (2, 3):
        enter(catalog, SLOTS[0], attempt, art(SLOTS[0], attempt))
    choose(catalog, NO_COLOUR, judge, SLOTS[:1], 1)
    first = candidates(catalog, NO_COLOUR, SLOTS[:1], 1)
    catalog.append("edition", "demo/1", catalog.get("edition", "demo/1"))
    for attempt in (1, 2, 3):
        enter(catalog, SLOTS[1], attempt, twin)
    say(catalog, first[0], "accept")
    assert choose(catalog, NO_COLOUR, judge, SLOTS[:2], 1).open == (2,)
    say(catalog, first[0], "withdrawn", minute=1)
    say(catalog, first[1], "accept", minute=2)
    once = choose(catalog, NO_COLOUR, judge, SLOTS[:2], 1)
    assert once.open == () and choose(catalog, NO_COLOUR, judge, SLOTS[:2], 1) == once


def test_a_rule_about_likeness_that_is_added_is_asked_of_editions_too(tmp_path, judge):
    catalog = Catalog(tmp_path)
    twin = art(SLOTS[0], 1)
    plain = PLAIN.model_copy(update={"rules": (Rule(scorer="sharpness", min=0.01),)})
    for slot in SLOTS[:2]:
        for attempt in (1, 2, 3):
            enter(catalog, slot, attempt, twin)
    assert choose(catalog, plain, judge, SLOTS[:2], 1).open == ()
    assert choose(catalog, NO_COLOUR, judge, SLOTS[:2], 1).open == (2,)


# ---- where people differ, the collection says whose word counts


def led(word: str, lead: str | None = None):
    "The plain collection, with this word as the last."
    return PLAIN.model_copy(update={"people": People(last_word=word, lead=lead)})


WORDS = [
    ("latest", None, {"Ada": "accept", "Ben": "reject"}, "rules"),
    ("majority", None, {"Ada": "accept", "Ben": "reject"}, None),
    ("majority", None, {"Ada": "accept", "Ben": "reject", "Cem": "accept"}, 2),
    ("majority", None, {"Ada": "accept", "Ben": "reject", "Cem": "reject"}, "rules"),
    ("lead", "Cem", {"Ada": "accept"}, None),
    ("lead", "cem", {"Cem": "accept", "Ada": "reject", "Ben": "reject"}, 2),
    ("lead", "Cem", {"Cem": "reject", "Ada": "accept", "Ben": "accept"}, "rules"),
    ("both", None, {"Ada": "accept"}, None),
    ("both", None, {"Ada": "accept", "ADA": "accept"}, None),
    ("both", None, {"Ada": "accept", "Ben": "accept"}, 2),
    ("both", None, {"Ada": "accept", "Ben": "accept", "Cem": "reject"}, None),
    ("both", None, {}, "rules"),
]


@pytest.mark.many(3)
@pytest.mark.parametrize("word, lead, words, chosen", some(WORDS, [WORDS[at] for at in (0, 1, 2, 5, 8, 9)]))
def test_a_slot_is_filled_by_whose_word_counts_or_waits(tmp_path, judge, word, lead, words, chosen):
    "Words on the second attempt, which the rules refuse."
    catalog = studio(tmp_path, {1: "aoa"})
    collection = led(word, lead)
    first = choose(catalog, collection, judge, SLOTS[:1], 1).editions[0]
    for minute, (by, decision) in enumerate(words.items()):
        say(catalog, of_slot(catalog, 1)[2], decision, by, minute)
    for _ in range(2):
        choice = choose(catalog, collection, judge, SLOTS[:1], 1)
        attempts = [edition.attempt for edition in choice.editions]
        assert attempts == ([] if chosen is None else [first.attempt if chosen == "rules" else chosen])
    waiting = slots_awaiting_review(catalog, collection, range(1, 2))
    assert waiting == ({1: 1} if chosen is None else {})


@pytest.mark.many(1)
@pytest.mark.parametrize("word", ["both", "lead"])
def test_one_voice_against_an_edition_opens_the_slot_and_puts_nobody_elses_choice_in(tmp_path, judge, word):
    catalog = studio(tmp_path, {1: "aaa", 2: "aaa"})
    collection = led(word, "Cem" if word == "lead" else None)
    first = choose(catalog, collection, judge, SLOTS[:2], 1).editions
    own = of_slot(catalog, 1)
    say(catalog, own[first[0].attempt], "reject")
    assert choose(catalog, collection, judge, SLOTS[:2], 1).open == (1,)
    rows = len(catalog.bodies())
    assert choose(catalog, collection, judge, SLOTS[:2], 1).open == (1,)
    assert len(catalog.bodies()) == rows
    say(catalog, own[first[0].attempt], "reject", "Cem", 1)
    after = choose(catalog, collection, judge, SLOTS[:2], 1)
    assert after.open == () and after.editions[0].attempt != first[0].attempt


def test_a_word_on_a_picture_that_nobody_would_choose_holds_nothing_up(tmp_path, judge):
    catalog = studio(tmp_path, {1: "aoa"})
    first = choose(catalog, led("both"), judge, SLOTS[:1], 1).editions
    say(catalog, of_slot(catalog, 1)[2], "reject")
    assert choose(catalog, led("both"), judge, SLOTS[:1], 1).editions == first


def test_what_is_settled_goes_before_what_isnt(tmp_path, judge):
    catalog = studio(tmp_path, {1: "aaa"})
    choose(catalog, led("both"), judge, SLOTS[:1], 1)
    own = of_slot(catalog, 1)
    say(catalog, own[1], "accept", stars=5)
    for by in ("Ada", "Ben"):
        say(catalog, own[3], "accept", by, 1, stars=1)
    assert choose(catalog, led("both"), judge, SLOTS[:1], 1).editions[0].attempt == 3


@pytest.mark.slow
def test_stars_are_those_of_people_whose_word_counts(tmp_path, judge):
    catalog = studio(tmp_path, {1: "aaa"})
    collection = led("lead", "Cem")
    choose(catalog, collection, judge, SLOTS[:1], 1)
    own = of_slot(catalog, 1)
    say(catalog, own[1], "accept", "Cem", 0, stars=2)
    say(catalog, own[2], "accept", "Cem", 1, stars=3)
    say(catalog, own[1], "accept", "Ada", 2, stars=5)
    assert choose(catalog, collection, judge, SLOTS[:1], 1).editions[0].attempt == 2
    assert choose(catalog, led("latest"), judge, SLOTS[:1], 1).editions[0].attempt == 1
