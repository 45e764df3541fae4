"The review board in a real browser, as several tests serve and read it."

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from artmint.judge.decisions import ReviewSession
from artmint.studio.catalog import Catalog
from tests.drawn import DEMO

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def browser():
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not path:
        pytest.skip("no Chromium on this machine")
    with sync.sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield made
        made.close()


class Served:
    "The board as people serve it, artmint review, at an address that stays when it is killed and started again."

    def __init__(self, folder: Path, quantity: int = 16, team: bool = False):
        self.folder, self.process = folder, None
        self.whose = ["--team"] if team else ["--by", "ada"]
        self.batch = folder / "batch.toml"
        self.batch.write_text(
            f'name = "b"\ncollection = {json.dumps(str(ROOT / "collections/demo"))}\nquantity = {quantity}\nstages = ["20_curate"]\n'
        )
        self.start()

    def start(self, *options: str) -> None:
        program = "from artmint.__main__ import main; main()"
        arguments = ["review", str(self.batch), "--studio", str(self.folder), *self.whose, "--no-open"]
        command = [sys.executable, "-c", program, *arguments, *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        self.said = [self.process.stdout.readline().strip()]
        while not self.said[-1].startswith("http"):
            assert self.process.poll() is None, self.said
            self.said.append(self.process.stdout.readline().strip())
        self.address = self.said[-1].split(" ")[0]

    @property
    def port(self) -> int:
        return int(self.address.split(":")[2].split("/")[0])

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()


def opened(browser, served: Served, **options):
    "The board's page, ready."
    page = browser.new_page(viewport={"width": 1280, "height": 800}, **options)
    page.goto(served.address)
    page.wait_for_selector(".board[data-ready]")
    return page


def settled(page, patience: int = 60_000) -> None:
    "Wait until nothing is on its way."
    page.wait_for_timeout(60)  # a dialog that closes says so a moment later
    page.wait_for_function(
        "() => !document.querySelector('#board').shadowRoot.querySelector('.count').textContent.includes('saving')",
        timeout=patience,
    )


def people(catalog: Catalog) -> dict[str, str]:
    "Each artifact's last word by a person."
    return {
        dna: rows[-1]["decision"]
        for dna in catalog.all("decision")
        if (rows := [row for row in catalog.history("decision", dna) if row["by"] != "machine"])
    }


def recorded(catalog: Catalog) -> list[tuple[str, str, int | None]]:
    "What people said, in the order in which it was written down."
    rows = [(row.key, json.loads(row.body)) for row in catalog.rows("decision")]
    people_rows = [(dna, row) for dna, row in rows if row["by"] != "machine"]
    assert len({(dna, row["action"]) for dna, row in people_rows}) == len(people_rows)
    return [(dna, row["decision"], row.get("stars")) for dna, row in people_rows]


def said_of(catalog: Catalog, dnas: list[str]) -> list[str | None]:
    "The last word of people on each of some cards."
    return [people(catalog).get(dna) for dna in dnas]


def counted(page) -> str:
    "What the board counts."
    return page.locator(".count").inner_text()


def views(page) -> list[str]:
    "The views to choose from, once the board has counted them: it does so when nothing else is to be done."
    options = page.get_by_label("show").locator("option")
    options.first.filter(has_text="(").wait_for(state="attached")
    return options.all_text_contents()


def touchable(page) -> list:
    "Buttons that can be seen and are smaller than a finger's 44 pixels."
    return page.evaluate("""() => [...document.querySelector('#board').shadowRoot.querySelectorAll('button')]
        .filter(b => b.offsetParent && !b.classList.contains('preview')).map(b => [b.textContent, b.getBoundingClientRect()])
        .filter(([, box]) => box.width < 43.9 || box.height < 43.9).map(([text, box]) => [text, box.width, box.height])""")


def list_of(catalog: Catalog) -> tuple[str, ...]:
    "A catalog's candidates in the order of slots and attempts."
    return tuple(ReviewSession(catalog, DEMO, "ada").candidates())
