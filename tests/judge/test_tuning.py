"Bounds over pictures: the table of what people decided, the change to the collection's file, and the page."

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from artmint.core.collection import example, read_collection
from artmint.judge.decisions import Action, ReviewSession, record_action
from artmint.judge.thresholds import TooFewDecisions
from artmint.judge.tuning import (
    BadTuningRequest,
    BoundChange,
    ChangedMeanwhile,
    NothingToTune,
    TuningApi,
    bound_changes,
    change_bounds,
    decided_table,
    effect_words,
    next_words,
    premise_words,
    propose_bounds,
    show_bounds,
    unseen_words,
    with_bounds,
)
from artmint.seeds import load_collection
from artmint.studio.catalog import Catalog
from tests.boards import browser  # noqa: F401 a fixture
from tests.drawn import DEMO, SLOTS, decided_studio_of, studio


@pytest.fixture(scope="module")
def decided_studio(tmp_path_factory):
    "A studio that somebody has decided on."
    return decided_studio_of(tmp_path_factory.mktemp("tuned"), 3)


@pytest.fixture
def api(decided_studio, judge, tmp_path):
    "The page's questions, over a copy of the demo's file."
    shutil.copytree(example(), tmp_path / "demo")
    return TuningApi(Catalog(decided_studio), tmp_path / "demo" / "collection.toml", judge)


@pytest.mark.slow
def test_the_table_has_every_rule_that_refuses_and_says_how_pictures_were_looked_at(api):
    proposal = api.load()
    table = proposal.table
    sides = [(rule.scorer, rule.side) for rule in table.rules]
    assert sides == [
        (rule.scorer, side)
        for rule in DEMO.rules
        for side in ("min", "max")
        if getattr(rule, side) is not None and rule.scorer != "duplicate"
    ]
    assert any(note.startswith("duplicate: none of these pictures was measured") for note in table.notes)
    assert table.counts == (42, 18)
    assert "60 in the view 'undecided'" in table.premise
    assert "They speak for pictures that come the same way" in table.premise


@pytest.mark.slow
def test_words_count_what_is_lost_and_spared(api):
    proposal = api.load()
    effect = proposal.effect()
    counts = effect.counts
    words = effect_words(effect, proposal.table.prices, "")
    assert words.startswith(
        f"{counts['lost']} of {counts['picks']} pictures that people picked would never be seen"
    )
    assert f"{counts['spared']} of {counts['rejects']} that they rejected would be spared" in words
    assert "Of pictures it hasn't seen, it would keep about" in unseen_words(proposal.joint)
    assert counts["lost"] <= 0.05 * counts["picks"] + 1
    assert counts["spared"] > 0.5 * counts["rejects"]


@pytest.mark.slow
def test_a_proposal_is_a_diff_that_changes_bounds_and_keeps_comments(api):
    before = api.file.read_text()
    proposal = api.load()
    change = change_bounds(api.file, bound_changes(proposal, proposal.bounds, api.judge))
    assert api.file.read_text() == before
    after = change.new.decode()
    changed = [(a, b) for a, b in zip(before.splitlines(), after.splitlines(), strict=True) if a != b]
    assert changed
    for old, new in changed:
        assert old.split("=")[0] == new.split("=")[0]
        assert old.partition("#")[2] == new.partition("#")[2]
    change.write()
    assert read_collection(api.file).rules != DEMO.rules
    change.reverse.write()
    assert api.file.read_text() == before


def test_a_file_that_was_changed_meanwhile_is_not_written(api):
    opened = api.call("open", {})
    bounds = [0.6 if rule["scorer"] == "clip" else rule["today"] for rule in opened["rules"]]
    shown = api.call("change", {"bounds": bounds})
    assert "+min = 0.6" in shown["diff"]
    other = api.file.read_text().replace("# a public salt", "# ours") + "\n# somebody else's line\n"
    api.file.write_text(other)
    with pytest.raises(ChangedMeanwhile):
        api.call("change", {"bounds": bounds, "digest": shown["digest"], "write": True})
    assert api.file.read_text() == other


@pytest.mark.slow
def test_written_and_taken_back(api):
    before = api.file.read_bytes()
    opened = api.call("open", {})
    bounds = [0.6 if rule["scorer"] == "clip" else rule["today"] for rule in opened["rules"]]
    shown = api.call("change", {"bounds": bounds})
    written = api.call("change", {"bounds": bounds, "digest": shown["digest"], "write": True})
    assert written["written"] and b"min = 0.6" in api.file.read_bytes()
    assert api.call("open", {})["undo"] is True
    assert "-min = 0.6" in api.call("undo", {})["diff"]
    api.call("undo", {"write": True})
    assert api.file.read_bytes() == before
    with pytest.raises(BadTuningRequest):
        api.call("undo", {})


@pytest.mark.parametrize(
    ("verb", "args"),
    [
        ("steal", {}),
        ("change", {"bounds": [1.0]}),
        ("change", {"bounds": "all"}),
        ("change", {"bounds": [], "more": 1}),
        ("propose", {"keep": 0}),
        ("propose", {"keep": 2}),
    ],
)
def test_what_no_page_asks_is_refused(api, verb, args):
    before = api.file.read_bytes()
    with pytest.raises(BadTuningRequest):
        api.call(verb, args)
    assert api.file.read_bytes() == before


def test_a_score_without_a_rule_gets_one_at_the_end(api):
    extra = replace(api, extra=("thirds",), proposal=None)
    proposal = extra.load()
    assert proposal.table.rules[-1].scorer == "thirds"
    change = BoundChange("thirds", proposal.table.rules[-1].side, 0.25)
    text = with_bounds(api.file.read_text(), [change])
    assert text.rstrip().endswith('[[rules]]\nscorer = "thirds"\n' + f"{change.side} = 0.25")


def test_bounds_of_a_judge_of_ones_own_carry_its_name(api):
    proposal = api.load()
    own = replace(api.judge, digest="ab" * 32, source="ours")
    changes = bound_changes(proposal, [0.6 if b is not None else b for b in proposal.bounds], own)
    named = {change.scorer: change.judge for change in changes}
    assert named["clip"] == "ab" * 8
    assert named.get("contrast", "") == ""


def test_what_would_fall_is_said_before_anything_is_written(api, decided_studio):
    collection = load_collection(api.file.parent)
    words = next_words(api.catalog, collection, collection)
    assert "0 of 0 editions would fall" in words


@pytest.mark.slow
def test_without_decisions_and_without_rules_it_says_so(tmp_path, judge):
    catalog = Catalog(tmp_path)
    with pytest.raises(TooFewDecisions):
        decided_table(catalog, DEMO, judge)
    bare = DEMO.model_copy(update={"rules": ()})
    catalog = studio(tmp_path, {1: "ab"})
    catalog.put_all("slot", {f"demo/{slot.id}": slot.model_dump(mode="json") for slot in SLOTS[:1]})
    look = ReviewSession(catalog, DEMO, "ada")
    record_action(look, Action(id="1", dnas=tuple(look.candidates()), decision="accept"))
    with pytest.raises(NothingToTune):
        decided_table(catalog, bare, judge)
    with pytest.raises(TooFewDecisions):
        propose_bounds(decided_table(catalog, DEMO, judge))


def test_a_premise_names_every_way():
    rows = [{"via": {"view": "undecided", "sort": "clip"}}, {"via": None}, {"via": {"audit": True}}]
    words = premise_words(rows)
    for part in ("1 drawn by chance", "sorted by clip", "1 nobody noted how", "these 3 pictures"):
        assert part in words


@pytest.mark.slow
def test_the_figure_shows_pictures_on_both_sides(api):
    figure = show_bounds(api.catalog, api.load())
    pictures = [axis for axis in figure.axes if axis.images]
    assert len(pictures) >= 8


# -- the page


class Page:
    "The page in a browser, served as people serve it."

    def __init__(self, api, driver):
        import threading

        import uvicorn

        from artmint.judge.tuning import tuning_app

        config = uvicorn.Config(tuning_app(api, "t" * 32), port=0, log_level="error")
        self.server = uvicorn.Server(config)
        threading.Thread(target=self.server.run, daemon=True).start()
        while not self.server.started:
            pass
        port = self.server.servers[0].sockets[0].getsockname()[1]
        self.page = driver.new_page(viewport={"width": 1280, "height": 900})
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(f"http://127.0.0.1:{port}/?token={'t' * 32}")
        self.page.wait_for_selector("#tune[data-ready]")

    def close(self):
        assert self.errors == []
        self.page.close()
        self.server.should_exit = True


@pytest.fixture
def tuned(api, browser):  # noqa: F811
    made = Page(api, browser)
    yield made.page
    made.close()


def test_a_bound_is_moved_over_pictures_and_written_with_one_click(tuned, api):
    before = api.file.read_text()
    effect = tuned.locator(".effect")
    assert "pictures that people picked would never be seen" in effect.inner_text()
    slider = tuned.get_by_label("Bound of clip min")
    slider.focus()
    rule = tuned.get_by_role("region", name="clip min")
    said = rule.inner_text()
    for _ in range(12):
        tuned.keyboard.press("ArrowRight")
    assert rule.inner_text() != said
    assert "belongs to proposed bounds" in tuned.locator(".sum").inner_text()
    tuned.get_by_label("clip min as a number").fill("0.9")
    tuned.keyboard.press("Tab")
    lost = int(tuned.locator("section.rule h3", has_text="lost").inner_text().split()[0].replace(",", ""))
    assert lost > 0
    assert tuned.locator(".rule").first.locator("img").count() >= min(lost, 10)
    tuned.get_by_role("button", name="Show the change").click()
    tuned.locator("dialog pre", has_text="+min = 0.9").wait_for()
    assert api.file.read_text() == before
    tuned.get_by_role("button", name="Write it").click()
    tuned.get_by_text("collection.toml is written.").wait_for()
    assert read_collection(api.file).rules[0].min == 0.9
    tuned.get_by_role("button", name="Close").click()
    tuned.get_by_role("button", name="Take the last change back").click()
    tuned.get_by_role("button", name="Write it").click()
    tuned.get_by_text("collection.toml is written.").wait_for()
    assert api.file.read_text() == before


def test_pictures_stand_on_both_sides_of_the_line_with_what_people_said(tuned):
    rule = tuned.get_by_role("region", name="clip min")
    sides = rule.locator(".sides > div")
    kept = [text for text in sides.nth(1).locator("li span").all_inner_texts()]
    assert 1 <= len(kept) <= 6
    assert all("picked" in text or "rejected" in text for text in kept)
    loaded = tuned.evaluate(
        "() => [...document.querySelector('#tune').shadowRoot.querySelectorAll('.sides img')]"
        ".slice(0, 3).every((image) => image.complete)"
    )
    assert loaded


def test_a_share_is_proposed_and_today_comes_back(tuned, api):
    tuned.get_by_label("Keep at least").select_option("0.8")
    tuned.wait_for_function(
        "() => document.querySelector('#tune').shadowRoot.querySelector('.sum').textContent.includes('hasn')"
    )
    tuned.get_by_role("button", name="As it is today").click()
    assert tuned.get_by_label("clip min as a number").input_value() == "0.5"
    tuned.get_by_role("button", name="Show the change").click()
    tuned.locator("dialog pre", has_text="The file says so already.").wait_for()


def test_a_proposal_that_comes_late_moves_no_bound_that_was_moved_since(tuned, api):
    held = []

    def hold(route):
        asked = route.request.post_data or ""
        if '"propose"' in asked:
            held.append(route)
        else:
            route.continue_()

    tuned.route("**/call*", hold)
    tuned.get_by_label("Keep at least").select_option("0.8")
    for _ in range(1500):  # half a minute at most
        if held:
            break
        tuned.wait_for_timeout(20)
    tuned.get_by_role("button", name="As it is today").click()
    with tuned.expect_response("**/call*") as answer:
        held[0].continue_()
    answer.value.finished()
    tuned.get_by_role("button", name="Show the change").click()
    tuned.locator("dialog pre", has_text="The file says so already.").wait_for()


@pytest.mark.parametrize("width", [360, 1440])
def test_nothing_runs_out_of_the_page(tuned, width):
    tuned.set_viewport_size({"width": width, "height": 800})
    assert tuned.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_page_needs_its_token(api):
    from starlette.testclient import TestClient

    from artmint.judge.tuning import tuning_app

    client = TestClient(tuning_app(api, "t" * 32), base_url="http://127.0.0.1")
    assert client.get("/").status_code == 403
    assert client.post("/call", content=json.dumps({"verb": "open", "args": {}})).status_code == 403
    assert client.get("/tune.js").status_code == 200
    assert client.get("/picture/abc/small").status_code == 403


def test_the_script_is_read_by_people():
    script = (Path(read_collection.__code__.co_filename).parents[1] / "data" / "tune.js").read_text()
    assert max(map(len, script.splitlines())) <= 120
    assert "http://" not in script and "https://" not in script
    assert np.all([ord(letter) < 0x2100 for letter in script])
