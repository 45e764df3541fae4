"Labels, absent values, silent traits, words, wildcards and one-of-ones: from the file to a stranger's proof."

import json
from collections import Counter

import jsonschema
import numpy as np
import pytest
from PIL import Image

import artmint.verify
from artmint.chain.contract import content_root
from artmint.core.canon import canonical, read_json
from artmint.core.picture import pixel_digest, png_bytes
from artmint.core.records import Artifact, Edition
from artmint.generate import enter, open_slots
from artmint.ipfs.cid import CID
from artmint.ipfs.stores import FolderStore
from artmint.metadata import AuditFailed, pack
from artmint.prove.evidence import ChainClaim, ChainDrop
from artmint.publish.tokens import BaseFacts, published_attributes, read_token
from artmint.seeds import frozen_slots, load_collection, prompt_of, recipes
from artmint.studio.catalog import Catalog
from artmint.verify import verify
from tests.packed import manifest_of
from tests.studios import drawing

BASE = BaseFacts(digest="0" * 64, source="bundled")
FILE = """
name = "cats"
title = "Cats"
description = "Cats."
supply = 16
license = "CC0-1.0"
salt = "meow"
silent = ["series"]
template = '''
{coat} cat, {hat},
{ground}, __weather__'''

[weights.coat]
red = "#40"
grey = "#40"
gold = "#20"

[traits.hat]
none = 9
cap = 4

[traits.ground]
sea = 6
sky = 7

[traits.series]
1 = 13

[labels]
coat = "Coat Colour"
ground = "Background Color"

[value_labels.ground]
sea = "Deep Sea"

[words.ground]
sea = "before a __depth__ sea"
sky = "in the sky"

[words.hat]
cap = "wearing a cap"

[absent]
hat = ["none"]

[wildcards]
weather = "weather.txt"
depth = ["deep", "shallow"]

[one_of_ones.queen]
title = "The Queen"
prompt = "a cat as a queen, __weather__"
traits = { "Coat Colour" = "Royal", Edition = "1 of 1" }
slots = [7]

[one_of_ones.twins]
prompt = "two cats, gold"
quantity = 1
traits = { Edition = "gold" }

[one_of_ones.painting]
title = "Painted"
by_hand = true

[generation]
width = 64
height = 64
"""


def cats(folder, **changes):
    "The collection, read from a folder."
    place = folder / "cats"
    place.mkdir(parents=True, exist_ok=True)
    text = FILE
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new)
    (place / "weather.txt").write_text(
        "\ufeffmorning mist\r\n\r\n# a comment\r\nlight rain\r\n", encoding="utf-8"
    )
    (place / "collection.toml").write_text(text, encoding="utf-8")
    return load_collection(place)


def paint(catalog, collection) -> None:
    "An edition for every open slot, of noise."
    slots = {slot.id: slot for slot in open_slots(catalog, collection, collection.salt, 1, 16)}
    for number, slot in slots.items():
        recipe = recipes(collection, [slot], collection.salt, range(1, 2), BASE.digest)[0].recipe
        pixels = np.random.default_rng(number).integers(0, 255, (64, 64, 3), np.uint8)
        image = Image.fromarray(pixels)
        kept = {
            "dna": recipe.dna,
            "pixel_digest": pixel_digest(image),
            "file_digest": catalog.put_blob(png_bytes(image, recipe, "artmint bundled")),
        }
        artifact = Artifact(recipe=recipe.facts(), environment={}, **kept)
        catalog.put("artifact", recipe.dna, artifact.model_dump(mode="json"))
        edition = Edition(slot=number, attempt=1, traits=slot.traits, scores={}, scorers={}, **kept)
        catalog.put("edition", f"cats/{number}", edition.model_dump(mode="json"))


def hang(catalog, collection, path) -> int:
    "Enter the work made by hand, and make it its slot's edition; its slot."
    slots = frozen_slots(catalog, collection, collection.salt)
    (slot,) = [slot for slot in slots if slot.traits == {"one_of_one": "painting"}]
    work = enter(catalog, collection, slot.id, drawing(path), "Ada", "linocut")
    kept = work.model_dump(include={"dna", "pixel_digest", "file_digest"})
    edition = Edition(slot=slot.id, attempt=0, traits=slot.traits, scores={}, scorers={}, **kept)
    catalog.put("edition", f"cats/{slot.id}", edition.model_dump(mode="json"))
    return slot.id


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    "A studio with all of the collection packed, and the collection."
    folder = tmp_path_factory.mktemp("shown")
    collection = cats(folder)
    catalog = Catalog(folder / "studio")
    paint(catalog, collection)
    hang(catalog, collection, folder / "work.png")
    pack(catalog, collection, 1, 1, 16, BASE, {})
    return catalog, collection


def tokens(catalog) -> dict[int, dict]:
    "What is published of each token."
    root = catalog.folder / "drops/cats-1/root"
    return {slot: json.loads((root / f"{slot}.json").read_bytes()) for slot in range(1, 17)}


def proof_of(catalog, scratch, monkeypatch):
    "What a stranger finds, told by the chain of this drop's root."
    folder = catalog.folder / "drops/cats-1"
    manifest = manifest_of(folder)
    root = CID.parse(manifest.root)
    FolderStore(scratch / "store").put(folder / "drop.car", root)
    contract = "0x" + "ab" * 20
    uris = {i: f"ipfs://{root}/{i}.json" for i in range(1, 17)}
    drop = ChainDrop(1, 16, content_root(1, contract, manifest.tokens)[0], root)
    claim = ChainClaim(1, contract, range(1, 17), uris, (drop,))
    monkeypatch.setattr(artmint.verify, "ask_chain", lambda *_: claim)
    return verify(f"1:{contract}", scratch)


def test_what_is_published_has_labels_and_no_absent_values(studio):
    catalog, collection = studio
    made = tokens(catalog)
    counts = Counter()
    for token in made.values():
        counts.update((entry["trait_type"], str(entry["value"])) for entry in token["attributes"])
    assert counts == {
        ("Coat Colour", "red"): 5,
        ("Coat Colour", "grey"): 5,
        ("Coat Colour", "gold"): 3,
        ("hat", "cap"): 4,
        ("Background Color", "Deep Sea"): 6,
        ("Background Color", "sky"): 7,
        ("series", "1"): 13,
        ("Coat Colour", "Royal"): 1,
        ("Edition", "1 of 1"): 1,
        ("Edition", "gold"): 1,
    }
    assert made[7]["name"] == "The Queen"
    assert sum(token["name"] == "Painted" for token in made.values()) == 1
    series = [e for token in made.values() for e in token["attributes"] if e["trait_type"] == "series"]
    assert {entry["display_type"] for entry in series} == {"number"}


def test_prompts_say_the_words_and_are_tidy(studio):
    catalog, collection = studio
    slots = frozen_slots(catalog, collection, collection.salt)
    weathers, depths = set(), set()
    for slot in slots:
        prompt = prompt_of(collection, slot)
        assert "\n" not in prompt
        assert "__" not in prompt
        assert ", ," not in prompt
        if "one_of_one" in slot.traits:
            continue
        assert prompt.startswith(f"{slot.traits['coat']} cat, ")
        assert ("wearing a cap, " in prompt) == (slot.traits["hat"] == "cap")
        assert "none" not in prompt
        weathers.add(slot.wildcards["weather"])
        assert prompt.endswith(slot.wildcards["weather"])
        if slot.traits["ground"] == "sea":
            depths.add(slot.wildcards["depth"])
            assert f"before a {slot.wildcards['depth']} sea" in prompt
    assert weathers == {"morning mist", "light rain"}
    assert depths == {"deep", "shallow"}


def test_the_json_fits_the_schema_that_is_published_with_it(studio):
    catalog, _ = studio
    root = catalog.folder / "drops/cats-1/root"
    validator = jsonschema.Draft202012Validator(json.loads((root / "schema.json").read_bytes()))
    for token in tokens(catalog).values():
        validator.validate(token)
    assert any("words" in token["artmint"] for token in tokens(catalog).values())


def test_a_stranger_finds_attributes_and_prompts_agree(studio, tmp_path, monkeypatch):
    catalog, _ = studio
    proof = proof_of(catalog, tmp_path, monkeypatch)
    assert "failed" not in {step.status for step in proof.steps}, proof.text()
    assert proof.levels["recipe"] == "held", proof.text()
    (recipe,) = [step.evidence for step in proof.steps if step.name == "recipe"]
    assert "Background Color" in recipe
    assert "series" in recipe
    assert "the studio's word" in recipe


LIES = {
    "a label of another value": lambda said: said["attributes"][0].update(value="Gold"),
    "words that no prompt says": lambda said: said["artmint"]["words"].update({"Coat Colour": "golden"}),
    "words for nothing": lambda said: said["artmint"]["words"].update({"Fur": ""}),
}


@pytest.mark.parametrize("lie", LIES)
def test_lies_about_words_are_found_by_a_stranger(studio, lie, tmp_path):
    from artmint.publish.audit import _unnamed_traits

    catalog, _ = studio
    slot = next(i for i, token in tokens(catalog).items() if "words" in token["artmint"] and i != 7)
    said = tokens(catalog)[slot]
    assert _unnamed_traits(slot, read_token(canonical(said))) == []
    LIES[lie](said)
    assert _unnamed_traits(slot, read_token(canonical(said)))


def test_a_drop_that_publishes_something_else_is_not_packed(studio, tmp_path, monkeypatch):
    import shutil

    from artmint import metadata

    catalog, collection = studio
    shutil.copytree(catalog.folder, tmp_path / "studio")
    shutil.rmtree(tmp_path / "studio/drops")
    real = metadata.token_json

    def lying(*facts, **more):
        said = read_json(real(*facts, **more))
        for entry in said["attributes"]:
            entry["trait_type"] = entry["trait_type"].lower()
        return canonical(said)

    monkeypatch.setattr(metadata, "token_json", lying)
    with pytest.raises(AuditFailed, match="attributes"):
        pack(Catalog(tmp_path / "studio"), collection, 1, 1, 16, BASE, {})


def test_slots_held_for_works_by_hand_are_not_painted(tmp_path):
    collection = cats(tmp_path)
    catalog = Catalog(tmp_path / "studio")
    slots = frozen_slots(catalog, collection, collection.salt)
    held = [slot.id for slot in slots if slot.traits == {"one_of_one": "painting"}]
    assert len(held) == 1
    open_ones = open_slots(catalog, collection, collection.salt, 1, 16)
    assert [slot.id for slot in open_ones] == [i for i in range(1, 17) if i not in held]
    assert hang(catalog, collection, tmp_path / "work.png") == held[0]


def test_a_withheld_prompt_withholds_its_words(tmp_path):
    collection = cats(tmp_path).model_copy(update={"withheld": ("prompt",)})
    catalog = Catalog(tmp_path / "studio")
    paint(catalog, collection)
    hang(catalog, collection, tmp_path / "work.png")
    pack(catalog, collection, 1, 1, 16, BASE, {})
    root = catalog.folder / "drops/cats-1/root"
    for path in [*root.glob("*.json"), *root.glob("images/*")]:
        assert b"wearing a cap" not in path.read_bytes()
    assert all("words" not in token["artmint"] for token in tokens(catalog).values())


def test_changed_lines_change_prompts_and_no_traits(tmp_path):
    collection = cats(tmp_path)
    catalog = Catalog(tmp_path / "studio")
    before = frozen_slots(catalog, collection, collection.salt)
    (tmp_path / "cats" / "weather.txt").write_text("snow\n")
    changed = load_collection(tmp_path / "cats")
    assert changed.digest != collection.digest
    after = frozen_slots(catalog, changed, changed.salt)
    assert [slot.traits for slot in after] == [slot.traits for slot in before]
    assert {slot.wildcards["weather"] for slot in after if "weather" in slot.wildcards} == {"snow"}
    again = recipes(collection, [after[0]], collection.salt, range(1, 2), BASE.digest)
    assert again == recipes(collection, [before[0]], collection.salt, range(1, 2), BASE.digest)


def test_attributes_of_a_value_that_is_absent_are_none(studio):
    _, collection = studio
    traits = {"coat": "red", "hat": "none", "ground": "sea", "series": "1"}
    assert [entry.trait_type for entry in published_attributes(collection, traits)] == [
        "Coat Colour",
        "Background Color",
        "series",
    ]
