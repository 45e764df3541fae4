"Published pictures in four formats: encoded in one way, read strictly, and readable by others."

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from artmint.core.formats import (
    FORMATS,
    NoEncoder,
    bare_picture,
    encode_picture,
    encoder_of,
    exif_block,
    exif_texts,
    flat_picture,
    format_of,
    is_lossless,
    is_signed,
    marked_picture,
    picture_texts,
    read_picture,
    unsigned_picture,
    worded_picture,
)
from artmint.core.picture import MARK, BadPicture, infotext, pixel_digest
from artmint.core.records import Recipe
from artmint.train.drawings import Subject, draw

IMAGE = draw(Subject("mountains", "ember", "night", "sparse", "centred"), 3, 64)
RECIPE = Recipe(base="0" * 64, prompt="mountains, ümlaut “quoted” 🌋", seed=3, width=64, height=64)
TEXTS = {"artmint": '{"schema":1}', "parameters": infotext(RECIPE, "bundled")}
WAYS = [("png", False), ("jpeg", False), ("webp", False), ("webp", True), ("avif", False)]
every_way = pytest.mark.parametrize("name, lossless", WAYS)


@every_way
def test_the_same_pixels_give_the_same_file_whatever_pillow_remembers_of_them(name, lossless):
    data = encode_picture(IMAGE, name, lossless=lossless)
    laden = IMAGE.copy()
    laden.info = {"icc_profile": b"x", "exif": b"Exif\0\0x", "xmp": b"<x/>", "dpi": (72, 72), "comment": b"x"}
    assert encode_picture(laden, name, lossless=lossless) == data
    assert format_of(data) == FORMATS[name]
    image, texts = read_picture(data)
    assert texts == {} and image.size == IMAGE.size and image.info == {}
    assert (pixel_digest(image) == pixel_digest(IMAGE)) == is_lossless(data) == (name == "png" or lossless)
    apart = np.abs(np.asarray(image).astype(int) - np.asarray(IMAGE)).mean()
    assert apart < 5
    assert bool(encoder_of(name)) == (name != "png")


@every_way
def test_words_and_mark_are_read_back_and_come_off_again(name, lossless):
    bare = encode_picture(IMAGE, name, lossless=lossless)
    worded = worded_picture(bare, TEXTS)
    marked = marked_picture(worded, "<x:xmpmeta/>")
    assert picture_texts(marked) == read_picture(marked)[1] == TEXTS | {MARK: "<x:xmpmeta/>"}
    assert bare_picture(marked) == bare_picture(worded) == bare_picture(bare) == bare
    assert unsigned_picture(marked) == marked and not is_signed(marked)
    with pytest.raises(BadPicture):
        marked_picture(marked, "<x:xmpmeta/>")
    with Image.open(BytesIO(marked)) as opened:
        assert opened.convert("RGB").tobytes() == read_picture(bare)[0].tobytes()
        if name != "png":  # where A1111 and its readers look
            comment = opened.getexif().get_ifd(0x8769)[0x9286]
            assert comment.removeprefix(b"UNICODE\0").decode("utf-16-be") == TEXTS["parameters"]
            assert opened.info["xmp"] == b"<x:xmpmeta/>"


@every_way
def test_a_file_that_says_more_or_in_another_way_is_refused(name, lossless):
    data = worded_picture(encode_picture(IMAGE, name, lossless=lossless), TEXTS)
    for strange in (data + b"x", data[:-1], b"x" + data, data.replace(b"artmint", b"artmunt")):
        with pytest.raises(BadPicture):
            read_picture(strange)
    file = BytesIO()
    IMAGE.save(file, name.upper(), exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0")
    with pytest.raises(BadPicture):
        read_picture(file.getvalue())


@given(st.dictionaries(st.sampled_from(["artmint", "parameters"]), st.text(max_size=200)))
def test_exif_is_read_as_it_was_written(texts):
    ordered = {key: texts[key] for key in ("artmint", "parameters") if key in texts}
    block = exif_block(ordered)
    assert exif_texts(block) == ordered
    if block:
        opened = Image.Exif()
        opened.load(block)
        assert set(opened.get_ifd(0x8769)) == {0x927C if key == "artmint" else 0x9286 for key in ordered}


@given(st.binary(max_size=120))
def test_any_other_exif_is_refused(junk):
    for block in (junk, exif_block(TEXTS) + junk, exif_block(TEXTS)[: len(junk)] + junk):
        if block not in (b"", exif_block(TEXTS)):
            with pytest.raises(BadPicture):
                exif_texts(block)


def test_what_is_too_large_to_be_looked_at_is_refused_before_it_is_decoded():
    for name, lossless in WAYS:
        with pytest.raises(BadPicture, match="64x64 is not between 1 and 4095"):
            read_picture(encode_picture(IMAGE, name, lossless=lossless), 4095)


def test_noise_is_encoded_too():
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (256, 256, 3), dtype=np.uint8))
    for name in ("jpeg", "webp", "avif"):
        assert read_picture(encode_picture(noise, name, 100))[0].size == (256, 256)


def test_without_an_encoder_nothing_is_written(monkeypatch):
    Image.init()
    monkeypatch.delitem(Image.SAVE, "AVIF")
    with pytest.raises(NoEncoder, match="avif.*install a Pillow"):
        encode_picture(IMAGE, "avif")


def test_a_transparent_picture_is_flat_on_its_ground():
    clear = Image.new("RGBA", (2, 1), (200, 0, 0, 0))
    clear.putpixel((1, 0), (200, 0, 0, 255))
    assert list(flat_picture(clear, "#0a0b0c").getdata()) == [(10, 11, 12), (200, 0, 0)]
    assert list(flat_picture(clear).getdata()) == [(255, 255, 255), (200, 0, 0)]
    assert flat_picture(IMAGE) is IMAGE
