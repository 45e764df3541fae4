"Sheets of pictures: bounded, whole, and readable."

import numpy as np
import pytest
from PIL import Image

from artmint.judge.decisions import Action, ReviewSession, record_action
from artmint.judge.exchange import ExportExists, entries
from artmint.judge.sheets import PER_PAGE, Sheet, Tile, contact_pdf, entry_tile, picture_sheet
from tests.drawn import DEMO, SLOTS, table


def test_every_tile_has_its_place_and_its_frame():
    colours = ["#ff0000", "#00ff00", "#0000ff"]
    tiles = [Tile(Image.new("RGB", (40, 40), colour), "a", ("words",) * 9, colour) for colour in colours]
    page = picture_sheet(tiles, 2, (60, 60), "heading", ("x", "y"), ("1", "2")).image
    found = {page.getpixel((x, y)) for x in range(0, page.width, 4) for y in range(0, page.height, 4)}
    assert {(255, 0, 0), (0, 255, 0), (0, 0, 255)} <= found
    assert picture_sheet([Tile(None)], 1).image.size > (0, 0)
    assert picture_sheet([], 1).image.width > 0


def test_what_a_notebook_shows_of_the_grainiest_sheet_is_below_a_megabyte():
    grain = np.random.default_rng(0).integers(0, 256, (1200, 1600, 3), dtype=np.uint8)
    assert len(Sheet(Image.fromarray(grain))._repr_jpeg_()) < 1_000_000


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    "Forty-two candidates, one of which a person decided on."
    catalog = table(tmp_path_factory.mktemp("studio"), 3, SLOTS[:14])
    look = ReviewSession(catalog, DEMO, "Żaneta")
    first = next(iter(look.candidates()))
    record_action(look, Action(id="1", dnas=(first,), decision="accept", stars=4, note="спокойно"))
    return catalog


def test_a_tile_says_who_decided_what_with_stars_and_notes(catalog):
    listed = entries(catalog, DEMO)
    tile = entry_tile(catalog, listed[0])
    assert tile.lines[0] == "Żaneta accept ★★★★: спокойно"
    assert tile.lines[1].startswith("rules review: palette 12.4")
    assert "slot 1, attempt 1" in tile.title


def test_a_contact_sheet_is_a_pdf_with_a_page_for_every_twenty(catalog, tmp_path):
    listed = entries(catalog, DEMO)
    counts = []
    path = tmp_path / "sheet.pdf"
    assert contact_pdf(catalog, listed, path, "Demo", lambda *count: counts.append(count)) == 3
    assert counts[-1] == (3, 3) and len(listed) == 42 and PER_PAGE == 20
    data = path.read_bytes()
    assert data.startswith(b"%PDF-") and data.rstrip().endswith(b"%%EOF")
    assert data.count(b"/Subtype /Image") == 3
    with pytest.raises(ExportExists):
        contact_pdf(catalog, listed, path, "Demo")


def test_many_pages_are_written_part_by_part(catalog, tmp_path):
    listed = entries(catalog, DEMO)[:21] * 9
    assert contact_pdf(catalog, listed, tmp_path / "long.pdf", "Demo") == 10
    assert (tmp_path / "long.pdf").read_bytes().count(b"/Subtype /Image") == 10
