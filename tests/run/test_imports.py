"`artmint import` as it is typed: looked at, recorded, gone on with, moved, taken back, told to programs."

import json
import shutil

import pytest
from PIL import Image

from artmint.console.cli import main
from artmint.make.base import load_base
from artmint.make.render import render
from artmint.core.records import Recipe
from artmint.studio.catalog import Catalog
from artmint.studio.files import hold_studio
from tests.conftest import TINY
from tests.elsewhere import PAIRS, infotext, png, texts


@pytest.fixture
def place(tmp_path, monkeypatch):
    "A batch and four pictures of its four slots: the present folder."
    monkeypatch.chdir(tmp_path)
    shutil.copytree(TINY, tmp_path / "tiny")
    shutil.copy(TINY.parent / "tiny.toml", tmp_path)
    (tmp_path / "pictures").mkdir()
    for number, motif in enumerate(("rings", "waves")):
        for more, palette in enumerate(("ocean", "ember")):
            seed = 1 + 2 * number + more
            words = infotext(
                f"{motif} in {palette} colours", pairs=PAIRS.replace(", Model hash: 6ce0161689", "")
            )
            (tmp_path / "pictures" / f"{motif}-{palette}.png").write_bytes(texts(seed, parameters=words))
    return tmp_path


@pytest.fixture
def console(capsys):
    "Exit code, standard output and standard error of `artmint import tiny.toml`."

    def typed(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(["import", "tiny.toml", *words])
        shown = capsys.readouterr()
        return stop.value.code or 0, shown.out, shown.err

    return typed


def standing(place) -> dict:
    records = Catalog(place / "studio").all("attempt")
    return {key: body["imported"]["file"] for key, body in records.items() if not body.get("withdrawn")}


def test_looked_at_recorded_and_taken_back(place, console):
    code, out, _ = console("pictures", "--dry-run")
    assert code == 0 and "4 taken in" in out and "nothing was recorded (--dry-run)" in out
    assert not Catalog(place / "studio").all("attempt")
    code, out, _ = console("pictures", "--report", "report.json")
    assert code == 0 and out.count("A1111") == 4
    report = json.loads((place / "report.json").read_text())
    assert [one["state"] for one in report["files"]] == ["placed"] * 4 and report["counts"] == {"placed": 4}
    assert len(standing(place)) == 4
    code, out, _ = console("pictures", "--json")
    assert code == 0 and json.loads(out)["counts"] == {"known": 4}
    code, out, _ = console("pictures/rings-ocean.png", "--withdraw")
    assert code == 0 and "was taken back from slot 1 (attempt 1)" in out and len(standing(place)) == 3
    code, _, err = console("pictures/rings-ocean.png", "--withdraw")
    assert code == 1 and "stands for no slot" in err
    code, out, _ = console("pictures/rings-ocean.png", "--slot", "4")
    assert code == 0 and standing(place)["tiny/4/2"] == "rings-ocean.png"


def test_a_bad_day(place, console):
    "Broken files, files without words, a table that is wrong, one that names what isn't there, another table after it."
    (place / "pictures" / "silent.png").write_bytes(png(seed=50))
    code, out, _ = console("pictures")
    assert code == 4 and "nothing says how it was made" in out
    (place / "wrong.csv").write_text("file,slot\nsilent.png,four\n")
    code, _, err = console("pictures", "--table", "wrong.csv")
    assert code == 2 and "slot 'four' is no number" in err
    (place / "first.csv").write_text("file;motif;palette\nsilent.png;rings;ember\ngone.png;rings;ember\n")
    code, out, err = console("pictures", "--table", "first.csv")
    assert code == 1 and "names gone.png, and no picture here is called so" in err
    kept = standing(place)
    (place / "second.csv").write_text("file,slot\nsilent.png,2\nrings-ocean.png,2\n")
    code, out, _ = console("pictures", "--table", "second.csv")
    assert code == 0 and "2 moved" in out and "3 on record already" in out
    moved = {key for key, file in standing(place).items() if file in ("silent.png", "rings-ocean.png")}
    assert {key.split("/")[1] for key in moved} == {"2"} and len(standing(place)) == len(kept) == 5
    (place / "pictures" / "torn.png").write_bytes(png(seed=51)[:-60])
    assert console("pictures")[0] == 1


def test_pictures_whose_words_name_no_traits_are_placed_by_a_table_to_fill_in(place, console):
    for path in (place / "pictures").glob("*.png"):
        path.unlink()
    for number, name in enumerate(("one.png", "=two.png", "three.png")):
        (place / "pictures" / name).write_bytes(png(seed=60 + number))
    code, out, _ = console("pictures", "--dry-run", "--write-table", "places.csv")
    assert code == 4 and "3 rows of places.csv wait for a slot (places.slots.csv lists them)" in out
    rows = (place / "places.csv").read_text("utf-8-sig").splitlines()
    assert rows[0] == "file,slot,note"
    assert [row.split(",")[:2] for row in sorted(rows[1:])] == [
        ["'=two.png", ""],
        ["one.png", ""],
        ["three.png", ""],
    ]
    slots = (place / "places.slots.csv").read_text("utf-8-sig").splitlines()
    assert slots[0] == "slot,motif,palette,pictures,closed" and len(slots) == 5
    code, _, err = console("pictures", "--dry-run", "--write-table", "places.csv")
    assert code == 2 and "places.csv" in err
    filled = [
        row.replace(".png,,", f".png,{1 + number % 2},")
        for number, row in enumerate(rows)
        if "three" not in row
    ]
    (place / "places.csv").write_text("\n".join([*filled, "three.png,,not yet"]), "utf-8-sig")
    code, out, err = console("pictures", "--table", "places.csv")
    assert code == 4 and "1 of its rows have a file and no place yet" in err
    assert set(standing(place).values()) == {"one.png", "=two.png"}
    assert len({key.split("/")[1] for key in standing(place)}) == 2


def test_what_is_typed_wrong_is_told(place, console):
    (place / "t.csv").write_text("file,slot\na.png,1\n")
    for words, why in (
        (("nowhere",), "there is no such file or folder"),
        (("tiny",), "it holds no pictures"),
        (("pictures", "--slot", "1", "--table", "t.csv"), "both say where pictures go"),
        (("pictures", "--source", "oil"), "is none of IPTC's"),
        (("pictures", "--declared-by", "<b>"), "can't be published"),
        (("pictures", "--table", "none.csv"), "No such file"),
    ):
        code, _, err = console(*words)
        assert code == 2 and why in " ".join(err.replace("│", " ").split()), err
    assert not (place / "studio" / "catalog.sqlite").exists() or not standing(place)


def test_nothing_is_imported_while_a_batch_runs(place, console):
    (place / "studio").mkdir()
    Catalog(place / "studio")
    with hold_studio(place / "studio", "tiny"):
        code, _, err = console("pictures")
        assert code != 0 and "tiny" in err
        assert console("pictures", "--dry-run")[0] == 0
    assert not standing(place)


@pytest.mark.slow
def test_settings_that_can_be_painted_here_are_painted_again(place, console):
    base = load_base()
    pairs = f"Steps: 2, Sampler: DDIM, CFG scale: 5, Seed: 7, Size: 64x64, Model hash: {base.digest[:10]}"
    facts = dict(
        base=base.digest,
        prompt="rings in ocean colours",
        seed=7,
        steps=2,
        width=64,
        height=64,
        prompt_syntax="a1111",
    )
    own = render(base, [Recipe(**facts)])[0]
    words = infotext("rings in ocean colours", "", pairs)
    (place / "pictures" / "own.png").write_bytes(texts(image=own, parameters=words))
    (place / "pictures" / "other.png").write_bytes(
        texts(image=Image.new("RGB", (64, 64), "navy"), parameters=words)
    )
    code, out, _ = console("pictures", "--regenerate", "9", "--json")
    differences = {one["file"]: one["largest"] for one in json.loads(out)["painted_again"]}
    assert code == 0 and differences.keys() == {"own.png", "other.png"}
    assert differences["own.png"] == 0 and differences["other.png"] > 0
    code, out, _ = console("pictures", "--regenerate", "1")
    assert "other.png: painted again it differs by" in out


def test_a_folder_without_pictures_begins_no_studio(place, console):
    code, _, err = console("tiny")
    assert code == 2 and "no pictures" in " ".join(err.split())
    assert not (place / "studio").exists()


def test_a_table_that_cant_be_written_is_refused_before_pictures_are_read(place, console):
    code, _, err = console("pictures", "--write-table", "nowhere/table.csv")
    assert code == 2 and "there is no folder nowhere" in " ".join(err.split())
    assert standing(place) == {}
