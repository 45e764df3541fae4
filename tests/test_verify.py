"A stranger's proof: what is true holds, and every lie is named, wherever in the line it was told."

import json
import shutil
import subprocess
import sys

import pytest

from artmint.ipfs.stores import FolderStore
from artmint.prove.proof import NotProven
from artmint.studio.catalog import Catalog
from artmint.verify import verify
from tests.lies import failed, status, tree

# -- what is true


def test_a_sound_collection_is_proven_to_the_last_pixel(minted):
    said = []
    proof = verify(
        f"embedded:{minted[1]}", minted[0], regenerate=True, say=lambda *counts: said.append(counts)
    )
    assert proof.exit_code == 0, proof.text()
    assert {step.status for step in proof.steps if step.asked} == {"held"}, proof.text()
    names = [
        "chain",
        "contract",
        "tokenURI",
        "archive",
        "content root",
        "provenance",
        "metadata",
        "recipe",
        "picture",
        "pixels",
        "marks",
        "unique",
        "traits",
        "names",
        "files",
        "manifest",
        "regenerate",
    ]
    assert [step.name for step in proof.steps if step.asked] == names
    words = ["contractURI", "scores", "seeds", "words", "sources"]
    assert [step.name for step in proof.steps if not step.asked] == words
    assert all(step.status == "unchecked" for step in proof.steps if not step.asked)
    assert said == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert all(
        "4 of 4" in step.evidence
        for step in proof.steps
        if step.name in ("tokenURI", "metadata", "recipe", "picture", "pixels", "manifest", "regenerate")
    )
    assert "from ipfs://b" in proof.steps[-1].evidence
    assert "\n" not in "".join(step.evidence for step in proof.steps)
    assert json.loads(json.dumps(proof.to_dict()))["exit_code"] == 0
    assert proof.text().count("✓") == len(names)
    proof.insist()


def test_nobody_asked_is_unchecked_and_not_a_fault(minted):
    proof = verify(f"31337:{minted[1]}", minted[0])
    assert proof.exit_code == 0
    assert status(proof, "regenerate") == {"unchecked"}
    proof.insist()


def test_one_token_and_a_range(minted):
    proof = verify(f"embedded:{minted[1]}/3", minted[0])
    assert proof.exit_code == 0
    assert "1 of 1" in proof.text()
    assert "read by path" in proof.text()
    proof = verify(f"embedded:{minted[1]}", minted[0], tokens=range(2, 4))
    assert proof.exit_code == 0
    assert "2 of 2 JSON files" in proof.text()
    assert "read by path" in proof.text()
    assert status(proof, "content root") == {"held"}  # its other leaves are in drop.json


@pytest.mark.slow
def test_it_needs_no_model_stack_and_changes_nothing(minted):
    before = tree(minted[0])
    program = "import sys; sys.modules.update(dict.fromkeys(['torch', 'diffusers', 'transformers', 'open_clip'])); from artmint.verify import verify; p = verify(*sys.argv[1:]); print(p.exit_code)"
    done = subprocess.run(
        [sys.executable, "-c", program, f"embedded:{minted[1]}", str(minted[0])],
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "0", done.stdout + done.stderr
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            program.replace("sys.argv[1:]", "sys.argv[1:], regenerate=True"),
            f"embedded:{minted[1]}",
            str(minted[0]),
        ],
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "3", done.stdout + done.stderr
    assert tree(minted[0]) == before


# -- the archive


@pytest.mark.slow
def test_what_no_store_has_is_unchecked(studio):
    folder, address = studio
    next((folder / "store").glob("*.car")).unlink()
    proof = verify(address, folder, regenerate=False)
    assert proof.exit_code == 3
    assert not failed(proof)
    assert status(proof, "archive") == {"unchecked", "held"}
    assert "1 of 2 archives whole" in proof.text()
    assert "2 of 2 JSON files" in proof.text()
    with pytest.raises(NotProven):
        proof.insist()
    assert verify(address, folder, stores=[]).exit_code == 3
    assert verify(address, folder, stores=[FolderStore(folder / "nothing")]).exit_code == 3


@pytest.mark.slow
def test_one_honest_store_is_enough(studio, minted):
    folder, address = studio
    for path in (folder / "store").glob("*.car"):
        path.write_bytes(path.read_bytes()[:-1])
    assert verify(address, folder).exit_code == 3
    stores = [FolderStore(folder / "store"), FolderStore(minted[0] / "store")]
    proof = verify(address, folder, stores=stores)
    assert proof.exit_code == 0
    assert "not believed: folder store gave no sound archive" in proof.text()


def test_stores_fill_each_others_gaps_block_by_block(studio, minted, tmp_path):
    folder, address = studio
    other = tmp_path / "other"
    shutil.copytree(folder / "store", other)
    for number, store in enumerate((folder / "store", other)):
        for path in store.glob("*.car"):
            whole = path.read_bytes()
            at = len(whole) // 3 * (number + 1)
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    assert verify(address, folder).exit_code == 3
    assert verify(address, folder, stores=[FolderStore(other)]).exit_code == 3
    proof = verify(address, folder, stores=[FolderStore(folder / "store"), FolderStore(other)])
    assert proof.exit_code == 0, proof.text()


# -- a studio that lies, and puts its lie on chain


def test_the_truth_told_by_somebody_else_holds(lie):
    proof = lie(lambda files: None)
    assert proof.exit_code == 0, proof.text()


def test_the_catalog_of_the_fixture_is_sound(minted):
    assert Catalog(minted[0]).check() == []
