"""The review board with 2,000 and with 20,000 candidates, as `artmint review` serves it to a real browser.

How long after it is opened the first picture is there, how long a key takes, and what scrolling through all of
them leaves in memory; each against what a person bears.
"""

import hashlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from artmint.core.picture import pixel_digest, png_bytes
from artmint.core.records import Artifact, Slot
from artmint.seeds import allocate, recipes
from artmint.studio.catalog import Catalog
from artmint.train.drawings import Subject, draw

from .measure import row
from .samples import ROOT, demo

SLOTS, FEW, TRIES, DRAWN = 2500, 250, 8, 16
FIRST, KEY = 0.5, 0.03  # seconds that a person bears
CLI = "from artmint.console.cli import main; main()"
REASON = "palette 12.4 is above 12 by 0.4"

LOADED = """() => new Promise((done) => {
    const tile = () => document.querySelector('#board')?.shadowRoot?.querySelector('.tile img');
    const look = () => tile()?.complete && tile().naturalWidth ? done(performance.now()) : setTimeout(look, 2);
    look();
})"""
KEYS = """async (keys) => {
    const board = document.querySelector('#board').shadowRoot.querySelector('.board'), times = [];
    for (const key of keys) {
        const begun = performance.now();
        board.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, composed: true }));
        board.querySelector('.wall').getBoundingClientRect();
        times.push(performance.now() - begun);
        await new Promise(requestAnimationFrame);
    }
    return times;
}"""
SCROLL = """async () => {
    const wall = document.querySelector('#board').shadowRoot.querySelector('.wall');
    for (let top = 0; top < wall.scrollHeight; top += 3 * wall.clientHeight) {
        wall.scrollTop = top;
        await new Promise((done) => setTimeout(done, 4));
    }
    wall.scrollTop = 0;
}"""


def _drawings(catalog: Catalog) -> list[dict[str, Any]]:
    "A few drawings' artifacts, whose files all candidates share."
    made = []
    for slot in allocate(demo(), "salt")[:DRAWN]:
        recipe = recipes(demo(), [slot], "salt", range(1, 2), "0" * 64)[0].recipe
        image = draw(Subject(**slot.traits), slot.id)
        file = catalog.put_blob(png_bytes(image, recipe, "drawn"))
        digests = {"pixel_digest": pixel_digest(image), "file_digest": file}
        artifact = Artifact(dna=recipe.dna, recipe=recipe.facts(), environment={}, **digests)
        made.append(artifact.model_dump(mode="json"))
    return made


def _fill(folder: Path, count: int) -> None:
    "Enter the candidates of so many slots, which the machine has judged, and a person in each slot one."
    catalog, traits = Catalog(folder), [slot.traits for slot in allocate(demo(), "salt")]
    made = _drawings(catalog)
    slots = [Slot(id=i + 1, traits=traits[i % len(traits)]) for i in range(count)]
    places = [(slot.id, attempt) for slot in slots for attempt in range(1, TRIES + 1)]
    dnas = [hashlib.sha256(f"{slot}/{attempt}".encode()).hexdigest() for slot, attempt in places]
    artifacts = [made[i % DRAWN] | {"dna": dna} for i, dna in enumerate(dnas)]
    catalog.put_all("slot", {f"demo/{slot.id}": slot.model_dump(mode="json") for slot in slots})
    catalog.put_all("artifact", dict(zip(dnas, artifacts)))
    attempts = {}
    for (slot, attempt), each in zip(places, artifacts):
        attempts[f"demo/{slot}/{attempt}"] = {"dna": each["dna"], "recipe": each["recipe"]}
    catalog.put_all("attempt", attempts)
    said = {"by": "machine", "reasons": [REASON], "scores": {"palette": 12.4}}
    words = ("review", "accept")
    catalog.append_all("decision", [(dna, said | {"decision": words[i % 2]}) for i, dna in enumerate(dnas)])
    spoken = {"by": "Bea", "at": "2026-11-01T12:00:00+00:00", "decision": "accept"}
    catalog.append_all("decision", [(dna, spoken) for dna in dnas[::TRIES]])


@contextmanager
def _served(folder: Path, count: int) -> Iterator[str]:
    "The board's address, while it is served."
    batch = folder / "batch.toml"
    collection = json.dumps(str(ROOT / "collections" / "demo"))
    batch.write_text(f'name = "b"\ncollection = {collection}\nquantity = {count}\nstages = ["20_curate"]\n')
    options = [str(batch), "--studio", str(folder), "--by", "ada", "--no-open"]
    command = [sys.executable, "-c", CLI, "review", *options]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        yield next(line.strip() for line in server.stdout if line.startswith("http"))
    finally:
        server.terminate()
        server.wait()


def _heap(page: Any) -> float:
    "Bytes that the page's scripts hold once what nobody needs is gone."
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    return session.send("Runtime.getHeapUsage")["usedSize"]


def _opened(browser: Any, address: str) -> tuple[Any, float]:
    "A page of its own, and after how many seconds it showed its first picture."
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.goto(address, wait_until="commit")
    return page, page.evaluate(LOADED) / 1000


def _times(browser: Any, address: str, rounds: int) -> tuple[Any, float, list[float]]:
    "A page that stays open, and after how many seconds the first page and later ones showed their first pictures."
    page, cold = _opened(browser, address)
    page.wait_for_selector(".board[data-ready]", timeout=120_000)
    times = []
    for _ in range(rounds):
        page.context.close()
        page, took = _opened(browser, address)
        times.append(took)
    return page, cold, times


def measure(rounds: int) -> Iterator[dict]:
    "board_first_paint_2000, board_first_paint_20000, board_key_20000, board_memory_20000."
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    for slots in (FEW, SLOTS):
        folder = Path(tempfile.mkdtemp())
        _fill(folder, slots)
        with _served(folder, slots) as address, sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
            page, cold, times = _times(browser, address, rounds)
            yield _first_paint(slots * TRIES, cold, times)
            if slots == SLOTS:
                yield from _rows(page)
            browser.close()
        shutil.rmtree(folder)


def _first_paint(count: int, cold: float, times: list[float]) -> dict:
    "How soon the first picture is there."
    first = statistics.median(times)
    opened = f"{first:.3f} s, median of {len(times)}, {max(times):.3f} at worst; {cold:.3f} s of a server that has just begun"
    how = f"{count:,} candidates, 1440x900: {opened}"
    return row(f"board_first_paint_{count}", round(first / FIRST, 2), "share", f"{FIRST} s", "<= 1", how)


def _rows(page: Any) -> Iterator[dict]:
    "Figures of a page that was just opened."
    count = f"{SLOTS * TRIES:,} candidates"
    page.wait_for_selector(".board[data-ready]", timeout=120_000)
    ready = page.evaluate("() => performance.now()") / 1000
    page.wait_for_timeout(1000)
    before = _heap(page)
    page.evaluate(SCROLL)
    page.wait_for_timeout(1000)
    after = _heap(page)
    took = page.evaluate(KEYS, [*"ppxp"] * 25 + ["ArrowDown", "ArrowRight", "PageDown", "End"] * 10)
    worst = sorted(took)[-2]
    how = f"{count}: {statistics.median(took):.1f} ms, {worst:.1f} ms the second worst of {len(took)}"
    yield row("board_key_20000", round(worst / 1000 / KEY, 2), "share", f"{KEY} s", "<= 1", how)
    how = (
        f"{before / 1e6:.1f} MB once all were read ({ready:.1f} s), {after / 1e6:.1f} after scrolling by all"
    )
    yield row("board_memory_20000", round(after / before, 2), "times", "before scrolling", "<= 1.1", how)
