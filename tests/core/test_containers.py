"JPEG, WebP and AVIF taken apart and put together, also as an enemy wrote them."

from dataclasses import replace
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from artmint.core.containers import (
    PictureParts,
    join_avif,
    join_jpeg,
    join_webp,
    split_avif,
    split_jpeg,
    split_webp,
)
from artmint.core.picture import BadPicture
from artmint.train.drawings import Subject, draw

IMAGE = draw(Subject("mountains", "ember", "night", "sparse", "centred"), 3, 64)
SPLIT = {"JPEG": split_jpeg, "WEBP": split_webp, "AVIF": split_avif}
JOIN = {"JPEG": join_jpeg, "WEBP": join_webp, "AVIF": join_avif}


def saved(form: str, image: Image.Image = IMAGE, **settings) -> bytes:
    file = BytesIO()
    image.save(file, form, **settings)
    return file.getvalue()


def pixels(data: bytes) -> bytes:
    with Image.open(BytesIO(data)) as image:
        return image.mode.encode() + image.tobytes()


FILES = {
    "a JPEG": ("JPEG", saved("JPEG", comment=b"by a shop", dpi=(300, 300))),
    "one in several scans": (
        "JPEG",
        saved("JPEG", progressive=True, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"),
    ),
    "a grey one": ("JPEG", saved("JPEG", IMAGE.convert("L"))),
    "one of RGB by Adobe's mark": ("JPEG", saved("JPEG", keep_rgb=True)),
    "a WebP": ("WEBP", saved("WEBP", quality=80, icc_profile=b"p" * 7)),
    "one that loses nothing": ("WEBP", saved("WEBP", lossless=True, xmp=b"<x/>")),
    "a transparent one": ("WEBP", saved("WEBP", IMAGE.convert("RGBA").rotate(20))),
    "a transparent one that loses nothing": (
        "WEBP",
        saved("WEBP", IMAGE.convert("RGBA").rotate(20), lossless=True),
    ),
    "an AVIF": ("AVIF", saved("AVIF", quality=70, xmp=b"<x/>", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0")),
    "one with fewer colours": ("AVIF", saved("AVIF", subsampling="4:2:0")),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_put_together_from_its_parts_in_one_way(name):
    form, data = FILES[name]
    parts = SPLIT[form](data)
    whole = JOIN[form](parts)
    assert pixels(whole) == pixels(data)
    assert SPLIT[form](whole) == parts
    assert JOIN[form](SPLIT[form](whole)) == whole
    bare = JOIN[form](parts.bare)
    assert pixels(bare) == pixels(data) and len(bare) <= len(whole)
    said = replace(parts, exif=b"MM\0*1234", xmp=b"<y/>")
    assert JOIN[form](SPLIT[form](JOIN[form](said)).bare) == bare


@settings(max_examples=200)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_torn_and_changed_files_are_refused_or_read_and_nothing_else(name, data):
    form, whole = FILES[name]
    at = data.draw(st.integers(0, len(whole) - 1))
    torn = whole[:at] + data.draw(st.binary(max_size=4)) + whole[at + data.draw(st.integers(0, 4)) :]
    try:
        JOIN[form](SPLIT[form](torn))
    except BadPicture as refusal:
        assert refusal.reason


@pytest.mark.parametrize("form", SPLIT)
@given(data=st.binary(max_size=80))
def test_what_is_no_such_file_is_refused(form, data):
    heads = {"JPEG": b"\xff\xd8\xff", "WEBP": b"RIFF", "AVIF": b"\0\0\0\x1cftypavif"}
    for junk in (data, heads[form] + data):
        with pytest.raises(BadPicture):
            JOIN[form](SPLIT[form](junk))


@pytest.mark.parametrize(
    "split, data, why",
    [
        (split_avif, saved("AVIF", IMAGE.convert("RGBA").rotate(20)), "transparency"),
        (split_avif, saved("AVIF", save_all=True, append_images=[IMAGE.rotate(90)]), "moov.*moves"),
        (split_webp, saved("WEBP", save_all=True, append_images=[IMAGE.rotate(90)]), "ANIM"),
        (split_jpeg, saved("JPEG") + b"<script>", "8 bytes follow its end"),
        (split_jpeg, saved("JPEG")[:-2], "before its end|inside"),
        (split_webp, saved("WEBP") + b"<script>", "another length"),
    ],
    ids=["transparent AVIF", "moving AVIF", "moving WebP", "more behind", "no end", "more behind a WebP"],
)
def test_what_is_more_than_one_picture_is_refused_by_name(split, data, why):
    with pytest.raises(BadPicture, match=why):
        split(data)


def test_words_that_a_jpeg_has_no_room_for_are_refused():
    parts = split_jpeg(FILES["a JPEG"][1])
    with pytest.raises(BadPicture, match="65,533"):
        join_jpeg(replace(parts, exif=bytes(70_000)))
    with pytest.raises(BadPicture, match="no pixels"):
        join_webp(PictureParts(b"nothing"))
    with pytest.raises(BadPicture, match="no colours behind"):
        join_webp(PictureParts(b"ALPH\0\0\0\0" * 2000))
