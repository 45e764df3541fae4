"What rules refused, which slots starve, who decided: counted honestly."

from datetime import date

import pytest

from artmint.core.records import Artifact, Candidate, Slot
from artmint.judge.decisions import effective_decision
from artmint.judge.exchange import Entry
from artmint.report.outcomes import broken_rule, disputed, refusals, reviewers, starving_slots
from artmint.studio.ledger import LedgerLine, Money, Rates
from tests.drawn import DEMO, RULES

DULL, LOUD = "sharpness 0.04 is below 0.05 by 0.01", "contrast 9 is above 3 by 6"


def entry(slot: int, attempt: int, *reasons: str, chosen=False, score=0.5, words=()) -> Entry:
    "A candidate with the machine's verdict and people's words."
    facts = dict.fromkeys(("pixel_digest", "file_digest"), "0" * 64)
    artifact = Artifact(dna=f"{slot * 100 + attempt:064x}", recipe={}, environment={}, **facts)
    verdict = {"by": "machine", "decision": "reject" if reasons else "accept", "reasons": list(reasons)}
    rows = [verdict | {"scores": {"sharpness": score}}]
    for by, decision, more in words:
        rows.append({"by": by, "decision": decision, "at": "2026-01-01T00:00:00+00:00"} | more)
    counts = effective_decision(rows, DEMO)
    return Entry(Candidate(Slot(id=slot, traits={}), attempt, artifact), rows, counts, chosen, None)


@pytest.mark.parametrize(
    "reason, rule",
    [
        (DULL, "sharpness below 0.05"),
        ("duplicate 0.97 is above 0.95 by 0.02 (edition 3, mirrored)", "duplicate above 0.95"),
        ("made by hand; people decide", ""),
        ("no rule objects; people decide", ""),
    ],
)
def test_a_reason_names_its_rule(reason, rule):
    assert broken_rule(reason) == rule


def test_a_candidate_that_breaks_two_rules_is_counted_at_both_and_alone_at_none():
    listed = [entry(1, 1, DULL), entry(1, 2, DULL, LOUD), entry(2, 1, DULL), entry(2, 2)]
    listed.append(entry(3, 1, LOUD, words=[("ada", "accept", {})]))
    lines = [
        LedgerLine("generate", one.candidate.dna, 2.0, unit, 1e9)
        for one in listed
        for unit in ("wall", "cpu")
    ]
    rates = Rates(since=date(2000, 1, 1), cpu_hour=3600)
    dull, loud = refusals(listed, lines, Money(currency="EUR", rates=(rates,)))
    assert (dull.rule, dull.alone, dull.shared, dull.overruled) == ("sharpness below 0.05", 2, 1, 0)
    assert (loud.rule, loud.alone, loud.shared, loud.overruled) == ("contrast above 3", 1, 1, 1)
    assert (dull.seconds, dull.money) == (6.0, 6.0)
    assert refusals(listed, lines, Money())[0].money is None
    assert refusals([entry(1, 1)], [], Money()) == []


def test_open_slots_starve_and_so_do_those_with_twice_the_usual_tries():
    listed = [
        entry(1, 1, chosen=True),
        entry(2, 1, chosen=True),
        entry(6, 1, chosen=True),
        entry(3, 1, DULL, LOUD),
        entry(3, 2, DULL, score=0.1),
    ]
    listed += [entry(3, 3, DULL, score=0.2)] + [entry(4, n, chosen=n == 3) for n in (1, 2, 3)]
    rows = starving_slots(listed, RULES, range(1, 7))
    assert [(row.slot, row.open, row.tries) for row in rows] == [(3, True, 3), (5, True, 0), (4, False, 3)]
    assert (rows[0].attempt, rows[0].fails) == (3, (DULL,))
    assert rows[1].fails == ("nothing was painted",) and rows[2].fails == ()


def test_a_person_s_rejection_is_why_a_slot_is_open():
    listed = [entry(1, 1, words=[("ada", "reject", {})])]
    assert starving_slots(listed, RULES, range(1, 2))[0].fails == ("ada rejected it",)


def test_last_words_are_counted_and_a_blind_one_disputes_nothing():
    yes, no = ("ada", "accept", {"stars": 4, "note": "calm"}), ("bo", "reject", {})
    listed = [entry(1, 1, words=[yes, no]), entry(1, 2, words=[yes, ("ada", "reject", {})])]
    listed.append(entry(2, 1, words=[yes, ("bo", "reject", {"blind": True})]))
    ada, bo = reviewers(listed)
    assert (ada.by, ada.accepted, ada.rejected, ada.starred, ada.stars, ada.notes) == ("ada", 2, 1, 2, 4.0, 2)
    assert (bo.rejected, bo.blind) == (2, 1)
    assert [disputed(one) for one in listed] == [True, False, False]
