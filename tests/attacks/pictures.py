"Pictures: what isn't one, what is more than one, what is larger than it looks."

import io
import os
import struct
import zlib
from functools import cache, partial
from pathlib import Path

import numpy as np
from PIL import Image

from artmint.core.picture import BadPicture
from tests.attacks.attack import HARMLESS, Attack
from tests.foreign import chunk, cmyk_profile, tiff

GATE = "pictures"
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def image(mode: str = "RGB", size: tuple[int, int] = (24, 16)) -> Image.Image:
    "A small picture."
    made = Image.linear_gradient("L").resize(size).convert("RGB")
    if mode in ("RGBA", "LA"):
        made.putalpha(Image.linear_gradient("L").resize(size))
    return made.convert(mode)


def file(form: str, mode: str = "RGB", **more: object) -> bytes:
    "A file of it."
    out = io.BytesIO()
    image(mode).save(out, form, **more)
    return out.getvalue()


@cache
def published(name: str) -> bytes:
    "A picture as it is published."
    from artmint.core.formats import encode_picture, worded_picture

    return worded_picture(encode_picture(image(), name), {"artmint": '{"a":1}'})


def header(width: int, height: int, *form: int) -> bytes:
    return struct.pack(">IIBBBBB", width, height, *(form or (8, 2, 0, 0, 0)))


def png(
    *chunks: tuple[bytes, bytes], head: bytes = header(2, 2), rows: bytes = bytes(14), end: bytes = b""
) -> bytes:
    "A PNG of further chunks, with checksums that fit."
    middle = b"".join(chunk(kind, body) for kind, body in chunks)
    return (
        SIGNATURE + chunk(b"IHDR", head) + middle + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", end)
    )


def _read(data: bytes, folder: Path) -> None:
    from artmint.core.formats import read_picture

    read_picture(data)


def _words(data: bytes, folder: Path) -> None:
    from artmint.core.formats import picture_texts

    picture_texts(data)


def _take(data: bytes, folder: Path, name: str = "work.png") -> None:
    from artmint.core.intake import take_picture

    (folder / name).write_bytes(data)
    take_picture(folder / name)


def _take_path(make, folder: Path) -> None:
    from artmint.core.intake import take_picture

    take_picture(make(folder))


def _fifo(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.png")
    return folder / "pipe.png"


def _link(folder: Path, target: str = "nowhere") -> Path:
    (folder / "link.png").symlink_to(target)
    return folder / "link.png"


def _sparse(folder: Path) -> Path:
    with open(folder / "large.png", "wb") as big:
        big.write(SIGNATURE)
        big.truncate((1 << 29) + 1)
    return folder / "large.png"


def _gif(frames: int) -> bytes:
    out = io.BytesIO()
    image("P").save(
        out, "GIF", save_all=True, append_images=[Image.new("P", (24, 16), n) for n in range(1, frames)]
    )
    return out.getvalue()


def _tiff_pages() -> bytes:
    out = io.BytesIO()
    image().save(out, "TIFF", save_all=True, append_images=[image()])
    return out.getvalue()


def _published_files() -> list[Attack]:
    found = []
    for name in ("png", "jpeg", "webp", "avif"):
        data = published(name)
        for part in range(1, 13):
            cut = data[: len(data) * part // 13]
            found.append(Attack(GATE, f"{name} cut at {part}/13", partial(_read, cut), BadPicture))
        tails = {
            "a web page": b"<script>alert(1)</script>",
            "an archive": b"PK\3\4" + bytes(40),
            "a zero": b"\0",
            "itself": data,
            "a gigabyte's header": struct.pack(">I", 1 << 30) + b"IDAT",
        }
        for what, tail in tails.items():
            found.append(Attack(GATE, f"{name} with {what} behind", partial(_read, data + tail), BadPicture))
            found.append(
                Attack(GATE, f"{name} with {what} before", partial(_read, tail[:30] + data), BadPicture)
            )
        for at in range(2, len(data), max(len(data) // 12, 1)):
            broken = data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]
            found.append(Attack(GATE, f"{name} flipped at {at}", partial(_flipped, broken, data), HARMLESS))
    return found


def _flipped(data: bytes, sound: bytes, folder: Path) -> None:
    "A flipped byte is refused, or the file's digest tells: here the reader may take it, and gives a picture of the same size or another, no more."
    from artmint.core.formats import read_picture

    try:
        read, _ = read_picture(data)
    except BadPicture:
        return
    assert read.width * read.height <= 64_000_000


def _chunks() -> list[Attack]:
    "PNGs of which every checksum is right."
    found = []
    strange = b"iCCP gAMA cHRM sRGB cICP eXIf pHYs tIME bKGD hIST sPLT sBIT tRNS PLTE acTL fcTL fdAT zTXt mDCV cLLI orNT iDOT vpAg caNv meTa xXxX".split()
    for kind in strange:
        found.append(
            Attack(
                GATE,
                f"PNG with a chunk {kind.decode()}",
                partial(_read, png((kind, bytes(12)))),
                BadPicture,
                "chunk",
            )
        )
    texts = {
        "packed text": (b"iTXt", b"artmint\0\1\0\0\0" + zlib.compress(b"x" * 10)),
        "text that unpacks to a gigabyte": (b"iTXt", b"artmint\0\1\0\0\0" + zlib.compress(bytes(1 << 22))),
        "torn text": (b"iTXt", b"artmint\0\0"),
        "text that is no UTF-8": (b"iTXt", b"artmint\0\0\0\0\0\xff\xfe"),
        "a mark in the wrong form": (b"tEXt", b"XML:com.adobe.xmp\0<x/>"),
        "a mark of 2 MB": (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"x" * (2 << 20)),
        "credentials that are no box": (b"caBX", b"\0\0\0\x10junk" + bytes(8)),
        "credentials of 2 MB": (b"caBX", struct.pack(">I4s", 2 << 20, b"jumb") + bytes((2 << 20) - 8)),
    }
    for what, one in texts.items():
        found.append(Attack(GATE, f"PNG with {what}", partial(_read, png(one)), BadPicture))
    twice = (b"tEXt", b"artmint\0a")
    found.append(
        Attack(GATE, "PNG with a text twice", partial(_read, png(twice, twice)), BadPicture, "twice")
    )
    found.append(
        Attack(
            GATE,
            "PNG with a text in two forms",
            partial(_read, png(twice, (b"iTXt", b"artmint\0\0\0\0\0b"))),
            BadPicture,
            "twice",
        )
    )
    box = (b"caBX", struct.pack(">I4s", 8, b"jumb"))
    found.append(Attack(GATE, "PNG with credentials twice", partial(_read, png(box, box)), BadPicture))
    found.append(Attack(GATE, "PNG with credentials after text", partial(_read, png(twice, box)), BadPicture))
    sizes = (
        (0, 2),
        (2, 0),
        (0, 0),
        (2**31 - 1, 2**31 - 1),
        (2**32 - 1, 1),
        (65_536, 65_536),
        (8001, 8001),
        (1, 64_000_001),
    )
    for width, height in sizes:
        found.append(
            Attack(
                GATE,
                f"PNG of {width}x{height}",
                partial(_read, png(head=header(width, height))),
                BadPicture,
                "pixels",
            )
        )
    forms = (
        (1, 0, 0, 0, 0),
        (8, 3, 0, 0, 0),
        (8, 0, 0, 0, 0),
        (8, 4, 0, 0, 0),
        (8, 2, 1, 0, 0),
        (8, 2, 0, 1, 0),
        (8, 2, 0, 0, 1),
        (8, 2, 0, 0, 9),
        (32, 2, 0, 0, 0),
        (0, 0, 0, 0, 0),
        (8, 7, 0, 0, 0),
        (255, 255, 255, 255, 255),
    )
    for form in forms:
        found.append(
            Attack(GATE, f"PNG of form {form}", partial(_read, png(head=header(2, 2, *form))), BadPicture)
        )
    rows = {
        "none": b"",
        "one byte short": bytes(13),
        "one byte more": bytes(15),
        "a gigabyte": bytes(1 << 26),
    }
    for what, raw in rows.items():
        found.append(
            Attack(GATE, f"PNG whose pixels are {what}", partial(_read, png(rows=raw)), BadPicture, "pixels")
        )
    for filter in (5, 9, 255):
        found.append(
            Attack(
                GATE,
                f"PNG with filter {filter}",
                partial(_read, png(rows=bytes([filter, *bytes(6)]) * 2)),
                BadPicture,
            )
        )
    found.append(
        Attack(GATE, "PNG whose end holds a page", partial(_read, png(end=b"<script>")), BadPicture, "end")
    )
    found.append(Attack(GATE, "PNG with two ends", partial(_read, png() + chunk(b"IEND", b"")), BadPicture))
    found.append(
        Attack(
            GATE,
            "PNG without a header",
            partial(_read, SIGNATURE + chunk(b"IDAT", b"") + chunk(b"IEND", b"")),
            BadPicture,
        )
    )
    found.append(
        Attack(
            GATE,
            "PNG with two headers",
            partial(_read, png((b"IHDR", header(9, 9)))),
            BadPicture,
        )
    )
    found.append(Attack(GATE, "PNG of nothing", partial(_read, SIGNATURE), BadPicture))
    found.append(Attack(GATE, "nothing", partial(_read, b""), BadPicture))
    for place in range(4):
        data = png(twice)
        starts = [8, 33, 33 + 21, 33 + 21 + 12]
        at = starts[place] + 8
        found.append(
            Attack(
                GATE,
                f"PNG with a wrong checksum, chunk {place}",
                partial(_read, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]),
                BadPicture,
            )
        )
    return found


def _outside() -> list[Attack]:
    "Files that people are given as pictures."
    heads = {
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nsystemdict",
        "PostScript with a DOS head": b"\xc5\xd0\xd3\xc6" + bytes(28) + b"%!PS",
        "PDF": b"%PDF-1.7\n",
        "SVG": b'<?xml version="1.0"?><svg xmlns="x" onload="alert(1)"></svg>',
        "SVG with a comment": b"<!-- a --><svg></svg>",
        "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        "a film": b"\0\0\0\x18ftypmp42\0\0\0\0isom",
        "Matroska": b"\x1a\x45\xdf\xa3" + bytes(40),
        "Photoshop": b"8BPS\0\1" + bytes(40),
        "OpenEXR": b"v/1\x01" + bytes(40),
        "Radiance": b"#?RADIANCE\n",
        "an icon": b"\0\0\1\0\1\0" + bytes(40),
        "JPEG XL": b"\xff\x0a" + bytes(40),
        "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40),
        "a web page": b"<!doctype html><script>1</script>",
        "an archive": b"PK\3\4" + bytes(60),
        "a program": b"\x7fELF\2\1\1" + bytes(60),
        "a pickle": b"\x80\x04cposix\nsystem\n",
        "FITS": b"SIMPLE  =                    T" + bytes(80),
        "WMF": b"\xd7\xcd\xc6\x9a" + bytes(40),
        "SGI": b"\x01\xda\x01\x01" + bytes(510),
        "Sun raster": b"\x59\xa6\x6a\x95" + bytes(60),
        "PPM": b"P6 9999999 9999999 255\n",
        "XBM": b"#define a_width 9\n#define a_height 9\nstatic char a[] = {",
        "XPM": b"/* XPM */ static char *a[] = {",
        "DDS": b"DDS " + bytes(124),
        "ICNS": b"icns\0\0\0\x10" + bytes(8),
        "PCX": b"\x0a\x05\x01\x08" + bytes(124),
        "Targa": bytes([0, 0, 2]) + bytes(40),
        "BUFR": b"BUFR" + bytes(40),
        "GRIB": b"GRIB" + bytes(40),
        "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(40),
    }
    found = [
        Attack(GATE, f"{what} named .png", partial(_take, head), BadPicture) for what, head in heads.items()
    ]
    for form in ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"):
        data = file(form, "P" if form == "GIF" else "RGB")
        for part in (1, 3, 6, 8):
            found.append(
                Attack(
                    GATE,
                    f"{form} from outside cut at {part}/9",
                    partial(_cut_taken, data[: len(data) * part // 9]),
                    HARMLESS,
                )
            )
    wide = tiff(60_000, 60_000, 8, bytes(16))
    large = {
        "a TIFF of 3.6 gigapixels": wide,
        "a BMP of 2 gigapixels": file("BMP")[:18] + struct.pack("<ii", 46_000, 46_000) + file("BMP")[26:],
        "a GIF of 65535x65535": file("GIF", "P")[:6] + b"\xff\xff\xff\xff" + file("GIF", "P")[10:],
        "a PNG of 30000x30000": png(head=header(30_000, 30_000)),
    }
    found += [Attack(GATE, what, partial(_take, data), BadPicture) for what, data in large.items()]
    found.append(Attack(GATE, "a GIF that moves", partial(_take, _gif(3)), BadPicture, "frames"))
    found.append(Attack(GATE, "a TIFF of two pages", partial(_take, _tiff_pages()), BadPicture, "pages"))
    found.append(Attack(GATE, "floating-point pixels", partial(_take, _float_tiff()), BadPicture, "floating"))
    found.append(
        Attack(
            GATE,
            "CMYK without a profile",
            partial(_take, file("JPEG", "CMYK"), name="a.jpg"),
            BadPicture,
            "profile",
        )
    )
    found.append(
        Attack(
            GATE,
            "a profile for other colours",
            partial(_take, file("PNG", icc_profile=cmyk_profile())),
            BadPicture,
            "profile",
        )
    )
    found.append(
        Attack(
            GATE,
            "a profile of junk",
            partial(_take, file("PNG", icc_profile=b"junk" * 50)),
            BadPicture,
            "profile",
        )
    )
    found.append(
        Attack(
            GATE,
            "transparency without a ground",
            partial(_take, file("PNG", "RGBA")),
            BadPicture,
            "transparent",
        )
    )
    places = {
        "a folder": lambda folder: folder,
        "a pipe": _fifo,
        "a link to nowhere": _link,
        "a link to a device": partial(_link, target="/dev/zero"),
        "a link to itself": partial(_link, target="link.png"),
        "a file of 512 MB": _sparse,
        "no file": lambda folder: folder / "none.png",
        "an empty file": _empty,
        "a name with an escape": lambda folder: folder / "\x1b[2J.png",
        "a name of 300 letters": lambda folder: folder / ("a" * 300 + ".png"),
        "a name with a zero": lambda folder: folder / "a\0b.png",
        "a name that is no text": lambda folder: folder / "\udcff.png",
    }
    found += [
        Attack(GATE, f"{what} for a picture", partial(_take_path, make), BadPicture)
        for what, make in places.items()
    ]
    return found


def _empty(folder: Path) -> Path:
    (folder / "empty.png").touch()
    return folder / "empty.png"


def _float_tiff() -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.zeros((4, 4), np.float32)).save(out, "TIFF")
    return out.getvalue()


def _cut_taken(data: bytes, folder: Path) -> None:
    "A torn picture is refused, or was whole to the last row."
    try:
        _take(data, folder)
    except BadPicture as refusal:
        assert "Nothing" in str(refusal)


def attacks() -> list[Attack]:
    "All of this gate."
    return _published_files() + _chunks() + _outside()
