"Files that are published beside the pictures: what they are, and what they aren't."

import hashlib
import json
from pathlib import Path

import pytest
from PIL import Image

import artmint
from artmint.core import media as media_room
from artmint.core.media import ANIMATIONS, PAGE_PICTURES, read_media

HEADS = {
    "mp4": b"\0\0\0\x18ftypmp42",
    "m4v": b"\0\0\0\x18ftypM4V ",
    "webm": b"\x1aE\xdf\xa3....",
    "glb": b"glTF\2\0\0\0",
    "ogv": b"OggS....",
    "ogg": b"OggS....",
    "oga": b"OggS....",
    "mp3": b"ID3\4....",
    "wav": b"RIFF\0\0\0\0WAVEfmt ",
}


@pytest.mark.parametrize("ending", HEADS)
def test_an_animation_is_what_its_ending_says(ending, tmp_path):
    (tmp_path / f"a.{ending}").write_bytes(HEADS[ending])
    file = read_media(tmp_path, f"a.{ending}", ANIMATIONS)
    assert file.digest == hashlib.sha256(HEADS[ending]).hexdigest()
    assert (file.place, file.size) == (f"media/{file.digest}.{ending}", len(HEADS[ending]))
    (tmp_path / f"a.{ending}").write_bytes(b"<html>....")
    with pytest.raises(ValueError, match="its bytes are no"):
        read_media(tmp_path, f"a.{ending}", ANIMATIONS)


def test_sound_without_a_tag_is_sound(tmp_path):
    (tmp_path / "a.mp3").write_bytes(b"\xff\xfb\x90\0")
    assert read_media(tmp_path, "a.mp3", ANIMATIONS).size == 4


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_page_picture_is_decoded_to_its_end(kind, tmp_path):
    path = tmp_path / f"a.{kind.lower()}"
    Image.effect_noise((64, 64), 50).convert("RGB").save(path, kind)
    assert read_media(tmp_path, path.name, PAGE_PICTURES).size == path.stat().st_size
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match="can't be decoded"):
        read_media(tmp_path, path.name, PAGE_PICTURES)


def test_a_picture_that_says_where_it_was_taken_is_refused(tmp_path):
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 0.0)}
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=exif)
    with pytest.raises(ValueError, match="where it was taken"):
        read_media(tmp_path, "a.jpg", PAGE_PICTURES)


@pytest.mark.parametrize(
    "scene, reason",
    [
        ({"asset": {"version": "2.0"}, "buffers": [{"uri": "data:,x"}]}, None),
        ({"buffers": [{"uri": "scene.bin"}]}, "names files beside it"),
        ({"images": [{"uri": "https://art.example/a.png"}]}, "names files beside it"),
        ({"buffers": [7]}, "no glTF scene"),
    ],
)
def test_a_scene_brings_all_of_its_parts(scene, reason, tmp_path):
    (tmp_path / "a.gltf").write_text(json.dumps(scene))
    if reason is None:
        assert read_media(tmp_path, "a.gltf", ANIMATIONS).file == "a.gltf"
        return
    with pytest.raises(ValueError, match=reason):
        read_media(tmp_path, "a.gltf", ANIMATIONS)


@pytest.mark.parametrize(
    "name, endings, reason",
    [
        ("a.html", ANIMATIONS, "doesn't end in"),
        ("a.svg", PAGE_PICTURES, "doesn't end in"),
        ("a.MP4", ANIMATIONS, "in small letters"),
        ("a.png", ANIMATIONS, "doesn't end in"),
        ("none.mp4", ANIMATIONS, "can't be read"),
        ("../a.mp4", ANIMATIONS, "outside the collection's folder"),
        ("link.mp4", ANIMATIONS, "outside the collection's folder"),
        ("empty.mp4", ANIMATIONS, "0 bytes"),
        ("a.mp4", ANIMATIONS, "12 bytes, and 1 to 11"),
    ],
)
def test_a_file_that_cant_be_published_is_refused_by_name(name, endings, reason, tmp_path, monkeypatch):
    folder = tmp_path / "collection"
    folder.mkdir()
    for place in (tmp_path, folder):
        (place / "a.mp4").write_bytes(HEADS["mp4"])
    (folder / "link.mp4").symlink_to(tmp_path / "a.mp4")
    (folder / "empty.mp4").write_bytes(b"")
    monkeypatch.setattr(media_room, "MEDIA_BYTES", 11)
    with pytest.raises(ValueError, match=reason) as caught:
        read_media(folder, name, endings)
    assert name in str(caught.value)


def test_no_room_opens_pictures_with_every_decoder_that_there_is():
    "An EPS named .png would start ghostscript: every Image.open names the formats that it reads, or reads what artmint wrote itself."
    own = {
        "artmint/review.py",
        "artmint/run/sweep.py",
        "artmint/judge/sheets.py",
        "artmint/studio/thumbnails.py",
    }  # from the studio's blobs
    root = Path(artmint.__file__).parents[1]
    free = set()
    for path in (root / "artmint").rglob("*.py"):
        for line in path.read_text().splitlines():
            if "Image.open(" in line and "formats=" not in line:
                free.add(path.relative_to(root).as_posix())
    assert free == own
