"A folder in which every verb can be tried."

import shutil
from pathlib import Path

import pytest
from PIL import Image

from artmint.studio.catalog import Catalog
from tests.studios import ROOT


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    "A folder with a studio that is new, a collection, a batch, a picture, and things that are neither."
    folder = tmp_path_factory.mktemp("wrong") / "place"
    shutil.copytree(ROOT / "tests" / "data" / "tiny", folder / "collections" / "tiny")
    for name in ("batches", "a-folder"):
        (folder / name).mkdir()
    (folder / "batches" / "tiny.toml").write_text(
        'name = "tiny"\ncollection = "../collections/tiny"\nquantity = 2\n'
    )
    (folder / "a-file.txt").write_text("no TOML, no JSON: [\n")
    Image.new("RGB", (64, 64)).save(folder / "picture.png")
    Catalog(folder / "studio").close()
    return folder
