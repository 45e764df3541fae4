"Style sets: named by all that they say, every fault by name."

import hashlib
import json
import unicodedata

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from artmint.core.canon import digest
from artmint.core.intake import UnreadablePicture
from artmint.make.base import load_judge
from artmint.train.drawings import GROUNDS, MOTIFS, draw, subjects
from artmint.train.style import BadStyleSet, StyleSet, draft_captions, load_style, practice_style, split_style
from tests.foreign import DISPLAY_P3, packed, rgb_profile, saved


def test_a_part_of_the_set_is_held_out(style):
    learnt, held = split_style(style)
    assert (len(learnt.pictures), len(held.pictures)) == (5, 1)
    files, learnt_files, held_files = ({p.file for p in part.pictures} for part in (style, learnt, held))
    assert learnt_files | held_files == files
    assert learnt.digest != style.digest
    assert split_style(style) == (learnt, held)


def test_a_style_set_is_named_by_all_that_it_says(style, tmp_path):
    again = practice_style(tmp_path / "elsewhere", 6, 64)
    assert again.digest == style.digest
    (tmp_path / "elsewhere" / "001.txt").write_text("another caption")
    assert load_style(tmp_path / "elsewhere").digest != style.digest


def test_captions_may_come_in_one_file(tmp_path):
    style = practice_style(tmp_path / "a", 3, 64)
    rows = [json.dumps({"file_name": p.file, "text": p.caption}) for p in style.pictures]
    for text in style.folder.glob("*.txt"):
        text.unlink()
    (style.folder / "metadata.jsonl").write_text("\n".join(rows))
    assert load_style(style.folder).digest == style.digest


@pytest.mark.slow
def test_captions_are_drafted_by_the_judge():
    dense = [s for s in subjects() if s.density == "dense" and s.placement == "centred"]
    shown = [s for s in dense if s.motif != "nebula"][::5]
    drawn = [draw(s, 9000 + i) for i, s in enumerate(shown)]
    words = {"subject": list(MOTIFS), "ground": [f"mountains on {g}" for g in GROUNDS]}
    drafts = draft_captions(drawn, load_judge(), words)
    right = [s.motif in draft.split(", ")[0] for s, draft in zip(shown, drafts)]
    assert sum(right) >= 0.7 * len(shown)
    assert all(draft.count(", ") == 1 for draft in drafts)


@pytest.mark.parametrize(
    "break_it, word",
    [
        (lambda f: (f / "001.png").write_bytes((f / "001.png").read_bytes()[:500]), "001.png: can't be read"),
        (lambda f: (f / "002.txt").unlink(), "002.png: it has no caption"),
        (
            lambda f: Image.new("CMYK", (64, 64)).save(f / "003.png", "TIFF"),
            "003.png: can't be read: it is CMYK",
        ),
        (lambda f: Image.new("RGB", (16, 64)).save(f / "003.png"), "smaller than 64"),
        (lambda f: Image.new("RGBA", (64, 64), (0, 0, 0, 9)).save(f / "003.png"), "transparent"),
        (
            lambda f: (f / "002.png").write_bytes((f / "003.png").read_bytes()),
            "003.png: shows the same as 002.png",
        ),
        (lambda f: (f / "style.toml").write_text('name = "a"\ntrigger = "b"\n'), "no rights"),
        (lambda f: (f / "style.toml").write_text("name = "), "style.toml"),
        (
            lambda f: (f / "style.toml").write_text(
                'name = "a"\ntriger = "b"\n[rights.default]\nauthor = "a"\nlicence = "b"\nconsent = "c"\n'
            ),
            "is it trigger",
        ),
        (lambda f: [p.unlink() for p in f.glob("0*")], "no pictures"),
    ],
)
def test_every_fault_of_a_style_set_is_named(tmp_path, break_it, word):
    folder = practice_style(tmp_path / "style", 3, 64).folder
    break_it(folder)
    with pytest.raises(BadStyleSet, match=word):
        load_style(folder)


# ---------------------------------------------------------------- folders as people have them

TOML = """name = "inks"
trigger = "ink style"
[rights.default]
author = "Ada"
licence = "CC0-1.0"
consent = "letter of 2026-01-05"
"""


def picture(seed: int, size: tuple[int, int] = (96, 64)) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.NEAREST)


def folder_of(place, files: dict, toml: str = TOML):
    "A style's folder: pictures by seed, texts, bytes."
    for name, content in ({"style.toml": toml} | files).items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, int):
            picture(content).save(path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
    return place


def faults(place) -> str:
    with pytest.raises(BadStyleSet) as caught:
        load_style(place)
    str(caught.value).encode()
    return "\n".join(caught.value.faults)


def read(place) -> dict[str, str]:
    return {picture.file: picture.caption for picture in load_style(place).pictures}


def jsonl(*rows) -> str:
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)


def test_the_digests_of_plain_folders_stay(tmp_path):
    "Lineages name them: what a set may say besides is no part of a digest where it isn't said."
    style = practice_style(tmp_path / "riso", 12, 96)
    rows = [
        {
            "file": p.file,
            "digest": hashlib.sha256((style.folder / p.file).read_bytes()).hexdigest(),
            "caption": p.caption,
            "width": 96,
            "height": 96,
            "rights": {
                "author": "artmint",
                "licence": "Apache-2.0",
                "consent": "drawn by the project itself",
            },
        }
        for p in style.pictures
    ]
    assert style.digest == digest({"name": "risograph", "trigger": "riso print", "pictures": rows})
    assert style.notes == ()
    assert {picture.repeats for picture in style.pictures} == {1}
    again = style.pictures[0].model_copy(update={"repeats": 2})
    assert style.model_copy(update={"pictures": (again, *style.pictures[1:])}).digest != style.digest
    assert style.model_copy(update={"notes": ("x",)}).digest == style.digest
    assert StyleSet.model_validate(style.model_dump() | {"folder": style.folder}) == style


def test_kohya_s_folders_say_how_often_a_picture_counts(tmp_path):
    files = {
        "img/10_ink/a.png": 1,
        "img/10_ink/a.caption": "waves",
        "img/3_scan/b.png": 2,
        "img/3_scan/b.txt": "",
    }
    place = folder_of(tmp_path, files | {"c.png": 3, "c.txt": "rings"})
    style = load_style(place)
    counts = {picture.file: picture.repeats for picture in style.pictures}
    assert counts == {"c.png": 1, "img/10_ink/a.png": 10, "img/3_scan/b.png": 3}
    assert "img/10_ink: its pictures count 10 times each" in style.notes
    assert style.captions() == ["ink style, rings", "ink style, waves", "ink style"]
    folder_of(tmp_path, {"reg/1_art/d.png": 4})
    assert "reg: kohya's folder of regularisation pictures" in faults(place)


@pytest.mark.parametrize("folder", ["0_ink", "2024_summer"])
def test_a_number_that_is_no_count_is_refused(tmp_path, folder):
    place = folder_of(tmp_path, {f"{folder}/a.png": 1, f"{folder}/a.txt": ""})
    assert "rename the folder" in faults(place)


@pytest.mark.parametrize("column", ["text", "caption", "prompt"])
@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_table_has_one_column_of_captions(tmp_path, column, form):
    rows = [{"file_name": "images/0.png", column: "waves, of\u2028ink"}, {"file_name": "./b.png", column: ""}]
    text = jsonl(*rows)
    if form == "csv":
        text = f'file_name,{column}\r\nimages/0.png,"waves, of\u2028ink"\r\n./b.png,\r\n'
    place = folder_of(tmp_path, {"images/0.png": 1, "b.png": 2, f"metadata.{form}": text})
    assert read(place) == {"b.png": "", "images/0.png": "waves, of\u2028ink"}


@pytest.mark.parametrize(
    "text, why",
    [
        (
            jsonl({"file_name": "a.png", "additional_feature": "x"}),
            "its columns are additional_feature; exactly",
        ),
        (
            jsonl({"file_name": "a.png", "text": "x", "prompt": "y"}),
            "its columns are prompt, text; exactly one",
        ),
        (jsonl({"image": "a.png", "text": "x"}), "no column file_name, but image, text"),
        (jsonl({"file_name": "a.png", "text": ["a", "b"]}), 'line 1: its text is ["a", "b"]'),
        (jsonl({"file_name": "a.png", "text": None}), "line 1: its text is null"),
        ('\n{"file_name": "a.png", "text": 7}\n', "line 2: its text is 7"),
        (jsonl({"file_name": "a.png", "text": "x"}, {"file_name": "b.png"}), "line 2: has no text"),
        (jsonl({"file_name": "a.png", "text": "x"}, {"text": "x"}), "line 2: names no file_name"),
        ('{"file_name": "a.png", "text": "x"},\n', "line 1: isn't JSON"),
        ('[{"file_name": "a.png", "text": "x"}]', "line 1: isn't a JSON object"),
        ('{"file_name": "a.png", "text": "x", "text": "y"}', "line 1: isn't JSON (a key comes twice)"),
        (jsonl(*[{"file_name": "a.png", "text": "x"}] * 2), "line 2: names a.png again"),
        (jsonl({"file_name": "c.png", "text": "x"}), "line 1: c.png isn't there"),
        (jsonl({"file_name": "../a.png", "text": "x"}), "line 1: ../a.png isn't there"),
        ("", "no row of it can be read"),
    ],
)
def test_a_table_s_faults_are_named_by_their_line(tmp_path, text, why):
    said = faults(folder_of(tmp_path, {"a.png": 1, "metadata.jsonl": text}))
    assert "metadata.jsonl" in said and why in said


@pytest.mark.parametrize(
    "text, why",
    [
        ("file_name;text\na.png;x\n", "no column file_name, but file_name;text"),
        ("file_name,text\na.png,x,y\n", "line 2: 3 fields where the first line names 2"),
        ('file_name,text\na.png,"x\n', "isn't CSV"),
    ],
)
def test_a_csv_s_faults_are_named(tmp_path, text, why):
    assert why in faults(folder_of(tmp_path, {"a.png": 1, "metadata.csv": text}))


def test_columns_that_are_not_read_are_said(tmp_path):
    table = jsonl({"file_name": "a.png", "text": "x", "width": 9})
    style = load_style(folder_of(tmp_path, {"a.png": 1, "metadata.jsonl": table}))
    assert style.notes == ("metadata.jsonl: of the columns text, width only text is read",)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    caption=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    ending=st.sampled_from([".txt", ".TXT", ".caption"]),
)
def test_a_caption_is_read_in_any_encoding_that_says_itself(tmp_path_factory, caption, encoding, ending):
    from artmint.train.style import _Listing, _read_text

    place = tmp_path_factory.mktemp("text")
    (place / f"a{ending}").write_bytes(caption.encode(encoding))
    listing = _Listing(place)
    text = _read_text(listing, f"a{ending}")
    assert listing.faults == []
    assert text == caption or caption.startswith("\ufeff")


@pytest.mark.parametrize(
    "data, why",
    [
        ("it’s ink".encode("cp1252"), "a.txt: byte 0x92 at 2 is no UTF-8; save it as UTF-8"),
        ("ink".encode("utf-16-le"), "a.txt: holds zero bytes"),
        (b"\xff\xfei", "a.txt: byte 0x69 at 2 is no UTF-16"),
    ],
)
def test_other_encodings_are_refused_by_file_and_byte(tmp_path, data, why):
    said = faults(folder_of(tmp_path, {"a.png": 1, "a.txt": data}))
    assert why in said and "no caption" not in said


def test_captions_are_found_in_other_letters(tmp_path):
    decomposed = unicodedata.normalize("NFD", "café")
    files = {
        "IMG_1.JPG": packed(picture(1), "JPEG"),
        "IMG_1.TXT": "a",
        "b.PNG": packed(picture(2), "PNG"),
        "B.txt": "b",
    }
    files |= {f"{decomposed}.png": 3, "café.txt": "c", "d.png": 4, "d.png.txt": "d"}
    read_back = read(folder_of(tmp_path / "one", files))
    assert read_back == {"IMG_1.JPG": "a", "b.PNG": "b", f"{decomposed}.png": "c", "d.png": "d"}
    table = jsonl({"file_name": "img_1.jpg", "text": "a"}, {"file_name": "sub\\b.png", "text": "b"})
    place = folder_of(
        tmp_path / "two", {"IMG_1.JPG": packed(picture(1), "JPEG"), "sub/b.png": 2, "metadata.jsonl": table}
    )
    assert read(place) == {"IMG_1.JPG": "a", "sub/b.png": "b"}


def test_all_lines_of_a_caption_file_are_one_caption(tmp_path):
    assert read(folder_of(tmp_path, {"a.png": 1, "a.txt": "waves\nin ink\n"})) == {"a.png": "waves\nin ink"}


@pytest.mark.parametrize(
    "files, why",
    [
        ({"a.txt": "waves", "a.caption": "rings"}, "a.png: has different captions in a.caption and a.txt"),
        (
            {"a.txt": "x", "metadata.jsonl": jsonl({"file_name": "a.png", "text": "y"})},
            "has different captions",
        ),
        ({"a.txt": "x", "lost.txt": "y"}, "lost.txt: captions no picture that is here"),
        ({"a.txt": "[trigger] waves"}, "a.png: its caption holds [trigger]"),
        ({"a.txt": "x", "metadata.parquet": b"PAR1"}, "metadata.parquet: isn't read; save its captions"),
        ({"a.txt": "x", "old/style.toml": TOML}, "old/style.toml: a style set in another"),
        ({"a.txt": "x", "a-masklabel.png": 2}, "a-masklabel.png: is a mask of OneTrainer's"),
        ({"a.txt": "x", "b.heic": b"\0\0\0\x18ftypheic"}, "b.heic: can't be read: HEIC files"),
        ({"a.txt": "x", "b.jxl": b"\xff\x0a"}, "b.jxl: can't be read: JPEG XL files"),
        ({"a.txt": "x", "b.psd": b"8BPS\0\1"}, "b.psd: can't be read: Photoshop files"),
        ({"a.txt": "x", "b": packed(Image.new("RGB", (64, 64)), "PNG")}, "b: it has no caption"),
        ({"a.txt": "x", "b.avif": b"torn"}, "b.avif: can't be read"),
    ],
)
def test_nothing_is_left_out_without_a_word(tmp_path, files, why):
    assert why in faults(folder_of(tmp_path, {"a.png": 1} | files))


def test_every_readable_picture_is_read_and_files_of_systems_are_named(tmp_path):
    forms = {
        "a.bmp": "BMP",
        "b.tif": "TIFF",
        "c.avif": "AVIF",
        "d.gif": "GIF",
        "e.jfif": "JPEG",
        "f.heic": "WEBP",
    }
    files = {name: packed(picture(i), form) for i, (name, form) in enumerate(forms.items())}
    files |= {f"{name[0]}.txt": "" for name in forms}
    system = {
        "._a.bmp": b"\0\5",
        ".DS_Store": b"\0",
        "Thumbs.db": b"\0",
        "__MACOSX/a.png": 3,
        "README.md": "x",
    }
    style = load_style(folder_of(tmp_path, files | system | {"contract.pdf": b"%PDF-1"}))
    assert [picture.file for picture in style.pictures] == sorted(forms)
    assert len(style.images()) == 6
    for name in ("._a.bmp", ".DS_Store", "Thumbs.db", "__MACOSX/", "README.md", "contract.pdf"):
        assert name in style.notes[0]


def test_links_are_refused_or_followed_by_name(tmp_path):
    place = folder_of(tmp_path / "style", {"a.txt": "", "b.txt": ""})
    picture(1).save(tmp_path / "elsewhere.png")
    (place / "a.png").symlink_to(tmp_path / "elsewhere.png")
    assert read(folder_of(place, {"b.png": 2})) == {"a.png": "", "b.png": ""}
    (tmp_path / "elsewhere.png").unlink()
    (place / "more").symlink_to(tmp_path)
    said = faults(place)
    assert "a.png: can't be read: it is a link to" in said and "more: is a link to a folder" in said


def test_training_sees_pictures_as_people_do(tmp_path):
    "Upright and in sRGB, grey as it is, transparent ones on the set's ground; with what was done in the notes."
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    place = folder_of(tmp_path, {"a.txt": "", "b.txt": "", "c.txt": ""}, f'ground = "#ffffff"\n{TOML}')
    profile = rgb_profile(DISPLAY_P3, 2.2, "Display P3")
    saved(place / "a.jpg", picture(1), "JPEG", exif=exif, icc_profile=profile)
    saved(place / "b.png", picture(2).convert("L"), "PNG")
    holes = picture(3)
    holes.putalpha(Image.new("1", holes.size).convert("L"))
    saved(place / "c.png", holes, "PNG")
    style = load_style(place)
    assert [(p.width, p.height) for p in style.pictures] == [(64, 96), (96, 64), (96, 64)]
    assert [image.size for image in style.images()] == [(64, 96), (96, 64), (96, 64)]
    assert style.images()[1].tobytes() == picture(2).convert("L").convert("RGB").tobytes()
    assert style.images()[2].getpixel((0, 0)) == (255, 255, 255)
    assert "a.jpg: turned upright (EXIF orientation 6)" in style.notes
    assert "a.jpg: converted from Display P3 to sRGB" in style.notes
    (place / "style.toml").write_text(TOML)
    assert "c.png: can't be read: it is transparent in places" in faults(place)
    (place / "style.toml").write_text(f'ground = "nothing"\n{TOML}')
    assert "no colour to put a picture on" in faults(place)


def test_a_picture_that_changed_since_the_check_is_not_learnt(tmp_path):
    style = load_style(folder_of(tmp_path, {"a.png": 1, "a.txt": ""}))
    picture(2).save(tmp_path / "a.png")
    with pytest.raises(BadStyleSet, match="a.png: it has changed"):
        style.images()
    (tmp_path / "a.png").unlink()
    with pytest.raises(UnreadablePicture, match="no such file"):
        style.images()


def test_rights_are_given_by_folder_and_by_pattern(tmp_path):
    more = '[rights."scans"]\nauthor = "Grace"\n[rights."*.tif"]\nlicence = "MIT"\n[rights."scans/b.png"]\nauthor = "Bea"\n'
    files = {"a.png": 1, "scans/b.png": 2, "scans/c.png": 3, "scans/d.tif": packed(picture(4), "TIFF")}
    texts = {f"{name.rsplit('.', 1)[0]}.txt": "" for name in files}
    style = load_style(folder_of(tmp_path, files | texts, TOML + more))
    rights = {p.file: (p.rights.author, p.rights.licence) for p in style.pictures}
    assert rights["a.png"] == ("Ada", "CC0-1.0")
    assert rights["scans/b.png"] == ("Bea", "CC0-1.0")
    assert rights["scans/c.png"] == ("Grace", "CC0-1.0")
    assert rights["scans/d.tif"] == ("Grace", "MIT")
    (tmp_path / "style.toml").write_text(TOML + '[rights."gone/*"]\nauthor = "x"\n')
    assert "gone/*: has rights, and isn't there" in faults(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_style_file_with_a_mark_is_read(tmp_path, encoding):
    place = folder_of(
        tmp_path, {"a.png": 1, "a.txt": "", "style.toml": TOML.replace("\n", "\r\n").encode(encoding)}
    )
    assert load_style(place).name == "inks"


@pytest.mark.parametrize(
    "toml, why",
    [
        (TOML.replace("Ada", "Bj\udcf6rn"), "style.toml: byte 0xf6"),
        (f"notes = []\n{TOML}", "notes: unknown key"),
        ('name = "a"\ntrigger = "b"\nrights = "mine"\n', "rights: write them as"),
        ('name = "a"\ntrigger = "b"\n[rights]\ndefault = "mine"\n', "rights: write them as"),
        (TOML.replace('licence = "CC0-1.0"\n', ""), "pictures.0.rights.licence"),
    ],
)
def test_a_style_file_s_faults_are_named(tmp_path, toml, why):
    data = toml.encode("utf-8", "surrogateescape")
    assert why in faults(folder_of(tmp_path, {"a.png": 1, "a.txt": "", "style.toml": data}))


def test_a_folder_that_is_none_says_what_to_write(tmp_path):
    assert "there is no such folder" in faults(tmp_path / "nowhere")
    assert "write one with name, trigger and [rights.default]" in faults(tmp_path)
    (tmp_path / "style.toml").write_text(TOML)
    assert "it holds no pictures" in faults(tmp_path)
    for name in ("bad\udcff.png", "a\nb\x1b[2J.png"):
        (tmp_path / name).write_bytes(b"x")
    said = faults(tmp_path)
    assert "bad\\udcff.png: its name is no text" in said and "a\\nb\\x1b[2J.png: it has no caption" in said


def test_a_trigger_that_would_stand_twice_is_said(tmp_path):
    style = load_style(
        folder_of(tmp_path, {"a.png": 1, "a.txt": "ink style, waves", "b.png": 2, "b.txt": "ink"})
    )
    assert style.notes == ("captions that begin with the trigger, which is put before it: a.png",)
