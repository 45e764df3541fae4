"""Pictures made elsewhere in a collection: recorded once, moved, taken back, judged with others, and what their settings
would paint here."""

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from artmint.core.infotexts import Origin
from artmint.core.inscriptions import inscription_of
from artmint.core.picture import pixel_digest, read_png
from artmint.core.records import NotARecipe, Recipe, Stated, StatedLora, parse_facts
from artmint.curate import choose, imported
from artmint.generate import Declaration, open_slots
from artmint.judge.arrivals import Places, UnreadableTable, arrival_files, read_places
from artmint.judge.imports import (
    KnownModels,
    NothingTakenBack,
    PictureImport,
    alike_pictures,
    import_pictures,
    imprint_of,
    pixel_difference,
    recipe_of,
    taken_back,
)
from artmint.judge.decisions import Action, ReviewSession, record_action, slots_awaiting_review
from artmint.seeds import frozen_slots, load_collection
from artmint.studio.catalog import Catalog
from artmint.studio.editions import edition_of, packed_slots
from tests.conftest import TINY
from tests.elsewhere import PAIRS, exif, comment, infotext, pixels, png, saved, texts

COLLECTION = load_collection(TINY)


@pytest.fixture
def studio(tmp_path):
    "A catalog, its slots, and a folder for pictures."
    catalog = Catalog(tmp_path / "studio")
    slots = frozen_slots(catalog, COLLECTION, COLLECTION.salt)
    (tmp_path / "pictures").mkdir()
    return catalog, slots, tmp_path / "pictures"


def prompt_for(slot) -> str:
    return f"{slot.traits['motif']} in {slot.traits['palette']} colours"


def painted(folder, name: str, prompt: str, seed: int) -> None:
    "A picture of A1111's."
    pairs = PAIRS.replace("Seed: 7", f"Seed: {seed}")
    (folder / name).write_bytes(texts(seed, parameters=infotext(prompt, pairs=pairs)))


def taken(studio, table=None, slot=None, dry=False, open_ones=range(1, 5)) -> dict:
    "Import the folder; outcomes by file."
    catalog, slots, folder = studio
    packed = packed_slots(catalog, COLLECTION.name)
    places = Places(COLLECTION, {one.id: one for one in slots}, open_ones, packed, Counter(), table, slot)
    work = PictureImport(catalog, COLLECTION, places, Declaration(""), dry=dry)
    return {one.arrival.file: one for one in import_pictures(work, arrival_files(folder))}


def states(outcomes: dict) -> dict:
    return {file: (one.state, one.slot) for file, one in outcomes.items()}


HEX = st.text("0123456789abcdef", min_size=64, max_size=64)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.builds(
        Stated,
        tool=st.text(),
        prompt=st.text(),
        seed=st.integers(-(10**19), 10**20 - 1).map(str),
        guidance=st.none() | st.floats(0, 100),
        loras=st.lists(st.builds(StatedLora, name=st.text(), weight=st.none() | st.floats(-2, 2))).map(tuple),
        pixel_digest=HEX,
        width=st.integers(1, 9000),
        height=st.integers(1, 9000),
    )
)
def test_a_statement_is_what_its_facts_say(stated):
    assert parse_facts(stated.facts()) == stated
    with pytest.raises(NotARecipe):
        Recipe.parse(stated.facts())
    for spoiled in ({"schema": 2}, {"made": "by machine"}, {"base": "0" * 64}, {"width": 0}, {"seed": "7.0"}):
        with pytest.raises(NotARecipe):
            parse_facts(stated.facts() | spoiled)


def test_a_folder_is_taken_in_once_and_told(studio):
    catalog, slots, folder = studio
    for number, slot in enumerate(slots, 1):
        painted(folder, f"{slot.id}.png", prompt_for(slot), number)
    painted(folder, "second.png", prompt_for(slots[0]), 90)
    painted(folder, "unclear.png", "rings and waves in ocean colours", 91)
    painted(folder, "twin.png", prompt_for(slots[0]), 1)
    (folder / "silent.png").write_bytes(png(seed=92))
    (folder / "torn.png").write_bytes(png(seed=93)[:-60])
    (folder / "zwin.png").write_bytes(texts(1, parameters=infotext("anything")))
    (folder / "notes.md").write_text("mine")
    looked = taken(studio, dry=True)
    assert not catalog.all("attempt")
    first = taken(studio)
    assert states(looked) == states(first)
    wanted = {f"{slot.id}.png": ("placed", slot.id) for slot in slots} | {
        "second.png": ("placed", slots[0].id)
    }
    wanted |= {"unclear.png": ("unplaced", None), "silent.png": ("unplaced", None)}
    assert states(first) == wanted | {
        "twin.png": ("twin", None),
        "zwin.png": ("twin", None),
        "torn.png": ("refused", None),
    }
    assert "several values of motif: rings, waves" in first["unclear.png"].why
    assert first["twin.png"].why == "the same file as 1.png"
    assert first["zwin.png"].why == "the same pixels as 1.png"
    records = catalog.all("attempt")
    again = taken(studio)
    assert catalog.all("attempt") == records and len(records) == 5
    assert {one.state for file, one in again.items() if file in wanted and wanted[file][1]} == {"known"}
    one = records[f"tiny/{slots[0].id}/1"]
    assert (one["recipe"]["made"], one["recipe"]["seed"], one["imported"]["file"]) == (
        "elsewhere",
        "1",
        "1.png",
    )
    artifact = catalog.get("artifact", one["dna"])
    image, words = read_png(catalog.blob(artifact["file_digest"]))
    assert pixel_digest(image) == pixel_digest(pixels(1)) == artifact["pixel_digest"] and set(words) == {
        "artmint"
    }


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("after", range(0, 12, 2))
def test_killed_in_the_middle_it_goes_on_and_nothing_is_there_twice(studio, monkeypatch, after):
    "Every write of the catalog and the blobs may be the last one."
    catalog, slots, folder = studio
    for number in range(1, 7):
        painted(folder, f"{number}.png", prompt_for(slots[number % 4]), number)
    left = [after]

    def killing(write):
        def written(*given, **more):
            if not left[0]:
                raise _Killed
            left[0] -= 1
            return write(*given, **more)

        return written

    with monkeypatch.context() as patch:
        for name in ("put", "add", "put_blob"):
            patch.setattr(Catalog, name, killing(getattr(Catalog, name)))
        with pytest.raises(_Killed):
            taken(studio)
    taken(studio)
    records = catalog.all("attempt")
    assert sorted(body["imported"]["file"] for body in records.values()) == [f"{n}.png" for n in range(1, 7)]
    assert all(
        catalog.has_blob(catalog.get("artifact", body["dna"])["file_digest"]) for body in records.values()
    )


def test_a_table_moves_what_is_on_record_and_says_what_it_cannot(studio):
    catalog, slots, folder = studio
    painted(folder, "a.png", prompt_for(slots[0]), 1)
    painted(folder, "b.png", prompt_for(slots[1]), 2)
    taken(studio)
    moved = taken(studio, table={"a.png": 3, "b.png": dict(slots[1].traits)})
    assert states(moved) == {"a.png": ("moved", 3), "b.png": ("known", slots[1].id)}
    attempts = catalog.all("attempt")
    assert attempts[f"tiny/{slots[0].id}/1"]["withdrawn"] and "withdrawn" not in attempts["tiny/3/1"]
    assert len(imported(catalog, COLLECTION, slots)) == 2
    back = taken(studio, table={"a.png": slots[0].id})
    assert states(back)["a.png"] == ("moved", slots[0].id) and back["a.png"].attempt == 2
    (folder / "a.png").rename(folder / "renamed.png")
    renamed = taken(studio)
    assert renamed["renamed.png"].state == "known" and renamed["renamed.png"].why == "on record as a.png"
    beyond = taken(studio, table={"b.png": 99})
    assert (beyond["b.png"].state, beyond["b.png"].slot) == ("known", slots[1].id)
    assert "slots 1 to 4, and no slot 99" in beyond["b.png"].why


def test_rules_choose_among_imported_pictures_and_people_after_them(studio, judge):
    catalog, slots, folder = studio
    (folder / "flat.png").write_bytes(
        texts(image=Image.new("RGB", (64, 64), "navy"), parameters=infotext(prompt_for(slots[0])))
    )
    painted(folder, "one.png", prompt_for(slots[0]), 1)
    painted(folder, "two.png", prompt_for(slots[0]), 2)
    taken(studio)
    assert [slot.id for slot in open_slots(catalog, COLLECTION, COLLECTION.salt, 1, 4)] == [2, 3, 4]
    chosen = choose(catalog, COLLECTION, judge, slots[:1], 0).editions[0]
    names = {
        f"tiny/1/{number}": body["imported"]["file"]
        for number, body in enumerate(catalog.all("attempt").values(), 1)
    }
    assert names[f"tiny/1/{chosen.attempt}"] != "flat.png" and "contrast" in chosen.scores
    other = next(one for one in imported_all(catalog, slots) if one.attempt not in (chosen.attempt, 1))
    record_action(
        ReviewSession(catalog, COLLECTION, "Ada"), Action(id="1", dnas=(other.dna,), decision="accept")
    )
    assert choose(catalog, COLLECTION, judge, slots[:1], 0).editions[0].dna == other.dna
    given = {body["given"]: "x" for body in catalog.all("attempt").values() if body["dna"] == other.dna}
    assert taken_back(catalog, COLLECTION, given) == [("x", f"tiny/1/{other.attempt}")]
    assert edition_of(catalog, "tiny", 1) is None
    assert choose(catalog, COLLECTION, judge, slots[:1], 0).editions[0].dna == chosen.dna
    with pytest.raises(NothingTakenBack, match="stands for no slot"):
        taken_back(catalog, COLLECTION, given)
    assert not slots_awaiting_review(catalog, COLLECTION, range(1, 5))


def imported_all(catalog, slots) -> list:
    return [one for one in ReviewSession(catalog, COLLECTION, "Ada").candidates().values()]


def test_what_cannot_be_published_is_said_and_not_cut(studio):
    catalog, slots, folder = studio
    prompt = prompt_for(slots[0])
    (folder / "long.png").write_bytes(texts(1, parameters=infotext(f"{prompt} " + "x" * 10_000)))
    (folder / "marks.png").write_bytes(
        texts(
            2,
            parameters=infotext(
                f"{prompt} <segment:face> \u200b&amp; \u202e", pairs=PAIRS.replace("v1-5", "m" * 600)
            ),
        )
    )
    outcomes = taken(studio)
    assert (
        outcomes["long.png"].state == "refused" and "at most 10,000 are published" in outcomes["long.png"].why
    )
    stated = parse_facts(catalog.all("attempt")["tiny/1/1"]["recipe"])
    assert stated.prompt == f"{prompt} \u2039segment:face> & amp;" and stated.model == ""
    notes = outcomes["marks.png"].arrival.notes
    assert any("U+200B" in note for note in notes) and any(
        "model's name isn't published" in note for note in notes
    )


@pytest.mark.parametrize(
    "change, why",
    [
        ({}, ""),
        ({"sampler": "euler", "schedule": "normal"}, ""),
        ({"sampler": "DPM++ 2M Karras"}, ""),
        ({"seed": 2**32}, "isn't one of 32 bits"),
        ({"seed": -1}, "isn't one of 32 bits"),
        ({"seed": None}, "names no seed"),
        ({"model_hash": "ffffffffff"}, "isn't the collection's base"),
        ({"model_hash": ""}, "by no hash"),
        ({"sampler": "Restart"}, "isn't known here"),
        ({"steps": None}, "aren't stated"),
        ({"width": 65}, "no recipe here"),
        ({"further": {"Hires upscale": "2"}}, "more than one pass"),
        ({"further": {"Variation seed": "12"}}, "more than one pass"),
        ({"loras": (StatedLora(name="gold", weight=0.5, hash="aabbccddee"),)}, ""),
        ({"loras": (StatedLora(name="ink", weight=0.5, hash="ffff0000aa"),)}, "ink isn't in the studio"),
    ],
)
def test_settings_are_a_recipe_where_all_of_them_can_be_painted_here(change, why):
    models = KnownModels("6ce0161689" + "0" * 54, ("6ce0161689" + "0" * 54,), ("aabbccddee" + "1" * 54,))
    facts = dict(
        prompt="rings",
        seed=7,
        sampler="Euler",
        steps=20,
        guidance=7.0,
        width=64,
        height=64,
        model_hash="6ce0161689",
    )
    recipe, told = recipe_of(Origin("A1111", **(facts | change)), models)
    assert (recipe is None) == bool(why) and why in told
    if recipe:
        assert (recipe.seed, recipe.base, recipe.prompt_syntax) == (7, models.base, "a1111")


@pytest.mark.parametrize(
    "table, wanted",
    [
        ("file,slot\na.png,3\n", {"a.png": 3}),
        ("file;motif;palette\na.png;Rings;ocean\n", {"a.png": {"motif": "rings", "palette": "ocean"}}),
        ("\ufefffile\tslot\nsub\\a.png\t2,0\n\n", {"sub/a.png": 2}),
    ],
)
def test_tables_of_people_are_read(table, wanted):
    assert read_places("t.csv", table.encode(), COLLECTION, []) == wanted


@pytest.mark.parametrize(
    "table, why",
    [
        ("name,slot\na.png,3\n", "names no columns file"),
        ("file,slot\na.png,x\n", "line 2: slot 'x' is no number"),
        ("file,motif\na.png,stars\n", "motif has no value 'stars'"),
        ("file,slot\na.png,1\na.png,2\n", "stands in it twice"),
        ("file,slot\n,1\n", "line 2: it names no file"),
        ("", "it is empty"),
    ],
)
def test_a_table_that_cannot_be_used_names_every_fault(table, why):
    with pytest.raises(UnreadableTable, match=why):
        read_places("t.csv", table.encode(), COLLECTION, [])


def test_pictures_that_are_nearly_equal_are_told(studio):
    images = {
        "a": pixels(1),
        "mirrored": pixels(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        "b": pixels(2),
    }
    found = alike_pictures({name: imprint_of(image) for name, image in images.items()})
    assert [pair[:2] for pair in found] == [("a", "mirrored")]
    assert str(pixel_difference("a", pixels(1), pixels(1))).endswith("the same pixels")
    other = Image.fromarray(np.asarray(pixels(1)) // 2)
    assert "grey levels in the mean" in str(pixel_difference("a", pixels(1), other))


def test_formats_other_than_png_come_in_as_well(studio):
    catalog, slots, folder = studio
    words = exif(UserComment=comment(infotext(prompt_for(slots[1]))))
    (folder / "a.jpg").write_bytes(saved("JPEG", seed=5, exif=words))
    (folder / "sub").mkdir()
    (folder / "sub" / "b.webp").write_bytes(saved("WEBP", seed=6, lossless=True, exif=words))
    (folder / "sub" / "c.png").write_bytes(png(seed=7))
    (folder / "sub" / "c.json").write_text(
        json.dumps({"prompt": prompt_for(slots[2]), "seed": 1, "num_inference_steps": 5})
    )
    assert {one.slot for one in taken(studio).values()} == {slots[1].id, slots[2].id}
    assert {one.tool for one in map(lambda one: one.arrival, taken(studio).values())} >= {"Easy Diffusion"}


def test_an_inscription_has_limits():
    bomb = png(*[b""])
    assert inscription_of(bomb).texts == {}
    assert inscription_of(b"\x89PNG\r\n\x1a\n" + b"\0" * 40).notes
