"Marks: pictures say in words that every program knows how they came about, and what they say is held against their tokens."

import hashlib
import shutil
from io import BytesIO
from pathlib import Path

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from artmint import metadata
from artmint.core.canon import canonical, read_json, unsafe_text
from artmint.core.collection import Marks, contradictions
from artmint.core.picture import (
    MARK,
    BadPicture,
    _chunks,
    _joined,
    marked_png,
    pixel_digest,
    png_bytes,
    public_png,
    read_png,
    unmarked_png,
)
from artmint.core.records import Recipe, Work
from artmint.ipfs.cid import cid
from artmint.metadata import AuditFailed, pack
from artmint.prove.tokens import TokenReport, check_marks, check_tokens
from artmint.publish.audit import audit, check_token
from artmint.publish.marks import (
    ForeignMark,
    PictureMark,
    mark_findings,
    mark_in,
    mark_of,
    mark_packet,
    marks_sentence,
    read_mark,
    source_type,
)
from artmint.publish.tokens import read_token
from artmint.studio.catalog import Catalog
from tests.packed import BASE, DEMO, WEIGHTS, drop_of, fill, known, manifest_of

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
TEXTS = st.text(min_size=1, max_size=60).filter(lambda text: text.strip() and not unsafe_text(text))
WORKS = st.builds(PictureMark, source=st.sampled_from(["digitalCapture", "print"]), creator=TEXTS)
CONSTRAINED = st.builds(PictureMark, training=st.just("constrained"), terms=TEXTS)
MARKS = st.one_of(WORKS, CONSTRAINED, st.just(PictureMark("digitalCreation", training="allowed")))
RECIPE = Recipe(base="0" * 64, prompt="rings", seed=1, width=16, height=16)
PICTURE = png_bytes(Image.new("RGB", (16, 16), "teal"), RECIPE, "m")
HAND = {"artist": "Ada & <Söhne>", "medium": "charcoal", "pixel_digest": "0" * 64, "width": 16, "height": 16}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    "The folder of a studio with the whole demo packed; not to be changed."
    catalog = fill(tmp_path_factory.mktemp("marked"), 16)
    pack(catalog, DEMO, 1, 1, 16, BASE, WEIGHTS)
    catalog.close()
    return catalog.folder


@pytest.fixture
def studio(made, tmp_path) -> Catalog:
    "A copy of it."
    shutil.copytree(made, tmp_path / "studio")
    return Catalog(tmp_path / "studio")


def pictures(folder: Path) -> list[bytes]:
    "The published pictures, by token."
    return [(folder / f"drops/demo-1/root/images/{token}.png").read_bytes() for token in range(1, 17)]


# -- what is written


def test_every_published_picture_says_that_a_model_made_it_and_is_otherwise_the_studio_s_own(made):
    catalog = Catalog(made)
    for token, data in enumerate(pictures(made), 1):
        edition = catalog.get("edition", f"demo/{token}")
        assert unmarked_png(data) == catalog.blob(edition["file_digest"])
        assert pixel_digest(read_png(data)[0]) == edition["pixel_digest"]
        assert mark_in(read_png(data)[1]) == PictureMark(source="trainedAlgorithmicMedia")
        with Image.open(BytesIO(data)) as opened:
            told = opened.getxmp()["xmpmeta"]["RDF"]["Description"]
        assert told["DigitalSourceType"] == IPTC + "trainedAlgorithmicMedia"
    assert not list(made.glob(".packing-*"))


@settings(max_examples=25)
@given(MARKS)
def test_a_packet_is_xml_and_is_read_as_it_was_written(mark):
    packet = mark_packet(mark)
    assert read_mark(packet) == mark
    root = fromstring(packet)
    words = "".join(root.itertext())
    assert (mark.creator or mark.terms or "DMI-ALLOWED") in words
    assert read_png(marked_png(PICTURE, packet))[1][MARK] == packet
    assert unmarked_png(marked_png(PICTURE, packet)) == PICTURE


@given(MARKS, st.data())
def test_any_other_packet_is_refused(mark, data):
    packet = mark_packet(mark)
    at = data.draw(st.integers(0, len(packet) - 1))
    other = data.draw(st.characters(exclude_categories=["Cs"]))
    changed = packet[:at] + other + packet[at + 1 :]
    try:
        assert (
            mark_packet(read_mark(changed)) == changed
        )  # a letter of a value: another mark, in the same form
    except ForeignMark as refusal:
        assert refusal.packet == changed


@pytest.mark.parametrize("packet", ["", "<x/>", "<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>", "\0"])
def test_a_stranger_s_xml_is_not_parsed(packet):
    with pytest.raises(ForeignMark):
        read_mark(packet)
    assert [found.field for found in mark_findings(1, {MARK: packet}, RECIPE.facts())] == ["picture's mark"]


def test_a_mark_stands_in_its_place_once_and_plain():
    header, mark, *rest = _chunks(marked_png(PICTURE, mark_packet(PictureMark("print"))))
    bodies = {
        "twice": [header, mark, mark, *rest],
        "at the end": [header, *rest[:-1], mark, rest[-1]],
        "as Latin-1": [header, (b"tEXt", MARK.encode() + b"\0x"), *rest],
        "packed": [header, (b"iTXt", MARK.encode() + b"\0\1\0\0\0x"), *rest],
        "in a language": [header, (b"iTXt", MARK.encode() + b"\0\0\0de\0\0x"), *rest],
        "too long": [header, (b"iTXt", MARK.encode() + bytes(5) + b"x" * (1 << 16)), *rest],
    }
    for name, chunks in bodies.items():
        with pytest.raises(BadPicture, match="mark|twice|packed|compressed"):
            print(name, read_png(_joined(chunks)))
    with pytest.raises(BadPicture, match="carries a mark"):
        marked_png(_joined([header, mark, *rest]), "x")


@pytest.mark.parametrize(
    "facts, source",
    [
        (RECIPE.facts(), "trainedAlgorithmicMedia"),
        (RECIPE.facts() | {"init": "1" * 64}, "compositeWithTrainedAlgorithmicMedia"),
        (Work(**HAND).facts(), ""),
        (Work(**HAND, source="digitalCapture").facts(), "digitalCapture"),
    ],
)
def test_the_source_follows_from_the_recipe_or_from_what_was_declared(facts, source):
    assert source_type(facts) == source
    mark = mark_of(facts, Marks())
    assert (mark.source, mark.creator) == (source, HAND["artist"] if source == "digitalCapture" else "")
    assert mark_of(facts, Marks(source=False)) == PictureMark()
    texts = {MARK: mark_packet(mark)} if source else {}
    assert mark_findings(1, texts, facts) == []


def test_what_is_withheld_is_not_in_the_mark(tmp_path):
    quiet = DEMO.model_copy(update={"withheld": ("prompt",), "marks": Marks(training="notAllowed")})
    catalog = fill(tmp_path, 2, quiet)
    pack(catalog, quiet, 1, 1, 2, BASE, WEIGHTS)
    for token in (1, 2):
        texts = read_png((drop_of(catalog) / f"root/images/{token}.png").read_bytes())[1]
        assert set(texts) == {"artmint", MARK}
        assert mark_in(texts) == PictureMark("trainedAlgorithmicMedia", training="notAllowed")


def test_a_collection_may_want_no_mark_and_that_is_said(tmp_path):
    plain = DEMO.model_copy(update={"marks": Marks(source=False)})
    catalog = fill(tmp_path, 2, plain)
    pack(catalog, plain, 1, 1, 2, BASE, WEIGHTS)
    digest = catalog.get("edition", "demo/1")["file_digest"]
    assert (drop_of(catalog) / "root/images/1.png").read_bytes() == catalog.blob(digest)
    assert "wants none" in marks_sentence(plain.marks)
    assert "how they came about" in marks_sentence(DEMO.marks)


@pytest.mark.parametrize(
    "marks", [Marks(training="constrained"), Marks(training="allowed", terms="x"), Marks(terms="x")]
)
def test_terms_and_constraints_go_together(marks):
    problems = contradictions(DEMO.model_copy(update={"marks": marks}))
    assert [problem.partition(":")[0] for problem in problems] == ["marks"]


# -- drops of before


@pytest.fixture
def earlier(tmp_path, monkeypatch) -> Catalog:
    "A studio with a drop that was packed before there were marks."
    catalog = fill(tmp_path, 16)
    with monkeypatch.context() as patch:
        patch.setattr(metadata, "mark_packet", lambda mark: "")
        pack(catalog, DEMO, 1, 1, 16, BASE, WEIGHTS)
    assert all(MARK.encode() not in data for data in pictures(tmp_path))
    return catalog


@pytest.mark.slow
def test_a_drop_from_before_marks_stays_valid_and_keeps_its_bytes_once_committed(earlier):
    before = (drop_of(earlier) / "drop.json").read_bytes()
    assert audit(known(earlier), manifest_of(drop_of(earlier)), drop_of(earlier) / "root") == []
    earlier.append("transaction", "1", {"purpose": {"collection": "demo", "drop": 1, "kind": "commit"}})
    assert pack(earlier, DEMO, 1, 1, 16, BASE, WEIGHTS).data == before
    assert (drop_of(earlier) / "drop.json").read_bytes() == before


@pytest.mark.slow
def test_a_drop_from_before_marks_that_is_on_no_chain_is_packed_with_them(earlier):
    before = manifest_of(drop_of(earlier))
    after = pack(earlier, DEMO, 1, 1, 16, BASE, WEIGHTS)
    assert [token.pixel_digest for token in after.tokens] == [token.pixel_digest for token in before.tokens]
    assert [token.dna for token in after.tokens] == [token.dna for token in before.tokens]
    assert not {token.file_digest for token in after.tokens} & {token.file_digest for token in before.tokens}


def test_a_picture_that_lacks_the_mark_that_the_others_have_is_found(studio):
    path = drop_of(studio) / "root/images/3.png"
    path.write_bytes(unmarked_png(path.read_bytes()))
    found = audit(known(studio), manifest_of(drop_of(studio)), drop_of(studio) / "root")
    assert (3, "picture's mark") in {(each.token, each.field) for each in found}


def test_a_drop_that_would_lie_is_not_packed(tmp_path, monkeypatch):
    catalog = fill(tmp_path, 1)
    lie = mark_packet(PictureMark("digitalCreation"))
    monkeypatch.setattr(metadata, "mark_packet", lambda mark: lie)
    with pytest.raises(AuditFailed) as refused:
        pack(catalog, DEMO, 1, 1, 1, BASE, WEIGHTS)
    assert {each.field for each in refused.value.findings} == {
        "picture's mark",
        "picture's mark, its source",
    }


# -- for strangers


def restated(made: Path, token: int, packet: str) -> TokenReport:
    "A token whose picture carries another packet, its JSON agreeing with the file; and what a proof finds."
    root = made / "drops/demo-1/root"
    bare = unmarked_png((root / f"images/{token}.png").read_bytes())
    picture = marked_png(bare, packet) if packet else bare
    said = read_json((root / f"{token}.json").read_bytes())
    said["image"] = f"ipfs://{cid(picture)}"
    said["artmint"]["file_digest"] = hashlib.sha256(picture).hexdigest()
    data = canonical(said)
    try:
        mark = mark_in(read_png(picture)[1])
    except ForeignMark:
        mark = None
    return TokenReport(token, tuple(check_token(token, data, picture)), read_token(data), mark=mark)


MODEL = mark_packet(PictureMark("trainedAlgorithmicMedia"))


def told(made: Path, *packets: str) -> list[tuple[str, str, bool]]:
    "Status and evidence of the proof's steps about marks, when the first pictures carry these packets."
    reports = [restated(made, token, packet) for token, packet in enumerate(packets, 1)]
    others = [step.status for step in check_tokens(reports)]
    assert others == ["held"] * 4
    return [(step.status, step.evidence, step.asked) for step in check_marks(reports)]


def test_the_proof_says_what_pictures_carry(made):
    ((status, evidence, asked),) = told(made, MODEL, MODEL)
    assert (status, asked) == ("held", True)
    assert evidence.startswith("2 of 2 pictures say") and "2 trainedAlgorithmicMedia" in evidence


def test_a_mark_that_lies_makes_its_token_false(made):
    lies = [
        mark_packet(PictureMark("digitalCreation")),
        mark_packet(PictureMark("digitalCapture", "Ada")),
        mark_packet(PictureMark("trainedAlgorithmicMedia", "Ada")),
        MODEL.replace("</x:xmpmeta>", "<!-- -->\n</x:xmpmeta>"),
        mark_packet(PictureMark(training="constrained", terms="see \u202e<b>https://phish.example</b>")),
        mark_packet(PictureMark(training="constrained", terms="x" * 501)),
    ]
    for lie in lies:
        rows = told(made, MODEL, lie)
        assert {row[0] for row in rows if row[1].startswith("token 2: picture's mark")} == {"failed"}, lie
        assert not [row for row in rows if row[0] == "held"]


def test_pictures_without_a_mark_are_told_of_and_hold(made):
    held, without = told(made, MODEL, "")
    assert held[0] == "held" and held[1].startswith("1 of 1")
    assert without[0] == "unchecked" and without[1].startswith("1 of 2 pictures carry no mark")
    assert not without[2]
    ((status, evidence, asked),) = told(made, "", "")
    assert (status, asked) == ("unchecked", False) and evidence.startswith("2 of 2")


def test_what_pictures_say_of_training_is_the_studio_s_word(made):
    packet = mark_packet(PictureMark("trainedAlgorithmicMedia", training="notAllowed"))
    held, word = told(made, packet, packet)
    assert word == ("unchecked", "the studio's word on training models with them: 2 notAllowed of 2", False)


def test_a_work_made_by_hand_may_say_only_what_was_declared():
    declared = Work(**HAND, source="digitalCapture").facts()
    mark = mark_packet(mark_of(declared, Marks()))
    assert mark_findings(2, {MARK: mark}, declared) == []
    for facts in (Work(**HAND).facts(), declared | {"artist": "Grace"}, RECIPE.facts()):
        assert mark_findings(2, {MARK: mark}, facts)
    texts = read_png(public_png(PICTURE, declared))[1]
    assert mark_findings(2, texts, declared) == []
