"Tokens: valid, read strictly, and opened field by field."

import json
from pathlib import Path

import jsonschema
import pytest

from artmint.core.canon import canonical, read_json
from artmint.core.collection import OneOfOne
from artmint.core.manifest import BadMetadata
from artmint.core.records import Slot
from artmint.publish.tokens import (
    Attribute,
    NoOpeningSalt,
    TokenMetadata,
    attribute,
    attribute_words,
    has_words,
    json_schema,
    opening_salt,
    public_source,
    published_attributes,
    read_token,
    token_name,
    withheld_digest,
    withheld_digests,
)
from tests.packed import DEMO, pack_demo


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    "The folder of a studio with the demo packed; not to be changed."
    return pack_demo(tmp_path_factory.mktemp("made"))


def test_a_salt_opens_one_field_of_one_token():
    salts = {opening_salt("studio", dna, name) for dna in ("1" * 64, "2" * 64) for name in ("prompt", "seed")}
    assert len(salts) == 4
    assert withheld_digest("prompt", "a", "1") != withheld_digest("prompt", "a", "2")
    with pytest.raises(NoOpeningSalt):
        withheld_digests({"prompt": "x"}, ["prompt"], "1" * 64, "")
    assert withheld_digests({"seed": 7}, ["prompt"], "1" * 64, "") == {}


def test_traits_that_are_numbers_are_shown_as_numbers():
    collection = DEMO.model_copy(
        update={"traits": {"rings": {"3": 8, "12": 8}, "word": {"3": 8, "three": 8}, "code": {"007": 16}}}
    )
    shown = [
        attribute(collection, "rings", "12"),
        attribute(collection, "word", "3"),
        attribute(collection, "code", "007"),
    ]
    assert [(each.value, each.display_type) for each in shown] == [(12, "number"), ("3", None), ("007", None)]
    schema = read_json(json_schema())
    validator = jsonschema.Draft202012Validator({"$defs": schema["$defs"], **schema["$defs"]["Attribute"]})
    for each in shown:
        validator.validate(each.model_dump(mode="json", exclude_none=True))


def test_the_published_schema_is_that_of_the_models():
    assert json.loads(json_schema(words=True, arweave=True)) == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **TokenMetadata.model_json_schema(by_alias=True),
    }
    assert json_schema() == canonical(json.loads(json_schema()))


def test_every_token_is_valid_and_what_marketplaces_read(made):
    root = made / "drops" / "demo-1" / "root"
    validator = jsonschema.Draft202012Validator(json.loads((root / "schema.json").read_bytes()))
    for slot in range(1, 17):
        said = json.loads((root / f"{slot}.json").read_bytes())
        validator.validate(said)
        assert {"name", "description", "image", "attributes", "license", "artmint"} == set(said)
        assert said["name"] == f"First Light #{slot}"
        assert all(set(each) == {"trait_type", "value"} for each in said["attributes"])
        assert [each["trait_type"] for each in said["attributes"]] == list(DEMO.traits)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(said | {"image": "https://example.com/1.png"})


@pytest.mark.parametrize(
    "old, new, why",
    [
        (b'"schema":1,"scorers"', b'"schema":2,"scorers"', "artmint.schema"),
        (b'"schema":1,"scorers"', b'"scorers"', "artmint.schema"),
        (b'{"artmint"', b'{"x":1,"artmint"', "x"),
        (b'"ipfs://', b'"https://', "image"),
        (b'"slot":1', b'"slot":"1"', "artmint.slot"),
        (b'"slot":1', b'"slot":1,"slot":2', "a key comes twice"),
        (b'{"artmint"', b' {"artmint"', "canonical"),
        (b'"clip":0.31', b'"clip":3.1e-1', "canonical"),
        (b'"clip":0.31', b'"clip":NaN', "NaN"),
        (b"}", b"", "Expecting"),
        (b"First", b"\xff", "decode"),
    ],
)
def test_a_token_is_read_strictly(made, old, new, why):
    data = (made / "drops" / "demo-1" / "root" / "1.json").read_bytes()
    assert read_token(data).data == data
    assert old in data
    with pytest.raises(BadMetadata) as caught:
        read_token(data.replace(old, new, 1))
    assert any(why in reason for reason in caught.value.reasons), caught.value.reasons


def test_a_path_stays_in_the_studio(tmp_path):
    assert [
        public_source(each)
        for each in (
            "bundled",
            "owner/model",
            "owner/model@abc",
            str(tmp_path),
            "/srv/models/mine",
            "../mine",
        )
    ] == ["bundled", "owner/model", "owner/model@abc", tmp_path.name, "mine", "mine"]


def test_labels_are_published_and_absent_values_are_not():
    update = {
        "labels": {"motif": "Main Motif"},
        "value_labels": {"motif": {"rings": "3", "waves": "5"}},
        "absent": {"ground": ("slate",), "motif": ("mountains", "mandala", "nebula", "truchet")},
    }
    shown = DEMO.model_copy(update=update)
    traits = {
        "motif": "rings",
        "palette": "ocean",
        "ground": "slate",
        "density": "dense",
        "placement": "centred",
    }
    entries = published_attributes(shown, traits)
    assert [entry.trait_type for entry in entries] == ["Main Motif", "palette", "density", "placement"]
    assert (entries[0].value, entries[0].display_type) == (3, "number")
    assert attribute(shown, "ground", "slate") is None
    assert attribute(DEMO, "ground", "slate") == Attribute(trait_type="ground", value="slate")


def test_a_one_of_one_is_called_and_described_as_the_studio_says():
    works = {
        "queen": OneOfOne(prompt="a queen", title="The Queen", traits={"Edition": "1 of 1"}),
        "twin": OneOfOne(prompt="a twin"),
    }
    shown = DEMO.model_copy(update={"one_of_ones": works})
    assert token_name(shown, 7, {"one_of_one": "queen"}) == "The Queen"
    assert token_name(shown, 7, {"one_of_one": "twin"}) == "First Light #7"
    assert token_name(shown, 7, {"motif": "rings"}) == "First Light #7"
    (entry,) = published_attributes(shown, {"one_of_one": "queen"})
    assert (entry.trait_type, entry.value) == ("Edition", "1 of 1")
    assert published_attributes(shown, {"one_of_one": "twin"}) == ()
    slot = Slot(id=7, traits={"one_of_one": "queen"})
    assert attribute_words(shown, slot, {"prompt": "a queen"}) == {"Edition": ""}


def test_words_stand_only_for_values_that_a_published_prompt_does_not_name():
    words = {"ground": {"paper": "on  a white  ground"}}
    shown = DEMO.model_copy(update={"words": words, "silent": ("density",)})
    slot = Slot(id=1, traits={"motif": "rings", "density": "dense", "ground": "paper"})
    prompt = "rings on a white ground"
    assert attribute_words(shown, slot, {"prompt": prompt}) == {"density": "", "ground": "on a white ground"}
    assert attribute_words(shown, slot, {}) is None
    assert attribute_words(DEMO, slot, {"prompt": "dense rings on paper"}) is None
    assert attribute_words(DEMO, slot, {"prompt": "dense rings"}) == {
        "ground": ""
    }  # painted under another template
    secret = shown.model_copy(update={"withheld": ("prompt",)})
    assert attribute_words(secret, slot, {"prompt": prompt}) is None
    assert has_words(shown, [slot], [{"prompt": prompt}])
    assert not has_words(secret, [slot], [{"prompt": prompt}])
    assert not has_words(DEMO, [slot], [{"prompt": "dense rings on paper"}])
    assert has_words(DEMO, [slot, slot], [{"prompt": "dense rings on paper"}, {"prompt": "rings"}])
    assert json_schema() == json_schema(False) != json_schema(True)
