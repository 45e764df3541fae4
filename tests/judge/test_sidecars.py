"XMP as photo programs read and write it. The foreign packets are what exiv2, which digiKam and darktable use, and Adobe's XMP Core write."

import io
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from artmint.core.picture import pixel_digest, read_png
from artmint.judge.decisions import Action, ReviewSession, record_action
from artmint.judge.exchange import ExportExists, UnreadableDecisions, entries, plan_import, record_import
from artmint.judge.sidecars import (
    _rating,
    EXPORT_RECORD,
    embed_xmp,
    embedded_xmp,
    export_sidecars,
    read_sidecars,
    read_xmp,
    xmp_packet,
)
from tests.drawn import DEMO, SLOTS, table

EXIV2 = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:digiKam="http://www.digikam.org/ns/1.0/"
   xmp:Rating="{rating}"
   digiKam:PickLabel="{pick}">
   <dc:description>
    <rdf:Alt>
     <rdf:li xml:lang="x-default">{note}</rdf:li>
    </rdf:Alt>
   </dc:description>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""
ELEMENTS = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:xap="http://ns.adobe.com/xap/1.0/"><xap:Rating>3</xap:Rating><xap:Label>Red</xap:Label></rdf:Description>
<rdf:Description xmlns:dm="http://ns.adobe.com/xmp/1.0/DynamicMedia/" dm:pick="-1"/></rdf:RDF></x:xmpmeta>"""


@pytest.fixture
def folder(tmp_path):
    "A studio on which ada decided, and its export: catalog, folder, pictures' names."
    catalog = table(tmp_path / "studio", 2, SLOTS[:2])
    look = ReviewSession(catalog, DEMO, "ada")
    one, two, *_ = look.candidates()
    record_action(look, Action(id="1", dnas=(one,), decision="accept", stars=4, note="the calm <one>"))
    record_action(look, Action(id="2", dnas=(two,), decision="reject"))
    place = tmp_path / "out"
    assert export_sidecars(catalog, entries(catalog, DEMO), place) == 4
    return catalog, place, sorted(path.name for path in place.glob("*.png"))


text = st.text(st.characters(codec="utf-8"), max_size=40)


@given(text, st.sampled_from(("-1", "0", "5")))
def test_a_packet_says_what_was_put_into_it(note, rating):
    fields = read_xmp("own", xmp_packet({"rating": rating, "note": note}, ["a & b", note]))
    assert fields["rating"] == rating
    kept = "".join(c if c in "\t\n\r" or c >= " " and c not in "\ufffe\uffff" else "\ufffd" for c in note)
    assert fields.get("note", "") == kept


def test_properties_are_read_as_attributes_and_as_elements_under_any_prefix():
    assert read_xmp("a", ELEMENTS) == {"rating": "3", "label": "Red", "flag": "-1"}
    packet = EXIV2.format(rating="-1", pick="1", note="nöw &lt;")
    assert read_xmp("b", packet.encode()) == {"rating": "-1", "pick": "1", "note": "nöw <"}


@pytest.mark.parametrize(
    "packet",
    [
        b"<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a>&e;</a>",
        b"<!DOCTYPE a [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]><a>&b;</a>",
        b"<x:xmpmeta",
        b"\xff\xfe\xfd",
        b"",
        b" " * ((1 << 23) + 1),
    ],
)
def test_a_packet_that_is_broken_or_asks_for_other_files_is_refused(packet):
    with pytest.raises(UnreadableDecisions):
        read_xmp("a.xmp", packet)


def test_an_exported_picture_keeps_its_pixels_and_both_packets_say_the_same(folder):
    catalog, place, names = folder
    for entry, name in zip(entries(catalog, DEMO), names):
        data = (place / name).read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            assert pixel_digest(image) == entry.candidate.artifact.pixel_digest
        assert embedded_xmp(place / name) == (place / f"{name}.xmp").read_bytes()
        assert read_png(catalog.blob(entry.candidate.artifact.file_digest))
    marks = [read_xmp(name, embedded_xmp(place / name)) for name in names]
    assert [one.get("rating") for one in marks] == ["4", "-1", None, None]
    assert [one.get("label") for one in marks] == ["Green", "Red", None, None]
    assert [(one.get("flag"), one.get("pick")) for one in marks[:2]] == [("1", "3"), ("-1", "1")]


def test_a_folder_in_which_nothing_was_changed_decides_nothing(folder):
    catalog, place, _ = folder
    reading = read_sidecars(place)
    assert (reading.statements, reading.faults, reading.unchanged) == ([], [], 4)
    with pytest.raises(ExportExists):
        export_sidecars(catalog, entries(catalog, DEMO), place)


def read(catalog, place, by="bo", **how):
    plan = plan_import(catalog, DEMO, read_sidecars(place, **how), by, "xmp")
    return [(opinion.decision, opinion.stars, opinion.note) for _, opinion in plan.opinions], plan


def test_what_was_changed_in_a_sidecar_is_the_word_of_who_imports_and_nothing_else(folder):
    catalog, place, names = folder
    (place / f"{names[0]}.xmp").write_text(EXIV2.format(rating="-1", pick="3", note="the calm &lt;one>"))
    (place / f"{names[1]}.xmp").write_text(EXIV2.format(rating="0", pick="0", note=""))
    (place / f"{names[2]}.xmp").write_text(EXIV2.format(rating="5", pick="0", note="warm"))
    words, plan = read(catalog, place)
    assert words == [("reject", None, ""), ("withdrawn", 5, "warm")] and plan.unchanged == 1
    words, _ = read(catalog, place, by="ada", accept_from=5)
    assert words == [("reject", 4, "the calm <one>"), ("withdrawn", None, ""), ("accept", 5, "warm")]
    record_import(catalog, "out", plan)
    assert read(catalog, place)[0] == []


def test_what_was_changed_inside_a_picture_counts_as_well_as_beside_it(folder):
    catalog, place, names = folder
    bare = catalog.blob(entries(catalog, DEMO)[2].candidate.artifact.file_digest)
    (place / names[2]).write_bytes(embed_xmp(bare, xmp_packet({"flag": "1", "rating": "2"})))
    assert read(catalog, place)[0] == [("accept", 2, "")]
    (place / f"{names[2]}.xmp").write_bytes(xmp_packet({"flag": "-1"}))
    words, plan = read(catalog, place)
    assert words == [] and "say different things" in plan.faults[0]


def test_packets_of_other_kinds_of_files_are_found(tmp_path):
    packet = xmp_packet({"rating": "3"})
    image = Image.new("RGB", (32, 32), "teal")
    for name in ("a.jpg", "a.webp", "a.tif", "late.png", "packed.png"):
        image.save(
            tmp_path / name, **({} if name.endswith("png") else {"xmp": packet, "tiffinfo": {700: packet}})
        )
    png = (tmp_path / "late.png").read_bytes()
    whole = embed_xmp(png, packet)
    chunk = whole[33 : len(whole) - len(png) + 33]
    (tmp_path / "late.png").write_bytes(png[:-12] + chunk + png[-12:])
    body = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(packet)
    packed = len(body).to_bytes(4, "big") + b"iTXt" + body + zlib.crc32(b"iTXt" + body).to_bytes(4, "big")
    (tmp_path / "packed.png").write_bytes(png[:33] + packed + png[33:])
    for path in tmp_path.iterdir():
        assert read_xmp(path.name, embedded_xmp(path))["rating"] == "3", path
    image.save(tmp_path / "bare.png")
    assert embedded_xmp(tmp_path / "bare.png") == b""


def test_pictures_under_other_names_are_known_by_their_packet_or_their_pixels(folder, tmp_path):
    catalog, place, names = folder
    other = tmp_path / "renamed"
    other.mkdir()
    (place / names[0]).rename(other / "moon.png")
    third = entries(catalog, DEMO)[2].candidate.artifact
    (other / "sun.png").write_bytes(embed_xmp(catalog.blob(third.file_digest), xmp_packet({"rating": "-1"})))
    pixels = {entry.candidate.artifact.pixel_digest: entry.candidate.dna for entry in entries(catalog, DEMO)}
    words, plan = read(catalog, other, pixels=pixels)
    assert sorted(words) == [("accept", 4, "the calm <one>"), ("reject", None, "")]
    assert plan.faults == []
    Image.new("RGB", (64, 64)).save(other / "strange.png")
    (other / "strange.png.xmp").write_bytes(xmp_packet({"rating": "5"}))
    assert "names no picture" in read(catalog, other, pixels=pixels)[1].faults[0]


def test_pictures_that_were_renamed_beside_the_export_s_record_say_only_what_was_changed(folder):
    catalog, place, names = folder
    for number, name in enumerate(names):
        (place / name).rename(place / f"IMG_{number}.png")
        (place / f"{name}.xmp").rename(place / f"IMG_{number}.xmp")
    words, plan = read(catalog, place)
    assert (words, plan.unchanged, plan.faults) == ([], 4, [])
    sidecar = place / "IMG_2.xmp"
    sidecar.write_bytes(sidecar.read_bytes().replace(b'dc:identifier="', b'xmp:Rating="-1" dc:identifier="'))
    words, plan = read(catalog, place)
    assert (words, plan.unchanged, plan.faults) == ([("reject", None, "")], 3, [])


def test_marks_that_contradict_each_other_and_ratings_that_are_none_are_told(folder):
    catalog, place, names = folder
    (place / EXPORT_RECORD).unlink()
    (place / f"{names[0]}.xmp").write_bytes(xmp_packet({"rating": "7"}))
    (place / f"{names[1]}.xmp").write_bytes(xmp_packet({"label": "Green", "rating": "-1"}))
    for name in names[:2]:
        (place / name).unlink()
    (place / f"{names[3]}.xmp").write_bytes(b"<torn")
    (place / "notes.txt").write_text("mine")
    reading = read_sidecars(place)
    assert "xmp:Rating '7'" in reading.faults[0] and "contradict" in reading.faults[1]
    assert "broken or unsafe" in reading.faults[2]
    assert reading.notes == ["not read, since neither pictures nor sidecars: 1, such as notes.txt"]


def test_one_person_s_words_are_exported_when_they_are_asked_for(folder, tmp_path):
    catalog, _, names = folder
    look = ReviewSession(catalog, DEMO, "bo")
    record_action(look, Action(id="1", dnas=(entries(catalog, DEMO)[0].candidate.dna,), decision="reject"))
    for by, rating in (("ada", "4"), ("bo", "-1"), ("", "-1")):
        place = tmp_path / f"for-{by}"
        export_sidecars(catalog, entries(catalog, DEMO), place, by)
        assert read_xmp("a", embedded_xmp(place / names[0]))["rating"] == rating


def test_what_holds_neither_pictures_nor_sidecars_is_refused(tmp_path):
    (tmp_path / "decisions.csv").write_text("dna,decision")
    for place in (tmp_path, tmp_path / "decisions.csv"):
        with pytest.raises(UnreadableDecisions, match="neither pictures nor sidecars"):
            read_sidecars(place)


@pytest.mark.parametrize("text", ["9" * 5000, "-" + "1" * 5000, "٣", "6", "-2", "5.5", "five"])
def test_a_rating_that_no_program_gives_is_told_in_few_words(text):
    stars, why = _rating({"rating": text})
    assert stars is None
    assert "is none of -1, 0, 1, 2, 3, 4, 5" in why
    assert len(why) < 120
