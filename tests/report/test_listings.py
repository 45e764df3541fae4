"A drop as strangers read it, wherever it lies and whoever made it."

import base64
import json
import shutil

import pytest

from artmint.chain.contract import content_root
from artmint.ipfs.car import write_car
from artmint.ipfs.cid import CID
from artmint.ipfs.stores import FolderStore
from artmint.prove.evidence import ChainClaim, ChainDrop
from artmint.report import listings
from artmint.report.listings import (
    ListedToken,
    Listing,
    NoListing,
    NotHad,
    date_words,
    inline_data,
    ipfs_place,
    listing_at,
    media_kind,
    open_listing,
    rarity_of,
    trait_group,
)
from tests.listed import rings, spoil
from tests.packed import manifest_of, pack_demo


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    "A studio with the demo packed."
    return pack_demo(tmp_path_factory.mktemp("packed") / "studio")


@pytest.mark.parametrize(
    "uri, place",
    [
        ("ipfs://bafy/7.png", ("bafy", "7.png")),
        ("ipfs://ipfs/Qm/images/7.png", ("Qm", "images/7.png")),
        ("https://ipfs.io/ipfs/bafy?filename=7.png", ("bafy", "")),
        ("/ipfs/bafy/a%20b.png", ("bafy", "a b.png")),
        ("https://art.example/7.png", ("", "")),
        ("data:image/png;base64,AAAA", ("", "")),
    ],
)
def test_an_ipfs_address_is_found_however_it_is_written(uri, place):
    assert ipfs_place(uri) == place


def test_data_urls_are_read_and_broken_ones_refused():
    assert inline_data("data:image/svg+xml,%3Csvg%3E") == b"<svg>"
    assert inline_data("data:;base64," + base64.b64encode(b"x").decode()) == b"x"
    for broken in ("data:image/png;base64,A", "data:nothing", "https://art.example"):
        with pytest.raises(ValueError):
            inline_data(broken)


@pytest.mark.parametrize(
    "data, kind",
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"\x00\x00\x00\x20ftypisom", "video/mp4"),
        (b"\x00\x00\x00\x20ftypavif", "image/avif"),
        (b"<?xml version='1.0'?><svg>", "image/svg+xml"),
        (b"\xef\xbb\xbf<!DOCTYPE html>", "text/html"),
        (b'{"asset": {"version": "2.0"}}', "model/gltf+json"),
        (b"glTF\x02", "model/gltf-binary"),
        (b"", "application/octet-stream"),
    ],
)
def test_what_a_file_is_is_decided_by_its_content(data, kind):
    assert media_kind(data) == kind


def test_a_packed_drop_is_the_same_from_its_folder_and_its_archive(packed):
    drop = packed / "drops" / "demo-1"
    folder, archive = listing_at(drop), listing_at(drop / "drop.car")
    assert [token.facts for token in folder.tokens] == [token.facts for token in archive.tokens]
    assert [token.id for token in folder.tokens] == list(range(1, 17))
    assert folder.contents[0].root == archive.contents[0].root == manifest_of(drop).root
    assert folder.page == archive.page
    pictures = [listing.media(listing.tokens[6].facts["image"]) for listing in (folder, archive)]
    assert pictures[0] == pictures[1]
    assert pictures[0].kind == "image/png" and not pictures[0].by_name
    assert folder.contents[0].weigh("images/7.png") == archive.contents[0].weigh("images/7.png")


def test_a_foreign_archive_is_read(tmp_path):
    folder = rings(tmp_path / "rings", 2)
    write_car(tmp_path / "rings.car", folder)
    listing = listing_at(tmp_path / "rings.car")
    assert [token.name for token in listing.tokens] == ["Ring #1", "Ring #2"]
    assert listing.media(listing.page["banner_image"]).kind == "image/png"


def test_json_that_is_none_leaves_a_token_without_facts(tmp_path):
    folder = rings(tmp_path / "rings", 4)
    (folder / "1.json").write_text("[")
    (folder / "2.json").write_text("[1]")
    (folder / "3.json").write_text('{"name": "a", "name": "b"}')
    tokens = listing_at(folder).tokens
    assert [bool(token.fault) for token in tokens] == [True, True, True, False]
    assert "a key comes twice" in tokens[2].fault
    assert [token.name for token in tokens] == ["#1", "#2", "#3", "Ring #4"]


def test_json_files_without_an_ending_are_tokens_too(tmp_path):
    (tmp_path / "0").write_text('{"name": "zero"}')
    (tmp_path / "10").write_text('{"name": "ten"}')
    (tmp_path / "notes.txt").write_text("no token")
    assert [(token.id, token.name) for token in listing_at(tmp_path).tokens] == [(0, "zero"), (10, "ten")]


def test_a_file_of_the_same_name_stands_in_and_is_marked(tmp_path):
    folder = rings(tmp_path / "rings", 1)
    spoil(folder, 1, image="ipfs://NewUriToReplace/1.png")
    listing = listing_at(folder)
    assert listing.media("ipfs://NewUriToReplace/1.png").by_name
    assert listing.media("ipfs://NewUriToReplace/2.png") is None
    assert listing.media(7) is None
    assert listing.media("data:image/png;base64,A") is None


def test_a_file_that_is_too_large_is_weighed_and_not_taken_in(tmp_path):
    folder = rings(tmp_path / "rings", 1)
    listing = listing_at(folder)
    image = listing.tokens[0].facts["image"]
    whole, cut = listing.media(image), listing.media(image, limit=10)
    assert (cut.size, cut.data) == (whole.size, b"")


@pytest.mark.parametrize("make", ["nothing", "a folder", "a text", "a cut archive"])
def test_what_is_no_drop_is_refused_with_what_to_name(tmp_path, make, packed):
    place = tmp_path / "place"
    if make == "a folder":
        (place / "notes").mkdir(parents=True)
    elif make == "a text":
        place.write_text("no archive")
    elif make == "a cut archive":
        place.write_bytes((packed / "drops/demo-1/drop.car").read_bytes()[:5000])
    with pytest.raises(NoListing, match="Name a batch file") as refusal:
        listing_at(place)
    assert refusal.value.exit_code == 2


# ---- by address


def claim_of(packed, tokens=range(1, 17)) -> ChainClaim:
    "What a contract says of the packed drop."
    manifest, contract = manifest_of(packed / "drops" / "demo-1"), "0x" + "ab" * 20
    root = CID.parse(manifest.root)
    drop = ChainDrop(1, 16, content_root(1, contract, manifest.tokens)[0], root)
    uris = {token: f"ipfs://{root}/{token}.json" for token in tokens}
    return ChainClaim(1, contract, tokens, uris, (drop,), 16, contract_uri=f"ipfs://{root}/contract.json")


def told(monkeypatch, claim, **facts) -> None:
    "Let the chain say this."
    asked = {"name": "First Light", "symbol": "DEMO", "royalty": 500} | facts
    chain = listings.ChainFacts(1, claim.contract, **asked, contract_uri=claim.contract_uri, supply=16)
    monkeypatch.setattr(listings, "ask_chain", lambda *_: claim)
    monkeypatch.setattr(listings, "_chain_facts", lambda *_: chain)


def test_what_a_contract_names_is_listed_from_the_stores(packed, tmp_path, monkeypatch):
    claim = claim_of(packed)
    told(monkeypatch, claim)
    store = FolderStore(tmp_path)
    store.put(packed / "drops/demo-1/drop.car", claim.drops[0].root)
    with open_listing(f"1:{claim.contract}", tmp_path, "", [store]) as listing:
        assert [token.facts for token in listing.tokens] == [
            token.facts for token in listing_at(packed / "drops/demo-1").tokens
        ]
        assert listing.page["name"] == "First Light"
        assert listing.royalty == 500
        assert listing.media(listing.tokens[0].facts["image"]).kind == "image/png"


def test_of_one_token_only_its_files_are_read(packed, tmp_path, monkeypatch):
    claim = claim_of(packed, range(7, 8))
    told(monkeypatch, claim)
    store = FolderStore(tmp_path)
    store.put(packed / "drops/demo-1/drop.car", claim.drops[0].root)
    with open_listing(f"1:{claim.contract}/7", tmp_path, "", [store]) as listing:
        assert [token.id for token in listing.tokens] == [7]
        assert set(listing.contents[0].paths) == {"7.json", "images/7.png", "contract.json"}
        assert listing.contents[0].weigh("images/7.png") > 0
        assert rarity_of(listing).basis == "of 16 tokens, as contract.json counts"


def test_content_that_nobody_has_is_unchecked(packed, tmp_path, monkeypatch):
    claim = claim_of(packed)
    told(monkeypatch, claim)
    with pytest.raises(NotHad) as refusal:
        with open_listing(f"1:{claim.contract}", tmp_path, "", [FolderStore(tmp_path)]):
            pass
    assert refusal.value.exit_code == 3


def test_a_page_that_lies_elsewhere_is_said(packed, tmp_path, monkeypatch):
    claim = claim_of(packed)
    told(monkeypatch, claim)
    chain = listings._chain_facts()
    here = Listing("", (), contents=(listing_at(packed / "drops/demo-1").contents[0],), chain=chain)
    assert listings._chain_page(here, "ipfs://" + "b" + "a" * 58 + "/contract.json") == (
        None,
        "contractURI is ipfs://b" + "a" * 58 + "/contract.json, which none of the stores was asked for",
    )
    assert listings._chain_page(here, "")[1] == "the contract names no contractURI"


# ---- traits


@pytest.mark.parametrize(
    "value, display, group",
    [
        ("red", None, "property"),
        (5, None, "level"),
        (5, "number", "stat"),
        (5, "boost_number", "boost"),
        (5, "boost_percentage", "boost"),
        (5, "date", "date"),
        ("5", "number", "property"),
        (True, None, "property"),
        (5, "author", "property"),
    ],
)
def test_traits_stand_in_the_groups_in_which_opensea_shows_them(value, display, group):
    assert trait_group({"value": value, "display_type": display}) == group


def test_dates_beyond_any_calendar_are_called_so():
    assert date_words(0) == "1 Jan 1970"
    assert date_words(-86400) == "31 Dec 1969"
    assert date_words(1546360800000).endswith("(no date)")


def test_rarity_is_of_the_tokens_at_hand_or_of_all_as_published(tmp_path):
    shutil.rmtree(tmp_path)
    listing = listing_at(rings(tmp_path, 6))
    rarity = rarity_of(listing)
    assert rarity.share({"trait_type": "Ground", "value": "Sea"}) == pytest.approx(1 / 3)
    assert rarity.share({"trait_type": "Ground", "value": "Mud"}) is None
    assert rarity.highest["Rings"] == 9
    page = listing.page | {"traits": {"Ground": {"Sea": 10, "Sky": 30}, "odd": 3, "worse": {"a": "b"}}}
    more = rarity_of(Listing("", listing.tokens, page))
    assert more.share({"trait_type": "Ground", "value": "Sea"}) == 0.25
    assert "40 tokens" in more.basis


def test_attributes_that_are_no_tables_are_left_aside():
    assert ListedToken(1, {"attributes": [1, {"value": 2}, None]}).attributes == [{"value": 2}]
    assert ListedToken(1, {"attributes": {"a": 1}}).attributes == []
    json.dumps(ListedToken(1, {}).attributes)
