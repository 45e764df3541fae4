"Drafts: within each platform's limits, by counts of their own; pictures and alt texts; what is left out is said."

import io
import random

import numpy as np
import pytest
from PIL import Image

from artmint.ipfs.cid import cid
from artmint.report.drafts import (
    DISCLOSURE,
    DISCLOSURE_LONG,
    PLATFORMS,
    NothingToSay,
    Platform,
    PostWording,
    TooLong,
    alt_text,
    byte_length,
    check_length,
    draft_post,
    fill_wording,
    fitted_picture,
    grapheme_bound,
    mastodon_length,
    raw_cid,
    templates,
    weighted_length,
)
from artmint.core.texts import template_fields
from artmint.report.approvals import record_drafts, standing_of
from artmint.report.facts import FACT_NAMES, drop_facts
from tests.backed import Records
from tests.posted import MOMENT, Posted


@pytest.fixture(scope="module")
def posted(tmp_path_factory):
    return Posted(tmp_path_factory.mktemp("posted"))


@pytest.fixture(scope="module")
def sayable(posted):
    return drop_facts(posted.catalog, posted.collection, 1)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("token", [None, 1, 2, 3, 4])
def test_a_draft_fits_says_what_records_say_and_discloses(posted, platform, token):
    draft = posted.draft(platform, token)
    limits = PLATFORMS[platform]
    assert not limits.most or draft.length <= limits.most
    assert limits.disclosure in draft.text
    assert draft.text.count("{") == 0
    (key,) = record_drafts(posted.catalog, [draft])
    assert (
        standing_of(posted.catalog, key).claims == []
    )  # all that it says, alt texts too, is among its facts
    records = Records(posted.catalog.folder, posted.place)
    text = draft.text.replace(DISCLOSURE_LONG, DISCLOSURE)
    assert records.unknown(text, list(draft.tokens) or [1, 2, 3, 4]) == []
    assert len(draft.pictures) == min(limits.pictures, 4 if token is None else 1)
    for picture in draft.pictures:
        own = posted.catalog.folder / f"drops/demo-1/root/images/{picture.token}.png"
        assert posted.catalog.blob(picture.file_digest) == own.read_bytes()
        assert picture.cid == str(cid(own)) and picture.own
        for entry in records.tokens[picture.token]["attributes"][:5]:
            assert f"{entry['trait_type']} {entry['value']}" in picture.alt
        assert 0 < len(picture.alt) <= (limits.alt or 1000)


def test_templates_have_only_holes_that_facts_can_fill():
    names = set()
    for kind in ("drop", "token", "note"):
        for one in templates(kind):
            names |= {name for sentence in (one.lead, *one.more) for name in template_fields(sentence)}
            assert not any(sign.isdigit() for sentence in (one.lead, *one.more) for sign in sentence)
    assert names <= set(FACT_NAMES)


# ---- counts


@pytest.mark.parametrize(
    "text, weight",
    [
        ("", 0),
        ("a" * 280, 280),
        ("日本", 4),
        ("é", 1),
        ("e\u0301", 1),
        ("“”—…", 5),
        ("https://example.org/" + "a" * 200, 23),
        ("see https://a.example.", 4 + 23 + 1),
        ("🎨", 2),
    ],
)
def test_x_counts_as_it_is_documented(text, weight):
    assert weighted_length(text) == weight


def test_mastodon_counts_links_as_23_and_names_without_their_server():
    assert mastodon_length("https://example.org/" + "a" * 100) == 23
    assert mastodon_length("@ada@mastodon.example hello") == len("@ada hello")
    assert byte_length("é") == 2


def test_graphemes_are_never_more_than_is_counted():
    regex = pytest.importorskip("regex", reason="regex counts graphemes, and is not installed")
    chance = random.Random(3)
    signs = [
        "a",
        "é",
        "e\u0301",
        "日",
        "👩‍🎨",
        "👍🏽",
        "🇩🇪",
        "\u0303",
        "\n",
        " ",
        "각",
        "क्षि",
        "\r\n",
        "\ufe0f",
        "#️⃣",
    ]
    for _ in range(400):
        text = "x" + "".join(chance.choice(signs) for _ in range(chance.randint(0, 40)))
        assert len(regex.findall(r"\X", text)) <= grapheme_bound(text)


def test_a_text_that_is_too_long_is_refused_and_not_cut():
    with pytest.raises(TooLong, match="takes 280, and this text counts 281"):
        check_length(PLATFORMS["x"], "a" * 281)
    with pytest.raises(TooLong, match="in bytes"):
        check_length(PLATFORMS["bluesky"], "e" + "\u0301" * 1600)
    check_length(PLATFORMS["press"], "a" * 100_000)


def test_what_does_not_fit_or_no_record_fills_is_left_out_by_name(sayable):
    long = PostWording("{title}.", ("{description}", "{chain} has it.", "{supply} in all."))
    text, left = fill_wording(PLATFORMS["x"], long, sayable.of(1))
    assert "16 pieces in all." in text
    assert any("{chain}" in reason and "no record fills chain" in reason for reason in left)
    full = PostWording("{description}", ("{description}", "{supply} in all."))
    text, left = fill_wording(PLATFORMS["x"], full, sayable.of(1))
    assert any("no room" in reason for reason in left)
    with pytest.raises(NothingToSay, match="contract"):
        fill_wording(PLATFORMS["x"], PostWording("{contract}"), sayable.of(1))
    with pytest.raises(TooLong):
        fill_wording(PLATFORMS["x"], PostWording("{description} {description}"), sayable.of(1))


def test_a_fact_that_looks_like_a_hole_is_no_hole(sayable):
    odd = sayable.facts["title"].model_copy(update={"words": "{supply}"})
    text, _ = fill_wording(
        PLATFORMS["x"], PostWording("{title}."), {"title": odd, "supply": sayable.facts["supply"]}
    )
    assert text.startswith("{supply}.")


# ---- pictures


def noise(side: int, kind: str = "PNG") -> bytes:
    pixels = np.random.default_rng(1).integers(0, 255, (side, side, 3), np.uint8)
    packed = io.BytesIO()
    Image.fromarray(pixels).save(packed, kind)
    return packed.getvalue()


def test_a_picture_that_is_taken_is_left_as_it_is_and_others_are_made_smaller_the_same_way():
    tight = Platform("x", "X", 280, weighted_length, 4, 40_000, 1000)
    small, large = noise(64), noise(256)
    assert fitted_picture(small, tight) == small
    made = fitted_picture(large, tight)
    assert len(made) <= 40_000 < len(large) and made == fitted_picture(large, tight)
    with Image.open(io.BytesIO(made)) as image:
        assert image.format == "JPEG"
    avif = noise(32, "AVIF")
    assert fitted_picture(avif, tight)[:3] == b"\xff\xd8\xff"
    few = Platform("x", "X", 280, weighted_length, 4, 0, 1000, pixels=1000)
    with Image.open(io.BytesIO(fitted_picture(small, few))) as image:
        assert image.width * image.height <= 1000


def test_a_smaller_picture_is_said_and_has_an_address_of_its_own(posted, sayable, monkeypatch):
    tight = Platform("x", "X", 280, weighted_length, 4, 3000, 1000)
    draft = draft_post(posted.catalog, sayable, tight, 1, MOMENT)
    (picture,) = draft.pictures
    assert not picture.own and picture.cid != sayable.tokens[1].cid
    assert picture.cid == raw_cid(posted.catalog.blob(picture.file_digest))
    assert any("made smaller" in reason for reason in draft.left_out)


def test_an_alt_text_that_is_too_long_leaves_traits_out_by_name(sayable):
    text, left = alt_text(sayable.tokens[1], sayable.facts, 80)
    assert len(text) <= 80 and text.endswith(".") and left
    whole, none = alt_text(sayable.tokens[1], sayable.facts, 1000)
    assert none == [] and all(reason.split("'")[1] in whole for reason in left)


def test_a_digest_covers_text_pictures_and_alt_texts(posted):
    draft = posted.draft("bluesky", 1)
    picture = draft.pictures[0]
    others = [
        draft.model_copy(update={"text": draft.text + " "}),
        draft.model_copy(update={"platform": "mastodon"}),
        draft.model_copy(update={"pictures": ()}),
        draft.model_copy(update={"pictures": (picture.model_copy(update={"alt": "x"}),)}),
        draft.model_copy(update={"pictures": (picture.model_copy(update={"file_digest": "0" * 64}),)}),
    ]
    assert len({draft.digest, *(one.digest for one in others)}) == 6
    assert draft.model_copy(update={"made": "later", "by": "Ben"}).digest == draft.digest
