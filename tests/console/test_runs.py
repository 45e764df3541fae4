"The queue from the console: the same words give the same run, and refusals have their exit codes."

import json

import pytest

from artmint.console import cli
from artmint.core.collection import example


@pytest.fixture
def typed(tmp_path, capsys):
    "Type a command in a studio with one batch file; its exit code, and what was printed."
    batches = tmp_path / "batches"
    batches.mkdir()
    text = f'name = "moons"\ncollection = "{example()}"\nquantity = 4\nstages = ["00_seeds"]\n'
    (batches / "moons.toml").write_text(text)
    places = ["--studio", str(tmp_path / "studio"), "--batches", str(batches)]

    def run(*words):
        code = 0
        try:
            cli.main([*words, *places])
        except SystemExit as ended:
            code = ended.code or 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_a_run_is_asked_for_looked_at_paused_and_cancelled(typed):
    code, out, _ = typed("runs", "add", "monday", "moons", "--quantity", "2", "--json")
    assert (code, json.loads(out)["state"]) == (0, "queued")
    assert typed("runs", "add", "monday", "moons", "--quantity", "2", "--json")[1] == out
    assert "paused" in typed("runs", "pause", "monday")[1]
    assert "queued" in typed("runs", "resume", "monday")[1]
    assert "cancelled" in typed("runs", "cancel", "monday")[1]
    listed = json.loads(typed("runs", "list", "--json")[1])
    assert [run["id"] for run in listed["runs"]] == ["monday"]
    assert typed("runs", "list", "--state", "done")[1] == ""


def test_what_is_refused_says_why_with_its_code(typed):
    assert typed("runs", "list")[0] == 2  # no studio is begun by looking
    typed("runs", "add", "monday", "moons")
    for words, code, says in (
        (("runs", "show", "tuesday"), 2, "Nobody asked"),
        (("runs", "add", "monday", "moons", "--drop", "2"), 2, "another request"),
        (("runs", "add", "x", "stars"), 2, "there are moons"),
        (("runs", "resume", "monday"), 0, ""),
    ):
        ended, _, err = typed(*words)
        assert (ended, says in err) == (code, True), (words, err)


@pytest.mark.parametrize(
    "words", [("../monday", "moons"), ("monday", "stars"), ("monday", "moons", "--drop", "0")]
)
def test_a_run_that_cannot_be_begins_no_studio(typed, tmp_path, words):
    code, _, err = typed("runs", "add", *words)
    assert (code, (tmp_path / "studio").exists()) == (2, False), err


def test_a_worker_that_finds_nothing_stops_when_told_to(typed):
    code, out, err = typed("work", "--once")
    assert (code, out) == (0, "")
    assert err.startswith("A new studio begins in ") and "--studio names another" in err
