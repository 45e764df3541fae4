"Pictures from outside: upright, in sRGB, 8 bits, on a named ground; whatever else is refused by the file's name."

import io
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms, ImageOps

from artmint.core.intake import BadGround, UnreadablePicture, picture_kind, take_picture
from artmint.core.picture import pixel_digest
from tests.foreign import (
    ADOBE_RGB,
    DISPLAY_P3,
    chunk,
    cmyk_profile,
    deep_png,
    grey_profile,
    packed,
    rgb_profile,
    tiff,
)

SRGB = ImageCms.createProfile("sRGB")
P3 = rgb_profile(DISPLAY_P3, 2.2, "Display P3")
FORMS = ("PNG", "JPEG", "WEBP", "TIFF", "AVIF")
RAMP = np.linspace(0, 65535, 64 * 48).astype(np.uint16).reshape(48, 64)
NOISE = Image.fromarray(np.random.default_rng(3).integers(0, 256, (48, 64, 3), np.uint8))

# What undoes EXIF's orientations 1 to 8, by the table of the standard (JEITA CP-3451).
TURNS = (
    None,
    Image.Transpose.FLIP_LEFT_RIGHT,
    Image.Transpose.ROTATE_180,
    Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)


def adobe_exif() -> Image.Exif:
    "As cameras write it that are set to Adobe RGB."
    exif = Image.Exif()
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.ColorSpace: 2}
    return exif


def taken(folder, data: bytes, ground: str = "", name: str = "given.bin"):
    "A file's bytes, read as a picture."
    path = folder / name
    path.write_bytes(data)
    return take_picture(path, ground)


def refusal(folder, data: bytes, ground: str = "") -> str:
    with pytest.raises(UnreadablePicture) as caught:
        taken(folder, data, ground)
    assert caught.value.file == str(folder / "given.bin")
    return str(caught.value)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    orientation=st.integers(1, 8),
    form=st.sampled_from(FORMS),
    size=st.tuples(st.integers(8, 40), st.integers(8, 40)),
)
def test_a_picture_comes_upright_whatever_its_camera_was_turned_to(tmp_path, orientation, form, size):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    image = NOISE.resize(size)
    data = packed(image, form, exif=exif)
    plain = Image.open(io.BytesIO(packed(image, form))).convert("RGB")
    turn = TURNS[orientation - 1]
    upright = plain.transpose(turn) if turn is not None else plain
    came = taken(tmp_path, data)
    assert came.image.size == upright.size
    assert np.abs(pixels(came.image) - pixels(upright)).max() == 0
    assert bool(came.notes) == (orientation > 1)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("columns, name", [(DISPLAY_P3, "Display P3"), (ADOBE_RGB, "Adobe RGB (1998)")])
def test_a_profile_s_colours_are_converted_as_little_cms_does(tmp_path, form, columns, name):
    profile = rgb_profile(columns, 2.2, name)
    data = packed(NOISE, form, icc_profile=profile)
    stored = Image.open(io.BytesIO(data)).convert("RGB")
    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
    oracle = ImageCms.profileToProfile(stored, io.BytesIO(profile), SRGB, 1, "RGB", flags=flags)
    came = taken(tmp_path, data)
    assert np.abs(pixels(came.image) - pixels(oracle)).max() <= 1
    assert np.abs(pixels(came.image) - pixels(stored)).max() > 10
    assert came.notes == (f"converted from {name} to sRGB",)
    assert came.image.info == {}


def test_a_red_of_a_wider_screen_is_another_number_in_srgb(tmp_path):
    "By the matrices: Display P3's (200, 60, 40) at gamma 2.2, through XYZ, onto sRGB's curve."
    xyz = np.array(DISPLAY_P3).T @ (np.array([200, 60, 40]) / 255) ** 2.2
    to_srgb = np.linalg.inv(
        np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
    )
    light = to_srgb @ xyz
    expected = 255 * np.where(light > 0.0031308, 1.055 * light.clip(1e-9) ** (1 / 2.4) - 0.055, 12.92 * light)
    came = taken(tmp_path, packed(Image.new("RGB", (4, 4), (200, 60, 40)), "PNG", icc_profile=P3))
    assert np.abs(pixels(came.image)[0, 0] - expected).max() < 2


@pytest.mark.parametrize("form", FORMS)
def test_a_profile_that_is_srgb_changes_nothing(tmp_path, form):
    data = packed(NOISE, form, icc_profile=ImageCms.ImageCmsProfile(SRGB).tobytes())
    came = taken(tmp_path, data)
    assert came.image.tobytes() == Image.open(io.BytesIO(data)).convert("RGB").tobytes()
    assert came.notes == ()


def test_grey_and_inks_are_converted_by_their_own_profiles(tmp_path):
    grey = Image.new("L", (8, 8), 128)
    by_profile = pixels(taken(tmp_path, packed(grey, "PNG", icc_profile=grey_profile(1.8))).image)
    assert by_profile[0, 0].tolist() == [146, 146, 146]  # (128/255)^1.8 on sRGB's curve
    as_rgb = taken(tmp_path, packed(grey, "JPEG", icc_profile=rgb_profile(ADOBE_RGB, 1.8, "x")))
    assert np.ptp(pixels(as_rgb.image)) <= 1
    inks = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    for form in ("TIFF", "JPEG"):
        data = packed(inks, form, icc_profile=cmyk_profile())
        profile = io.BytesIO(cmyk_profile())
        flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
        stored = Image.open(io.BytesIO(data))
        oracle = ImageCms.profileToProfile(stored, profile, SRGB, 1, "RGB", flags=flags)
        assert taken(tmp_path, data).image.tobytes() == oracle.tobytes()
        assert "no colour profile" in refusal(tmp_path, packed(inks, form))


@pytest.mark.parametrize(
    "data, why",
    [
        (packed(NOISE, "PNG", icc_profile=b"rubbish"), "profile is broken"),
        (packed(NOISE, "JPEG", icc_profile=P3[:200]), "profile is broken"),
        (packed(NOISE, "WEBP", icc_profile=cmyk_profile()), "for other colours than its RGB"),
        (packed(NOISE, "PNG", icc_profile=grey_profile(1.8)), "for other colours than its RGB"),
        (deep_png(2, np.dstack([RAMP] * 3), chunk(b"iCCP", b"x\0\0torn")), "profile is torn"),
        (deep_png(0, RAMP, chunk(b"gAMA", (100000).to_bytes(4, "big"))), "gamma 1"),
        (deep_png(0, RAMP, chunk(b"cICP", bytes([9, 16, 0, 1]))), "CICP 9/16"),
        (packed(NOISE, "AVIF").replace(b"nclx\0\x01\0\r", b"nclx\0\x0c\0\r"), "CICP 12/13"),
        (packed(NOISE, "JPEG", exif=adobe_exif()), "Adobe"),
    ],
)
def test_colours_that_are_not_known_are_refused(tmp_path, data, why):
    assert why in refusal(tmp_path, data)


@pytest.mark.parametrize("form, more", [("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"})])
def test_sixteen_bits_of_grey_are_scaled(tmp_path, form, more):
    came = taken(tmp_path, packed(Image.fromarray(RAMP), form, **more))
    assert np.array_equal(pixels(came.image), np.dstack([RAMP >> 8] * 3))
    assert np.abs(pixels(came.image)[..., 0] - RAMP / 257).max() < 1
    assert "16 bits" in came.notes[0]


def test_sixteen_bits_of_colour_and_other_depths_are_scaled(tmp_path):
    rows = np.dstack([RAMP, RAMP[::-1], RAMP.T.reshape(48, 64)])
    colour = taken(tmp_path, deep_png(2, rows))
    assert np.array_equal(pixels(colour.image), rows >> 8)
    assert "16 bits" in colour.notes[0]
    opaque = taken(tmp_path, deep_png(4, np.dstack([RAMP, np.full_like(RAMP, 65535)])))
    assert np.array_equal(pixels(opaque.image)[..., 0], RAMP >> 8)
    negative = taken(tmp_path, tiff(64, 48, 16, RAMP.tobytes(), t262=0))
    assert np.array_equal(pixels(negative.image)[..., 0], 255 - (RAMP >> 8))
    white = taken(tmp_path, tiff(64, 48, 12, b"\xff" * (64 * 48 * 3 // 2)))
    assert pixels(white.image).min() == 255


@pytest.mark.parametrize("sort", [{"t339": 3}, {"t339": 2}, {}])
def test_numbers_without_a_white_are_refused(tmp_path, sort):
    values = RAMP.astype("<f4" if sort.get("t339") == 3 else "<i4")
    assert "which is white" in refusal(tmp_path, tiff(64, 48, 32, values.tobytes(), **sort))


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_every_ordinary_mode_is_kept_as_rgb(tmp_path, mode, form):
    image = NOISE.convert(mode)
    came = taken(tmp_path, packed(image, form))
    assert np.array_equal(pixels(came.image), pixels(image.convert("RGB")))
    assert any("hides nothing" in note for note in came.notes) == mode.endswith("A")


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_what_is_transparent_needs_a_ground(tmp_path, form):
    image = NOISE.copy()
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    more = {"lossless": True, "exact": True} if form == "WEBP" else {}
    data = packed(image, form, **more)
    assert "#ffffff" in refusal(tmp_path, data)
    came = taken(tmp_path, data, "#ffcc00")
    alpha = pixels(image.getchannel("A"))[..., None] / 255
    mixed = pixels(image)[..., :3] * alpha + np.array([255, 204, 0]) * (1 - alpha)
    assert np.abs(pixels(came.image) - mixed).max() <= 1
    assert came.notes == ("put on the ground #ffcc00",)
    assert taken(tmp_path, packed(NOISE, form), "white").notes == ()


@pytest.mark.parametrize("made", [{"transparency": 0}, {"transparency": bytes([128] * 200)}])
def test_holes_in_a_palette_are_holes(tmp_path, made):
    data = packed(NOISE.quantize(200), "PNG", **made)
    assert "transparent" in refusal(tmp_path, data)
    assert taken(tmp_path, data, "black").image.mode == "RGB"
    assert "16 bits and one colour" in refusal(tmp_path, deep_png(0, RAMP, chunk(b"tRNS", b"\0\x07")))


@pytest.mark.parametrize("ground", ["#ffffff80", "#fffffff", "whitish", "255,255,255", "#"])
def test_a_ground_is_an_opaque_colour(tmp_path, ground):
    with pytest.raises(BadGround, match="#rrggbb"):
        taken(tmp_path, packed(NOISE, "PNG"), ground)


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_more_than_one_picture_is_refused(tmp_path, form):
    data = packed(NOISE, form, save_all=True, append_images=[ImageOps.flip(NOISE)])
    assert "it has 2 " in refusal(tmp_path, data)


def test_a_phone_s_picture_with_others_behind_it_is_the_first(tmp_path):
    data = packed(NOISE, "MPO", save_all=True, append_images=[ImageOps.flip(NOISE)])
    came = taken(tmp_path, data)
    assert came.image.tobytes() == Image.open(io.BytesIO(packed(NOISE, "JPEG"))).tobytes()
    assert came.notes[0].startswith("the first of its 2 pictures")


@pytest.mark.parametrize(
    "data, why",
    [
        (b"", "empty, 0 bytes"),
        (b"no picture", "it is none of PNG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC files.*Most Compatible"),
        (packed(NOISE, "PDF"), "PDF files"),
        (packed(NOISE, "EPS"), "PostScript files"),
        (packed(NOISE, "JPEG2000"), "JPEG 2000 files"),
        (packed(NOISE, "ICO"), "icon files"),
        (packed(NOISE, "PPM"), "it is none of PNG"),
        (b"8BPS\0\x01", "Photoshop files"),
        (b"\xff\x0a\0\0", "JPEG XL files"),
        (b"<?xml version='1.0'?>\n<svg xmlns='x'/>", "SVG files"),
        (tiff(64, 48, 16, RAMP.tobytes(), t50706=1), "raw file"),
        (tiff(64, 48, 16, RAMP.tobytes(), t254=1), "raw file"),
    ],
    ids=range(13),  # the bytes of some say when they were written
)
def test_what_is_no_picture_here_is_refused_by_what_it_is(tmp_path, data, why):
    with pytest.raises(UnreadablePicture, match=why):
        taken(tmp_path, data)


@pytest.mark.parametrize("side, why", [(9000, "9000x9000 is more than"), (15000, "more than")])
def test_what_is_too_large_is_refused_unread(tmp_path, side, why):
    with pytest.raises(UnreadablePicture, match=f"{why} 64 million"):
        taken(tmp_path, packed(Image.new("1", (side, side)), "PNG"))


@pytest.mark.parametrize("form", [*FORMS, "BMP", "GIF"])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(share=st.floats(0.001, 0.9))
def test_a_torn_file_is_refused(tmp_path, form, share):
    data = packed(NOISE.quantize() if form == "GIF" else NOISE, form)
    refusal(tmp_path, data[: max(1, int(len(data) * share))])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_spoiled_file_is_read_or_refused_and_nothing_else(tmp_path, data):
    whole = packed(NOISE, data.draw(st.sampled_from([*FORMS, "GIF", "BMP"])))
    at = data.draw(st.lists(st.integers(0, min(len(whole), 600) - 1), min_size=1, max_size=4))
    spoiled = bytearray(whole)
    for place in at:
        spoiled[place] = data.draw(st.integers(0, 255))
    try:
        assert taken(tmp_path, bytes(spoiled)).image.mode == "RGB"
    except UnreadablePicture as refused:
        assert "given.bin" in str(refused)


def test_what_is_no_file_is_told_apart(tmp_path):
    (tmp_path / "link.png").symlink_to("nowhere.png")
    os.mkfifo(tmp_path / "pipe.png")
    reasons = {"link.png": "link to nowhere.png", "pipe.png": "no regular file", ".": "a folder"}
    reasons |= {"none.png": "no such file", "a\0b": "no such file", "x" * 5000: "can't be opened"}
    for name, why in reasons.items():
        with pytest.raises(UnreadablePicture, match=why):
            take_picture(tmp_path / name)


def test_an_odd_name_is_read_and_printed_without_harm(tmp_path):
    for name in ("bad\udcff.png", "new\nline.png", "\x1b[2J.png", "日本 🎨.png"):
        (tmp_path / name).write_bytes(packed(NOISE, "PNG"))
        assert take_picture(tmp_path / name).image.size == NOISE.size
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(UnreadablePicture) as caught:
            take_picture(tmp_path / name)
        str(caught.value).encode()
        assert str(caught.value).isprintable()


def test_the_content_decides_and_not_the_name(tmp_path):
    for form in FORMS:
        came = taken(tmp_path, packed(NOISE, form), name="picture.heic")
        assert came.image.size == NOISE.size
        assert picture_kind(packed(NOISE, form)) == form
    assert picture_kind(b"a caption of waves") == picture_kind(b"") == ""


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_plain_picture_is_taken_as_it_is(tmp_path, width, height, seed):
    image = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))
    came = taken(tmp_path, packed(image, "PNG"))
    assert pixel_digest(came.image) == pixel_digest(image)
    assert came.notes == ()
