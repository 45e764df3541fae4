"What was withheld and is told: by value and salt it is what was published, or it is a lie."

import shutil

import pytest

from artmint.chain.admin import authorize, commit_drop, deploy, parties
from artmint.chain.connect import connect
from artmint.chain.journal import Journal
from artmint.core.canon import canonical, digest, read_json
from artmint.core.manifest import BadMetadata
from artmint.core.records import Edition, Recipe
from artmint.generate import generate
from artmint.ipfs.cid import CID
from artmint.ipfs.stores import FolderStore
from artmint.make.base import weights_files
from artmint.make.engines import Diffusers
from artmint.metadata import pack
from artmint.mint import mint
from artmint.pin import publish
from artmint.prove.opening import NothingWithheld, Opening, open_packed, read_opening
from artmint.publish.tokens import BaseFacts, sealed_digest
from artmint.seeds import frozen_slots, load_collection, recipes
from artmint.studio.catalog import Catalog
from artmint.verify import verify
from tests.conftest import TINY
from tests.lies import failed, status

QUIET = load_collection(TINY).model_copy(update={"withheld": ("prompt", "seed"), "name": "quiet"})


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    "A minted collection of two tokens that withhold prompt and seed: studio and address."
    from artmint.make.base import load_base

    studio = tmp_path_factory.mktemp("quiet") / "studio"
    studio.mkdir()
    catalog, base, web3 = Catalog(studio), load_base(), connect("embedded", studio / "chain")
    slots = frozen_slots(catalog, QUIET, QUIET.salt)[:2]
    attempts = recipes(QUIET, slots, QUIET.salt, range(1, 2), base.digest)
    for slot, artifact in zip(slots, generate(catalog, Diffusers(base), attempts)):
        kept = artifact.model_dump(include={"dna", "pixel_digest", "file_digest"})
        facts = {"scores": {"contrast": 0.5}, "scorers": {"contrast": "1" * 64}, **kept}
        edition = Edition(slot=slot.id, attempt=1, traits=slot.traits, **facts)
        catalog.put("edition", f"quiet/{edition.slot}", edition.model_dump(mode="json"))
    who = parties(web3, studio / "keys", rounds=2**10)
    admin, minter = Journal(catalog, web3, who.admin), Journal(catalog, web3, who.minter)
    contract = deploy(admin, QUIET, who.treasury)
    authorize(admin, contract, who.minter.address, QUIET.supply)
    facts = BaseFacts(digest=base.digest, source=base.source)
    manifest = pack(catalog, QUIET, 1, 1, 2, facts, weights_files(base))
    publish(studio / "drops/quiet-1/drop.car", CID.parse(manifest.root), [FolderStore(studio / "store")])
    commit_drop(admin, contract, manifest)
    mint(minter, contract, manifest)
    return studio, f"embedded:{contract.address}"


@pytest.mark.slow
def test_nothing_published_lets_anybody_try_guesses(quiet):
    "No digest in a root or manifest is one that can be computed from the withheld values alone."
    studio, _ = quiet
    catalog = Catalog(studio)
    edition = Edition(**catalog.get("edition", "quiet/1"))
    drop = studio / "drops/quiet-1"
    published = b"".join(path.read_bytes() for path in (drop / "root").glob("*.json"))
    published += (drop / "drop.json").read_bytes() + (drop / "root/images/1.png").read_bytes()
    facts = catalog.get("artifact", edition.dna)["recipe"]
    unsalted = [edition.dna, Recipe.parse(facts).dna, QUIET.digest, *edition.scorers.values()]
    unsalted += [digest(facts["seed"]), digest(facts["prompt"]), digest(facts)]
    assert [name for name in unsalted if name.encode() in published] == []
    assert str(facts["seed"]).encode() not in published
    sealed = sealed_digest("dna", edition.dna, edition.dna, QUIET.salt)
    assert read_json((drop / "root/1.json").read_bytes())["artmint"]["dna"] == sealed


@pytest.mark.slow
def test_before_the_opening_it_is_unchecked_and_after_it_proven_to_the_pixel(quiet):
    studio, address = quiet
    closed = verify(address, studio, regenerate=True)
    assert closed.exit_code == 3
    assert not failed(closed)
    assert status(closed, "recipe") == {"unchecked"}
    opening = open_packed(Catalog(studio), QUIET, seeds=True)
    told = verify(address, studio, regenerate=True, opening=opening)
    assert told.exit_code == 0, told.text()
    assert status(told, "opening") == status(told, "seeds") == status(told, "regenerate") == {"held"}
    assert all(level == "held" for level in told.levels.values())


def test_without_the_salt_seeds_stay_the_studios_word(quiet):
    studio, address = quiet
    proof = verify(address, studio, opening=open_packed(Catalog(studio), QUIET))
    assert status(proof, "opening") == {"held"}
    assert status(proof, "seeds") == {"unchecked"}


def changed(opening: Opening, change) -> Opening:
    "An opening that tells something else."
    body = read_json(opening.data)
    change(body)
    return Opening.model_validate_json(canonical(body))


@pytest.mark.many(3)
@pytest.mark.parametrize(
    "change",
    [
        lambda body: body["tokens"]["2"]["fields"]["seed"].update(value=7),
        lambda body: body["tokens"]["2"]["fields"]["seed"].update(value="7"),
        lambda body: body["tokens"]["2"]["fields"]["prompt"].update(value="nicer words"),
        lambda body: body["tokens"]["2"]["fields"]["prompt"].update(salt="0" * 64),
        lambda body: body["tokens"]["2"].update(dna_salt="0" * 64),
        lambda body: body["tokens"]["2"]["fields"].update(steps={"value": 3, "salt": "0" * 64}),
        lambda body: body["tokens"].update({"2": body["tokens"]["1"]}),
    ],
)
def test_an_opening_that_tells_something_else_is_a_lie(quiet, change):
    studio, address = quiet
    opening = changed(open_packed(Catalog(studio), QUIET, seeds=True), change)
    proof = verify(address, studio, opening=opening)
    assert "opening" in failed(proof), proof.text()
    assert failed(proof)["opening"].startswith("token 2")


def test_a_salt_that_gives_other_seeds_is_a_lie(quiet):
    studio, address = quiet
    opening = changed(
        open_packed(Catalog(studio), QUIET, seeds=True), lambda body: body.update(salt="another")
    )
    assert "seeds" in failed(verify(address, studio, opening=opening))


def test_half_an_opening_leaves_the_rest_unchecked(quiet):
    studio, address = quiet
    opening = changed(open_packed(Catalog(studio), QUIET), lambda body: body["tokens"].pop("2"))
    proof = verify(address, studio, opening=opening)
    assert proof.exit_code == 3
    assert status(proof, "opening") == {"unchecked"}
    assert "1 of 2" in next(step.evidence for step in proof.steps if step.name == "opening")


def test_an_earlier_drop_whose_dna_was_bare_opens_too(quiet):
    "Drops that were packed before digests were sealed keep their proofs."
    from artmint.prove.opening import open_reports
    from artmint.prove.tokens import TokenReport
    from artmint.publish.tokens import read_token

    studio, _ = quiet
    metadata = read_token((studio / "drops/quiet-1/root/1.json").read_bytes())
    bare = Edition(**Catalog(studio).get("edition", "quiet/1")).dna
    about = metadata.artmint.model_copy(update={"dna": bare})
    report = TokenReport(1, (), metadata.model_copy(update={"artmint": about}))
    opened, steps = open_reports([report], open_packed(Catalog(studio), QUIET))
    assert [step.status for step in steps] == ["held"]
    assert opened[0].metadata.artmint.recipe["prompt"]


def test_what_withholds_nothing_has_no_opening(minted, tmp_path):
    shutil.copytree(minted[0], tmp_path / "studio")
    with pytest.raises(NothingWithheld):
        open_packed(Catalog(tmp_path / "studio"), load_collection(TINY))
    opening = open_packed(Catalog(tmp_path / "studio"), load_collection(TINY), seeds=True)
    proof = verify(f"embedded:{minted[1]}", minted[0], opening=opening)
    assert status(proof, "seeds") == {"held"}


def test_a_file_that_is_no_opening_is_refused(tmp_path):
    path = tmp_path / "opening.json"
    for data in (b"", b"{}", b'{"collection": "x"}', b"[]", b"\xff"):
        path.write_bytes(data)
        with pytest.raises(BadMetadata):
            read_opening(path)
