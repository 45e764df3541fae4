"The commands invite, people and status."

import json
import shutil

import pytest

from artmint.core.collection import People
from artmint.core.records import Edition
from artmint.judge.decisions import Action, ReviewSession, peoples_words, record_action
from artmint.console import cli
from artmint.run.team import batch_status, dispute_lines
from artmint.studio.editions import place_edition
from artmint.studio.team import Team, admit_member
from tests.conftest import TINY
from tests.drawn import DEMO, SLOTS, table


@pytest.fixture
def studio(minted, tmp_path):
    "A copy of the minted studio, and a batch of its first drop."
    folder = tmp_path / "studio"
    shutil.copytree(minted[0], folder)
    batch = tmp_path / "tiny.toml"
    batch.write_text(
        f'name = "tiny"\ncollection = {json.dumps(str(TINY))}\nquantity = 2\nstages = ["20_curate"]\n'
    )
    return folder, batch


def run(capsys, *words) -> tuple[int, str, str]:
    "A command's exit code and what it says."
    with pytest.raises(SystemExit) as end:
        cli.main([str(word) for word in words])
    said = capsys.readouterr()
    return end.value.code or 0, said.out, said.err


def test_a_link_is_printed_once_and_opens(studio, capsys):
    folder, _ = studio
    options = ["--studio", folder, "--address", "https://art.example/review"]
    code, out, err = run(capsys, "invite", "Ada", "--role", "artist", *options)
    assert code == 0
    address, _, secret = out.strip().partition("#")
    assert address == "https://art.example/review/join"
    assert "Opens once within 7 days" in err
    assert admit_member(Team(folder), secret)[0].role == "artist"
    code, out, err = run(capsys, "invite", "Ada", "--role", "lead", *options, "--json")
    assert json.loads(out)["role"] == "lead"


@pytest.mark.parametrize(
    "words",
    [
        ["Ada", "--role", "god"],
        ["machine"],
        [" Ada"],
        ["Ada", "--days", "0"],
        ["Ada", "--address", "http://art.example"],
        ["Ada"],  # and no board was served yet
    ],
)
def test_wrong_use_invites_nobody(studio, capsys, words):
    folder, _ = studio
    code, out, _ = run(capsys, "invite", *words, "--studio", folder)
    assert (code, out) == (2, "")
    assert Team(folder).members == []


def test_people_are_listed_and_shut_out(studio, capsys):
    folder, _ = studio
    options = ["--studio", folder, "--address", "https://art.example"]
    run(capsys, "invite", "Ada", "--role", "lead", *options)
    run(capsys, "invite", "Ben", *options)
    code, out, _ = run(capsys, "people", "--studio", folder)
    assert code == 0
    assert [line.split()[:3] for line in out.splitlines()] == [
        ["Ada", "lead", "invited"],
        ["Ben", "guest", "invited"],
    ]
    assert run(capsys, "people", "--revoke", "Eve", "--studio", folder)[0] == 2
    code, out, err = run(capsys, "people", "--revoke", "ben", "--studio", folder, "--json")
    listed = {one["name"]: one["revoked"] for one in json.loads(out)["people"]}
    assert listed["Ada"] == "" and listed["Ben"]
    assert "shut out" in err
    secrets = json.dumps(json.loads(out))
    assert "digest" not in secrets


def test_status_says_what_is_there_and_whose_word_counts(studio, capsys):
    folder, batch = studio
    code, out, _ = run(capsys, "status", batch, "--studio", folder, "--json")
    facts = json.loads(out)
    assert code == 0
    assert (facts["packed"], facts["minted"], facts["disputes"]) == ([1, 2], [1, 2], [])
    code, out, _ = run(capsys, "status", batch, "--studio", folder)
    assert "slots 1 to 2: 2 have an edition" in out
    assert "the last word: whoever spoke last" in out


def test_status_and_the_end_of_a_run_say_what_people_refused_and_what_their_words_do_not_settle(tmp_path):
    collection = DEMO.model_copy(update={"people": People(last_word="lead", lead="Lena")})
    catalog = table(tmp_path, 1, SLOTS[:3])
    candidates = ReviewSession(catalog, collection, "Ada").candidates()
    for number, (by, decision) in enumerate([("Lena", "reject"), ("Ada", "accept"), ("Lena", "accept")]):
        (dna, candidate) = list(candidates.items())[number]
        facts = candidate.artifact.model_dump(include={"dna", "pixel_digest", "file_digest"})
        place = {"slot": candidate.slot.id, "attempt": 1, "traits": candidate.slot.traits}
        place_edition(catalog, DEMO.name, Edition(**place, **facts, scores={}, scorers={}))
        record_action(ReviewSession(catalog, collection, by), Action(id=by, dnas=(dna,), decision=decision))
    slots = [slot.id for slot in SLOTS[:3]]
    asked = range(min(slots), max(slots) + 1)
    assert batch_status(catalog, collection, asked)["refused"] == sorted(slots)[:2]
    lines = dispute_lines(peoples_words(catalog, collection, asked))
    assert lines[0] == "1 candidate isn't settled by what was said:"
    assert lines[1].endswith("Ada picked it: Lena leads and hasn't said anything")
    assert len(lines) == 2 and dispute_lines([]) == []


def test_a_studio_that_is_not_there_is_said(tmp_path, studio, capsys):
    code, _, err = run(capsys, "status", studio[1], "--studio", tmp_path / "nowhere")
    assert code == 2
    assert "There is no studio" in err
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    "words", [["--address", "https://art.example"], ["--team", "--by", "ada"], ["--team", "--address", "art"]]
)
def test_review_refuses_what_does_not_go_together(studio, capsys, words):
    folder, batch = studio
    assert run(capsys, "review", batch, "--studio", folder, "--no-open", *words)[0] == 2
