"Exploring: what differs in a grid is the setting alone, nothing of it is an attempt, and taking is a reviewable diff."

import json
import shutil
import subprocess
import sys
import tomllib

import pytest
from PIL import Image
from hypothesis import given, settings as tries
from hypothesis import strategies as st
from starlette.testclient import TestClient

from artmint.core.collection import InconsistentCollection, example, read_collection
from artmint.explore import (
    Axis,
    BadAxis,
    GridApi,
    NoSuchSetting,
    TooFewAxes,
    combinations,
    count_pictures,
    explore_grid,
    grid_app,
    grid_facts,
    parse_axis,
    show_grid,
    take_settings,
    varied,
)
from artmint.generate import attempts_of, generate
from artmint.judge.heads import UnknownScorer
from artmint.make.base import load_base, load_judge
from artmint.make.engines import Diffusers
from artmint.make.engine import UnknownChoice
from artmint.console.cli import main
from artmint.seeds import frozen_slots, load_collection
from artmint.studio.catalog import Catalog
from artmint.studio.ledger import ledger_lines
from tests.conftest import TINY


@pytest.fixture(scope="module")
def tiny():
    return load_collection(TINY)


@pytest.fixture(scope="module")
def painted(tmp_path_factory, tiny):
    "A grid of two settings over two slots: catalog, slots, exploration."
    catalog = Catalog(tmp_path_factory.mktemp("studio"))
    slots = frozen_slots(catalog, tiny, tiny.salt)[:2]
    axes = [parse_axis("guidance=1,5"), parse_axis("steps=1,2,3")]
    return catalog, slots, explore_grid(catalog, tiny, axes, slots, load_judge())


@pytest.mark.slow
def test_every_cell_shows_the_same_slots_and_seeds(painted):
    _, slots, grid = painted
    assert [cell.changes for cell in grid.cells] == [
        {"guidance": g, "steps": s} for g in (1, 5) for s in (1, 2, 3)
    ]
    for cell in grid.cells:
        assert [shot.slot for shot in cell.shots] == slots
        recipes = [shot.artifact.recipe for shot in cell.shots]
        assert [recipe["seed"] for recipe in recipes] == [
            shot.artifact.recipe["seed"] for shot in grid.cells[0].shots
        ]
        assert {recipe.get("guidance", 5.0) for recipe in recipes} == {cell.changes["guidance"]}
        assert {recipe["steps"] for recipe in recipes} == {cell.changes["steps"]}
    dnas = [shot.artifact.dna for cell in grid.cells for shot in cell.shots]
    assert len(set(dnas)) == len(dnas)


@pytest.mark.slow
def test_nothing_of_it_is_an_attempt_and_all_of_it_is_in_the_ledger(painted, tiny):
    catalog, slots, grid = painted
    assert catalog.all("attempt") == {} and catalog.all("edition") == {} and catalog.all("decision") == {}
    assert {line.stage for line in ledger_lines(catalog)} >= {"explore"}
    assert "generate" not in {line.stage for line in ledger_lines(catalog)}


@pytest.mark.slow
def test_what_was_painted_is_not_painted_again(painted, tiny):
    catalog, slots, grid = painted
    wider = [parse_axis("guidance=1,5"), parse_axis("steps=1,2,3,4")]
    assert count_pictures(catalog, tiny, wider, slots) == (16, 4)
    before = sum(
        line.amount for line in ledger_lines(catalog) if line.stage == "explore" and line.unit == "bytes"
    )
    again = explore_grid(catalog, tiny, list(grid.axes), slots, load_judge())
    assert again == grid
    after = sum(
        line.amount for line in ledger_lines(catalog) if line.stage == "explore" and line.unit == "bytes"
    )
    assert after == before


def test_a_cell_is_what_the_settings_give_first(tmp_path, painted, tiny):
    "The first attempt under a cell's settings is the very picture of the cell."
    _, slots, grid = painted
    catalog = Catalog(tmp_path)
    cell = grid.cells[1]
    changed = varied(tiny, cell.changes)
    frozen_slots(catalog, changed, changed.salt)
    attempts = attempts_of(catalog, changed, slots, changed.salt, 1, Diffusers(load_base()))
    firsts = [attempt for attempt in attempts if attempt.attempt == 1]
    assert [a.recipe.dna for a in firsts] == [shot.artifact.dna for shot in cell.shots]
    made = generate(catalog, Diffusers(load_base()), firsts)
    assert [a.pixel_digest for a in made] == [shot.artifact.pixel_digest for shot in cell.shots]


@pytest.mark.many(5)
@pytest.mark.parametrize(
    "axes, error",
    [
        (["scheduler=DDIM,Euler"], UnknownChoice),  # portable paints by DDIM alone
        (["stpes=1,2"], NoSuchSetting),
        (["attempts=1,2"], NoSuchSetting),
        (["strength=0.2,0.4"], NoSuchSetting),  # nothing to paint over
        (["adapters.mine=1,2"], NoSuchSetting),
        (["steps=1,0"], InconsistentCollection),
        (["width=64,65"], InconsistentCollection),
        (["negative_prompt=none"], InconsistentCollection),
        (['template=["{motif} only"]'], InconsistentCollection),
        ([], TooFewAxes),
        (["base.variant=null"], NoSuchSetting),
        (["steps=1", "steps=2"], TooFewAxes),
        (["steps=1", "guidance=1", "width=64", "height=64"], TooFewAxes),
    ],
)
def test_a_grid_is_refused_before_anything_is_painted(tmp_path, tiny, axes, error):
    catalog = Catalog(tmp_path)
    slots = frozen_slots(catalog, tiny, tiny.salt)[:1]
    with pytest.raises(error):
        explore_grid(catalog, tiny, [parse_axis(text) for text in axes], slots, load_judge())
    assert catalog.all("artifact") == {}


def test_a_scorer_that_nobody_knows_is_refused_before_anything_is_painted(tmp_path, tiny):
    rule = tiny.rules[0].model_copy(update={"scorer": "beauty"})
    catalog = Catalog(tmp_path)
    slots = frozen_slots(catalog, tiny, tiny.salt)[:1]
    with pytest.raises(UnknownScorer):
        strange = tiny.model_copy(update={"rules": (rule,)})
        explore_grid(catalog, strange, [parse_axis("steps=1")], slots, load_judge())
    assert catalog.all("artifact") == {}


@pytest.mark.parametrize(
    "text, axis",
    [
        ("steps=8, 12,20", Axis("steps", (8, 12, 20))),
        ("scheduler=DPM++ 2M,Euler a", Axis("scheduler", ("DPM++ 2M", "Euler a"))),
        ('template=["a, {motif}", "b {motif}"]', Axis("template", ("a, {motif}", "b {motif}"))),
        ("guidance=3,3,4", Axis("guidance", (3, 4))),
        (" hires.scale = 1.5 ", Axis("hires.scale", (1.5,))),
    ],
)
def test_axes_are_read_as_they_are_typed(text, axis):
    assert parse_axis(text) == axis


@pytest.mark.parametrize("text", ["steps", "steps=", "", "guidance=[1,[2]]", 'steps=[{"a": 1}]'])
def test_an_axis_without_plain_values_is_refused(text):
    with pytest.raises(BadAxis, match="no axis"):
        parse_axis(text)


def test_the_last_axis_varies_fastest():
    axes = [Axis("a", (1, 2)), Axis("b", (3, 4))]
    assert combinations(axes) == [{"a": 1, "b": 3}, {"a": 1, "b": 4}, {"a": 2, "b": 3}, {"a": 2, "b": 4}]


@pytest.fixture
def file(tmp_path):
    "A copy of the demo's collection.toml."
    shutil.copytree(example(), tmp_path / "demo")
    return tmp_path / "demo" / "collection.toml"


@pytest.mark.slow
@tries(max_examples=20, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "steps": st.integers(1, 100),
            "guidance": st.sampled_from([1.0, 2.5, 7]),
            "scheduler": st.sampled_from(["DDIM", "Euler"]),
            "hires.scale": st.sampled_from([1.5, 2]),
            "trace.inks": st.integers(2, 64),
            "template": st.just("{motif} {palette} {ground} {density} {placement}"),
            "base.prediction_type": st.just("v_prediction"),
        },
    )
)
def test_a_taken_file_says_what_the_cell_was_and_nothing_else_changes(tmp_path_factory, changes):
    folder = tmp_path_factory.mktemp("take") / "demo"
    shutil.copytree(example(), folder)
    file = folder / "collection.toml"
    before = file.read_text()
    was = load_collection(folder)
    assert take_settings(file, changes) == take_settings(file, changes)
    assert file.read_text() == before
    difference = take_settings(file, changes, write=True)
    assert load_collection(folder) == varied(was, changes)
    assert bool(difference) == (file.read_text() != before)
    comments = [line.split("#")[1] for line in before.splitlines() if "#" in line and "= " not in line]
    assert all(comment in file.read_text() for comment in comments)
    assert take_settings(file, changes) == ""


def test_a_comment_beside_a_value_stays_beside_it(file):
    take_settings(file, {"profile": "fast"}, write=True)
    line = next(line for line in file.read_text().splitlines() if line.startswith("profile"))
    assert line.startswith('profile = "fast"') and line.endswith(
        "# float64: the same bytes on any CPU is the aim"
    )


def test_an_adapters_weight_is_taken_where_it_stands(file):
    text = (
        '[[adapters]]\nname = "mine"\ndigest = "'
        + "0" * 64
        + '"\n\n[[adapters]]\nname = "other"\ndigest = "'
        + "1" * 64
        + '"\n'
    )
    file.write_text(file.read_text() + "\n" + text)
    take_settings(file, {"adapters.other": 0.6}, write=True)
    assert [use.get("weight") for use in tomllib.loads(file.read_text())["adapters"]] == [None, 0.6]


@pytest.mark.parametrize("mark, ending", [("", "\r\n"), ("\ufeff", "\n"), ("\ufeff", "\r\n")])
def test_a_file_keeps_its_line_endings_and_its_mark(file, mark, ending):
    text = file.read_text()
    file.write_bytes((mark + text.replace("\n", ending)).encode())
    take_settings(file, {"steps": 12, "hires.scale": 2}, write=True)
    written = file.read_bytes().decode()
    assert written.startswith(mark + "#") and written.count("\n") == written.count(ending)
    assert load_collection(file.parent).generation.steps == 12


def test_settings_that_would_be_refused_are_not_written(file):
    before = file.read_bytes()
    for wrong in ({"steps": 0}, {"negative_prompt": "nowhere"}, {"stesp": 3}):
        with pytest.raises((InconsistentCollection, NoSuchSetting)):
            take_settings(file, wrong, write=True)
        assert file.read_bytes() == before


def test_the_page_answers_its_owner_and_takes_in_two_steps(painted, file, tiny):
    catalog, _, grid = painted
    shutil.copytree(TINY, file.parents[1] / "tiny")
    api = GridApi(catalog, grid, file.parents[1] / "tiny" / "collection.toml")
    client = TestClient(grid_app(api, "secret"), base_url="http://127.0.0.1")
    assert client.get("/grid").status_code == 403
    facts = client.get("/grid?token=secret").json()
    assert facts == json.loads(json.dumps(grid_facts(grid)))
    picture = client.get(f"/picture/{facts['cells'][0]['shots'][0]['dna']}?token=secret")
    assert picture.content.startswith(b"\x89PNG")
    before = api.file.read_text()
    shown = client.post("/take?token=secret", json={"cell": 2}).json()
    assert "+steps = 3" in shown["diff"] and api.file.read_text() == before
    client.post("/take?token=secret", json={"cell": 2, "write": True})
    assert read_collection(api.file).generation.steps == 3
    for wrong in ({"cell": 99}, {"cell": "2"}, {}, []):
        assert client.post("/take?token=secret", json=wrong).status_code == 400
    assert client.get("/picture/none?token=secret").status_code == 400
    assert client.get("/explore.js").status_code == 200
    assert client.get("/elsewhere.js").status_code == 404


def test_a_grid_is_drawn_with_its_axes(painted, tmp_path):
    catalog, _, grid = painted
    sheet = show_grid(catalog, grid)
    assert sheet.image.width == 90 + 3 * 350 + 10
    sheet.save(tmp_path / "grid.webp")
    with Image.open(tmp_path / "grid.webp") as image:
        assert image.format == "WEBP" and image.size == sheet.image.size


@pytest.mark.slow
def test_the_console_shows_takes_and_writes(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(TINY, tmp_path / "tiny")
    with pytest.raises(SystemExit):
        main(["explore", "tiny", "--x", "steps=1,3", "--png", "grid.png", "--take", "2"])
    shown = capsys.readouterr()
    assert "+steps = 3" in shown.out and "--write" in shown.err
    assert (tmp_path / "grid.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SystemExit):
        main(["explore", "tiny", "--x", "steps=1,3", "--take", "2", "--write", "--json"])
    facts = json.loads(capsys.readouterr().out)
    assert [cell["changes"]["steps"] for cell in facts["cells"]] == [1, 3]
    assert load_collection(tmp_path / "tiny").generation.steps == 3
    for wrong in (["--x", "steps=1", "--slots", "9"], ["--x", "steps=1,2", "--take", "3"]):
        with pytest.raises(SystemExit) as stop:
            main(["explore", "tiny", *wrong])
        assert stop.value.code == 2


# ---- in a real browser


@pytest.mark.slow
def test_by_a_click_in_a_browser(tmp_path):
    "The console serves the grid; a click shows the diff, another writes it; nothing of the page is refused by its own policy."
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("no Chromium on this machine")
    shutil.copytree(TINY, tmp_path / "tiny")
    code = "from artmint.__main__ import main; main()"
    words = ["explore", "tiny", "--x", "steps=1,3", "--y", "guidance=1,5", "--slots", "1,2", "--page"]
    server = subprocess.Popen(
        [sys.executable, "-c", code, *words], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    try:
        address = next(line for line in server.stdout if line.startswith("http")).strip()
        with sync.sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 390, "height": 844})
            complaints = []
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto(address)
            page.wait_for_selector(".cell")
            assert page.locator(".cell").count() == 4 and page.locator(".shot img").count() == 8
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            page.locator(".cell > button").nth(1).click()
            page.wait_for_selector("#diff .add")
            assert "+steps = 3" in page.inner_text("#diff")
            assert load_collection(tmp_path / "tiny").generation.steps == 2
            page.click("#write")
            page.get_by_text("is written").wait_for()
            assert load_collection(tmp_path / "tiny").generation.steps == 3
            assert complaints == []
            browser.close()
    finally:
        server.terminate()
        server.wait()
