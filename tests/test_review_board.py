"The board's browser side: what one sees and reaches, by mouse, finger, keys, and while others work."

import json
import re
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from artmint.core.records import Edition
from artmint.judge.decisions import (
    Action,
    ReviewSession,
    Verdict,
    is_audit_card,
    record_action,
    record_verdict,
)
from artmint.judge.scores import picture
from artmint.review import BOARD_DATA, BOARD_PARTS, board_script
from artmint.studio.catalog import Catalog
from artmint.studio.editions import place_edition
from tests import boards
from tests.boards import Served, browser, counted, list_of, opened, people, settled, touchable
from tests.drawn import DEMO, SLOTS, enter, table
from tests.services import node_modules

assert browser  # a fixture
ROOT = Path(__file__).parent.parent
SHADOW = "document.querySelector('#board').shadowRoot"


# ---- the script itself


def test_the_script_can_be_read_and_holds_no_secret_and_no_outside_address():
    files = sorted((BOARD_DATA / "board").iterdir())
    assert {file.stem for file in files if file.suffix == ".js"} == set(BOARD_PARTS)
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert max(map(len, text.splitlines())) <= 120, file
        assert not re.search(
            r"https?://|//[a-z]+\.|innerHTML|insertAdjacentHTML|eval\(|[0-9a-f]{32}", text
        ), file
        assert len(text.splitlines()) < 1200, file


def test_the_joined_script_is_the_parts_in_an_order_in_which_each_has_what_it_imports():
    script = board_script()
    assert script == board_script()
    assert not re.search(r"^import\b", script, re.MULTILINE)
    assert len(re.findall(r"^export default", script, re.MULTILINE)) == 1
    before: set[str] = set()
    for name in BOARD_PARTS:
        text = (BOARD_DATA / "board" / f"{name}.js").read_text(encoding="utf-8")
        assert set(re.findall(r'from "\./(\w+)\.js"', text)) <= before, name
        before.add(name)


# ---- a wall with something on it


def doubled(folder: Path, tries: int = 3) -> Catalog:
    "A studio whose first slot has an edition, which an attempt at the second repeats, and of which others spoke."
    catalog = table(folder, tries)
    first = next(iter(ReviewSession(catalog, DEMO, "ada").candidates().values()))
    facts = first.artifact.model_dump(include={"dna", "pixel_digest", "file_digest"})
    edition = Edition(slot=1, attempt=1, traits=first.slot.traits, scores={}, scorers={}, **facts)
    place_edition(catalog, DEMO.name, edition)
    image = picture(catalog, first.artifact).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    late = enter(catalog, SLOTS[1], tries + 1, image)
    reasons = ("duplicate 0.97 is above 0.95 by 0.02 (edition 1, mirrored)",)
    record_verdict(catalog, Verdict(late.dna, "reject", reasons, {"palette": 3.0}))
    return catalog


class Desk:
    "A served board that several tests look at, one after the other; each opens a page of its own."

    def __init__(self, browser, folder: Path):
        self.browser, self.catalog = browser, doubled(folder)
        self.served = Served(folder)
        self.dnas = list_of(self.catalog)
        self.late = self.dnas[6]  # repeats the first

    def open(self, view: str = "show=all", **options):
        page = self.browser.new_page(**{"viewport": {"width": 1280, "height": 800}} | options)
        page.goto(f"{self.served.address}#{view}")
        page.wait_for_selector(".board[data-ready]")
        return page

    def vias(self, dna: str) -> list[dict]:
        return [row["via"] for row in self.catalog.history("decision", dna) if "via" in row]


@pytest.fixture(scope="module")
def desk(browser, tmp_path_factory):
    made = Desk(browser, tmp_path_factory.mktemp("studio"))
    yield made
    made.served.kill()


@pytest.fixture()
def page(desk):
    "The desk's board; what is decided on it is taken back at the end."
    made = desk.open()
    errors = []
    made.on("pageerror", lambda error: errors.append(str(error)))
    yield made
    made.close()
    assert errors == []
    ada = ReviewSession(desk.catalog, DEMO, "ada")
    decided = tuple(dna for dna, word in people(desk.catalog).items() if word != "withdrawn")
    if decided:
        record_action(ada, Action(id=f"back{len(decided)}{id(made)}", dnas=decided, decision="withdrawn"))


def said_of(catalog: Catalog, dnas: list[str]) -> list[str | None]:
    "The last word of people on each of some cards; None where it was taken back."
    return [word if word != "withdrawn" else None for word in boards.said_of(catalog, dnas)]


def boxes(page, *which: int) -> list[dict]:
    return [page.locator(".tile").nth(i).bounding_box() for i in which]


def dragged(page, start: dict, end: dict, **keys) -> None:
    "The mouse is pressed in the middle of a tile and let go in the middle of another."
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(end["x"] + 5, end["y"] + 5, steps=4)
    page.mouse.move(end["x"] + end["width"] / 2, end["y"] + end["height"] / 2, steps=4)
    page.mouse.up()


def test_a_band_drawn_over_the_wall_selects_what_it_touches(page, desk):
    first, last = boxes(page, 1, 9)  # six columns: the second to the fourth of two rows
    columns = page.evaluate(
        f"() => Math.round({SHADOW}.querySelector('.wall').clientWidth / {first['width']})"
    )
    dragged(page, first, last)
    rows = 9 // columns + 1
    assert f"{rows * (9 % columns)} selected" in counted(page)
    assert not page.locator(".band").is_visible()
    assert not page.locator(".full").is_visible()
    for key in ("Shift+ArrowRight", "Escape"):
        page.keyboard.press(key)
    assert "selected" not in counted(page)
    page.keyboard.press("Home")
    for _ in range(2):
        page.keyboard.press("Shift+ArrowRight")
    assert "3 selected" in counted(page)
    page.keyboard.press("x")
    settled(page)
    assert said_of(desk.catalog, desk.dnas[:4]) == ["reject", "reject", "reject", None]


def test_four_attempts_go_in_step_and_a_fifth_is_said(page, desk):
    page.keyboard.press("c")
    assert page.locator(".full .pane").count() == 3
    for key in ("ArrowRight", "ArrowRight", "p", "ArrowLeft", "x", "Escape", "Control+a", "c"):
        page.keyboard.press(key)
    assert "4 pictures at most" in page.locator(".state .note").inner_text()
    settled(page)
    assert said_of(desk.catalog, desk.dnas[:3]) == [None, "reject", "accept"]


def test_of_a_picture_and_what_it_repeats_one_is_kept_in_one_action(page, desk):
    page.evaluate(f"location.hash = 'dna={desk.late[:16]}'")
    page.wait_for_selector(".full[open]")
    page.keyboard.press("d")
    assert "1/1" in page.locator(".full .caption").nth(1).inner_text()
    page.get_by_role("button", name="Keep right").click()
    settled(page)
    assert said_of(desk.catalog, [desk.late, desk.dnas[0]]) == ["reject", "accept"]
    rows = [desk.catalog.history("decision", dna)[-1] for dna in (desk.late, desk.dnas[0])]
    assert rows[0]["action"] == rows[1]["action"]
    page.reload()
    page.wait_for_selector(".board[data-ready]")
    page.keyboard.press("Control+z")
    settled(page)
    assert said_of(desk.catalog, [desk.late, desk.dnas[0]]) == [None, None]


PRESSED = f"""([key, code]) => {SHADOW}.querySelector('.wall').dispatchEvent(
    new KeyboardEvent('keydown', {{ key, code, bubbles: true, composed: true, cancelable: true }}))"""


def test_digits_are_stars_on_a_french_keyboard_and_a_pad_of_arrows_moves(page, desk):
    for key, code in (
        ("é", "Digit2"),
        ("ArrowRight", "Numpad6"),
        ("ArrowRight", "Numpad4"),
        ("4", "Numpad4"),
    ):
        page.evaluate(PRESSED, [key, code])
    settled(page)
    stars = [desk.catalog.history("decision", dna)[-1].get("stars") for dna in desk.dnas[:3]]
    assert stars == [2, None, 4]
    page.evaluate(PRESSED, ["0", "Digit0"])
    page.keyboard.press("Home")
    page.keyboard.press("0")


def test_every_decision_says_how_its_picture_came_before_the_eyes(page, desk):
    page.get_by_label("sort by").select_option("palette ↓")
    page.get_by_label("search").fill("rings")
    page.wait_for_timeout(350)
    page.get_by_role("button", name="Machine").click()
    page.locator(".wall").focus()
    page.keyboard.press("p")
    settled(page)
    dna = next(dna for dna, word in people(desk.catalog).items() if word == "accept")
    seen = {"sort": "palette ↓", "search": "rings"}  # what is as it mostly is isn't written
    assert desk.vias(dna)[-1] == seen
    assert "machine" not in page.locator(".tile").first.inner_text()
    assert not page.locator(".details h3", has_text="The machine").count()


def test_what_others_decide_appears_and_nothing_moves(page, desk):
    page.keyboard.press("End")
    page.keyboard.press("n")
    page.keyboard.type("half a no")
    before = page.evaluate(
        f"() => [{SHADOW}.querySelector('.wall').scrollTop, {SHADOW}.activeElement.tagName]"
    )
    news = page.evaluate("""async () => { const token = new URLSearchParams(location.search).get('token');
        const body = JSON.stringify({ verb: 'news', args: { since: -1 } });
        const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` };
        return (await fetch('call', { method: 'POST', headers, body })).ok; }""")
    if not news:
        pytest.skip("this server has no news")
    ben = ReviewSession(desk.catalog, DEMO, "ben")
    record_action(ben, Action(id="ben's", dnas=desk.dnas[-3:], decision="reject", note="too dark"))
    page.wait_for_function(
        f"() => [...{SHADOW}.querySelectorAll('.tile')].at(-1).textContent.includes('ben ✗')"
    )
    after = page.evaluate(
        f"() => [{SHADOW}.querySelector('.wall').scrollTop, {SHADOW}.activeElement.tagName]"
    )
    assert before == after
    assert page.locator(".side textarea").input_value() == "half a no"
    other = desk.open()
    other.keyboard.press("x")
    settled(other)
    other.close()
    page.wait_for_function(
        f"() => {SHADOW}.querySelector('.count').textContent.includes('48 of 49 undecided')"
    )
    page.keyboard.press("Escape")


# ---- a board that lets one only look, and one into which chance mixes pictures


def told(page, **more) -> None:
    "Let the server's first answer say more than this one does."

    def route(call):
        answer = call.fetch()
        body = answer.json()
        if json.loads(call.request.post_data)["verb"] == "open":
            body |= more
        call.fulfill(response=answer, json=body)

    page.route("**/call", route)


def test_a_guest_sees_everything_and_is_told_why_nothing_is_decided(desk, browser):
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    told(page, role="guest", can=["see"], last_word="lead", lead="mira")
    page.goto(desk.served.address + "#show=all")
    page.wait_for_selector(".board[data-ready]")
    before = len(desk.catalog.rows("decision"))
    for name in ("Pick", "Reject", "Unflag", "Undo", "Select", "★ 1 of 5 stars", "Pick all shown"):
        assert page.get_by_role("button", name=name, exact=name != "Pick all shown").count() == 0, name
    for key in ("p", "x", "3", "u", "n", "Control+z"):
        page.keyboard.press(key)
        assert "as a guest" in page.locator(".state .note").inner_text(), key
    page.keyboard.press(" ")
    page.keyboard.press("p")
    assert "as a guest" in page.locator(".full .told").inner_text()
    page.wait_for_timeout(200)
    assert len(desk.catalog.rows("decision")) == before
    assert "looking as ada (guest)" in page.locator(".state .who").inner_text()
    page.close()


def order_of(page) -> list[str]:
    "The dnas on the wall, all of which fit the window, by what their ids begin with."
    return page.evaluate(f"() => [...{SHADOW}.querySelectorAll('.tile')].map(tile => tile.id.slice(1))")


def test_pictures_that_chance_chose_stand_among_the_others_and_stay_there(desk, browser):
    chance = [desk.dnas[i] for i in (40, 30, 3, 7)]
    page = browser.new_page(viewport={"width": 1900, "height": 1900})
    told(page, audit=chance, audit_share=0.2)
    asked = []
    page.on("request", lambda call: asked.append(call.post_data) if call.url.endswith("/call") else None)
    page.goto(desk.served.address)
    page.wait_for_selector(".board[data-ready]")
    order = order_of(page)
    assert [order[i] for i in (5, 11, 17, 23)] == [dna[:16] for dna in chance]
    assert sorted(order) == sorted(dna[:16] for dna in desk.dnas)
    for key in ("Home", "p", "p", "x", "p", "p", "x"):
        page.keyboard.press(key)
    settled(page)
    assert order_of(page) == order
    page.reload()
    page.wait_for_selector(".board[data-ready]")
    assert order_of(page) == order[6:]
    acts = [json.loads(data)["args"] for data in asked if data and json.loads(data)["verb"] == "act"]
    said = next(act["via"] for act in acts if act["dnas"] == [chance[0]])
    assert said["audit"] is True
    drawn = is_audit_card(desk.catalog, DEMO, chance[0])  # the server takes that from nobody's word
    audit = {"audit": True} if drawn else {}
    assert desk.vias(chance[0])[-1] == {"view": "undecided", "machine": True} | audit
    assert desk.vias(desk.dnas[0])[-1] == {"view": "undecided", "machine": True}
    page.get_by_label("show").select_option("left to people")
    left = order_of(page)
    assert chance[1][:16] in left and chance[2][:16] in left
    page.close()
    ada = ReviewSession(desk.catalog, DEMO, "ada")
    record_action(ada, Action(id="clean", dnas=desk.dnas, decision="withdrawn"))


# ---- by finger


def touches(page, *steps: list[tuple[float, float]]) -> None:
    "Fingers put down, moved and lifted."
    finger = page.context.new_cdp_session(page)
    for i, points in enumerate(steps):
        kind = "touchMove" if i else "touchStart"
        given = [{"x": x, "y": y, "id": n} for n, (x, y) in enumerate(points)]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": given})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def scale_of(page) -> float:
    "Screen pixels a picture's pixel."
    return page.evaluate(f"""() => {{ const image = {SHADOW}.querySelector('.full img');
        return image.getBoundingClientRect().width * devicePixelRatio / image.naturalWidth; }}""")


def test_two_fingers_zoom_and_two_taps_show_true_pixels(desk, browser):
    page = desk.open(has_touch=True, is_mobile=True, viewport={"width": 400, "height": 800})
    page.locator(".tile").first.tap()
    page.wait_for_selector(".full[open]")
    page.wait_for_function(f"() => {SHADOW}.querySelector('.full img').style.left")
    fit = scale_of(page)
    touches(page, [(180, 300), (220, 300)], [(140, 300), (260, 300)], [(60, 300), (340, 300)])
    page.wait_for_function(
        f"(fit) => {SHADOW}.querySelector('.full .stage').classList.contains('in')", arg=fit
    )
    assert scale_of(page) > 2 * fit
    touches(page, [(60, 300), (340, 300)], [(195, 300), (205, 300)])
    page.wait_for_function(f"() => !{SHADOW}.querySelector('.full .stage').classList.contains('in')")
    assert scale_of(page) == fit
    page.touchscreen.tap(200, 300)
    page.touchscreen.tap(202, 302)
    page.wait_for_function(f"() => {SHADOW}.querySelector('.full .stage').classList.contains('in')")
    assert scale_of(page) == pytest.approx(1)
    assert touchable(page) == []
    page.close()


# ---- for everybody


def by_keyboard(page, states: list[str]) -> None:
    for key in states:
        page.keyboard.press(key)
    page.wait_for_timeout(150)


def violations(page) -> list:
    "What axe-core finds serious on a page as it is."
    found = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")["violations"]
    return [[each["id"], [node["target"] for node in each["nodes"]][:3]] for each in found]


@pytest.mark.parametrize("width, scheme", [(1280, "light"), (400, "dark")])
def test_axe_finds_nothing(desk, scheme, width):
    axe = node_modules("axe") / "node_modules" / "axe-core" / "axe.min.js"
    page = desk.open(color_scheme=scheme, bypass_csp=True, viewport={"width": width, "height": 800})
    page.add_script_tag(path=str(axe))
    states = {
        "wall": [],
        "large": [" "],
        "in step": ["Escape", "c"],
        "a question": ["Escape", "Control+a", "x"],
    }
    assert {name: violations(page) for name, keys in states.items() if by_keyboard(page, keys) is None} == {
        name: [] for name in states
    }
    page.close()


def test_from_the_first_decision_to_the_last_by_keyboard_alone(browser, tmp_path):
    "Tab reaches what one chooses by, moving is said, every candidate is decided, and an end is an end."
    catalog = table(tmp_path, 1)
    served = Served(tmp_path)
    page = opened(browser, served)
    try:
        page.keyboard.press("Shift+Tab")
        while page.evaluate(f"() => {SHADOW}.activeElement.getAttribute('aria-label')") != "candidates":
            page.keyboard.press("Tab")
        for i in range(16):
            at = page.evaluate(f"() => {SHADOW}.querySelector('.wall').getAttribute('aria-activedescendant')")
            option = page.locator(f"#{at}")
            assert option.get_attribute("aria-selected") == "true"
            assert option.get_attribute("aria-posinset") == str(i + 1)
            if i % 4 == 3:  # in the large view, and back
                page.keyboard.press(" ")
                assert f"{i + 1}/1, undecided" in page.locator(".full .sr").inner_text()
                assert page.evaluate(f"() => {SHADOW}.activeElement.className").startswith("stage")
                page.keyboard.press("x")
                page.keyboard.press("Escape")
            else:
                page.keyboard.press("p")
        settled(page)
        assert list(people(catalog).values()).count("accept") == 12
        assert "0 of 16 undecided" in counted(page)
        assert page.evaluate(f"() => {SHADOW}.activeElement.className") == "wall"
    finally:
        page.context.close()
        served.kill()


def test_a_link_opens_its_candidate_and_one_that_is_not_here_is_said(desk, browser):
    page = desk.open(f"dna={desk.dnas[20][:16]}")
    assert page.locator(".full .caption").inner_text().startswith("7/2")
    page.keyboard.press("Escape")
    assert "Slot 7, attempt 2" in page.locator(".side h2").inner_text()
    page.evaluate("location.hash = 'dna=0123456789abcdef'")
    page.wait_for_function(f"() => {SHADOW}.querySelector('.note').textContent.includes('0123456789abcdef')")
    page.close()


@pytest.mark.slow
@pytest.mark.parametrize("width, height", [(360, 800), (400, 800), (820, 1180), (1440, 900), (3840, 2160)])
def test_nothing_is_cut_off_or_too_small_at_any_size(desk, width, height):
    coarse = width < 1000
    page = desk.open(has_touch=coarse, is_mobile=coarse, viewport={"width": width, "height": height})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    assert page.evaluate(f"() => {SHADOW}.querySelector('.wall').clientHeight") > 0.3 * height
    assert not coarse or touchable(page) == []
    page.close()


def test_modules_are_plain_javascript(tmp_path):
    "Where node is at hand, it reads them."
    import shutil

    if not shutil.which("node"):
        pytest.skip("no node")
    joined = tmp_path / "board.mjs"
    joined.write_text(board_script(), encoding="utf-8")
    subprocess.run(["node", "--check", str(joined)], check=True)
