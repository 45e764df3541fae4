"Pictures made by hand: entered, decided on by people, packed and proven like the rest, and never passed off as regenerated."

import hashlib
import json
import shutil
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from artmint.core.picture import MARK, BadPicture, pixel_digest, read_png
from artmint.core.records import NotARecipe, Recipe, Work, parse_facts
from artmint.curate import by_hand, choose
from artmint.generate import (
    UnfitWords,
    NothingToWithdraw,
    SlotTaken,
    attempts_of,
    enter,
    generate,
    open_slots,
    withdraw,
)
from artmint.ipfs.cid import CID
from artmint.judge.decisions import (
    Action,
    ReviewSession,
    current_verdict,
    record_action,
    slots_awaiting_review,
)
from artmint.make.base import load_base, load_judge, weights_files
from artmint.make.engines import Diffusers
from artmint.metadata import AuditFailed, pack
from artmint.metrics import batch_history
from artmint.publish.marks import PictureMark, mark_in
from artmint.publish.tokens import BaseFacts, read_token
from artmint.console.cli import main
from artmint.run.runner import LEAVES, RunContext
from artmint.seeds import frozen_slots, load_collection
from artmint.studio.catalog import Catalog
from artmint.studio.files import StudioBusy, hold_studio
from tests.conftest import TINY
from tests.foreign import DISPLAY_P3, rgb_profile, saved
from tests.studios import drawing

COLLECTION = load_collection(TINY)


HEX = st.text("0123456789abcdef", min_size=64, max_size=64)


@pytest.fixture
def studio(tmp_path):
    "A catalog, its slots, and a work that waits at slot 2."
    catalog = Catalog(tmp_path / "studio")
    slots = frozen_slots(catalog, COLLECTION, COLLECTION.salt)
    return (
        catalog,
        slots,
        enter(
            catalog,
            COLLECTION,
            2,
            drawing(tmp_path / "work.png"),
            "Ada",
            "linocut, scanned",
            source="digitalCapture",
            declared_by="Grace",
        ),
    )


@given(
    st.builds(
        Work,
        artist=st.text(min_size=1),
        medium=st.text(),
        pixel_digest=HEX,
        width=st.integers(1, 9000),
        height=st.integers(1, 9000),
    )
)
def test_a_work_is_what_its_facts_say(work):
    assert parse_facts(work.facts()) == work
    assert len(work.dna) == 64
    with pytest.raises(NotARecipe):
        Recipe.parse(work.facts())
    for spoiled in (
        {"schema": 2},
        {"made": "by machine"},
        {"prompt": "rings"},
        {"width": 0},
        {"medium": ""} if not work.medium else {"artist": ""},
    ):
        with pytest.raises(NotARecipe):
            parse_facts(work.facts() | spoiled)


@pytest.mark.slow
def test_the_whole_line_of_a_work(studio):
    catalog, slots, work = studio
    base = load_base()
    judge = load_judge()
    assert [slot.id for slot in open_slots(catalog, COLLECTION, COLLECTION.salt, 1, 4)] == [1, 3, 4]
    generate(
        catalog,
        Diffusers(base),
        attempts_of(
            catalog,
            COLLECTION,
            open_slots(catalog, COLLECTION, COLLECTION.salt, 1, 4),
            COLLECTION.salt,
            1,
            Diffusers(base),
        ),
    )
    assert choose(catalog, COLLECTION, judge, slots, 1).open == (2,)
    assert slots_awaiting_review(catalog, COLLECTION, range(1, 5)) == {2: 1}
    assert current_verdict(catalog, COLLECTION, work.dna).reasons[-1] == "made by hand; people decide"
    look = ReviewSession(catalog, COLLECTION, "Grace")
    card = look.card(look.candidates()[work.dna])
    assert card["attempt"] == 0
    assert card["parameters"]["artist"] == "Ada"
    assert card["parameters"]["made"] == "by hand"  # by which the board tells it from a recipe
    record_action(look, Action(id="1", dnas=(work.dna,), decision="accept"))
    choice = choose(catalog, COLLECTION, judge, slots, 1)
    assert not choice.open
    assert choice.editions[1].dna == work.dna
    assert choice.editions[1].attempt == 0
    assert "contrast" in choice.editions[1].scores
    pack(catalog, COLLECTION, 1, 1, 4, BaseFacts(digest=base.digest, source=base.source), weights_files(base))
    root = catalog.folder / "drops" / "tiny-1" / "root"
    said = read_token((root / "2.json").read_bytes()).artmint
    assert said.base is None
    assert said.recipe == work.recipe
    assert {each.name for each in (root / "images").iterdir()} == {"1.png", "2.png", "3.png", "4.png"}
    image, texts = read_png((root / "images/2.png").read_bytes())
    assert pixel_digest(image) == work.pixel_digest == said.recipe["pixel_digest"]
    assert set(texts) == {"artmint", MARK}
    assert mark_in(texts) == PictureMark("digitalCapture", "Ada")
    with pytest.raises(SlotTaken, match="it has its edition"):
        enter(catalog, COLLECTION, 2, root / "images/1.png", "Ada")
    proven(catalog.folder)


def proven(folder):
    "Mint that drop on a chain of its own, and prove it: three pictures are rendered again, and the work is said to have no recipe."
    from artmint.chain.admin import authorize, commit_drop, deploy, parties
    from artmint.chain.connect import connect
    from artmint.chain.journal import Journal
    from artmint.core.manifest import read_manifest
    from artmint.ipfs.stores import FolderStore
    from artmint.mint import mint
    from artmint.pin import publish
    from artmint.verify import verify

    catalog = Catalog(folder)
    web3 = connect("embedded", folder / "chain")
    who = parties(web3, folder / "keys", rounds=2**10)
    admin = Journal(catalog, web3, who.admin)
    minter = Journal(catalog, web3, who.minter)
    manifest = read_manifest((folder / "drops/tiny-1/drop.json").read_bytes())
    contract = deploy(admin, COLLECTION, who.treasury)
    authorize(admin, contract, who.minter.address, 4)
    publish(folder / "drops/tiny-1/drop.car", CID.parse(manifest.root), [FolderStore(folder / "store")])
    commit_drop(admin, contract, manifest)
    mint(minter, contract, manifest)
    proof = verify(f"embedded:{contract.address}", folder, regenerate=True)
    again = [(step.status, step.evidence) for step in proof.steps if step.name == "regenerate"]
    assert proof.exit_code == 3, proof.text()  # one of four can't be painted again, and that was asked for
    assert [status for status, _ in again] == ["unchecked", "held"], proof.text()
    assert "tokens 2 were made by hand" in proof.text()
    told = "token 2 by Ada (linocut, scanned), declared as digitalCapture by Grace, without a signature of its own"
    assert told in proof.text()
    marks = [step.evidence for step in proof.steps if step.name == "marks"]
    assert len(marks) == 1 and marks[0].startswith("4 of 4") and "1 digitalCapture" in marks[0]
    assert "1 of 4 are made by hand" in again[0][1]
    assert "3 of 3 pictures" in again[1][1]


@pytest.mark.slow
def test_a_rejected_work_leaves_its_slot_to_another_work(studio, tmp_path):
    catalog, slots, work = studio
    judge = load_judge()
    record_action(
        ReviewSession(catalog, COLLECTION, "Grace"), Action(id="1", dnas=(work.dna,), decision="reject")
    )
    assert choose(catalog, COLLECTION, judge, slots[1:2], 1).open == (2,)
    assert not slots_awaiting_review(catalog, COLLECTION, range(1, 5))
    better = enter(catalog, COLLECTION, 2, drawing(tmp_path / "better.png", 2), "Ada")
    record_action(
        ReviewSession(catalog, COLLECTION, "Grace"), Action(id="2", dnas=(better.dna,), decision="accept")
    )
    assert [edition.dna for edition in choose(catalog, COLLECTION, judge, slots[1:2], 1).editions] == [
        better.dna
    ]


def test_pixels_that_are_not_the_works_are_found(studio, monkeypatch):
    catalog, slots, work = studio
    record_action(
        ReviewSession(catalog, COLLECTION, "Grace"), Action(id="1", dnas=(work.dna,), decision="accept")
    )
    choose(catalog, COLLECTION, load_judge(), slots[1:2], 1)
    body = catalog.find("edition", "tiny/2")
    other = enter(catalog, COLLECTION, 3, drawing(catalog.folder / "other.png", 3), "Ada")
    catalog.append(
        "edition", "tiny/2", body | {"file_digest": other.file_digest, "pixel_digest": other.pixel_digest}
    )
    with pytest.raises(AuditFailed) as refusal:
        pack(catalog, COLLECTION, 1, 2, 1, BaseFacts(digest="0" * 64, source="bundled"), {})
    assert {"artmint.recipe.pixel_digest", "picture's recipe"} <= {
        finding.field for finding in refusal.value.findings
    }


@pytest.mark.parametrize("mode", ["RGBA", "L", "P", "1", "LA"])
def test_any_mode_is_kept_as_plain_rgb(studio, tmp_path, mode):
    catalog = studio[0]
    path = drawing(tmp_path / "some.tiff", 4, mode)
    made = enter(catalog, COLLECTION, 4, path, "Ada", ground="#ffffff")
    image, _ = read_png(catalog.blob(made.file_digest))
    assert image.mode == "RGB"
    assert image.size == (72, 96)
    assert pixel_digest(image) == made.pixel_digest


def test_a_phone_s_photo_is_entered_upright_and_in_srgb(studio, tmp_path):
    "What was done, and to which file, stands in the record; a gap in the picture is refused before there is one."
    catalog = studio[0]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    profile = rgb_profile(DISPLAY_P3, 2.2, "Display P3")
    image = Image.open(drawing(tmp_path / "a.png"))
    path = saved(tmp_path / "phone.jpg", image, "JPEG", exif=exif, icc_profile=profile)
    made = enter(catalog, COLLECTION, 4, path, "Ada")
    kept, texts = read_png(catalog.blob(made.file_digest))
    assert (kept.size, set(texts)) == ((96, 72), {"artmint"})
    recorded = catalog.find("attempt", "tiny/4/0")
    assert recorded["given"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert recorded["notes"] == ["turned upright (EXIF orientation 6)", "converted from Display P3 to sRGB"]
    with pytest.raises(BadPicture, match="holes.png.*transparent"):
        enter(catalog, COLLECTION, 4, drawing(tmp_path / "holes.png", 5, "RGBA"), "Ada")
    assert catalog.history("attempt", "tiny/4/0") == [recorded]


@pytest.mark.slow
def test_a_withdrawn_work_gives_its_slot_back(studio, tmp_path):
    catalog, slots, work = studio
    judge = load_judge()

    def open_ones() -> list[int]:
        return [slot.id for slot in open_slots(catalog, COLLECTION, COLLECTION.salt, 1, 4)]

    assert withdraw(catalog, COLLECTION, 2) == work.dna
    assert open_ones() == [1, 2, 3, 4]
    assert by_hand(catalog, COLLECTION, slots) == []
    assert ReviewSession(catalog, COLLECTION, "Grace").candidates() == {}
    assert not slots_awaiting_review(catalog, COLLECTION, range(1, 5))
    assert not batch_history(catalog, COLLECTION, range(1, 5)).tries
    with pytest.raises(NothingToWithdraw, match="withdrawn already"):
        withdraw(catalog, COLLECTION, 2)
    for slot in (3, 99):
        with pytest.raises(NothingToWithdraw, match="none was entered"):
            withdraw(catalog, COLLECTION, slot)
    again = enter(catalog, COLLECTION, 2, drawing(tmp_path / "again.png", 7), "Ada")
    assert open_ones() == [1, 3, 4]
    assert [each.dna for each in by_hand(catalog, COLLECTION, slots)] == [again.dna]
    assert [row["dna"] for row in catalog.history("attempt", "tiny/2/0")] == [work.dna, work.dna, again.dna]
    look = ReviewSession(catalog, COLLECTION, "Grace")
    record_action(look, Action(id="1", dnas=(again.dna,), decision="accept"))
    choose(catalog, COLLECTION, judge, slots[1:2], 1)
    with pytest.raises(NothingToWithdraw, match="edition"):
        withdraw(catalog, COLLECTION, 2)


def test_nothing_is_withdrawn_while_a_batch_runs(studio):
    with hold_studio(studio[0].folder, "tiny"), pytest.raises(StudioBusy, match="tiny"):
        withdraw(studio[0], COLLECTION, 2)
    assert withdraw(studio[0], COLLECTION, 2) == studio[2].dna


def test_a_round_is_made_again_where_a_work_was_withdrawn(studio, tmp_path):
    "The runner takes a stage for finished by what it left; whose slots are held by works is a part of that."
    catalog = studio[0]
    batch = SimpleNamespace(slots=range(1, 5))
    context = RunContext(batch, COLLECTION, catalog.folder, catalog, print, print)
    stage = SimpleNamespace(round=1)
    held = LEAVES["15_generate"](context, stage)
    withdraw(catalog, COLLECTION, 2)
    given_back = LEAVES["15_generate"](context, stage)
    assert held != given_back == [None] * len(given_back)


def test_what_cannot_be_entered_is_refused_by_name(studio, tmp_path):
    catalog = studio[0]
    before = catalog.all("attempt")
    (tmp_path / "no.png").write_bytes(b"no picture")
    with pytest.raises(BadPicture):
        enter(catalog, COLLECTION, 3, tmp_path / "no.png", "Ada")
    with pytest.raises(BadPicture):
        enter(catalog, COLLECTION, 3, tmp_path / "missing.png", "Ada")
    for slot in (0, 5):
        with pytest.raises(SlotTaken, match="slots 1 to 4"):
            enter(catalog, COLLECTION, slot, tmp_path / "work.png", "Ada")
    for artist, medium in (
        (" ", ""),
        ("<b>Ada</b>", ""),
        ("Ada", "oil\u202e"),
        ("A" * 501, ""),
        ("Ada", " "),
    ):
        with pytest.raises(UnfitWords, match="--(artist|medium)"):
            enter(catalog, COLLECTION, 3, tmp_path / "work.png", artist, medium)
    for source, meant in (("digitalcapture", "is it digitalCapture"), ("oil", "there are digitalCapture")):
        with pytest.raises(UnfitWords, match=f"{meant}.*--source"):
            enter(catalog, COLLECTION, 3, tmp_path / "work.png", "Ada", source=source)
    with pytest.raises(UnfitWords, match="--declared-by"):
        enter(catalog, COLLECTION, 3, tmp_path / "work.png", "Ada", declared_by="<i>Grace</i>")
    assert catalog.all("attempt") == before


@pytest.fixture
def console(tmp_path, capsys):
    "`artmint enter` on a copy of the tiny collection: exit code, standard output, standard error."
    shutil.copytree(TINY, tmp_path / "tiny")
    shutil.copy(TINY.parent / "tiny.toml", tmp_path)

    def enter_words(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["enter", str(tmp_path / "tiny.toml"), *words, "--studio", str(tmp_path / "studio")])
        return end.value.code, *capsys.readouterr()

    return enter_words


def test_the_console_enters_looks_and_withdraws(console, tmp_path):
    catalog = Catalog(tmp_path / "studio")
    path = str(drawing(tmp_path / "w.png", 3, "RGBA"))
    code, _, error = console("2", path, "--artist", "Ada")
    assert code == 2 and "w.png" in error and "transparent in places" in error
    code, text, _ = console("2", path, "--artist", "Ada", "--ground", "#ffffff", "--dry-run")
    assert code == 0 and "put on the ground #ffffff" in text and "nothing was recorded" in text
    assert not catalog.keys("attempt") and not catalog.keys("artifact") and not catalog.keys("picture")
    code, text, _ = console("2", path, "--artist", "Ada", "--ground", "#ffffff", "--json")
    outcome = json.loads(text)
    assert code == 0 and outcome["notes"] == ["put on the ground #ffffff"] and outcome["recorded"]
    assert catalog.find("attempt", "tiny/2/0")["dna"] == outcome["dna"]
    code, text, _ = console("2", "--withdraw")
    assert code == 0 and f"{outcome['dna'][:16]}… is withdrawn" in text
    assert console("2", "--withdraw")[0] == 1
    for words in (["2"], ["2", path], ["2", "--artist", "Ada"], ["2", path, "--withdraw"]):
        assert console(*words)[0] == 2
    plain = str(drawing(tmp_path / "plain.png"))
    code, text, _ = console("2", plain, "--artist", "Ada")
    assert code == 0 and text.startswith("slot 2 waits for people's decision")
    assert "no --source is declared" in text
    declared = ("--source", "digitalCreation", "--declared-by", "Grace")
    code, text, _ = console("2", plain, "--artist", "Ada", *declared, "--json")
    assert code == 0 and json.loads(text)["source"] == "digitalCreation"
    recipe = catalog.find("attempt", "tiny/2/0")["recipe"]
    assert (recipe["source"], recipe["declared_by"]) == ("digitalCreation", "Grace")
    assert console("2", "--withdraw", "--source", "print")[0] == 2


@pytest.mark.slow
def test_a_slot_whose_work_was_withdrawn_is_painted_by_the_next_run(console, tmp_path):
    "The rounds that went by without it are made up for."
    batch, studio = str(tmp_path / "tiny.toml"), str(tmp_path / "studio")
    catalog = Catalog(tmp_path / "studio")
    run_to_curate = ["run", batch, "--studio", studio, "--to", "curate"]
    assert console("2", str(drawing(tmp_path / "w.png")), "--artist", "Ada")[0] == 0
    with pytest.raises(SystemExit) as waits:
        main(run_to_curate)
    assert waits.value.code == 4
    assert not catalog.find("attempt", "tiny/2/1") and not catalog.find("edition", "tiny/2")
    assert console("2", "--withdraw")[0] == 0
    with pytest.raises(SystemExit) as ends:
        main(run_to_curate)
    assert ends.value.code == 0
    assert catalog.find("edition", "tiny/2")["attempt"] >= 1
