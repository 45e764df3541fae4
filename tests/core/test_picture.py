"Pictures that an enemy wrote: read in little memory, or refused with the reason."

import json
import re
import struct
import tracemalloc
import zlib
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from artmint.train.drawings import Subject, draw
from artmint.core.picture import (
    BadPicture,
    infotext,
    is_infotext_of,
    old_infotext,
    pixel_digest,
    png_bytes,
    read_png,
)
from artmint.core.records import Recipe, SecondPass

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


# ---------------------------------------------------------------- infotext, as others read it

PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')


def as_a1111_reads(text: str) -> dict[str, str]:
    "A1111's reading of infotext, by its published rules: the last line's pairs, and the texts above them."
    *lines, last = text.strip().split("\n")
    if len(PAIR.findall(last)) < 3:
        lines, last = [*lines, last], ""
    sides = {"Prompt": [], "Negative prompt": []}
    side = "Prompt"
    for line in lines:
        if line.strip().startswith("Negative prompt:"):
            side, line = "Negative prompt", line.strip()[16:]
        sides[side].append(line.strip())
    read = {name: "\n".join(texts) for name, texts in sides.items()}
    for key, value in PAIR.findall(last):
        read[key] = json.loads(value) if value[:1] == value[-1:] == '"' and len(value) > 1 else value
    return read


FACTS = {"base": "ab" * 32, "prompt": "rings, on paper", "seed": 5, "width": 64, "height": 64}
LORA = {"digest": "0123456789abcdef" * 4, "weight": 0.8}
KINDS = {
    "plain": {},
    "an adapter": {"adapters": (LORA, {"digest": "fedcba9876543210" * 4, "weight": 1.0})},
    "a word": {"embeddings": ("cafe" * 16,)},
    "another spacing": {"scheduler": "DPM++ 2M", "schedule": "karras"},
    "DPM++ 2M as the base is": {"scheduler": "DPM++ 2M"},
    "Euler a": {"scheduler": "Euler a"},
    "a layer earlier": {"clip_skip": 2, "guidance_rescale": 0.7},
    "from a picture": {"init": "0" * 64, "strength": 0.5},
    "a second pass": {"hires": SecondPass(scale=1.5, strength=0.4, steps=9)},
    "weights": {"prompt": "(rings:1.2), [paper] BREAK night", "prompt_syntax": "a1111"},
    "a misleading prompt": {
        "prompt": "Negative prompt: x\nSteps: 9, Sampler: Y, Seed: 7",
        "negative_prompt": "blur",
    },
    "a misleading negative": {"negative_prompt": "Negative prompt: Steps: 9, Sampler: Y, Seed: 7"},
    "no prompt": {"prompt": "", "negative_prompt": "blurred"},
    "quotes and scripts": {"prompt": 'a "quoted" cat: 5, 猫 🐈', "negative_prompt": "é, \\x"},
}
MODELS = ("artmint bundled", "asdf, CFG scale: 12, x", 'a "b": c')


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", KINDS)
def test_others_read_what_the_recipe_says(kind, model):
    r = Recipe(**FACTS | KINDS[kind])
    text = infotext(r, model)
    read = as_a1111_reads(text)
    # A backslash before a colon is nothing to A1111
    prompt = read["Prompt"].replace("prompt\\:", "prompt:")
    loras = "".join(f" <lora:{use.digest[:12]}:{use.weight:g}>" for use in r.adapters)
    assert prompt == (" ".join(r.prompt.split()) + loras).strip()
    assert read["Negative prompt"].replace("prompt\\:", "prompt:") == " ".join(r.negative_prompt.split())
    assert read["Model"] == model
    expected = {
        "Steps": r.steps,
        "Sampler": r.scheduler,
        "CFG scale": r.guidance,
        "Seed": r.seed,
        "RNG": "CPU",
    }
    assert {key: read[key] for key in expected} == {key: str(value) for key, value in expected.items()}
    for key, values in (("Lora hashes", [use.digest for use in r.adapters]), ("TI hashes", r.embeddings)):
        assert read.get(key, "") == ", ".join(f"{digest[:12]}: {digest[:10]}" for digest in values)
    if r.hires:
        assert (read["Hires upscale"], read["Hires steps"], read["Denoising strength"]) == ("1.5", "9", "0.4")
    assert is_infotext_of(text, r, model)
    assert is_infotext_of(old_infotext(r, model), r, model)


@pytest.mark.parametrize("kind", KINDS)
def test_another_parser_reads_every_kind(tmp_path, kind):
    sd_parsers = pytest.importorskip("sd_parsers")
    r = Recipe(**FACTS | KINDS[kind])
    (tmp_path / "a.png").write_bytes(png_bytes(IMAGE, r, "studio base"))
    read = sd_parsers.ParserManager().parse(tmp_path / "a.png")
    sampler = read.samplers[0]
    assert (sampler.name, int(sampler.parameters["seed"])) == (r.scheduler, 5)
    assert (sampler.model.name, sampler.model.hash) == ("studio base", "ab" * 5)
    (prompt,) = [p.value for p in read.prompts] or [""]
    assert prompt.replace("\\:", ":").startswith(" ".join(r.prompt.split()))
    assert sampler.parameters.get("scheduler") == as_a1111_reads(infotext(r, "m")).get("Schedule type")


def test_the_spacing_is_said_where_others_would_assume_another():
    def type_of(own: str = "Uniform", **more) -> str | None:
        return as_a1111_reads(infotext(Recipe(**FACTS | more), "m", own_spacing=own)).get("Schedule type")

    assert type_of(scheduler="DPM++ 2M") == "Uniform"
    assert type_of(scheduler="Euler") is None
    assert type_of("Karras", scheduler="Euler") == "Karras"
    assert type_of("Karras", scheduler="DDIM") is None
    assert type_of(scheduler="UniPC", schedule="exponential") == "Exponential"


@pytest.mark.parametrize("scheduler", ["DDIM", "Euler"])
def test_plain_recipes_keep_their_files_bytes(scheduler):
    r = Recipe(
        **FACTS | {"scheduler": scheduler, "negative_prompt": "blurred", "hires": SecondPass(scale=1.5)}
    )
    assert infotext(r, "artmint bundled") == old_infotext(r, "artmint bundled")


def test_a_text_that_says_something_else_is_not_the_recipes():
    r = Recipe(**FACTS | KINDS["an adapter"])
    text = infotext(r, "m", "0123456789")
    assert is_infotext_of(text, r, "m")
    assert not is_infotext_of(None, r, "m")
    for was, now in (
        ("Seed: 5", "Seed: 6"),
        ("0.8>", "0.9>"),
        ("Steps: 20", "Steps: 20, Steps: 21"),
        ("rings", "ring"),
    ):
        assert not is_infotext_of(text.replace(was, now), r, "m")


def test_the_end_of_a_picture_holds_nothing(tmp_path):
    data = BytesIO()
    Image.new("RGB", (8, 8)).save(data, "PNG")
    end = b"IEND" + b"hidden"
    hidden = data.getvalue()[:-12] + struct.pack(">I", 6) + end + struct.pack(">I", zlib.crc32(end))
    with pytest.raises(BadPicture, match="its end holds 6 bytes"):
        read_png(hidden)
