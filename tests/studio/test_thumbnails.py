"Pictures in small."

import io

import numpy as np
from PIL import Image

from artmint.studio.catalog import Catalog
from artmint.studio.thumbnails import SMALL, data_url, media_type, thumbnail


def png(width: int, height: int) -> bytes:
    "A grainy picture as PNG."
    packed = io.BytesIO()
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(packed, "PNG")
    return packed.getvalue()


def test_a_thumbnail_is_made_once_and_small_pictures_are_left_alone(tmp_path):
    catalog = Catalog(tmp_path)
    large = png(1200, 900)
    name = catalog.put_blob(large)
    made = thumbnail(catalog, name)
    assert Image.open(io.BytesIO(made)).size == (SMALL, SMALL * 3 // 4)
    assert len(made) < len(large)
    kept = list(tmp_path.glob("thumbnails/*/*.webp"))
    assert [path.read_bytes() for path in kept] == [made]
    kept[0].write_bytes(b"kept")
    assert thumbnail(catalog, name) == b"kept"
    small = png(128, 128)
    assert thumbnail(catalog, catalog.put_blob(small)) == small
    assert media_type(small) == "image/png"


def test_every_size_and_quality_is_kept_under_its_own_name(tmp_path):
    catalog = Catalog(tmp_path)
    name = catalog.put_blob(png(600, 300))
    for side, quality in ((224, 62), (224, 82), (112, 62)):
        data = thumbnail(catalog, name, side, quality)
        assert Image.open(io.BytesIO(data)).size == (side, side // 2)
        assert data_url(data).startswith("data:image/webp;base64,")
    assert len(list(tmp_path.glob("thumbnails/*/*.webp"))) == 3


def test_a_small_picture_with_many_bytes_is_packed_where_that_is_asked_for(tmp_path):
    catalog = Catalog(tmp_path)
    grain = png(96, 96)
    name = catalog.put_blob(grain)
    assert thumbnail(catalog, name, 224) == grain
    assert len(thumbnail(catalog, name, 224, 60, own=4096)) < len(grain)


def test_a_studio_that_cannot_be_written_to_shows_its_pictures_all_the_same(tmp_path):
    catalog = Catalog(tmp_path)
    name = catalog.put_blob(png(600, 300))
    (tmp_path / "thumbnails").write_text("no folder")
    assert thumbnail(catalog, name)[:4] == b"RIFF"
