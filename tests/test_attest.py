"Attest: what a verifier finds is what it signs, whether it is good or not, and whether all of it could be looked at."

import shutil
from dataclasses import replace

import pytest

from artmint.attest import Examination, NoDropIn, archive_claim, attest, examine_claim, findings_line
from artmint.core.canon import canonical, read_json
from artmint.core.picture import pixel_digest, read_png
from artmint.ipfs.stores import FolderStore
from artmint.prove.attestations import TokenStatement, WantedDrops, check_attestations
from artmint.prove.evidence import ask_chain, parse_address
from artmint.prove.proof import Step
from tests.attested import COLLECTION, EAS, NOW, Key
from tests.lies import Studio, altered, repaint, tree


@pytest.fixture(scope="module")
def found(minted):
    "What is found about the tiny collection, and what its contract says."
    claim = ask_chain(parse_address(f"embedded:{minted[1]}"), minted[0], "", [])
    return claim, examine_claim(claim, [FolderStore(minted[0] / "store")])


def told_lie(minted, tmp_path, change) -> Examination:
    "What is found about the first drop, changed by its studio before it was committed."
    files = tree(minted[0] / "drops" / "tiny-1" / "root")
    del files["weights.json"]
    change(files)
    liar = Studio(tmp_path / "lies")
    claim = ask_chain(parse_address(liar.publish(files, [1, 2])), liar.folder, "", [])
    return examine_claim(claim, [FolderStore(liar.folder / "store")])


def results(examination: Examination) -> list[tuple[int, str]]:
    return [(one.token, one.result) for drop in examination.drops for one in drop.statements]


def test_a_sound_collection_is_attested_drop_by_drop(found):
    claim, examination = found
    assert examination.exit_code == 0, examination.steps
    assert results(examination) == [(token, "equal") for token in (1, 2, 3, 4)]
    assert findings_line(examination.drops[1]) == "tokens 3 to 4: 2 equal"
    files = attest(examination, Key(1), EAS, claim.contract, NOW)
    wanted = WantedDrops(31337, claim.contract, EAS.address, claim.drops, NOW)
    for file, drop in zip(files, claim.drops, strict=True):
        entries, faults = check_attestations(file, "ada.json", wanted)
        assert (len(entries), faults) == (2, [])
        assert file.drop.equal
        assert file.content_root == "0x" + drop.content_root.hex()
        facts = entries[0].statement.environment
        assert {"torch", "machine", "cpu", "os", "processor", "profile"} <= facts.keys()
    assert files[0].drop.facts != files[1].drop.facts


def test_an_archive_is_attested_before_it_is_committed(minted, found):
    claim, examination = found
    before, car = archive_claim(minted[0] / "drops" / "tiny-1", 31337, claim.contract)
    assert before.drops == claim.drops[:1]
    assert car.name == "drop.car"
    assert archive_claim(car, 31337, claim.contract)[0] == before
    assert archive_claim(car, 1, claim.contract)[0].drops[0].content_root != before.drops[0].content_root


@pytest.mark.slow
def test_a_retouched_picture_is_signed_as_other_and_nothing_hides_it(minted, tmp_path):
    def change(files):
        picture = altered(files, 2)
        repaint(files, 2, picture, artmint__pixel_digest=pixel_digest(read_png(picture)[0]))

    examination = told_lie(minted, tmp_path, change)
    assert results(examination) == [(1, "equal"), (2, "other")]
    assert examination.exit_code == 1
    [drop] = examination.drops
    assert "largest difference 1 of 255" in drop.statements[1].differs
    [file] = attest(examination, Key(1), EAS, COLLECTION, NOW)
    assert not file.drop.equal
    assert drop.statements[1].pixel_digest != drop.statements[0].pixel_digest


@pytest.mark.slow
def test_files_that_contradict_themselves_are_signed_as_unsound(minted, tmp_path):
    def change(files):
        said = read_json(files["2.json"])
        said["artmint"]["dna"] = "0" * 64
        files["2.json"] = canonical(said)

    examination = told_lie(minted, tmp_path, change)
    assert results(examination) == [(1, "equal"), (2, "unsound")]
    assert examination.drops[0].statements[1].pixel_digest == "0" * 64
    assert examination.exit_code == 1


@pytest.mark.slow
def test_what_cant_be_looked_at_is_left_out_with_the_reason(minted, tmp_path):
    def change(files):
        files["2.json"] = b"no JSON"

    examination = told_lie(minted, tmp_path, change)
    assert results(examination) == [(1, "equal")]
    [left] = examination.drops[0].left
    assert (left.first, left.last) == (2, 2)
    assert "its JSON can't be read" in left.why
    [file] = attest(examination, Key(1), EAS, COLLECTION, NOW)
    assert file.drop is None  # its facts can't be computed
    assert "1 left out" in findings_line(examination.drops[0])


@pytest.mark.slow
def test_one_token_leaves_the_others_out_and_signs_nothing_of_the_whole(minted):
    claim = ask_chain(parse_address(f"embedded:{minted[1]}/3"), minted[0], "", [])
    [drop] = examine_claim(claim, [FolderStore(minted[0] / "store")]).drops
    assert [one.token for one in drop.statements] == [3]
    assert [(left.first, left.last, left.why) for left in drop.left] == [(4, 4, "nobody asked for it")]
    assert drop.facts == b""


def test_a_drop_that_no_store_has_isnt_attested(minted, tmp_path):
    store = shutil.copytree(minted[0] / "store", tmp_path / "store")
    claim = ask_chain(parse_address(f"embedded:{minted[1]}"), minted[0], "", [])
    nobody = replace(claim, drops=claim.drops)
    for path in store.glob("*.car"):
        path.unlink()
    examination = examine_claim(nobody, [FolderStore(store)])
    assert (examination.drops, examination.exit_code) == ((), 3)
    assert attest(examination, Key(1), EAS, COLLECTION, NOW) == []


def test_what_is_wrong_with_a_drop_keeps_it_from_being_equal(found):
    claim, examination = found
    drop = replace(examination.drops[0], sound=False)
    assert not drop.equal
    failed = Examination((Step("content root", "failed", "x"),), examination.drops)
    assert failed.exit_code == 1
    odd = TokenStatement(1, "0" * 64, "1" * 64, "alike", "0.4 levels")
    assert Examination((), (replace(drop, statements=(odd,)),)).exit_code == 0


@pytest.mark.parametrize("data", [b"", b"no archive", None])
def test_what_is_no_drop_is_refused_in_words(tmp_path, data):
    path = tmp_path / "x.car"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(NoDropIn) as caught:
        archive_claim(path, 31337, COLLECTION)
    assert "holds no drop that could be attested" in str(caught.value)


def test_an_archive_without_tokens_is_refused(minted):
    (path,) = (minted[0] / "weights").glob("*.car")
    with pytest.raises(NoDropIn, match="JSON files"):
        archive_claim(path, 31337, COLLECTION)
