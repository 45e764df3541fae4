"What is written in strangers' files, with limits."

import zlib
from io import BytesIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from artmint.core.inscriptions import TEXT_BYTES, comment_text, hidden_text, inscription_of
from artmint.core.picture import BadPicture
from tests.elsewhere import chunk, exif, hidden, png, saved, text_chunk

LINE = "Steps: 20, Sampler: Euler, Seed: 1"


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.text(min_size=1, max_size=40).filter(lambda text: "\ufffe" not in text and "\ufeff" not in text))
def test_a_comment_is_read_in_whatever_order_it_was_written(text):
    "The mark may be missing or lie: the words around it are ASCII, and that decides."
    words = f"{text}\n{LINE}".encode("utf-16-le", "replace").decode("utf-16-le")
    for order in ("utf-16-be", "utf-16-le"):
        for mark in (b"", b"\xff\xfe", b"\xfe\xff"):
            assert comment_text(b"UNICODE\0" + mark + words.encode(order)) == words
    assert comment_text(b"ASCII\0\0\0" + words.encode()) == words


def test_every_text_has_a_limit():
    bomb = zlib.compress(b"0" * (TEXT_BYTES + 1), 9)
    data = png(chunk(b"zTXt", b"bomb\0\0" + bomb), text_chunk("parameters", LINE))
    inscription = inscription_of(data)
    assert inscription.texts == {"parameters": LINE}
    assert inscription.notes == ["text 'bomb' wasn't read: a packed text in it has more than 4 MiB"]


def test_torn_and_broken_words_are_noted_and_nothing_after_them_is_believed():
    broken = text_chunk("parameters", LINE)[:-1] + b"\0"
    inscription = inscription_of(png(text_chunk("first", "a"), broken, text_chunk("last", "b")))
    assert inscription.texts == {"first": "a"} and "wrong checksum" in inscription.notes[0]
    assert "torn" in inscription_of(png(chunk(b"iTXt", b"parameters\0\0"))).notes[0]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_noted(data):
    for head in (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b""):
        inscription_of(head + data)
    inscription_of(png(chunk(b"eXIf", data), chunk(b"zTXt", data), chunk(b"iTXt", data)))
    comment_text(data)


def test_words_in_the_lowest_bits_are_found_and_torn_ones_refused():
    assert hidden_text(hidden(LINE)) == hidden_text(hidden(LINE, packed=False)) == LINE
    assert hidden_text(png()) == ""
    image = Image.open(BytesIO(hidden(LINE))).crop((0, 0, 3, 128))
    out = BytesIO()
    image.save(out, "PNG")
    with pytest.raises(BadPicture, match="torn"):
        hidden_text(out.getvalue())


def test_exif_is_read_by_its_names():
    data = saved("JPEG", exif=exif(UserComment=b"ASCII\0\0\0" + LINE.encode(), Software="x"))
    assert inscription_of(data).texts == {"UserComment": LINE, "Software": "x"}
