"Decisions leave and come back on the console."

import json
import shutil

import pytest

from artmint.judge.exchange import entries
from artmint.console.cli import main
from artmint.seeds import load_collection
from artmint.studio.catalog import Catalog
from tests.conftest import TINY


@pytest.fixture
def place(tmp_path, monkeypatch, small):
    "A studio's folder with a batch whose drop is judged: the present folder."
    monkeypatch.chdir(tmp_path)
    shutil.copytree(TINY, tmp_path / "tiny")
    shutil.copytree(small[0].folder, tmp_path / "studio", ignore=shutil.ignore_patterns("runs"))
    text = (
        f'name = "b"\ncollection = "{tmp_path / "tiny"}"\nfirst = 1\nquantity = 4\nstages = ["20_curate"]\n'
    )
    (tmp_path / "b.toml").write_text(text)
    return tmp_path


def console(capsys, *words: str) -> tuple[int, str, str]:
    "Exit code and output of a command."
    with pytest.raises(SystemExit) as stop:
        main(["decisions", *words])
    shown = capsys.readouterr()
    return stop.value.code or 0, shown.out, shown.err


def said(place) -> list:
    "People's last words."
    listed = entries(Catalog(place / "studio"), load_collection(TINY))
    return [[(word["by"], word["decision"], word.get("stars")) for word in one.words] for one in listed]


def test_a_table_is_filled_in_looked_at_and_recorded_once(place, capsys):
    code, _, _ = console(capsys, "export", "b.toml", "--to", "out/decisions.csv")
    assert code == 0
    table = (place / "out" / "decisions.csv").read_text(encoding="utf-8-sig")
    before = said(place)
    (place / "mine.csv").write_text("slot,attempt,decision,stars,note\n1,1,reject,2,no\n")
    code, out, _ = console(capsys, "import", "b.toml", "mine.csv", "--by", "zoe", "--dry-run")
    assert (
        code == 0 and "1 decisions would be recorded; nothing was: 1 by zoe" in out and said(place) == before
    )
    code, out, _ = console(capsys, "import", "b.toml", "mine.csv", "--by", "zoe", "--json")
    facts = json.loads(out)
    assert (code, facts["decisions"], facts["people"], facts["recorded"]) == (0, 1, {"zoe": 1}, True)
    assert ("zoe", "reject", 2) in said(place)[0]
    code, out, _ = console(capsys, "import", "b.toml", "mine.csv", "--by", "zoe")
    assert "0 decisions recorded" in out and "1 are on record already" in out
    assert table.startswith("dna,slot,attempt,by,decision")


def test_what_does_not_fit_is_told_and_left_out_only_when_that_is_asked_for(place, capsys):
    (place / "mine.csv").write_text("slot,attempt,decision\n1,1,reject\n99,1,accept\n")
    before = said(place)
    for words in ((), ("--dry-run",)):
        code, out, err = console(capsys, "import", "b.toml", "mine.csv", "--by", "zoe", *words)
        assert code == 2 and "line 3: there is no picture of slot 99" in out + err
    assert said(place) == before
    code, out, err = console(capsys, "import", "b.toml", "mine.csv", "--by", "zoe", "--skip")
    assert code == 0 and "1 decisions recorded" in out and "line 3" in err


@pytest.mark.parametrize("kind", ["xmp", "fiftyone", "labelstudio", "pdf"])
def test_every_format_is_written_once_and_says_nothing_new_when_it_comes_back(place, capsys, kind):
    target = "out.pdf" if kind == "pdf" else f"for-{kind}"
    code, out, _ = console(capsys, "export", "b.toml", "--to", target, "--as", kind, "--json")
    assert code == 0 and json.loads(out)["pictures"] > 0
    code, _, err = console(capsys, "export", "b.toml", "--to", target, "--as", kind)
    assert code == 2 and "is there already" in err
    if kind == "pdf":
        return
    file = f"{target}/tasks.json" if kind == "labelstudio" else target
    code, out, _ = console(capsys, "import", "b.toml", file, "--as", kind, "--by", "zoe", "--json")
    facts = json.loads(out)
    assert code == 0 and (facts["decisions"], facts["faults"]) == (0, [])


@pytest.mark.parametrize(
    "words",
    [
        ("export", "b.toml", "--to", "a", "--as", "word"),
        ("export", "b.toml", "--to", "a.csv", "--by", "ada"),
        ("import", "b.toml", "nothing.csv"),
        ("import", "b.toml", "a", "--as", "pdf"),
        ("import", "b.toml", "a", "--as", "labelstudio", "--who", "3"),
        ("import", "b.toml", "a", "--studio", "none"),
    ],
)
def test_wrong_use_is_refused_and_begins_nothing(place, capsys, words):
    code, _, _ = console(capsys, *words)
    assert code == 2 and not (place / "none").exists() and not (place / "a").exists()
