"Decisions in a table and back: nothing changed, nothing twice, nothing silently."

import csv
import io
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artmint.judge.decisions import (
    Action,
    Opinion,
    ReviewSession,
    effective_decision,
    record_action,
    record_opinions,
    undo_action,
)
from artmint.judge.exchange import (
    DECISION_COLUMNS,
    DecisionsDontFit,
    ExportExists,
    SaidNothing,
    UnreadableDecisions,
    changed_decision,
    decisions_csv,
    entries,
    escape_cell,
    exported_word,
    plan_import,
    read_csv,
    record_import,
    require_new,
    require_speaker,
    unescape_cell,
)
from artmint.studio.catalog import Catalog
from tests.drawn import DEMO, SLOTS, table

TIMES = [f"2026-0{month}-01T09:30:00.000000+00:00" for month in range(1, 7)]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    "A studio of six candidates on which only the machine decided; its decisions are never added to."
    return table(tmp_path_factory.mktemp("pictures"), 2, SLOTS[:3])


@pytest.fixture
def studio(tmp_path):
    return table(tmp_path / "studio", 2, SLOTS[:3])


def dnas(catalog):
    return [entry.candidate.dna for entry in entries(catalog, DEMO)]


def imported(catalog, data: bytes, by: str = "", skip: bool = False):
    "Import a table; the plan that was recorded."
    plan = plan_import(catalog, DEMO, read_csv("a.csv", data), by)
    record_import(catalog, "a.csv", plan, skip)
    return plan


def words(catalog):
    "What people last said, by picture."
    kept = ("by", "decision", "stars", "note", "at", "blind")
    lists = [
        [{key: word.get(key) for key in kept} for word in entry.words] for entry in entries(catalog, DEMO)
    ]
    return dict(zip(dnas(catalog), lists))


notes = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30)


@given(st.one_of(notes, st.from_regex(r"\A'{0,3}[=+\-@\t\r\n＝][a-z(]*\Z")))
def test_no_cell_is_a_formula_and_every_cell_comes_back(text):
    cell = escape_cell(text)
    assert cell[:1] not in ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
    assert unescape_cell(cell) == text


people = st.sampled_from(("ada", "bo", "Céline d’Arc"))
words_of_people = st.sampled_from(("accept", "reject", "withdrawn"))
opinions = st.builds(
    Opinion,
    by=people,
    decision=words_of_people,
    at=st.sampled_from(TIMES),
    stars=st.sampled_from((None, 0, 1, 5)),
    note=notes,
    blind=st.booleans(),
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 5), opinions), min_size=1, max_size=8))
def test_a_table_brings_every_last_word_to_another_studio(pictures, tmp_path_factory, spoken):
    once = {(which, one.by, one.blind): (which, one) for which, one in spoken}
    places = [tmp_path_factory.mktemp("studio") / "copy" for _ in range(2)]
    here, there = (Catalog(shutil.copytree(pictures.folder, place)) for place in places)
    order = dnas(here)
    record_opinions(here, [(order[which], opinion) for which, opinion in once.values()])
    data = decisions_csv(entries(here, DEMO))
    plan = imported(there, data)
    assert plan.faults == plan.older == []
    assert words(there) == words(here)
    assert decisions_csv(entries(there, DEMO)) == data
    again = imported(there, data)
    assert (again.opinions, again.older) == ([], [])
    assert imported(here, data).opinions == []


def typed(*rows: str, header: str = "slot,attempt,decision,stars,note", line_end: str = "\r\n") -> bytes:
    return line_end.join([header, *rows, ""]).encode()


@pytest.mark.parametrize(
    "data",
    [
        typed("1,1,accept,4,größer"),
        b"\xef\xbb\xbf" + typed("1,1,Accepted,4.0,größer"),
        typed("1;1;picked;4,0;größer", header="Slot;Attempt;Decision;Stars;Note"),
        typed('1;1;" pick ";4;größer', header="sep=;\r\nslot;attempt;decision;stars;note"),
        typed("1\t1\taccept\t4\tgrößer", header="slot\tattempt\tdecision\tstars\tnote")
        .decode()
        .encode("utf-16"),
        typed("1,1,accept,4,größer", line_end="\n"),
        typed("1,1,accept,4,größer", line_end="\r"),
        typed("1,1,accept,4,größer").decode().encode("cp1252"),
    ],
    ids="plain bom semicolon sep utf-16 lf cr windows".split(),
)
def test_what_spreadsheets_write_is_read(pictures, data):
    reading = read_csv("a.csv", data)
    (statement,) = reading.statements
    assert (statement.decision, statement.stars, statement.note) == ("accept", 4, "größer")
    assert bool(reading.notes) == (b"gr\xf6" in data and not data.startswith(b"\xff"))


def test_columns_that_are_not_read_are_told_and_missing_ones_stay(studio):
    look = ReviewSession(studio, DEMO, "ada")
    record_action(look, Action(id="1", dnas=(dnas(studio)[0],), decision="accept", stars=5, note="mine"))
    data = typed("1,1,reject,x", header="slot,attempt,decision,mood")
    plan = imported(studio, data, "ada")
    assert plan.notes == ["columns that aren't read: mood"]
    assert [(one.decision, one.stars, one.note) for _, one in plan.opinions] == [("reject", 5, "mine")]


@pytest.mark.parametrize(
    "row, header, why",
    [
        ("1,9,accept,,", None, "no picture of slot 1, attempt 9"),
        ("1,1,perhaps,,", None, "'perhaps' is no decision"),
        ("1,1,accept,7,", None, "stars"),
        ("1,1,accept,many,", None, "no whole number"),
        ("1,1,accept,,,,", None, ""),
        ("1,1,accept,,,ada", None, "6 cells"),
        ("abc,1,1,accept", "dna,slot,attempt,decision", "is no dna"),
        ("1.23E+63,1,1,accept", "dna,slot,attempt,decision", "became a number"),
        ("123456789abc,1,1,accept", "dna,slot,attempt,decision", "no pictures"),
        ("1,1,accept,machine", "slot,attempt,decision,by", "can't be a person's name"),
        ("1,1,accept,tomorrow", "slot,attempt,decision,at", "is no time"),
        ("1,1,accept,2026-01-01T10:00", "slot,attempt,decision,at", "no zone"),
        ("1,1,accept,2999-01-01T10:00+00:00", "slot,attempt,decision,at", "yet to come"),
        ("1,1,accept,perhaps", "slot,attempt,decision,blind", "write blind, or nothing"),
    ],
)
def test_a_row_that_does_not_fit_is_told_by_its_line_and_nothing_is_recorded(studio, row, header, why):
    header = header or "slot,attempt,decision,stars,note"
    filler = {"slot": "1", "attempt": "2", "decision": "reject"}
    good = ",".join(filler.get(name, "") for name in header.split(","))
    data = typed(good, row, header=header)
    before = words(studio)
    if not why:
        assert len(imported(studio, data, "ada").opinions) == 2
        return
    with pytest.raises(DecisionsDontFit) as refusal:
        imported(studio, data, "ada")
    assert "line 3: " in str(refusal.value) and why in str(refusal.value)
    assert refusal.value.exit_code == 2 and words(studio) == before
    assert len(imported(studio, data, "ada", skip=True).opinions) == 1


def test_lines_are_counted_as_an_editor_counts_them(pictures):
    data = typed('1,1,accept,,"two\r\nlines"', "1,2,perhaps,,")
    assert read_csv("a.csv", data).faults[0].startswith("line 4: ")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe\x00",
        b"\x81\x8d",
        b"PK\x03\x04 a workbook",
        typed("x", header="name"),
        typed("1,1,x", header="slot,attempt,mood"),
    ]
    + [typed('1,1,"open', header="slot,attempt,note"), typed("1,1,a,b", header="slot,attempt,note,note")],
)
def test_what_is_no_table_of_decisions_is_refused(data):
    with pytest.raises(UnreadableDecisions) as refusal:
        read_csv("a.csv", data)
    assert "Nothing was recorded" in str(refusal.value)


def test_nobody_decides_without_a_name(studio):
    with pytest.raises(DecisionsDontFit, match="--by"):
        imported(studio, typed("1,1,accept,,"))


def test_two_rows_of_one_person_that_contradict_each_other_are_told(studio):
    plan = plan_import(studio, DEMO, read_csv("a.csv", typed("1,1,accept,,", "1,1,reject,,")), "ada")
    assert len(plan.opinions) == 1 and "says otherwise than line 2" in plan.faults[0]


def test_an_import_is_one_action_that_the_board_can_undo_and_a_new_one_records_again(studio):
    data = typed("1,1,accept,4,", "2,1,reject,,")
    first = imported(studio, data, "ada")
    assert imported(studio, data, "ada").opinions == []
    look = ReviewSession(studio, DEMO, "ada")
    touched = tuple(dna for dna, _ in first.opinions)
    (action,) = {opinion.action for _, opinion in first.opinions}
    undo_action(look, "undo", action, touched)
    assert not any(words(studio).values())
    second = imported(studio, data, "ada")
    assert len(second.opinions) == 2 and second.opinions[0][1].action != action
    assert {opinion.via.view for _, opinion in second.opinions} == {"import: csv"}


def test_a_file_imported_again_says_nothing_new_and_one_that_changed_its_mind_does(studio):
    yes, no = typed("1,1,accept,,"), typed("1,1,reject,,")
    imported(studio, yes, "ada")
    record_action(
        ReviewSession(studio, DEMO, "ada"), Action(id="b", dnas=(dnas(studio)[0],), decision="reject")
    )
    (line,) = imported(studio, yes, "ada").older
    assert line.startswith("line 2: was imported before, and ada decided otherwise at ")
    assert words(studio)[dnas(studio)[0]][0]["decision"] == "reject"
    no_2 = typed("1,1,reject,2,")
    for data, word in ((no, "reject"), (no_2, "reject"), (yes, "accept"), (no, "reject")):
        imported(studio, data, "ada")
        assert words(studio)[dnas(studio)[0]][0]["decision"] == word


def test_what_was_edited_in_an_exported_table_counts_as_said_now_and_once(studio):
    look = ReviewSession(studio, DEMO, "Ada")
    one = dnas(studio)[0]
    record_action(look, Action(id="1", dnas=(one,), decision="accept", stars=4))
    table = decisions_csv(entries(studio, DEMO)).decode("utf-8-sig")
    edited = table.replace("Ada,accept,4", "ada,reject,2").encode("utf-8-sig")
    assert imported(studio, table.encode()).opinions == []
    plan = imported(studio, edited)
    assert plan.notes == ["1 were edited beside the time of the earlier word, and count as said now"]
    assert [(one.decision, one.stars) for _, one in plan.opinions] == [("reject", 2)]
    assert effective_decision(studio.history("decision", one), DEMO)["decision"] == "reject"
    again = imported(studio, edited)
    assert (again.opinions, again.same, again.older) == ([], 1, [])
    record_action(look, Action(id="2", dnas=(one,), decision="accept", stars=5))
    (line,) = imported(studio, edited).older
    assert "decided otherwise at" in line


def test_a_decision_that_was_emptied_is_asked_about_and_not_passed_over(studio):
    one = dnas(studio)[0]
    record_action(ReviewSession(studio, DEMO, "ada"), Action(id="1", dnas=(one,), decision="accept", stars=4))
    table = decisions_csv(entries(studio, DEMO)).decode("utf-8-sig")
    for emptied in ("ada,,4", "ada,,"):
        plan = plan_import(studio, DEMO, read_csv("a.csv", table.replace("ada,accept,4", emptied).encode()))
        assert plan.faults == ["line 2: it says when and not what: write withdrawn to take the decision back"]
    taken_back = table.replace("ada,accept,4", "ada,withdrawn,").encode()
    assert [one.decision for _, one in imported(studio, taken_back).opinions] == ["withdrawn"]
    assert effective_decision(studio.history("decision", one), DEMO)["by"] == "machine"


def test_a_name_typed_otherwise_is_the_same_person(studio):
    one = dnas(studio)[0]
    look = ReviewSession(studio, DEMO, "Ada")
    record_action(look, Action(id="1", dnas=(one,), decision="accept", stars=5))
    plan = imported(studio, typed("1,1,accept", header="slot,attempt,decision"), "ADA")
    assert (plan.opinions, plan.same) == ([], 1)
    (entry, *_) = entries(studio, DEMO)
    assert exported_word(entry, "ada")["stars"] == 5
    with pytest.raises(SaidNothing) as refusal:
        require_speaker([entry], "bo")
    assert "who did: Ada" in str(refusal.value)


def test_an_earlier_word_never_takes_the_place_of_a_later_one(studio):
    first = dnas(studio)[0]
    look = ReviewSession(studio, DEMO, "ada")
    record_action(look, Action(id="1", dnas=(first,), decision="accept"))
    header = "slot,attempt,by,decision,at"
    plan = imported(studio, typed(f"1,1,ada,reject,{TIMES[0]}", f"1,1,bo,reject,{TIMES[1]}", header=header))
    assert [opinion.by for _, opinion in plan.opinions] == ["bo"]
    assert plan.older == [f"line 2: ada decided otherwise at {words(studio)[first][-1]['at']}"]
    rows = studio.history("decision", first)
    assert rows[-1]["by"] == "bo" and effective_decision(rows, DEMO)["by"] == "ada"


def test_decisions_on_packed_slots_are_counted(studio):
    studio.put("drop", "demo/1", {"first": 1, "quantity": 2})
    plan = plan_import(studio, DEMO, read_csv("a.csv", typed("1,1,accept,,", "3,1,accept,,")), "ada")
    assert (len(plan.opinions), plan.packed) == (2, 1)


def test_a_table_has_a_row_for_every_word_and_for_every_picture_without_one(studio):
    one = dnas(studio)[0]
    for by in ("ada", "bo"):
        record_action(
            ReviewSession(studio, DEMO, by), Action(id="1", dnas=(one,), decision="accept", note="=1+1")
        )
    rows = list(
        csv.DictReader(io.StringIO(decisions_csv(entries(studio, DEMO)).decode("utf-8-sig"), newline=""))
    )
    assert len(rows) == 7 and tuple(rows[0])[: len(DECISION_COLUMNS)] == DECISION_COLUMNS
    assert [row["by"] for row in rows[:3]] == ["ada", "bo", ""]
    assert rows[0]["note"] == "'=1+1" and rows[0]["score palette"] == "12.4" and rows[0]["trait motif"]


def test_marks_that_were_changed_count_before_those_that_were_not():
    kept = {"rating": "", "label": "accept"}
    assert changed_decision({"rating": "reject", "label": "accept"}, kept) == ("reject", "")
    assert changed_decision({"rating": "", "label": ""}, kept) == ("withdrawn", "")
    assert changed_decision(kept, kept) == (None, "")
    assert changed_decision(kept, None) == ("accept", "")
    assert changed_decision({"rating": "reject", "label": "accept"}, None)[1]


def test_an_export_writes_over_nothing(tmp_path):
    require_new(tmp_path / "new")
    require_new(tmp_path)
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path, tmp_path / "file"):
        with pytest.raises(ExportExists):
            require_new(path)
