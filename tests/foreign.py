"Pictures as they come from elsewhere: colour profiles made by the book, TIFFs and PNGs that Pillow can't write."

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

D50 = (0.9642, 1.0, 0.8249)
# Columns of red, green and blue in XYZ, adapted to D50.
DISPLAY_P3 = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))


def _xyz(x: float, y: float, z: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in (x, y, z)))


def _gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256))


def _profile(space: bytes, kind: bytes, tags: dict[bytes, bytes], name: str) -> bytes:
    "An ICC profile, version 2."
    desc = b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name.encode() + b"\0" + bytes(78)
    tags = {b"desc": desc, b"cprt": b"text\0\0\0\0nobody\0", b"wtpt": _xyz(*D50), **tags}
    at = 128 + 4 + 12 * len(tags)
    table = struct.pack(">I", len(tags))
    body = b""
    for tag, data in tags.items():
        table += struct.pack(">4sII", tag, at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    pcs = b"Lab " if space == b"CMYK" else b"XYZ "
    head = struct.pack(
        ">I4sI4s4s4s12s4s", at + len(body), b"none", 0x02400000, kind, space, pcs, bytes(12), b"acsp"
    )
    head += bytes(28) + struct.pack(">3i", *(round(v * 65536) for v in D50))
    return head.ljust(128, b"\0") + table + body


def rgb_profile(columns, gamma: float, name: str) -> bytes:
    "A matrix profile, such as Display P3."
    tags = {tag: _xyz(*column) for tag, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns)}
    return _profile(b"RGB ", b"mntr", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _gamma(gamma)), name)


def grey_profile(gamma: float) -> bytes:
    return _profile(b"GRAY", b"mntr", {b"kTRC": _gamma(gamma)}, f"Grey {gamma}")


def cmyk_profile() -> bytes:
    "Inks on a grid of two: lightness falls with every ink, and each pulls towards its own colour."
    clut = bytearray()
    for i in range(16):
        c, m, y, k = (i >> 3 & 1, i >> 2 & 1, i >> 1 & 1, i & 1)
        light = max(0, 255 - 60 * (c + m + y) - 200 * k)
        clut += bytes([light, 128 - 40 * c + 60 * m, 128 - 40 * c + 70 * y])
    ramp = bytes(range(256))
    lut = (
        b"mft1\0\0\0\0"
        + bytes([4, 3, 2, 0])
        + struct.pack(">9i", *(65536 * v for v in (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    )
    return _profile(b"CMYK", b"prtr", {b"A2B0": lut + ramp * 4 + bytes(clut) + ramp * 3}, "Four inks")


def saved(path: Path, image: Image.Image, form: str, **more) -> Path:
    image.save(path, form, **more)
    return path


def packed(image: Image.Image, form: str, **more) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **more)
    return out.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def deep_png(colour: int, rows: np.ndarray, *chunks: bytes) -> bytes:
    "A PNG of 16 bits a channel; colour 0 is grey, 2 RGB, 4 grey with alpha, 6 RGB with alpha."
    height, width = rows.shape[:2]
    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *chunks, chunk(b"IDAT", zlib.compress(raw)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(width: int, height: int, bits: int, data: bytes, **more: int) -> bytes:
    "A TIFF of one channel, with further tags by number: t262=0 makes zero white."
    tags = {
        256: width,
        257: height,
        258: bits,
        259: 1,
        262: 1,
        273: 8,
        277: 1,
        278: height,
        279: len(data),
        339: 1,
    }
    tags |= {int(name[1:]): value for name, value in more.items()}
    ifd = struct.pack("<H", len(tags))
    for tag, value in sorted(tags.items()):
        ifd += struct.pack("<HHII", tag, 4, 1, value)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + ifd + bytes(4)
