"Changes to valid inputs: of bytes, of JSON, of TOML, of what lies in a header. The same seed gives the same changes."

import json
import random
import struct
import zlib
from collections.abc import Callable

INTERESTING = (0, 1, 7, 8, 127, 128, 255, 256, 32767, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**63)
WORDS = (
    "\x1b[2J",
    "\x1b]8;;http://127.0.0.1\x07",
    "\r\n\u2713 pixels 4 of 4",
    "\u202e",
    "\u200b",
    "\ud800",
    "\x00",
    "\uff21\u0301" * 40,
    "../../../etc/passwd",
    "/",
    "",
    " ",
    "<script>",
    "{0.__class__}",
    "{" * 50,
    "%s%n",
    "9" * 5000,
    "-1",
    "1e999",
    "NaN",
    "null",
    "\ufeff",
    "a" * 70000,
    "=cmd|' /C calc'!A0",
    "http://[::1",
    "ipfs://",
    "0x" + "f" * 65,
    "[" * 5000,
    '{"a":' * 5000,
    "&a [*a, *a]",
    "2026-99-99",
)
VALUES = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**53,
    2**64,
    10**30,
    0.1,
    -0.0,
    1e308,
    "",
    [],
    {},
    [[]],
    {"": {}},
)


def _cut(rng: random.Random, data: bytearray) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _drop(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    del data[at : at + rng.choice((1, 2, 4, 16, 200))]


def _repeat(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    piece = data[at : at + rng.choice((1, 4, 30, 300))]
    data[at:at] = piece * rng.choice((1, 2, 50))


def _flip(rng: random.Random, data: bytearray) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _put(rng: random.Random, data: bytearray) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.choice((0, 10, 34, 91, 123, 127, 128, 255, rng.randrange(256)))


def _number(rng: random.Random, data: bytearray) -> None:
    form = rng.choice((">I", "<I", ">H", "<H", "<Q", ">Q"))
    size = struct.calcsize(form)
    if len(data) >= size:
        at = rng.randrange(min(len(data) - size + 1, rng.choice((64, 10**9))))
        value = rng.choice(INTERESTING) + rng.choice((-1, 0, 0, 1))
        data[at : at + size] = struct.pack(form, max(value, 0) % 2 ** (8 * size))


def _word(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.choice(WORDS).encode("utf-8", "surrogatepass")


BYTE_CHANGES: tuple[Callable[[random.Random, bytearray], None], ...] = (
    _cut,
    _drop,
    _repeat,
    _flip,
    _flip,
    _put,
    _put,
    _number,
    _number,
    _word,
)


def changed_bytes(rng: random.Random, data: bytes) -> bytes:
    "Some bytes, changed in a few places."
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        rng.choice(BYTE_CHANGES)(rng, out)
    return bytes(out)


def _places(value: object, above: tuple = ()) -> list[tuple]:
    "The paths of all that a JSON value holds."
    found = [above] if above else []
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        found += _places(inner, (*above, key))
    return found


def _other(rng: random.Random, value: object) -> object:
    "Another value in the place of one."
    kind = rng.randrange(7)
    if kind == 0:
        return json.loads(json.dumps(rng.choice(VALUES)))
    if kind == 1:
        return rng.choice(WORDS)
    if kind == 2 and isinstance(value, str):
        at = rng.randrange(len(value) + 1)
        return value[:at] + rng.choice(WORDS) + value[at:]
    if kind == 3 and isinstance(value, int | float):
        return value + rng.choice((-1, 1, 0.5, 10**9, -(10**9)))
    if kind == 4:
        return [value] * rng.choice((1, 2, 300))
    if kind == 5:
        return {rng.choice(WORDS): value}
    deep: object = value
    for _ in range(rng.choice((3, 40, 90))):
        deep = [deep] if rng.randrange(2) else {"a": deep}
    return deep


def changed_value(rng: random.Random, value: object) -> object:
    "A JSON value with some of its places changed, left out, renamed or added."
    value = json.loads(json.dumps(value))
    for _ in range(rng.choice((1, 1, 2, 4))):
        places = _places(value)
        if not places:
            return _other(rng, value)
        *above, last = rng.choice(places)
        holder = value
        for key in above:
            holder = holder[key]
        kind = rng.randrange(8)
        if kind == 0:
            del holder[last]
        elif kind == 1 and isinstance(holder, dict):
            holder[rng.choice(WORDS)] = holder.pop(last)
        elif kind == 2 and isinstance(holder, dict):
            holder[rng.choice(WORDS)] = _other(rng, holder[last])
        elif kind == 3 and len(places) > 1:
            from_there = value
            for key in rng.choice(places):
                from_there = from_there[key]
            holder[last] = json.loads(json.dumps(from_there))
        else:
            holder[last] = _other(rng, holder[last])
    return value


def json_bytes(value: object) -> bytes:
    "JSON as anybody may write it."
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def changed_json(rng: random.Random, data: bytes) -> bytes:
    "A JSON text whose values are changed; now and then its bytes."
    if not rng.randrange(5):
        return changed_bytes(rng, data)
    return json_bytes(changed_value(rng, json.loads(data)))


def changed_lines(rng: random.Random, data: bytes) -> bytes:
    "A text such as TOML or CSV whose lines, and what stands in them, are changed."
    lines = data.split(b"\n")
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(lines))
        kind = rng.randrange(6)
        if kind == 0:
            del lines[at]
            lines = lines or [b""]
        elif kind == 1:
            lines.insert(at, rng.choice(lines))
        elif kind == 2 and b"=" in lines[at]:
            key = lines[at].split(b"=")[0]
            value = rng.choice(VALUES)
            text = json.dumps(rng.choice(WORDS) if value is None else value, ensure_ascii=rng.random() < 0.5)
            lines[at] = key + b"= " + text.encode("utf-8", "surrogatepass")
        elif kind == 3:
            lines[at] = lines[at].split(b"=")[0] + b"= " + b"[" * rng.choice((1, 70, 3000))
        else:
            lines[at] = changed_bytes(rng, lines[at])
    return b"\n".join(lines)


def changed_safetensors(rng: random.Random, data: bytes) -> bytes:
    "A safetensors file whose header says something else; now and then its bytes are changed."
    if not rng.randrange(3):
        return changed_bytes(rng, data)
    size = struct.unpack("<Q", data[:8])[0]
    header = json_bytes(changed_value(rng, json.loads(data[8 : 8 + size])))
    header += b" " * (-len(header) % 8)
    length = len(header) + (rng.choice((-1, 1, 8, 10**6)) if not rng.randrange(8) else 0)
    return struct.pack("<Q", max(length, 0)) + header + data[8 + size :]


def changed_png(rng: random.Random, data: bytes) -> bytes:
    "A PNG whose chunks are changed, with checksums that fit; now and then its bytes are."
    if not rng.randrange(4):
        return changed_bytes(rng, data)
    chunks, at = [], 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += 12 + size
    for _ in range(rng.choice((1, 1, 2, 3))):
        number = rng.randrange(len(chunks))
        kind, body = chunks[number]
        choice = rng.randrange(5)
        if choice == 0:
            del chunks[number]
            chunks = chunks or [(b"IEND", b"")]
        elif choice == 1:
            chunks.insert(rng.randrange(len(chunks) + 1), (kind, body))
        elif choice == 2:
            names = (
                b"tEXt",
                b"iTXt",
                b"zTXt",
                b"caBX",
                b"iCCP",
                b"eXIf",
                b"gAMA",
                b"cICP",
                b"acTL",
                b"PLTE",
                b"tRNS",
            )
            chunks[number] = (rng.choice(names), body)
        else:
            chunks[number] = (kind, changed_bytes(rng, body))
    out = b"\x89PNG\r\n\x1a\n"
    for kind, body in chunks:
        check = zlib.crc32(kind + body)
        out += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)
    return out
