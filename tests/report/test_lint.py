"What markets refuse or show wrongly: each rule is seen to speak, and to be silent."

import json
import re

import pytest
from PIL import Image

from artmint.report.lint import (
    MARKET_RULES,
    SOURCES,
    FindingGroup,
    MarketFinding,
    NoPicture,
    grouped_findings,
    lint_exit_code,
    lint_listing,
    lint_token,
    picture_size,
    token_words,
)
from artmint.report.listings import ChainFacts, DropFiles, ListedToken, Listing, listing_at
from tests.listed import EDITOR, rings, sound_token, spoil

SVG = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'><image href='https://art.example/a.png'/></svg>"
PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WELL = {"trait_type": "Ground", "value": "Sea"}


def said_of(**changes) -> set[str]:
    "The rules that speak of a sound token with these fields; None takes one away."
    facts = sound_token(1, PNG) | changes
    token = ListedToken(1, {name: value for name, value in facts.items() if value is not None})
    return {finding.rule for finding in lint_token(token, Listing("one", (token,)))}


SOUND = said_of()  # a picture of one pixel is small, and that is all


def test_a_sound_token_is_small_and_nothing_else():
    assert SOUND == {"image-narrow"}


def trait(value, **more) -> dict:
    "A token's attributes with one of this value."
    return {"attributes": [{"trait_type": "Odd", "value": value} | more]}


SPOKEN = {  # a rule, and fields of a token that it speaks of
    "name-missing": {"name": None},
    "name-long": {"name": "n" * 41},
    "description-missing": {"description": "  "},
    "text-unsafe": {"name": "ev\u202eil"},
    "external-url-missing": {"external_url": None},
    "background-color": {"background_color": "#fff000"},
    "address-scheme": {"external_url": "javascript:alert(1)"},
    "address-cid": {"image": "ipfs://NewUriToReplace/1.png"},
    "address-twice": {"image": "ipfs://ipfs/Qm" + "Y" * 44 + "/1.png"},
    "address-gateway": {"image": "https://ipfs.io/ipfs/Qm" + "Y" * 44},
    "address-http": {"image": "http://art.example/1.png"},
    "media-absent": {"image": "https://art.example/1.png"},
    "image-missing": {"image": None},
    "image-kind": {"image": "data:text/html,<html>"},
    "image-format": {"image": "data:image/avif,\x00\x00\x00\x20ftypavif"},
    "image-broken": {"image": "data:image/png,%89PNG%0D%0A%1A%0Abroken"},
    "image-svg": {"image": SVG},
    "image-svg-links": {"image": SVG},
    "image-data": {"image_data": "<svg>"},
    "animation-type": {"animation_url": "ipfs://Qm" + "Y" * 44 + "/1.mov"},
    "animation-ending": {"animation_url": "ipfs://Qm" + "Y" * 44},
    "animation-html": {"animation_url": "https://art.example/index.html"},
    "animation-wallet": {"animation_url": "https://art.example/1.mp4"},
    "traits-no-list": {"attributes": {"Ground": "Sea"}},
    "trait-unnamed": {"attributes": [{"value": "Sea"}]},
    "trait-value-missing": {"attributes": [{"trait_type": "Ground"}]},
    "trait-value-kind": trait(True),
    "trait-repeated": {"attributes": [WELL, WELL]},
    "trait-twice": {"attributes": [WELL, WELL | {"value": "Sky"}]},
    "display-type": trait(5, display_type="percent"),
    "number-as-text": trait("5", display_type="number"),
    "text-number": trait("5"),
    "number-lost": trait(2.0**60),
    "number-digits": trait(0.1 + 0.2),
    "max-value": trait(12, max_value=10),
    "max-value-kind": trait(5, max_value="10"),
    "date-value": trait("2019-01-01", display_type="date"),
    "date-milliseconds": trait(1546360800000, display_type="date"),
}


@pytest.mark.parametrize("rule", SPOKEN)
def test_a_rule_speaks_of_a_token(rule):
    assert rule in said_of(**SPOKEN[rule])
    assert rule not in SOUND


@pytest.mark.parametrize(
    "changes",
    [
        {"background_color": "0aF9b3"},
        {"external_url": "ipfs://Qm" + "Y" * 44},
        trait(0.5),
        trait(-3, display_type="boost_number"),
        trait(2**53 - 1),
        trait(10, max_value=10),
        trait(0, display_type="date"),
        trait("5 o'clock"),
        {"attributes": []},
        {"attributes": None},
        {"name": "n" * 40},
    ],
)
def test_what_is_allowed_is_not_spoken_of(changes):
    assert said_of(**changes) == SOUND


def test_a_value_of_every_kind_of_json_is_survived():
    for odd in (None, True, 7, -1.5, "x", [], [1], {}, {"a": 1}, "\x00", "9" * 400):
        for field in ("name", "description", "image", "animation_url", "external_url", "background_color"):
            said_of(**{field: odd if odd is not None else "none"})
        for entry in ({"trait_type": odd, "value": odd, "display_type": odd, "max_value": odd}, odd):
            said_of(attributes=[entry])
        said_of(attributes=odd)


def test_unreadable_json_is_refused_and_nothing_else_is_said():
    token = ListedToken(3, {}, "it is no JSON")
    (finding,) = lint_token(token, Listing("", (token,)))
    assert (finding.rule, finding.severity, finding.token) == ("json-unreadable", "refused", 3)


# ---- files


@pytest.mark.parametrize(
    "size, rules",
    [
        ((300, 300), {"image-narrow"}),
        ((480, 480), {"image-small"}),
        ((3000, 3000), set()),
        ((640, 320), {"image-small", "image-aspect"}),
    ],
)
def test_measures_of_pictures(tmp_path, size, rules):
    folder = rings(tmp_path / "rings", 1)
    Image.new("L", size).save(tmp_path / "a.png")
    (folder / "images" / "1.png").write_bytes((tmp_path / "a.png").read_bytes())
    spoil(folder, 1, image=f"ipfs://{listing_at(folder).contents[0].paths['images/1.png']}")
    listing = listing_at(folder)
    assert {finding.rule for finding in lint_token(listing.tokens[0], listing)} == rules


def test_endings_that_say_another_type(tmp_path):
    folder = rings(tmp_path / "rings", 1)
    (folder / "images" / "1.png").rename(folder / "images" / "1.jpg")
    spoil(folder, 1, image=f"ipfs://{listing_at(folder).contents[0].root}/images/1.jpg")
    found = {finding.rule for finding in lint_listing(listing_at(folder)) if finding.token}
    assert "media-by-name" in found  # the root changed with the JSON
    assert "image-ending" in found


@pytest.mark.parametrize(
    "size, rules", [(100, set()), (250_000_000, {"media-large"}), (301_000_000, {"media-too-large"})]
)
def test_weights_of_files(size, rules):
    def read(path, limit):
        from artmint.ipfs.car import ContentTooLarge

        raise ContentTooLarge("cid", limit, "bytes")

    cid = "b" + "a" * 58
    files = DropFiles("root", {"images/1.png": cid}, read, lambda path: size)
    token = ListedToken(1, sound_token(1, f"ipfs://{cid}"))
    said = {finding.rule for finding in lint_token(token, Listing("", (token,), contents=(files,)))}
    assert said == rules
    assert lint_exit_code(lint_token(token, Listing("", (token,), contents=(files,)))) == int(size > 3e8)


def test_a_bomb_is_not_opened(tmp_path):
    head = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x02\x00\x00\x00\x00\x00\x00\x00"
    with pytest.raises(NoPicture):
        picture_size(head)


# ---- the collection


def page_of(**changes) -> set[str]:
    "The rules that speak of a collection whose page has these fields."
    page = {
        "name": "Rings",
        "description": "All.",
        "image": PNG,
        "banner_image": PNG,
        "external_link": "https://art.example",
    }
    page = {name: value for name, value in (page | changes).items() if value is not None}
    return {finding.rule for finding in lint_listing(Listing("", (), page))}


def test_a_sound_page_is_advised_about_shapes_alone():
    assert page_of() == {"page-banner-shape", "page-rarible"}


@pytest.mark.parametrize(
    "rule, changes",
    [
        ("page-name", {"name": 7}),
        ("page-description", {"description": None}),
        ("page-image", {"image": None}),
        ("page-banner", {"banner_image": None}),
        ("page-link", {"external_link": None}),
        ("page-collaborators", {"collaborators": "0xab"}),
        ("page-collaborators", {"collaborators": ["0xab"]}),
        ("page-editors", {"collaborators": [EDITOR]}),
        ("address-scheme", {"external_link": "art.example"}),
        ("royalty-high", {"seller_fee_basis_points": 1500}),
    ],
)
def test_a_rule_speaks_of_the_page(rule, changes):
    assert rule in page_of(**changes)
    assert rule not in page_of()


def test_shapes_of_the_page(tmp_path):
    folder = rings(tmp_path / "rings", 1)
    listing = listing_at(folder)
    assert not {"page-banner-shape", "page-featured-shape"} & {f.rule for f in lint_listing(listing)}
    turned = listing.page | {
        "banner_image": listing.page["featured_image"],
        "featured_image": listing.page["banner_image"],
    }
    said = {f.rule for f in lint_listing(Listing("", listing.tokens, turned, contents=listing.contents))}
    assert {"page-banner-shape", "page-featured-shape"} <= said


def test_no_page_is_said_with_its_reason():
    (finding,) = lint_listing(Listing("", (), None, "there is none"))
    assert (finding.rule, finding.found) == ("page-missing", "there is none")


def test_royalties_and_names_of_the_contract():
    chain = ChainFacts(1, EDITOR, "Ringe", "RING", 1100, "", 16)
    page = {"name": "Rings", "seller_fee_basis_points": 500}
    said = {f.rule for f in lint_listing(Listing("", (), page, chain=chain, royalty=chain.royalty))}
    assert {"royalty-high", "royalty-differs", "name-differs"} <= said
    said = {f.rule for f in lint_listing(Listing("", (), page, royalty=500))}
    assert not {"royalty-high", "royalty-differs", "name-differs"} & said


def collected(*values, field="Ground") -> dict[str, str]:
    "The rules that speak of tokens with one value each, and what was found."
    tokens = []
    for id, value in enumerate(values, 1):
        entry = {
            "trait_type": field if not isinstance(value, tuple) else value[0],
            "value": value[-1] if isinstance(value, tuple) else value,
        }
        tokens.append(ListedToken(id, {"name": f"#{id}", "image": f"ipfs://{id}", "attributes": [entry]}))
    return {f.rule: f.found for f in lint_listing(Listing("", tuple(tokens))) if f.token is None}


def test_spellings_that_look_the_same():
    assert collected("Sea", "sea ")["trait-spelling"] == "'Sea', 'sea '"
    assert collected(("Ground", "a"), ("ground", "b"))["trait-spelling"] == "'Ground', 'ground'"
    assert "trait-spelling" not in collected("Sea", "Sky", "Sea")


def test_numbers_and_texts_of_one_trait():
    assert collected(1, "one")["trait-mixed"] == "the number 1, the text 'one'"
    assert "trait-mixed" not in collected(1, 2)
    assert collected(1, 2)["rarible-plain"] == "Ground"
    assert "rarible-plain" not in collected("Sea", "Sky")


def test_names_and_pictures_that_are_there_twice():
    tokens = tuple(ListedToken(id, {"name": "One", "image": PNG}) for id in (1, 2))
    said = {f.rule: f.found for f in lint_listing(Listing("", tokens)) if f.token is None}
    assert said["name-twice"].startswith("tokens 1, 2: One")
    assert "image-twice" in said


# ---- rules and what is said of them


def test_every_rule_is_seen_to_speak_in_these_tests():
    "A rule that nothing can set off is no rule."
    from pathlib import Path

    text = Path(__file__).read_text(encoding="utf-8")
    assert [rule for rule in MARKET_RULES if f'"{rule}"' not in text] == []


def test_every_rule_has_a_source_with_an_address_and_a_date():
    for name, rule in MARKET_RULES.items():
        source = SOURCES[rule.source]
        assert source.url.startswith("https://") or rule.source == "custom", name
        assert re.search(r"\b20\d\d\b", source.date), name
        assert rule.says.endswith("."), name
    assert {rule.source for rule in MARKET_RULES.values()} <= set(SOURCES)
    custom = [name for name, rule in MARKET_RULES.items() if rule.source == "custom"]
    assert len(custom) < len(MARKET_RULES) / 5


def test_findings_are_put_together_the_worst_first():
    findings = [
        MarketFinding("image-small", 2, "image", "small"),
        MarketFinding("image-small", 1, "image", "smaller"),
    ]
    findings += [MarketFinding("max-value", 9, "a", "b"), MarketFinding("json-unreadable", 3, "c", "d")]
    groups = grouped_findings(findings)
    assert [group.rule for group in groups] == ["json-unreadable", "max-value", "image-small"]
    assert groups[2].place == "tokens 1 to 2"
    assert groups[2].example == "image: small"
    assert FindingGroup("page-link", (MarketFinding("page-link", None, "x", "y"),)).place == "the collection"
    assert lint_exit_code(findings) == 1
    assert lint_exit_code(findings[:2]) == 0


def test_numbers_of_tokens_in_short():
    assert token_words([5, 1, 2, 3, 3]) == "1 to 3, 5"
    assert token_words([]) == ""


def test_what_was_found_is_cut_and_its_invisible_characters_are_spelled_out():
    token = ListedToken(1, sound_token(1, PNG) | {"background_color": "x" * 500, "name": "a\u202eb"})
    findings = lint_token(token, Listing("", (token,)))
    assert max(len(finding.found) for finding in findings) <= 160
    assert all("\u202e" not in json.dumps(finding.to_dict(), ensure_ascii=False) for finding in findings)


def test_the_page_in_docs_lists_every_rule_as_it_is():
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "preview.md").read_text(encoding="utf-8")
    rows = [
        line.strip("| ").split(" | ")
        for line in page.split("## The rules")[1].splitlines()
        if line.startswith("| ")
    ]
    listed = {row[0]: tuple(row[1:4]) for row in rows[1:]}
    assert listed == {name: (rule.market, rule.severity, rule.says) for name, rule in MARKET_RULES.items()}
    assert f"{len(MARKET_RULES)} of them" in (Path(__file__).parents[2] / "CHANGELOG.md").read_text(
        encoding="utf-8"
    )


def test_a_royalty_that_only_contract_json_tells_is_held_against_the_limit():
    told = Listing("", (), {"name": "Rings", "royalty": {"basis_points": 1200}})
    assert told.earnings == 1200
    assert "royalty-high" in {finding.rule for finding in lint_listing(told)}
    assert Listing("", (), {"royalty": {"basis_points": "x"}}).earnings is None
    assert Listing("", (), {"royalty": {"basis_points": 1200}}, royalty=500).earnings == 500
