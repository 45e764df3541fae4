"Tokens: valid, read strictly, and opened field by field."

import hashlib
import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artmint.core.canon import canonical, read_json
from artmint.core.collection import Market, OneOfOne, read_collection
from artmint.core.manifest import BadMetadata
from artmint.core.records import Slot
from artmint.ipfs.car import check_car, open_car, read_file
from artmint.ipfs.cid import cid
from artmint.metadata import pack
from artmint.publish.audit import check_token
from artmint.publish.placeholder import pack_placeholder
from artmint.publish.tokens import (
    AIGC_FIELDS,
    is_of_schema,
    Attribute,
    MissingMedia,
    NoOpeningSalt,
    attribute,
    attribute_words,
    has_market_fields,
    has_words,
    json_schema,
    labelled_template,
    media_files,
    model_schema,
    opening_salt,
    public_source,
    published_attributes,
    read_contract,
    read_token,
    token_name,
    withheld_digest,
    withheld_digests,
)
from tests.packed import BASE, DEMO, WEIGHTS, drop_of, fill, pack_demo
from tests.shown import ADA, BEN, SPLITTER, pack_shown, shown_folder

FIRST_SCHEMA = (
    "e09e14ddaaa8e4c39233e5303677755bea231e253278ec50056434e2f8995773"  # SHA-256 of token.schema.json
)


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
    assert json_schema(aigc=True) == model_schema(), "run scripts/token_schema.py"
    for words in (False, True):
        for arweave in (False, True):
            assert json_schema(words, arweave) == canonical(json.loads(json_schema(words, arweave)))


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
        (b"First", b"\xff", "UTF-8"),
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
        "absent": {
            "ground": ("slate",),
            "motif": tuple(DEMO.traits["motif"].keys() - {"rings", "waves"}),
        },
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


# ------------------------------------------------------------------ what markets show

NUMBERS = st.integers(-10, 10**11) | st.floats(-10, 10**6).map(lambda number: round(number, 3))
TYPES = st.sampled_from([None, "number", "boost_number", "boost_percentage", "date"])


@given(NUMBERS | st.sampled_from(["rings", "7"]), TYPES, st.none() | NUMBERS)
def test_schema_and_models_take_the_same_attributes(value, shown, highest):
    "But for a highest value below the value, which a schema can't say."
    entry = {"trait_type": "Luck", "value": value, "display_type": shown, "max_value": highest}
    entry = {key: part for key, part in entry.items() if part is not None}
    schema = read_json(json_schema(market=True))
    validator = jsonschema.Draft202012Validator({"$defs": schema["$defs"], **schema["$defs"]["Attribute"]})
    try:
        Attribute.model_validate_json(json.dumps(entry))
        taken = True
    except ValueError as error:
        taken = "above the highest" in str(error)
    if isinstance(value, float) and value.is_integer() and shown == "date":
        return  # 7.0 is whole for a schema; canonical JSON writes 7
    assert validator.is_valid(entry) == taken, entry


def test_the_first_form_of_the_schema_stays_what_drops_were_published_with():
    data = (files("artmint") / "data" / "token.schema.json").read_bytes()
    assert hashlib.sha256(data).hexdigest() == FIRST_SCHEMA
    assert json_schema() == data


def test_what_the_first_schema_takes_the_full_one_takes(made):
    validator = jsonschema.Draft202012Validator(json.loads(json_schema(market=True)))
    for slot in (1, 16):
        validator.validate(json.loads((made / "drops/demo-1/root" / f"{slot}.json").read_bytes()))


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    "A drop of the demo with all that markets show: its root, and its collection."
    catalog, collection, _ = pack_shown(tmp_path_factory.mktemp("shown"))
    catalog.close()
    return drop_of(catalog) / "root", collection


def test_a_token_has_all_that_markets_show_under_its_schema(shown):
    root, collection = shown
    said = json.loads((root / "2.json").read_bytes())
    motif = said["attributes"][0]["value"]
    place = next(file.place for file in collection.market.media.values() if file.file == "loop.mp4")
    assert said["name"] == f"First Light, {motif} no. 2 of 16"
    assert said["description"].endswith(f"This one shows {motif}.")
    assert said["external_url"] == "https://art.example/demo/2"
    assert said["animation_url"] == f"ipfs://{cid(root / place)}"
    assert said["background_color"] == "0c1233"
    assert said["attributes"][0]["trait_type"] == "Main Motif"
    assert said["attributes"][5:] == [
        {"trait_type": "Artist", "value": "Ada"},
        {"trait_type": "Series", "value": "First"},
        {"trait_type": "Edition", "value": 2, "max_value": 16},
        {"trait_type": "Made", "value": 1_795_910_400, "display_type": "date"},
        {"trait_type": "Luck", "value": 12.5, "display_type": "boost_percentage"},
    ]
    facts = {"Artist", "Series", "Edition", "Made", "Luck"}
    assert {name for name, words in said["artmint"]["words"].items() if not words} >= facts
    assert json.loads((root / "3.json").read_bytes())["name"] == "The Third"
    assert json.loads((root / "3.json").read_bytes())["animation_url"] == "https://art.example/3.html"
    schema = (root / "schema.json").read_bytes()
    assert schema == json_schema(market=True)
    for slot in range(1, 5):
        jsonschema.Draft202012Validator(json.loads(schema)).validate(
            json.loads((root / f"{slot}.json").read_bytes())
        )


def test_the_collections_page_is_what_erc_7572_asks_for(shown):
    root, collection = shown
    page = json.loads((root / "contract.json").read_bytes())
    banner = next(file.place for file in collection.market.media.values() if file.file == "banner.png")
    assert page["symbol"] == collection.symbol == "LIGHT"
    assert page["banner_image"] == f"ipfs://{cid(root / banner)}"
    assert page["featured_image"] == "https://art.example/featured.png"
    assert page["external_link"] == "https://art.example"
    assert page["collaborators"] == [ADA]
    assert page["token_name"] == "{title}, {Main Motif} no. {id} of 16"
    assert page["royalty"] == {
        "basis_points": 500,
        "receiver": SPLITTER,
        "shares": [{"account": ADA, "percent": 66.67}, {"account": BEN, "percent": 33.33}],
    }
    assert page["traits"]["Artist"] == {"Ada": 16}
    assert page["traits"]["Series"] == {"First": 8, "Second": 7}
    assert page["traits"]["Edition"] == {str(number): 1 for number in range(1, 17)}
    assert page["traits"]["Main Motif"] == DEMO.traits["motif"]
    assert {"name", "description", "image"} <= set(page)


def test_what_a_base_painted_is_nobody_s_handiwork(made):
    token = json.loads((made / "drops/demo-1/root/1.json").read_bytes())
    token["artmint"]["attempt"] = 0
    with pytest.raises(BadMetadata, match="made by hand, which has no base"):
        read_token(canonical(token))


@pytest.mark.parametrize(
    "template", ["{", "{a:>9999999}", "{a!r}", "{a}" * 17], ids=["open", "padded", "called", "many"]
)
def test_a_page_whose_names_cant_be_made_is_no_page(shown, template):
    page = json.loads((shown[0] / "contract.json").read_bytes()) | {"token_name": template}
    with pytest.raises(BadMetadata):
        read_contract(canonical(page))


def test_braces_and_labels_survive_in_a_published_template():
    market = Market(token_name="{{{motif}}} #{id} {supply} {collection}")
    shown = DEMO.model_copy(update={"market": market, "labels": {"motif": "Main Motif"}})
    assert labelled_template(shown) == "{{{Main Motif}}} #{id} 16 demo"
    assert labelled_template(DEMO) is None
    assert token_name(shown, 7, {"motif": "rings"}) == "{rings} #7 16 demo"


def test_a_traits_own_numbers_and_dates_are_shown_as_the_collection_says():
    traits = {"age": {"1.5": 8, "12": 8}, "born": {"2026-11-29": 16}, "code": {"7": 16}}
    display = {
        "age": {"type": "boost_number", "max_value": 20},
        "born": {"type": "date"},
        "code": {"type": "text"},
    }
    shown = DEMO.model_copy(update={"traits": traits, "market": Market(display=display)})
    entries = published_attributes(shown, {"age": "1.5", "born": "2026-11-29", "code": "7"})
    assert [(entry.value, entry.display_type, entry.max_value) for entry in entries] == [
        (1.5, "boost_number", 20),
        (1_795_910_400, "date", None),
        ("7", None, None),
    ]
    assert has_market_fields(shown, [Slot(id=1, traits={"age": "1.5"})])
    assert not has_market_fields(shown, [Slot(id=1, traits={"code": "7"})])
    assert not has_market_fields(DEMO, [Slot(id=1, traits={"motif": "rings"})])


@pytest.mark.parametrize(
    "shown, value, spoken",
    [
        ("date", 1_795_910_400, "2026-11-29"),
        ("date", 1_795_946_400, "2026-11-29 10:00:00"),
        ("boost_percentage", 12.5, "+12.5 %"),
        ("boost_number", -3, "-3"),
        ("number", 7, "7"),
        (None, "rings", "rings"),
    ],
)
def test_people_read_a_date_as_a_date(shown, value, spoken):
    assert Attribute(trait_type="a", value=value, display_type=shown).spoken == spoken


def test_the_page_of_a_sealed_drop_brings_the_files_that_it_names(tmp_path):
    place = shown_folder(tmp_path)
    collection = read_collection(place / "collection.toml")
    with pytest.raises(MissingMedia, match="banner.png"):
        pack_placeholder(tmp_path / "drop", collection)
    packed = pack_placeholder(tmp_path / "drop", collection, media=media_files(place, collection))
    car = open_car(packed.car)
    paths = check_car(car, packed.root)
    page = read_contract(read_file(paths["contract.json"], car.block, 10**6))
    assert page.banner_image in {f"ipfs://{cid}" for path, cid in paths.items() if path.startswith("media/")}
    assert not any(path.endswith(".mp4") for path in paths)  # no token of it is told
    assert page.traits is None


def test_erc_7007s_fields_are_an_option_that_changes_nothing_else(tmp_path):
    "A collection that doesn't ask for them has the bytes that it always had; one that does is valid, and can't contradict itself."
    wanting = DEMO.model_copy(update={"market": Market(erc7007="attestation")})
    catalog = fill(tmp_path, 2, wanting)
    pack(catalog, wanting, 1, 1, 2, BASE, WEIGHTS)
    root = drop_of(catalog) / "root"
    schema = (root / "schema.json").read_bytes()
    assert schema == json_schema(aigc=True)
    data = (root / "1.json").read_bytes()
    said = json.loads(data)
    jsonschema.Draft202012Validator(json.loads(schema)).validate(said)
    assert said["prompt"] == said["artmint"]["recipe"]["prompt"]
    assert said["aigc_data"] == said["image"]
    assert (said["aigc_type"], said["proof_type"]) == ("image", "attestation")
    picture = (root / "images/1.png").read_bytes()
    assert check_token(1, data, picture) == []
    for name, other in (("prompt", "a lie"), ("aigc_data", "ipfs://b" + "a" * 58)):
        [finding] = check_token(1, canonical(said | {name: other}), picture)
        assert finding.field == name
    assert is_of_schema(read_token(data), schema)
    for earlier in (json_schema(), json_schema(market=True), json_schema(pictures=True)):
        assert not is_of_schema(read_token(data), earlier)
    plain = canonical({name: value for name, value in said.items() if name not in AIGC_FIELDS})
    assert is_of_schema(read_token(plain), json_schema())
    assert DEMO.model_copy(update={"market": Market()}).digest == DEMO.digest
