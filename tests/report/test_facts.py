"Facts: each is what a file or a row says, and nothing is said of what is changed or sealed."

import hashlib
import json

import pytest

from artmint.report.facts import (
    ChangedFile,
    PostFact,
    NotRevealed,
    drop_facts,
    hole_name,
    is_sealed,
    trait_words,
    unbacked,
)
from artmint.core.manifest import NotPacked
from artmint.studio.catalog import Catalog
from tests.posted import Posted


@pytest.fixture(scope="module")
def posted(tmp_path_factory):
    return Posted(tmp_path_factory.mktemp("posted"))


def words_of(posted, token=None) -> dict[str, str]:
    return {
        name: fact.words for name, fact in drop_facts(posted.catalog, posted.collection, 1).of(token).items()
    }


def test_a_token_s_facts_are_its_json_s(posted):
    told = drop_facts(posted.catalog, posted.collection, 1).of(3)
    root = posted.catalog.folder / "drops/demo-1/root"
    data = (root / "3.json").read_bytes()
    body = json.loads(data)
    assert told["token"].words == body["name"] == "The Third"
    assert told["link"].words == body["external_url"]
    for entry in body["attributes"]:
        fact = told[hole_name(entry["trait_type"])]
        assert fact.words.endswith(trait_words(entry))
        assert (fact.source, fact.record) == ("3.json of demo-1", hashlib.sha256(data).hexdigest())


def test_a_number_comes_with_its_unit(posted):
    told = words_of(posted, 3)
    assert (told["supply"], told["quantity"], told["drop"]) == ("16 pieces", "4 pieces", "drop 1")
    assert (told["edition"], told["luck"]) == ("Edition 3", "Luck 12.5%")
    assert not any(words.replace(",", "").isdigit() for words in told.values())


def test_what_no_record_says_is_no_fact(posted):
    "It isn't minted, and nobody proved it."
    assert not {"chain", "contract", "minted", "proven", "verify"} & set(words_of(posted))


def test_what_is_minted_and_proven_is_said(tmp_path):
    posted = Posted(tmp_path, 2)
    contract = "0x" + "ab" * 20
    about = {"chain_id": 84532, "contract": contract, "drop": 1}
    for id in (1, 2):
        posted.catalog.append("token", f"demo/{id}", {**about, "id": id, "uri": f"ipfs://x/{id}.json"})
    posted.catalog.append("proof", "demo/1-2", {"address": "", "exit_code": 0, "levels": {}, "steps": []})
    told = words_of(posted)
    assert told["contract"] == contract and told["minted"] == "2 pieces minted"
    assert told["chain"] == "the test network base-sepolia"
    assert told["verify"] == f"artmint verify 84532:{contract}"
    assert told["proven"] == "proven from the contract's address"
    posted.catalog.append("proof", "demo/1-2", {"address": "", "exit_code": 1, "levels": {}, "steps": []})
    posted.catalog.append("token", "demo/2", {**about, "id": 2, "uri": "", "gone": True})
    told = words_of(posted)
    assert "proven" not in told and told["minted"] == "1 piece minted"


@pytest.mark.parametrize("name", ["2.json", "images/2.png"])
def test_a_changed_file_is_refused(tmp_path, name):
    posted = Posted(tmp_path, 2)
    path = posted.catalog.folder / "drops/demo-1/root" / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ChangedFile, match=name):
        drop_facts(posted.catalog, posted.collection, 1)
    with pytest.raises(NotPacked):
        drop_facts(posted.catalog, posted.collection, 2)


def test_a_sealed_drop_is_not_spoken_of_until_it_is_revealed(tmp_path):
    posted = Posted(tmp_path, 2)
    posted.catalog.put("salt", "demo/1@84532/0xab", {"salt": "00"})
    assert not is_sealed(posted.catalog, "demo/11")
    with pytest.raises(NotRevealed):
        drop_facts(posted.catalog, posted.collection, 1)
    facts = {"purpose": {"verb": "reveal", "collection": "demo", "drop": 1}}
    posted.catalog.append("transaction", "84532/0xa/1", {**facts, "state": "sent"})
    with pytest.raises(NotRevealed):
        drop_facts(posted.catalog, posted.collection, 1)
    posted.catalog.append("transaction", "84532/0xa/1", {**facts, "state": "confirmed"})
    assert words_of(posted)["title"] == "First Light"


def test_holes_have_no_digits_and_are_told_apart():
    names = []
    for label in ("Motif", "motif", "Größe 3", "日本", "supply"):
        names.append(hole_name(label, ["supply", *names]))
    assert names == ["motif", "motif_x", "gro_e", "trait", "supply_x"] or len(set(names)) == 5
    for name in names:
        PostFact(name=name, words="x", kind="trait", source="", record="0" * 64)


@pytest.mark.parametrize(
    "text, claims",
    [
        ("Ring #3 of Rings. It stays.", []),
        ("Ring #3, for Ada.", ["Ada"]),
        ("Only 7 left.", ["7"]),
        ("Seven are left. A dozen.", ["Seven", "dozen"]),
        ("See https://x.example/a and ipfs://bafy.", ["https://x.example/a", "ipfs://bafy"]),
        ("Thanks to @ada and to no other.", ["@ada"]),
        ("Ring #31 is another.", ["#31"]),
    ],
)
def test_what_no_record_backs_is_named(text, claims):
    facts = [
        PostFact(name="token", words="Ring #3", kind="name", source="", record="0" * 64),
        PostFact(name="title", words="Rings", kind="name", source="", record="0" * 64),
    ]
    assert unbacked(text, facts) == claims


def test_facts_of_a_catalog_that_was_opened_anew_are_the_same(posted):
    again = Catalog(posted.catalog.folder)
    assert drop_facts(again, posted.collection, 1) == drop_facts(posted.catalog, posted.collection, 1)
