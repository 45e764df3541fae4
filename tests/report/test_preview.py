"The page of a drop, as a file and in a browser; and what makes markets look again."

import base64
import hashlib
import io
import json
import re
from dataclasses import replace

import pytest
from PIL import Image

from artmint.report.lint import lint_listing
from artmint.report.listings import ListedToken, Listing, Media, listing_at
from artmint.report.preview import (
    OWN_BYTES,
    PAGE_SIDE,
    PREVIEWED,
    RefreshFacts,
    markdown_tree,
    page_media,
    preview_facts,
    preview_page,
    rarible_attributes,
    refresh_steps,
)
from tests.boards import browser
from tests.listed import rings, spoil
from tests.services import node_modules

assert browser  # a fixture
NASTY = '</script><script>document.title = "owned"</script><img src=x onerror=alert(1)>'


def facts_of(folder, **asked) -> dict:
    "What a page of a folder has."
    listing = listing_at(folder)
    return preview_facts(listing, lint_listing(listing), **asked)


def flat(tree: list) -> list[str]:
    "The elements of a tree."
    return [tag for part in tree if isinstance(part, list) for tag in (part[0], *flat(part[1]))]


def test_markdown_becomes_harmless_elements_only():
    tree = markdown_tree(
        "# A\n**b** [c](https://art.example) [d](javascript:alert(1)) ![e](https://x/y.png)\n\n<script>f</script>\n\n```\ng\n```"
    )
    assert set(flat(tree)) <= {
        "p",
        "strong",
        "a",
        "pre",
        "em",
        "ul",
        "ol",
        "li",
        "code",
        "blockquote",
        "hr",
        "br",
    }
    addresses = re.findall(r"https?://[^\"]*", json.dumps(tree))
    assert "https://art.example" in addresses
    assert '"javascript' not in json.dumps(tree)
    assert "<script>f</script>" in json.dumps(tree)
    assert markdown_tree("") == []


def small(size, kind="PNG", **more) -> Media:
    "A picture of noise in a file."
    out = io.BytesIO()
    Image.effect_noise(size, 90).convert("RGB").save(out, kind, **more)
    return Media(
        {"PNG": "image/png", "TIFF": "image/tiff", "GIF": "image/gif"}[kind],
        len(out.getvalue()),
        out.getvalue(),
    )


def test_small_pictures_are_on_the_page_as_they_are_and_large_ones_in_small():
    own, large = small((64, 64)), small((1200, 900))
    assert base64.b64decode(page_media(own).split(",")[1]) == own.data
    assert large.size > OWN_BYTES
    url = page_media(large)
    assert url.startswith("data:image/webp")
    assert max(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).size) == PAGE_SIDE
    assert page_media(small((64, 64), "TIFF")).startswith("data:image/webp")


@pytest.mark.parametrize(
    "media, begins",
    [
        (Media("image/svg+xml", 5, b"<svg>"), "data:image/svg+xml"),
        (Media("video/mp4", 4, b"mp4!"), "data:video/mp4"),
        (Media("video/mp4", 4_000_000, b"m" * 4_000_000), ""),
        (Media("text/html", 6, b"<html>"), ""),
        (Media("image/png", 9, b"\x89PNG\r\n\x1a\n?"), ""),
        (Media("application/octet-stream", 1 << 30, b""), ""),
    ],
)
def test_what_cannot_be_shown_safely_is_left_to_words(media, begins):
    url = page_media(media)
    assert url.startswith(begins) and bool(url) == bool(begins)


def test_a_picture_is_on_the_page_once_however_often_it_is_shown(tmp_path):
    folder = rings(tmp_path / "rings", 3)
    first = json.loads((folder / "1.json").read_text())["image"]
    for number in (2, 3):
        spoil(folder, number, image=first)
    facts = facts_of(folder)
    assert {token["image"]["key"] for token in facts["tokens"]} < set(facts["images"])
    assert len({token["image"]["key"] for token in facts["tokens"]}) == 1


def test_the_first_tokens_are_shown_or_those_that_are_named(tmp_path):
    listing = Listing("many", tuple(ListedToken(id, {"name": f"#{id}"}) for id in range(1, 41)))
    facts = preview_facts(listing, [])
    assert [token["id"] for token in facts["tokens"]] == list(range(1, PREVIEWED + 1))
    assert facts["left"] == 40 - PREVIEWED
    assert [token["id"] for token in preview_facts(listing, [], (40, 7))["tokens"]] == [7, 40]


def test_traits_have_their_groups_shares_and_ceilings(tmp_path):
    (token, *_) = facts_of(rings(tmp_path / "rings", 3))["tokens"]
    shown = {trait["name"]: trait for trait in token["traits"]}
    assert shown["Ground"] == {"group": "property", "name": "Ground", "words": "Sky", "share": 33.33}
    assert (shown["Rings"]["value"], shown["Rings"]["most"]) == (4, 20)
    assert (shown["Generation"]["group"], shown["Generation"]["most"]) == ("stat", 2)
    assert (shown["Depth"]["words"], shown["Stamina"]["words"]) == ("+10", "+6 %")
    assert shown["Painted"]["words"] == "2 Jan 2019"
    assert token["colour"] == "#2B2B40"


def test_rarible_takes_named_attributes_and_reads_dates_alone():
    entries = [{"key": "A", "value": 1}, {"trait_type": "B", "value": True}, {"value": "lost"}]
    entries += [{"trait_type": "C", "value": 5, "display_type": "boost_number"}]
    entries += [{"trait_type": "D", "value": 86400, "display_type": "date"}]
    token = ListedToken(1, {"attributes": entries})
    assert rarible_attributes(token) == [("A", "1"), ("B", "true"), ("C", "5"), ("D", "2 Jan 1970")]


def test_the_policy_lets_nothing_but_the_pages_own_script_and_style_run(tmp_path):
    page = preview_page(facts_of(rings(tmp_path / "rings", 2)))
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy and "http" not in policy
    for tag in ("style", "script"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        wanted = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{wanted}'" in policy
        assert not re.search(r"https?://\w|innerHTML|insertAdjacentHTML|eval\(|@import|url\(", text)


def test_texts_of_strangers_stay_texts(tmp_path):
    folder = rings(tmp_path / "rings", 1)
    spoil(folder, 1, name=NASTY, description=NASTY, attributes=[{"trait_type": NASTY, "value": NASTY}])
    page = preview_page(facts_of(folder))
    assert page.count("<script") == 2
    assert page.count("</script>") == 2
    assert "<img" not in page


# ---- in a browser


@pytest.fixture(scope="module")
def odd_page(tmp_path_factory):
    "A page with sound and odd tokens, and how to make markets look again."
    folder = rings(tmp_path_factory.mktemp("odd") / "rings", 4)
    spoil(
        folder,
        2,
        name=NASTY,
        attributes=[{"value": True}, {"trait_type": "Power", "value": "5", "display_type": "number"}],
    )
    spoil(folder, 3, image=None, animation_url="ipfs://Qm" + "Y" * 44 + "/1.mov")
    (folder / "4.json").write_text("[")
    path = folder.parent / "page.html"
    path.write_text(preview_page(facts_of(folder, refresh=refresh_steps(FACTS))), encoding="utf-8")
    return path


FACTS = RefreshFacts(
    chain_id=8453,
    contract="0x" + "ab" * 20,
    tokens=range(1, 17),
    every=True,
    events=True,
    contract_uri="ipfs://bafy/contract.json",
    calls={"setPlaceholderURI": "0x0102", "setContractURI": "0x0304"},
    announced=((12, 1, 2**256 - 1),),
)


def open_page(browser, path, **options):
    "The page in a browser, and all that went wrong or was asked for."
    page = browser.new_page(**options)
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: wrong.append(request.url) if request.url.startswith("http") else None)
    page.goto(path.as_uri())
    page.wait_for_selector("#preview[data-ready]")
    return page, wrong


@pytest.mark.parametrize("width, scheme", [(1280, "light"), (390, "dark")])
def test_axe_finds_nothing_on_any_view(browser, odd_page, width, scheme):
    axe = node_modules("axe") / "node_modules" / "axe-core" / "axe.min.js"
    page, wrong = open_page(
        browser, odd_page, color_scheme=scheme, bypass_csp=True, viewport={"width": width, "height": 800}
    )
    page.add_script_tag(path=str(axe))
    for view in ("tokens", "collection", "findings", "refresh"):
        page.click(f"#tab-{view}")
        found = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")["violations"]
        assert [[each["id"], [node["target"] for node in each["nodes"]][:2]] for each in found] == [], view
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
    assert wrong == []
    page.close()


def test_by_keyboard_alone_under_its_own_policy(browser, odd_page):
    page, wrong = open_page(browser, odd_page)
    assert page.title() == "rings as markets show it"
    assert [each.get_attribute("aria-label") for each in page.locator("article").all()] == [
        "OpenSea",
        "Rarible",
        "Wallet",
    ]
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "tab-tokens"
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert page.locator("h2").inner_text() == NASTY
    page.keyboard.press("End")
    assert "can't be read" in page.locator("[role=alert]").inner_text()
    page.keyboard.press("Shift+Tab")
    for _ in range(3):  # from any token back to the views
        if page.evaluate("document.activeElement.role") == "tab":
            break
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-collection"
    assert page.locator("h2").inner_text() == "Rings"
    page.keyboard.press("End")
    assert "setPlaceholderURI" not in page.locator("pre").first.inner_text()
    assert "0x0102" in page.locator("pre").first.inner_text()
    page.reload()
    page.wait_for_selector("#preview[data-ready]")
    assert page.get_attribute("#tab-refresh", "aria-selected") == "true"
    assert wrong == []
    page.close()


# ---- when a market shows old metadata


def commands(facts: RefreshFacts) -> str:
    "All that is to be typed."
    return "\n".join(step.command for step in refresh_steps(facts))


def test_the_whole_collection_is_asked_for_at_each_market():
    typed = commands(FACTS)
    assert "to    0x" + "ab" * 20 in typed
    base = f"https://api.opensea.io/api/v2/chain/base/contract/{FACTS.contract}/nfts"
    assert (
        f'for id in $(seq 1 16); do curl -sS -X POST -H "x-api-key: $OPENSEA_API_KEY" "{base}/$id/refresh"; sleep 1; done'
        in typed
    )
    assert f"{base}/1/validate-metadata" in typed
    assert f"collections/BASE:{FACTS.contract}/refreshMeta" in typed
    assert "tokens 1 to all in block 12" in refresh_steps(FACTS)[0].why


def test_one_token_is_asked_for_alone():
    typed = commands(replace(FACTS, tokens=range(7, 8), every=False))
    assert "/nfts/7/refresh" in typed and f"BASE:{FACTS.contract}:7/resetMeta" in typed
    assert "$id" not in typed and "refreshMeta" not in typed and "collections refresh" not in typed


def test_many_tokens_are_asked_for_in_parts():
    assert "seq 1 1000" in commands(replace(FACTS, tokens=range(1, 2501)))
    assert "seq 2001 2500" in commands(replace(FACTS, tokens=range(1, 2501)))


def test_a_chain_without_a_name_at_a_market_asks_nothing_there():
    steps = {
        step.title: step
        for step in refresh_steps(replace(FACTS, chain_id=31337, announced=None, events=False))
    }
    assert steps["OpenSea"].command == steps["Rarible"].command == ""
    assert "31337" in steps["OpenSea"].why
    assert steps["The contract's event for tokens"].command == ""


def test_no_step_holds_a_key_and_each_has_a_source():
    for step in refresh_steps(FACTS):
        assert re.search(r"\b20\d\d\b", step.source.date) and step.source.url
        assert not re.search(r"(?i)api-key: [^$]", step.command)
