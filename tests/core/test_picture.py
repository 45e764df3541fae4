"Pictures that an enemy wrote: read in little memory, or refused with the reason."

import struct
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artmint.train.drawings import Subject, draw
from artmint.core.picture import BadPicture, pixel_digest, png_bytes, read_png
from artmint.core.records import Recipe

RECIPE = Recipe(base="0" * 64, prompt="dense rings in ocean colours on night", seed=3, width=64, height=64)
IMAGE = draw(Subject("rings", "ocean", "night", "dense", "centred"), 3, 64)
GOOD = png_bytes(IMAGE, RECIPE, "artmint bundled")


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, packed: bytes, extra: bytes = b"", form: tuple = (8, 2, 0, 0, 0)) -> bytes:
    "A PNG with whatever is asked for in it, and right checksums."
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, *form))
        + extra
        + chunk(b"IDAT", packed)
        + chunk(b"IEND", b"")
    )


ZEROS = zlib.compress(bytes(64 << 20), 9)
BOMBS = {
    "30,000 by 30,000": png(30_000, 30_000, zlib.compress(b"")),
    "a thin one": png(2**31 - 1, 1, zlib.compress(b"")),
    "nothing wide": png(0, 64, zlib.compress(b"")),
    "nothing high": png(64, 0, zlib.compress(b"")),
    "more pixels than promised": png(64, 64, ZEROS),
    "fewer": png(64, 64, zlib.compress(bytes(100))),
    "packed twice": png(64, 64, zlib.compress(ZEROS)),
    "packed text": png(64, 64, zlib.compress(bytes(64 * 193)), chunk(b"zTXt", b"Comment\0\0" + ZEROS)),
    "packed international text": png(
        64, 64, zlib.compress(bytes(64 * 193)), chunk(b"iTXt", b"Comment\0\1\0\0\0" + ZEROS)
    ),
    "a packed profile": png(64, 64, zlib.compress(bytes(64 * 193)), chunk(b"iCCP", b"p\0\0" + ZEROS)),
    "an animation": png(64, 64, zlib.compress(bytes(64 * 193)), chunk(b"acTL", bytes(8))),
    "16 bits": png(64, 64, zlib.compress(bytes(64 * 385)), form=(16, 2, 0, 0, 0)),
    "grey": png(64, 64, zlib.compress(bytes(64 * 65)), form=(8, 0, 0, 0, 0)),
    "interlaced": png(64, 64, zlib.compress(bytes(64 * 193)), form=(8, 2, 0, 0, 1)),
    "another packing": png(64, 64, zlib.compress(bytes(64 * 193)), form=(8, 2, 1, 0, 0)),
    "another filter": png(64, 64, zlib.compress(bytes(64 * 193)), form=(8, 2, 0, 7, 0)),
    "an unknown row filter": png(64, 64, zlib.compress((b"\x09" + bytes(192)) * 64)),
    "HTML after it": GOOD + b"<html><script>alert(1)</script>",
    "a zip after it": GOOD + b"PK\x05\x06" + bytes(18),
    "cut off": GOOD[:-30],
    "a JPEG": b"\xff\xd8\xff\xe0" + bytes(100),
    "an SVG": b"<svg onload=alert(1)>",
    "nothing": b"",
    "two ends": GOOD + GOOD[-12:],
    "a length beyond the end": GOOD[:8] + b"\x7f\xff\xff\xff" + GOOD[12:],
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_hostile_picture_is_refused_in_little_memory(name):
    tracemalloc.start()
    try:
        with pytest.raises(BadPicture):
            read_png(BOMBS[name])
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


@given(st.integers(0, len(GOOD) * 8 - 1))
def test_one_flipped_bit_is_refused(bit):
    data = bytearray(GOOD)
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadPicture):
        read_png(bytes(data))


@given(st.binary(max_size=300), st.integers(0, len(GOOD)))
def test_noise_is_refused_and_never_an_error_of_another_kind(noise, at):
    for data in (noise, GOOD[:at] + noise, GOOD[:at] + noise + GOOD[at:]):
        if data == GOOD:
            continue
        with pytest.raises(BadPicture):
            read_png(data)


def test_a_sound_one_is_read():
    image, texts = read_png(GOOD)
    assert pixel_digest(image) == pixel_digest(IMAGE)
    assert set(texts) == {"parameters", "artmint"}
