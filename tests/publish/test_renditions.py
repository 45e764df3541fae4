"Pictures in other formats: packed, audited, proven and signed, and every lie about them found."

import hashlib
import shutil
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from artmint import metadata
from artmint.core.canon import canonical, read_json
from artmint.core.collection import PictureSettings, contradictions
from artmint.core.formats import (
    FORMATS,
    bare_picture,
    encode_picture,
    is_signed,
    marked_picture,
    picture_texts,
    read_picture,
    unsigned_picture,
    worded_picture,
)
from artmint.core.picture import MARK, pixel_digest, read_png
from artmint.generate import enter
from artmint.ipfs.cid import cid
from artmint.metadata import pack
from artmint.prove.proof import ProofCard, Proof, proof_page
from artmint.prove.regenerate import _look_again
from artmint.prove.tokens import TokenReport, check_tokens
from artmint.publish import renditions as renditions_room
from artmint.publish.audit import audit, check_token
from artmint.publish.credentials import inspect, new_identity
from artmint.publish.renditions import rendition_of
from artmint.publish.tokens import PublishedPicture, json_schema, read_token
from artmint.studio.catalog import Catalog
from tests.foreign import DISPLAY_P3, rgb_profile, saved
from tests.packed import BASE, DEMO, WEIGHTS, fill, manifest_of
from tests.studios import drawing

WAYS = {
    "jpeg": PictureSettings(format="jpeg"),
    "webp": PictureSettings(format="webp", quality=80),
    "lossless": PictureSettings(format="webp", lossless=True),
    "avif": PictureSettings(format="avif"),
}
every_way = pytest.mark.parametrize("way", WAYS)


def shown(way: str):
    return DEMO.model_copy(update={"picture": WAYS[way]})


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, Path]:
    "Studios with four tokens packed in each way; not to be changed."
    folders = {}
    for way in WAYS:
        catalog = fill(tmp_path_factory.mktemp(way), 4)
        pack(catalog, shown(way), 1, 1, 4, BASE, WEIGHTS)
        catalog.close()
        folders[way] = catalog.folder
    return folders


def root_of(folder: Path) -> Path:
    return folder / "drops/demo-1/root"


def token_files(folder: Path, token: int) -> tuple[bytes, bytes]:
    (path,) = (root_of(folder) / "images").glob(f"{token}.*")
    return (root_of(folder) / f"{token}.json").read_bytes(), path.read_bytes()


def report_of(data: bytes, picture: bytes, token: int = 1) -> TokenReport:
    from artmint.publish.renditions import unseen_pixels

    findings = tuple(check_token(token, data, picture))
    said = read_token(data)
    return TokenReport(token, findings, said, unseen="" if findings else unseen_pixels(said, picture))


# -- what is published


@every_way
def test_a_drop_in_another_format_says_so_and_agrees_with_itself(made, way):
    folder, settings = made[way], WAYS[way]
    form = FORMATS[settings.format]
    manifest = manifest_of(folder / "drops/demo-1")
    assert {path.name for path in (root_of(folder) / "images").iterdir()} == {
        f"{token}.{form.ending}" for token in range(1, 5)
    }
    assert [token.mime for token in manifest.tokens] == [form.mime] * 4
    assert (root_of(folder) / "schema.json").read_bytes() == json_schema(pictures=True)
    catalog = Catalog(folder)
    for token in range(1, 5):
        data, picture = token_files(folder, token)
        about = read_token(data).artmint
        edition = catalog.get("edition", f"demo/{token}")
        assert check_token(token, data, picture) == []
        assert about.picture.encoding == ("lossless" if way == "lossless" else "lossy")
        assert about.pixel_digest == edition["pixel_digest"]
        image, texts = read_picture(picture)
        assert (pixel_digest(image) == about.pixel_digest) == (way == "lossless")
        assert texts == read_png(catalog.blob(edition["file_digest"]))[1] | {MARK: texts[MARK]}


def test_a_collection_that_says_nothing_of_pictures_keeps_its_bytes(tmp_path):
    assert DEMO.model_copy(update={"picture": PictureSettings()}).digest == DEMO.digest
    catalog = fill(tmp_path / "plain", 4)
    manifest = pack(catalog, DEMO, 1, 1, 4, BASE, WEIGHTS)
    assert b"mime" not in manifest.data and not catalog.all("rendition")
    assert b'"picture"' not in token_files(catalog.folder, 1)[0]


def test_what_was_encoded_once_is_packed_again_when_the_encoder_is_another(made, tmp_path, monkeypatch):
    shutil.copytree(made["jpeg"], tmp_path / "studio")
    before = manifest_of(tmp_path / "studio/drops/demo-1")
    shutil.rmtree(tmp_path / "studio/drops")
    monkeypatch.setattr(renditions_room, "encoder_of", lambda name: "libjpeg-turbo 99")
    monkeypatch.setattr(renditions_room, "encode_picture", lambda *a: pytest.fail("it is encoded already"))
    catalog = Catalog(tmp_path / "studio")
    assert pack(catalog, shown("jpeg"), 1, 1, 4, BASE, WEIGHTS) == before
    assert catalog.check() == []


@pytest.mark.parametrize(
    "settings, problem",
    [
        ({"format": "jpeg", "lossless": True}, "picture.lossless: jpeg loses something"),
        ({"lossless": True}, "picture.lossless: PNG always is"),
        ({"quality": 80}, "picture.quality: nothing is lost"),
        ({"format": "webp", "lossless": True, "quality": 80}, "picture.quality"),
    ],
)
def test_settings_that_contradict_each_other_are_refused_by_key(settings, problem):
    told = contradictions(DEMO.model_copy(update={"picture": PictureSettings(**settings)}))
    assert len(told) == 1 and told[0].startswith(problem)
    assert not contradictions(shown("webp"))


def test_what_can_not_be_is_not_said_of_a_picture():
    for fields in (
        {"mime": "image/png", "encoding": "lossy", "quality": 80, "encoder": "x"},
        {"mime": "image/jpeg", "encoding": "lossless", "encoder": "x"},
        {"mime": "image/jpeg", "encoding": "lossy", "encoder": "x"},
        {"mime": "image/jpeg", "encoding": "kept", "encoder": "x"},
        {"mime": "image/webp", "encoding": "lossless", "quality": 80, "encoder": "x"},
        {"mime": "image/webp", "encoding": "lossy", "quality": 80},
    ):
        with pytest.raises(ValueError):
            PublishedPicture(**fields)


# -- lies


def restated(data: bytes, picture: bytes, **changes) -> bytes:
    "A token's JSON that agrees with another picture as far as digests go."
    said = read_json(data)
    said["image"] = f"ipfs://{cid(picture)}"
    said["artmint"]["file_digest"] = hashlib.sha256(picture).hexdigest()
    said["artmint"]["picture"] |= changes
    return canonical(said)


@every_way
def test_a_picture_that_is_not_what_its_token_says_is_named(made, way):
    data, picture = token_files(made[way], 1)
    other = "image/avif" if way != "avif" else "image/webp"
    lossy = {"mime": other, "encoding": "lossy", "quality": 80, "encoder": "libx 1"}
    wrong = read_json(restated(data, picture))
    wrong["artmint"]["picture"] = lossy
    assert "picture's format" in {finding.field for finding in check_token(1, canonical(wrong), picture)}
    plain = read_json(data)
    del plain["artmint"]["picture"]
    assert {finding.field for finding in check_token(1, canonical(plain), picture)} == {"picture"}
    for torn in (picture[:-1], picture + b"<script>", b"no picture"):
        assert "picture" in {finding.field for finding in check_token(1, restated(data, torn), torn)}


def test_a_lossless_picture_with_other_pixels_is_false(made):
    data, picture = token_files(made["lossless"], 1)
    image, texts = read_picture(picture)
    image.putpixel((5, 5), (1, 2, 3))
    packet = texts.pop(MARK)
    forged = marked_picture(worded_picture(encode_picture(image, "webp", lossless=True), texts), packet)
    assert [each.field for each in check_token(1, restated(data, forged), forged)] == ["artmint.pixel_digest"]
    lossy = marked_picture(worded_picture(encode_picture(image, "webp", 90), texts), packet)
    assert [each.field for each in check_token(1, restated(data, lossy), lossy)] == ["picture's encoding"]


@every_way
def test_the_audit_finds_a_picture_that_was_encoded_otherwise(made, way, tmp_path):
    shutil.copytree(made[way], tmp_path / "studio")
    catalog = Catalog(tmp_path / "studio")
    drop = metadata._open_drop(catalog, shown(way), 1, 1, 4, BASE, WEIGHTS)
    manifest = manifest_of(tmp_path / "studio/drops/demo-1")
    root = root_of(tmp_path / "studio")
    assert audit(drop, manifest, root) == []
    data, picture = token_files(tmp_path / "studio", 1)
    image, texts = read_picture(picture)
    packet = texts.pop(MARK)
    again = encode_picture(image, WAYS[way].format, 60 if way != "lossless" else None, way == "lossless")
    if way == "lossless":
        again = encode_picture(image.rotate(90), "webp", lossless=True)
    forged = marked_picture(worded_picture(again, texts), packet)
    (path,) = (root / "images").glob("1.*")
    path.write_bytes(forged)
    assert "picture's encoded bytes" in {finding.field for finding in audit(drop, manifest, root)}
    path.rename(path.with_suffix(".gif"))
    fields = {finding.field for finding in audit(drop, manifest, root)}
    assert {"missing files", "other files"} <= fields


# -- what a proof says


def test_of_lossy_pictures_the_proof_says_what_it_has_not_seen(made):
    reports = [report_of(*token_files(made["jpeg"], token), token) for token in range(1, 5)]
    steps = {step.name: step for step in check_tokens(reports)}
    assert steps["picture"].status == "held"
    assert steps["pixels"].status == "unchecked" and not steps["pixels"].asked
    assert "4 of 4 pictures are lossy (4 image/jpeg, quality 92, by libjpeg-turbo" in steps["pixels"].evidence
    assert "--regenerate" in steps["pixels"].evidence
    reports = [report_of(*token_files(made["lossless"], token), token) for token in range(1, 5)]
    assert all(step.status == "held" for step in check_tokens(reports))


@pytest.mark.parametrize("way", ["jpeg", "webp", "avif"])
def test_a_lossy_picture_is_its_rendering_encoded_again_or_near_it_or_false(made, way):
    data, picture = token_files(made[way], 3)
    catalog = Catalog(made[way])
    image = read_png(catalog.blob(catalog.get("edition", "demo/3")["file_digest"]))[0]
    report = report_of(data, picture, 3)
    assert _look_again(report, picture, image) == ("held", "")
    name, quality = WAYS[way].format, report.metadata.artmint.picture.quality
    nearly = encode_picture(image, name, quality - 1)
    status, words = _look_again(report, worded_picture(nearly, {"artmint": "{}"}), image)
    assert status == "held" and "levels of 255 from its rendering" in words and "encoded by lib" in words
    retouched = image.copy()
    ImageDraw.Draw(retouched).ellipse((40, 40, 56, 56), fill="#ff00aa")
    status, words = _look_again(report, encode_picture(retouched, name, quality), image)
    assert status == "failed" and "token 3" in words


@every_way
def test_a_page_shows_pictures_as_what_they_are(made, way):
    picture = token_files(made[way], 1)[1]
    card = ProofCard(1, "One", {}, "0" * 64, "0" * 64, picture)
    assert f"data:{FORMATS[WAYS[way].format].mime};base64," in proof_page(Proof("here", (), (card,)))


# -- signed


@every_way
def test_content_credentials_hold_in_every_format_and_come_off_again(way, tmp_path):
    pytest.importorskip("c2pa", reason="c2pa-python isn't installed")
    catalog = fill(tmp_path / "studio", 1)
    new_identity(catalog.folder, "Studio")
    settings = '[credentials]\ncertificate = "c2pa.pem"\nkey = "c2pa.key"\n'
    (catalog.folder / "studio.toml").write_text(settings)
    pack(catalog, shown(way), 1, 1, 1, BASE, WEIGHTS)
    data, picture = token_files(catalog.folder, 1)
    assert is_signed(picture) and inspect(picture).problems == ()
    assert check_token(1, data, picture) == []
    plain = unsigned_picture(picture)
    assert not is_signed(plain) and picture_texts(plain) == picture_texts(picture)
    assert bare_picture(plain) == bare_picture(picture)
    at = picture.rindex(bare_picture(picture)[-40:-20]) + 5  # in the pixels
    spoiled = picture[:at] + bytes([picture[at] ^ 1]) + picture[at + 1 :]
    assert inspect(spoiled) is None or inspect(spoiled).problems


# -- works that keep their own file

KEPT = DEMO.model_copy(update={"picture": PictureSettings(format="jpeg", works="kept")})


def entered(folder: Path, path: Path, **more) -> tuple[Catalog, dict]:
    "A studio whose second slot is filled by a work, packed; the work's facts."
    catalog = fill(folder, 4)
    made = enter(catalog, KEPT, 3 + 2, path, "Ada", **more)
    body = catalog.get("edition", "demo/2")
    named = {"dna": made.dna, "pixel_digest": made.pixel_digest, "file_digest": made.file_digest}
    catalog.append("edition", "demo/2", body | named | {"attempt": 0})
    manifest = pack(catalog, KEPT, 1, 1, 4, BASE, WEIGHTS)
    assert manifest.quantity == 4
    return catalog, made.recipe


def test_a_photo_keeps_its_own_jpeg_and_nothing_of_where_it_was_taken(tmp_path):
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"
    exif[0x010E] = "at home"
    image = Image.open(drawing(tmp_path / "a.png"))
    path = saved(tmp_path / "photo.jpg", image, "JPEG", exif=exif, quality=71, comment=b"secret")
    catalog, facts = entered(tmp_path / "studio", path)
    data, picture = token_files(catalog.folder, 2)
    about = read_token(data).artmint
    assert about.picture == PublishedPicture(mime="image/jpeg", encoding="kept")
    assert facts["kept"] == {
        "mime": "image/jpeg",
        "digest": hashlib.sha256(bare_picture(picture)).hexdigest(),
    }
    assert check_token(2, data, picture) == [] and report_of(data, picture, 2).unseen == ""
    assert b"at home" not in picture and b"secret" not in picture
    assert read_picture(picture)[0].tobytes() == Image.open(path).convert("RGB").tobytes()
    assert catalog.check() == []
    other = worded_picture(encode_picture(image, "jpeg", 70), picture_texts(picture) | {})
    fields = {finding.field for finding in check_token(2, restated(data, other), other)}
    assert "picture's own file" in fields


@pytest.mark.slow
def test_a_drawing_keeps_its_holes_and_a_scan_its_16_bits(tmp_path):
    image = Image.open(drawing(tmp_path / "holes.png", 5, "RGBA"))
    catalog, facts = entered(tmp_path / "clear", tmp_path / "holes.png", ground="black")
    data, picture = token_files(catalog.folder, 2)
    assert facts["kept"]["ground"] == "#000000"
    assert check_token(2, data, picture) == []
    assert read_picture(picture)[0].tobytes() == image.tobytes()
    wrong = read_json(data)
    wrong["artmint"]["recipe"]["kept"]["ground"] = "#ffffff"
    fields = {finding.field for finding in check_token(2, canonical(wrong), picture)}
    assert {"artmint.pixel_digest", "artmint.dna"} <= fields
    deep = deep_png(tmp_path / "scan.png")
    catalog, facts = entered(tmp_path / "deep", deep)
    data, picture = token_files(catalog.folder, 2)
    assert picture[24] == 16 and check_token(2, data, picture) == []
    assert bare_picture(picture) == bare_picture(deep.read_bytes())


def deep_png(path: Path) -> Path:
    "A PNG with 16 bits a channel."
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + struct.pack(">192H", *(y * 257 + x * 91 for x in range(192))) for y in range(48))
    head = struct.pack(">IIBBBBB", 64, 48, 16, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"tEXt", b"a\0b"), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))
    return path


def test_another_decoder_s_pixels_of_a_kept_jpeg_are_told_and_no_lie(tmp_path, monkeypatch):
    from artmint.publish import renditions as tokens_room

    path = saved(tmp_path / "photo.jpg", Image.open(drawing(tmp_path / "a.png")), "JPEG", quality=71)
    catalog, _ = entered(tmp_path / "studio", path)
    data, picture = token_files(catalog.folder, 2)
    monkeypatch.setattr(
        tokens_room, "read_picture", lambda data: (read_picture(data)[0].point(lambda value: value ^ 1), {})
    )
    report = report_of(data, picture, 2)
    (step,) = [step for step in check_tokens([report]) if step.name == "pixels"]
    assert (step.status, step.asked) == ("unchecked", False)
    assert "works' own image/jpeg, other pixels by libjpeg-turbo" in step.evidence


def test_what_can_not_be_kept_is_refused_before_anything_is_recorded(tmp_path):
    image = Image.open(drawing(tmp_path / "a.png"))
    turned = Image.Exif()
    turned[0x0112] = 6
    profile = rgb_profile(DISPLAY_P3, 2.2, "Display P3")
    catalog = fill(tmp_path / "studio", 1)
    before = catalog.all("attempt")
    for name, reason, more in (
        ("turned.jpg", "lies turned", {"exif": turned}),
        ("wide.webp", "aren't sRGB", {"icc_profile": profile}),
    ):
        path = saved(
            tmp_path / name, image, FORMATS["jpeg" if name.endswith("jpg") else "webp"].name.upper(), **more
        )
        with pytest.raises(Exception, match=f"{name}.*{reason}.*leave works out of"):
            enter(catalog, KEPT, 5, path, "Ada")
    clear = image.convert("RGBA").rotate(30)
    clear.save(tmp_path / "clear.avif")
    with pytest.raises(Exception, match="can't be kept.*transparency"):
        enter(catalog, KEPT, 5, tmp_path / "clear.avif", "Ada")
    assert catalog.all("attempt") == before


def test_a_plain_work_is_published_as_the_collection_s_other_pictures_are(tmp_path):
    catalog, facts = entered(tmp_path / "studio", drawing(tmp_path / "plain.png", 8))
    data, picture = token_files(catalog.folder, 2)
    assert "kept" not in facts and read_token(data).artmint.picture.encoding == "lossy"
    assert check_token(2, data, picture) == []
    rendition = rendition_of(catalog, KEPT.picture, catalog.get("edition", "demo/2")["file_digest"], facts)
    assert bare_picture(picture) == catalog.blob(rendition.digest)
    with Image.open(BytesIO(picture)) as opened:
        assert opened.format == "JPEG"
