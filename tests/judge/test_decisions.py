"Verdicts by rules and by people: said once, undone, looked at twice."

import inspect
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from artmint.core.collection import People, Rule
from artmint.core.records import Edition
from artmint.curate import candidates, choose
from artmint.judge.decisions import (
    Action,
    ActionReused,
    AlreadyPacked,
    NotAPerson,
    Opinion,
    ReviewSession,
    Verdict,
    Via,
    agreement,
    audit_cards,
    asked_of_people,
    audit_sample,
    current_verdict,
    decide,
    disputes,
    effective_decision,
    is_disputed,
    kappa,
    last_words,
    record_action,
    record_answered,
    record_asked,
    record_verdict,
    peoples_words,
    second_look,
    slots_awaiting_review,
    unaccepted_editions,
    undo_action,
)
from artmint.seeds import frozen_slots
from artmint.studio.catalog import Catalog
from artmint.studio.editions import place_edition
from tests.drawn import DEMO, PLAIN, SLOTS, art, enter, studio, table


def test_a_verdict_says_which_rule_failed_and_by_how_much():
    rules = (
        Rule(scorer="palette", max=18.0),
        Rule(scorer="contrast", min=3.0),
        Rule(scorer="clip", min=0.2, severity="review"),
    )
    assert decide("d", {"palette": 31.2, "contrast": 9.0, "clip": 0.5}, rules) == Verdict(
        "d", "reject", ("palette 31.2 is above 18 by 13.2",), {"palette": 31.2, "contrast": 9.0, "clip": 0.5}
    )
    assert decide("d", {"palette": 3.0, "contrast": 3.0, "clip": 0.15}, rules).reasons == (
        "clip 0.15 is below 0.2 by 0.05",
    )
    assert decide("d", {"palette": 3.0, "contrast": 3.0, "clip": 0.15}, rules).decision == "review"
    assert decide("d", {"palette": 30.0, "contrast": 1.0, "clip": 0.15}, rules).decision == "reject"
    assert len(decide("d", {"palette": 30.0, "contrast": 1.0, "clip": 0.15}, rules).reasons) == 3
    assert decide("d", {"palette": 18.0, "contrast": 3.0, "clip": 0.2}, rules) == Verdict(
        "d", "accept", (), {"palette": 18.0, "contrast": 3.0, "clip": 0.2}
    )


def test_a_person_counts_before_the_machine(tmp_path, judge):
    catalog = studio(tmp_path, {1: "ooo", 2: "aaa"})
    assert choose(catalog, PLAIN, judge, SLOTS[:2], 1).open == (1,)
    second = candidates(catalog, PLAIN, SLOTS[:1], 1)[1]
    record_verdict(catalog, Verdict(second.dna, "accept", ("the colours are the point",), {}, "ada"))
    choice = choose(catalog, PLAIN, judge, SLOTS[:2], 1)
    assert choice.open == ()
    assert choice.editions[0].attempt == 2
    assert current_verdict(catalog, PLAIN, second.dna).by == "ada"
    record_verdict(catalog, Verdict(second.dna, "reject", (), {}, "ada"))
    assert current_verdict(catalog, PLAIN, second.dna).decision == "reject"
    assert [row["decision"] for row in catalog.history("decision", second.dna) if row["by"] == "ada"] == [
        "accept",
        "reject",
    ]


def test_nobody_has_decided_yet(tmp_path):
    assert current_verdict(Catalog(tmp_path), DEMO, "ab" * 32) is None


def test_an_action_sent_twice_is_done_once(tmp_path):
    look = ReviewSession(table(tmp_path), DEMO, "ada")
    dnas = tuple(look.candidates())[:5]
    for _ in range(3):
        record_action(look, Action(id="one", dnas=dnas, decision="accept"))
    assert [
        len([row for row in look.catalog.history("decision", dna) if row["by"] == "ada"]) for dna in dnas
    ] == [1] * 5
    for _ in range(2):
        undo_action(look, "two", "one", dnas)
    assert [
        [row["decision"] for row in look.catalog.history("decision", dna) if row["by"] == "ada"]
        for dna in dnas
    ] == [["accept", "withdrawn"]] * 5
    assert {current_verdict(look.catalog, DEMO, dna).by for dna in dnas} == {"machine"}


def at_once(place, acts) -> None:
    "Acts of one person from doors of their own: each has a catalog of its own, and they begin together."
    gate = threading.Barrier(len(acts))

    def done(act) -> None:
        look = ReviewSession(Catalog(place), DEMO, "ada")
        gate.wait()
        act(look)

    with ThreadPoolExecutor(len(acts)) as doors:
        for one in [doors.submit(done, act) for act in acts]:
            one.result()


def test_what_one_person_does_at_once_in_two_places_is_all_kept(tmp_path):
    "A star and a note from two tabs, and one action from eight sides."
    catalog = table(tmp_path)
    dna = next(iter(ReviewSession(catalog, DEMO, "ada").candidates()))

    def act(**facts):
        return lambda look: record_action(look, Action(dnas=(dna,), **facts))

    for turn in range(4):
        at_once(
            catalog.folder,
            [act(id=f"{turn} stars", stars=turn + 1), act(id=f"{turn} note", note=f"note {turn}")],
        )
        said = [row for row in catalog.history("decision", dna) if row["by"] == "ada"][-1]
        assert (said["stars"], said["note"]) == (turn + 1, f"note {turn}")
    at_once(catalog.folder, [act(id="same", decision="reject")] * 8)
    rows = [row for row in catalog.history("decision", dna) if row.get("action") == "same"]
    assert len(rows) == 1
    at_once(catalog.folder, [lambda look: undo_action(look, "back", "same", (dna,))] * 8)
    assert len([row for row in catalog.history("decision", dna) if row.get("undoes")]) == 1


def test_undo_restores_what_was_said_before_and_spares_what_was_said_since(tmp_path):
    look = ReviewSession(table(tmp_path), DEMO, "ada")
    a, b, c = tuple(look.candidates())[:3]
    record_action(look, Action(id="1", dnas=(a,), decision="reject", stars=2, note="too busy"))
    record_action(look, Action(id="2", dnas=(a, b, c), decision="accept"))
    record_action(look, Action(id="3", dnas=(c,), decision="reject"))
    undo_action(look, "4", "2", (a, b, c))
    mine = [look.card(look.candidates()[dna])["mine"] for dna in (a, b, c)]
    assert [mine[0][key] for key in ("decision", "stars", "note")] == ["reject", 2, "too busy"]
    assert mine[1] is None and mine[2]["decision"] == "reject"
    assert [row["decision"] for row in look.catalog.history("decision", a) if row["by"] == "ada"] == [
        "reject",
        "accept",
        "reject",
    ]  # nothing was erased


def test_a_blind_look_sees_nothing_and_decides_nothing(tmp_path):
    catalog = table(tmp_path)
    ada = ReviewSession(catalog, DEMO, "ada")
    ben = ReviewSession(catalog, DEMO, "ben", blind=True)
    dnas = tuple(ada.candidates())
    record_action(ada, Action(id="1", dnas=dnas[:20], decision="accept"))
    record_action(ada, Action(id="2", dnas=dnas[20:], decision="reject"))
    sample = second_look(ben, 0.5)
    assert len(sample) == 16 == len(set(sample))
    assert sample == second_look(ben, 0.5) != sorted(sample, key=dnas.index)
    card = ben.card(ben.candidates()[sample[0]])
    assert card["machine"] is None
    assert card["people"] == []
    assert card["scores"] == {}
    assert card["counts"] is None
    assert card["mine"] is None
    for i, dna in enumerate(sample):
        record_action(ben, Action(id=f"b{i}", dnas=(dna,), decision="reject"))
    assert all(current_verdict(catalog, DEMO, dna).by == "ada" for dna in sample)
    found = agreement(catalog)
    assert found.pictures == 16
    assert found.kappa == pytest.approx(0)
    assert found.same == sum(dna in dnas[20:] for dna in sample) / 16
    record_action(
        ben, Action(id="again", dnas=tuple(dna for dna in sample if dna in dnas[:20]), decision="accept")
    )
    assert agreement(catalog).kappa == pytest.approx(1)


def test_kappa_by_hand():
    assert kappa([]) is None
    assert kappa([(True, True)] * 3) is None
    agreed = [(True, True)] * 20 + [(False, False)] * 15
    differed = [(True, False)] * 5 + [(False, True)] * 10
    assert kappa(agreed + differed) == pytest.approx(0.4)


def test_what_people_pick_is_chosen_and_the_rest_waits(tmp_path):
    from artmint.make.base import load_judge

    asks = DEMO.model_copy(
        update={
            "rules": (Rule(scorer="contrast", min=1.0),),
            "ask_people": True,
            "generation": DEMO.generation.model_copy(update={"attempts": 2}),
        }
    )
    catalog = table(tmp_path, 2, SLOTS[:4])
    judge = load_judge()
    assert choose(catalog, asks, judge, SLOTS[:4], 1).open == (1, 2, 3, 4)
    assert slots_awaiting_review(catalog, asks, range(1, 5)) == {1: 2, 2: 2, 3: 2, 4: 2}
    look = ReviewSession(catalog, asks, "ada")
    picked = [dna for dna, c in look.candidates().items() if c.slot.id < 4 and c.attempt == 2]
    record_action(look, Action(id="1", dnas=tuple(picked), decision="accept"))
    choice = choose(catalog, asks, judge, SLOTS[:4], 1)
    assert choice.open == (4,)
    assert [edition.dna for edition in choice.editions] == picked
    assert slots_awaiting_review(catalog, asks, range(1, 5)) == {4: 2}


def people_said(catalog):
    "What is on record of asking people: states, oldest first."
    return [row["state"] for row in catalog.history("people", "demo/friday")]


def test_the_decision_that_answers_for_the_last_slot_says_so_once(tmp_path):
    catalog = table(tmp_path, 2, SLOTS[:3])
    look = ReviewSession(catalog, DEMO, "ada")
    of = {(one.slot.id, one.attempt): dna for dna, one in look.candidates().items()}
    for _ in range(2):
        record_asked(catalog, DEMO, "friday", [1, 2, 3])
    assert people_said(catalog) == ["needed"]
    record_action(look, Action(id="1", dnas=(of[1, 2],), decision="accept"))  # picked, whatever else waits
    record_action(look, Action(id="2", dnas=(of[2, 1],), decision="reject"))  # all that was asked of it
    assert people_said(catalog) == ["needed"]
    record_action(look, Action(id="3", dnas=(of[3, 1],), decision="reject"))
    assert people_said(catalog) == ["needed", "done"] and asked_of_people(catalog, DEMO) == {}
    undo_action(look, "4", "3", (of[3, 1],))
    record_action(look, Action(id="5", dnas=(of[3, 1],), decision="accept"))
    assert people_said(catalog) == ["needed", "done"]
    record_asked(catalog, DEMO, "friday", [2])
    assert people_said(catalog) == ["needed", "done", "needed"]


def test_two_people_who_answer_at_once_are_told_of_once(tmp_path):
    import threading

    catalog = table(tmp_path, 1, SLOTS[:2])
    record_asked(catalog, DEMO, "friday", [1, 2])
    both = [ReviewSession(Catalog(tmp_path), DEMO, name) for name in ("ada", "ben")]
    dnas = list(both[0].candidates())
    ready = threading.Barrier(2)

    def decide_on(look, dna):
        ready.wait()
        record_action(look, Action(id=look.by, dnas=(dna,), decision="accept"))

    several = [threading.Thread(target=decide_on, args=pair) for pair in zip(both, dnas)]
    for one in several:
        one.start()
    for one in several:
        one.join()
    assert people_said(catalog) == ["needed", "done"]


def test_a_batch_that_goes_on_waits_for_nobody(tmp_path):
    catalog = table(tmp_path, 1, SLOTS[:2])
    record_asked(catalog, DEMO, "friday", [1])
    record_answered(catalog, DEMO, "friday")
    assert people_said(catalog) == ["needed"]  # nothing fills the slot
    made = next(iter(ReviewSession(catalog, DEMO, "ada").candidates().values()))
    kept = made.artifact.model_dump(include={"dna", "pixel_digest", "file_digest"})
    facts = {"slot": 1, "attempt": 1, "traits": made.slot.traits, "scores": {}, "scorers": {}}
    place_edition(catalog, "demo", Edition(**facts, **kept))
    for _ in range(2):
        record_answered(catalog, DEMO, "friday")
    assert people_said(catalog) == ["needed", "done"]


@pytest.mark.parametrize(
    "name", ["", "  ", "Ada\n", " Ada", "machine", "Machine", "<b>Ada</b>", "A" * 65, "Ada\u202e"]
)
def test_a_name_that_tells_nobody_decides_nothing(tmp_path, name):
    with pytest.raises(NotAPerson) as refusal:
        ReviewSession(Catalog(tmp_path), DEMO, name)
    assert refusal.value.exit_code == 2
    with pytest.raises(ValueError):
        Opinion(by=name, decision="accept", at="2026-01-01T00:00:00+00:00")


@pytest.mark.parametrize("name", ["Ada", "Ada Lovelace", "ada@studio", "エイダ", "O'Brien-Smith, J."])
def test_names_that_people_have_are_taken(tmp_path, name):
    assert ReviewSession(Catalog(tmp_path), DEMO, name).by == name


@pytest.mark.parametrize("stars", [-1, 6, 99])
def test_there_are_no_such_stars(stars):
    with pytest.raises(ValueError):
        Opinion(by="Ada", decision="accept", at="2026-01-01T00:00:00+00:00", stars=stars)


def test_who_decided_under_the_machines_name_is_a_person_all_the_same(tmp_path):
    "Such rows may stand in a studio's log for good; a board opens all the same."
    catalog = Catalog(tmp_path)
    machine = {"by": "machine", "decision": "accept", "reasons": [], "scores": {"clip": 0.5}}
    person = {"by": "machine", "decision": "reject", "at": "2026-01-01T00:00:00+00:00"}
    assert effective_decision([machine, person], DEMO)["decision"] == "reject"
    assert effective_decision([person, machine], DEMO)["decision"] == "reject"
    slot = frozen_slots(catalog, DEMO, "salt")[0]
    candidate = enter(catalog, slot, 1, art(slot, 1))
    for row in (machine, person):
        catalog.append("decision", candidate.dna, row)
    card = ReviewSession(catalog, DEMO, "Ada").card(candidate)
    assert card["scores"] == {"clip": 0.5} and card["counts"]["decision"] == "reject"


# ---- whose word counts

SPELLINGS = {"ana": ["Ana", "ana", "ANA"], "ben": ["Ben", "BEN"], "cem": ["Cem", "C\u0065m"]}
WORDS = st.tuples(
    st.sampled_from([spelling for names in SPELLINGS.values() for spelling in names]),
    st.sampled_from(["accept", "reject", "withdrawn"]),
    st.booleans(),  # blind
    st.none() | st.integers(0, 5),  # stars
)


def policy(word: str, lead: str | None = None):
    "The demo, with this word as the last."
    return DEMO.model_copy(update={"people": People(last_word=word, lead=lead)})


def logged(words: list[tuple]) -> list[dict]:
    "A log in which the rules accept and then people speak."
    rows = [{"by": "machine", "decision": "accept", "reasons": [], "scores": {}}]
    for minute, (by, decision, blind, stars) in enumerate(words):
        row = {"by": by, "decision": decision, "at": f"2026-01-01T00:{minute:02}:00"}
        row |= {"blind": True} if blind else {}
        rows.append(row | ({} if stars is None else {"stars": stars}))
    return rows


def standing_words(words: list[tuple]) -> dict[str, tuple]:
    "What each of three people last said aloud: (minute, decision, stars)."
    last = {}
    for minute, (by, decision, blind, stars) in enumerate(words):
        if not blind:
            last[by.lower()] = (minute, decision, stars)
    return {name: word for name, word in last.items() if word[1] != "withdrawn"}


@given(st.lists(WORDS, max_size=9), st.sampled_from(["latest", "majority", "lead", "both"]))
def test_the_word_that_counts_is_the_policys(words, word):
    row = effective_decision(logged(words), policy(word, "ANA" if word == "lead" else None))
    last = standing_words(words)
    if not last:
        assert row["by"] == "machine"
        return
    picks = sum(decision == "accept" for _, decision, _ in last.values())
    rejects = len(last) - picks
    newest = max(last.values())[1]
    expected = {"latest": newest, "lead": last.get("ana", (0, "review", None))[1]}
    expected["majority"] = outcome(picks > rejects, rejects > picks)
    expected["both"] = outcome(picks >= 2 and not rejects, rejects >= 2 and not picks)
    assert row["decision"] == expected[word]
    assert (row["by"] == "people") is (expected[word] == "review")


def outcome(accepted: bool, rejected: bool) -> str:
    "A decision, or that there is none."
    return "accept" if accepted else "reject" if rejected else "review"


@given(st.lists(WORDS, max_size=9), st.sampled_from(["majority", "both"]))
def test_where_several_decide_their_names_and_the_mean_of_their_stars_count(words, word):
    row = effective_decision(logged(words), policy(word))
    last = standing_words(words)
    if row["by"] in ("machine", "people"):
        return
    side = {name: stars for name, (_, decision, stars) in last.items() if decision == row["decision"]}
    assert set(row["by"].lower().split(", ")) == set(side)
    given_stars = [stars for stars in side.values() if stars is not None]
    assert row.get("stars") == (pytest.approx(np.mean(given_stars)) if given_stars else None)


@given(st.lists(WORDS, max_size=9))
def test_a_dispute_is_two_people_who_differ_and_never_one(words):
    said = standing_words(words)
    assert is_disputed(last_words(logged(words))) is (len({word for _, word, _ in said.values()}) > 1)
    alone = [("ANA" if i % 2 else "ana", *rest) for i, (_, *rest) in enumerate(words)]
    assert not is_disputed(last_words(logged(alone)))


def test_nobody_asks_what_was_decided_without_saying_whose_word_counts():
    for ask in (effective_decision, current_verdict, slots_awaiting_review, disputes):
        wanted = inspect.signature(ask).parameters["collection"]
        assert wanted.default is inspect.Parameter.empty


def test_one_person_under_two_spellings_is_one_voice_and_undoes_their_own(tmp_path):
    catalog = table(tmp_path)
    dna = next(iter(ReviewSession(catalog, DEMO, "Ana").candidates()))
    record_action(ReviewSession(catalog, DEMO, "Ana"), Action(id="1", dnas=(dna,), decision="accept"))
    record_action(ReviewSession(catalog, DEMO, "ANA"), Action(id="2", dnas=(dna,), decision="reject"))
    look = ReviewSession(catalog, DEMO, "ana")
    card = look.card(look.candidates()[dna])
    assert card["mine"]["decision"] == "reject" and not card["disputed"]
    assert current_verdict(catalog, policy("both"), dna).by == "people"
    undo_action(look, "3", "2", (dna,))
    assert current_verdict(catalog, DEMO, dna).decision == "accept"


def test_cards_and_disputes_say_who_said_what(tmp_path):
    catalog = table(tmp_path)
    both = policy("both")
    ada, ben = (ReviewSession(catalog, both, name) for name in ("Ada", "Ben"))
    dnas = tuple(ada.candidates())
    record_action(ada, Action(id="1", dnas=dnas[:3], decision="accept"))
    record_action(ben, Action(id="2", dnas=dnas[1:2], decision="reject"))
    record_action(ben, Action(id="3", dnas=dnas[2:3], decision="accept"))
    cards = ada.cards([ada.candidates()[dna] for dna in dnas[:4]])
    assert [card["disputed"] for card in cards] == [False, True, False, False]
    assert [(card["counts"] or {}).get("by") for card in cards] == [None, None, "Ada, Ben", "machine"]
    differing = disputes(catalog, both, range(1, 17))
    assert [(one.dna, one.words) for one in differing] == [(dnas[1], {"Ada": "accept", "Ben": "reject"})]
    assert "Ada picked it, Ben rejected it: two must say the same" in differing[0].description
    assert "reject counts" in disputes(catalog, DEMO, range(1, 17))[0].description
    assert disputes(catalog, both, range(9, 17)) == []
    places = {dna: candidate.slot.id for dna, candidate in ada.candidates().items()}
    assert disputes(catalog, both, range(1, 17), places) == differing
    assert disputes(catalog, both, range(9, 17), places) == []
    blind = ReviewSession(catalog, both, "Cem", blind=True)
    assert blind.card(blind.candidates()[dnas[1]])["disputed"] is False


def test_who_once_decided_under_the_rules_name_is_a_person_and_the_rules_are_none(tmp_path):
    catalog = table(tmp_path)
    dna = next(iter(ReviewSession(catalog, DEMO, "Ada").candidates()))
    record_verdict(catalog, Verdict(dna, "accept", (), {"palette": 3.0}))
    assert peoples_words(catalog, DEMO, range(1, 17)) == []
    catalog.append(
        "decision", dna, {"by": "machine", "decision": "reject", "at": "2026-01-01T00:00:00+00:00"}
    )
    assert [one.words for one in peoples_words(catalog, DEMO, range(1, 17))] == [{"machine": "reject"}]


# ---- what is packed


def test_who_decides_on_a_packed_card_is_told_and_nothing_is_recorded(tmp_path):
    catalog = table(tmp_path)
    look = ReviewSession(catalog, DEMO, "Ada")
    dnas = tuple(look.candidates())
    record_action(look, Action(id="1", dnas=dnas[:1], decision="accept"))
    catalog.append("drop", "demo/4", {"first": 1, "quantity": 2})
    before = len(catalog.bodies())
    for act in (
        lambda: record_action(look, Action(id="2", dnas=dnas[:1], decision="reject")),
        lambda: record_action(look, Action(id="3", dnas=dnas[1:6], stars=5)),
        lambda: record_action(
            ReviewSession(catalog, DEMO, "Ben"), Action(id="4", dnas=dnas[3:4], decision="accept")
        ),
        lambda: undo_action(look, "5", "1", dnas[:1]),
    ):
        with pytest.raises(AlreadyPacked, match="packed in drop 4.*Nothing was recorded"):
            act()
    assert len(catalog.bodies()) == before
    assert record_action(look, Action(id="1", dnas=dnas[:1], decision="accept")) == dnas[:1]  # sent twice
    record_action(look, Action(id="6", dnas=dnas[4:], decision="reject"))
    record_action(
        ReviewSession(catalog, DEMO, "Cem", blind=True), Action(id="7", dnas=dnas[:1], decision="reject")
    )
    assert current_verdict(catalog, DEMO, dnas[0]).decision == "accept"


def test_an_objection_that_came_in_while_packing_can_be_mended(tmp_path):
    catalog = table(tmp_path)
    look = ReviewSession(catalog, DEMO, "Ada")
    dna, other = tuple(look.candidates())[:2]
    facts = {"traits": {}, "scores": {}, "scorers": {}, "pixel_digest": "1", "file_digest": "2"}
    place_edition(catalog, "demo", Edition(slot=1, attempt=1, dna=dna, **facts))
    record_action(look, Action(id="1", dnas=(dna,), decision="reject"))
    catalog.append("drop", "demo/1", {"first": 1, "quantity": 1})
    assert unaccepted_editions(catalog, DEMO, [1])[1].by == "Ada"
    with pytest.raises(AlreadyPacked):
        record_action(look, Action(id="2", dnas=(dna,), decision="reject", stars=1))
    record_action(look, Action(id="3", dnas=(dna,), decision="accept"))
    assert unaccepted_editions(catalog, DEMO, [1]) == {}
    with pytest.raises(AlreadyPacked):
        record_action(look, Action(id="4", dnas=(dna,), decision="withdrawn"))


# ---- which pictures chance puts before people


def shared(share: float, **changes):
    "The demo, with this share of its candidates mixed into the board."
    return DEMO.model_copy(update={"people": People(audit_share=share), **changes})


def mixed_in(catalog, share: float, by: str = "ada", **more) -> list[str]:
    look = ReviewSession(catalog, shared(share), by, **more)
    return audit_cards(look, look.candidates().values())


def test_a_larger_audit_share_adds_to_a_smaller_one(tmp_path):
    catalog = table(tmp_path, tries=2)

    @settings(max_examples=15, deadline=None)
    @given(st.floats(0, 0.5), st.floats(0, 0.5))
    def hold(one: float, other: float) -> None:
        fewer, more = sorted((mixed_in(catalog, one), mixed_in(catalog, other)), key=len)
        assert more[: len(fewer)] == fewer

    hold()
    assert mixed_in(catalog, 0.0) == []


def test_candidates_that_come_later_shuffle_nothing(tmp_path):
    catalog = table(tmp_path, tries=2)
    before = mixed_in(catalog, 0.3)
    for slot in SLOTS:
        enter(catalog, slot, 3, art(slot, 3))
    after = mixed_in(catalog, 0.3)
    assert [dna for dna in after if dna in before] == before
    assert len(after) > len(before)


@pytest.mark.slow
def test_what_the_machine_says_has_no_part_in_the_audit(tmp_path):
    catalog = table(tmp_path, tries=3)
    before = mixed_in(catalog, 0.4)
    for i, dna in enumerate(ReviewSession(catalog, DEMO, "ada").candidates()):
        record_verdict(catalog, Verdict(dna, "reject" if i % 2 else "accept", (), {"clip": i / 100}))
    assert mixed_in(catalog, 0.4) == before
    assert any(current_verdict(catalog, DEMO, dna).decision == "reject" for dna in before)


def test_what_this_person_decided_on_is_out_and_what_another_did_comes_last(tmp_path):
    catalog = table(tmp_path, tries=3)
    cards = mixed_in(catalog, 0.4)
    ada = ReviewSession(catalog, shared(0.4), "ada")
    record_action(ada, Action(id="1", dnas=tuple(cards[:2]), decision="accept", via=Via()))
    assert mixed_in(catalog, 0.4) == cards[2:]
    assert mixed_in(catalog, 0.4, by="ben") == [*cards[2:], *cards[:2]]
    record_action(ada, Action(id="2", dnas=(cards[1],), decision="withdrawn", via=Via()))
    assert mixed_in(catalog, 0.4) == cards[1:]
    assert mixed_in(catalog, 0.4, by="cy", blind=True) == []


def test_packed_slots_and_works_by_hand_are_not_in_the_audit(tmp_path):
    catalog = table(tmp_path, tries=3)
    catalog.put("drop", "demo/1", {"first": 1, "quantity": 2})
    look = ReviewSession(catalog, shared(0.5), "ada")
    every = look.candidates()
    cards = audit_cards(look, every.values())
    assert cards and all(every[dna].slot.id > 2 for dna in cards)
    by_hand = [replace(candidate, attempt=0) for candidate in every.values()]
    assert audit_cards(look, by_hand) == []


def test_that_chance_put_a_card_there_is_taken_from_nobodys_word_alone(tmp_path):
    catalog = table(tmp_path, tries=3)
    look = ReviewSession(catalog, shared(0.3), "ada", slots=range(1, 9))
    cards = audit_cards(look, look.candidates().values())
    stranger = next(dna for dna in look.candidates() if dna not in cards)
    ways = {"one": cards[:1], "strange": [stranger], "many": cards[1:3]}
    for name, dnas in ways.items():
        record_action(look, Action(id=name, dnas=tuple(dnas), decision="reject", via=Via(audit=True)))
    noted = {name: catalog.find("decision", dnas[0])["via"] for name, dnas in ways.items()}
    assert noted == {"one": {"audit": True, "slots": [1, 8]}, "strange": {}, "many": {}}


def decide_on(look: ReviewSession, dnas, decision: str = "reject", **via) -> None:
    for dna in dnas:
        record_action(look, Action(id=f"{dna} {via}", dnas=(dna,), decision=decision, via=Via(**via)))


@pytest.mark.slow
def test_everything_below_a_card_that_was_mixed_in_had_its_turn(tmp_path):
    catalog = table(tmp_path, tries=4)
    collection = shared(0.5)
    look = ReviewSession(catalog, collection, "ada")
    cards = audit_cards(look, look.candidates().values())
    first, second, third, fourth = cards[:4]
    decide_on(look, (first, fourth), "accept", sort="clip")  # of their own accord
    assert not audit_sample(catalog, collection).accepted
    decide_on(look, (third,), audit=True)
    seen = audit_sample(catalog, collection)
    assert seen.accepted == {first: True, third: False}
    assert seen.undecided == (second,)  # passed over, and said so
    decide_on(look, (second,), audit=True)
    assert audit_sample(catalog, collection).accepted == {first: True, second: False, third: False}


def test_a_search_is_no_draw_and_other_slots_had_no_turn(tmp_path):
    catalog = table(tmp_path, tries=4)
    collection = shared(0.5)
    few = ReviewSession(catalog, collection, "ada", slots=range(1, 9))
    cards = audit_cards(few, few.candidates().values())
    decide_on(few, cards[-1:], audit=True, search="palette: ocean")
    assert not audit_sample(catalog, collection).slots
    decide_on(few, cards[:-1], audit=True)
    seen = audit_sample(catalog, collection)
    assert set(seen.accepted) == set(cards[:-1])
    assert max(seen.slots) <= 8 and seen.origin.startswith("slots 1–")


def test_what_came_after_a_card_was_mixed_in_had_no_turn_yet(tmp_path):
    catalog = table(tmp_path, tries=2)
    collection = shared(0.5)
    look = ReviewSession(catalog, collection, "ada")
    decide_on(look, audit_cards(look, look.candidates().values()), audit=True)
    before = audit_sample(catalog, collection)
    for slot in SLOTS:
        enter(catalog, slot, 3, art(slot, 3))
    assert audit_sample(catalog, collection) == before
    catalog.put("drop", "demo/1", {"first": 1, "quantity": len(SLOTS)})
    assert audit_sample(catalog, collection).origin == "drop 1"


@pytest.mark.parametrize(
    "act",
    [
        {"note": "x" * 2001},
        {"note": "\x1b[2J"},
        {"note": "a\x9b"},
        {"id": "x" * 201},
        {"id": "\x1b"},
        {"stars": 10**9},
    ],
)
def test_the_server_takes_no_more_than_the_page_offers(act):
    "Limits that only the page keeps are kept by nobody."
    with pytest.raises(ValidationError):
        Action(**({"id": "1", "dnas": ("a" * 64,)} | act))


def test_a_note_may_have_lines_and_any_script():
    assert Action(id="1", dnas=("a" * 64,), note="zwei\nZeilen, \u200eعربى 🧑‍🎨\t").note


def test_the_name_of_an_action_means_one_thing(tmp_path):
    "A script with one name for everything would lose its rejections without a word."
    catalog = table(tmp_path)
    look = ReviewSession(catalog, DEMO, "Ada")
    first, second = tuple(look.candidates())[:2]
    record_action(look, Action(id="x", dnas=(first,), decision="accept", stars=4))
    record_action(look, Action(id="x", dnas=(first,), decision="accept", stars=4))
    for change in ({"decision": "reject"}, {"stars": 2}):
        with pytest.raises(ActionReused, match="Nothing was recorded"):
            record_action(look, Action(id="x", dnas=(first, second), **change))
    assert current_verdict(catalog, DEMO, first).decision == "accept"
    assert not [row for row in catalog.history("decision", second) if row["by"] == "Ada"]
