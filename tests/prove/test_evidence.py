"Evidence: addresses, chains, archives, and what was changed in them."

import random

import pytest

from artmint.chain.contract import artifact
from artmint.ipfs.car import check_car, open_car, write_car
from artmint.ipfs.cid import CID
from artmint.prove.evidence import Archive, BadAddress, ChainClaim, ChainDrop, check_uris, parse_address
from artmint.prove.proof import NotProven
from artmint.verify import verify
from tests.lies import NOWHERE, Studio, failed, status


@pytest.mark.slow
def test_of_many_tokens_the_ends_of_each_drop_are_asked(minted, monkeypatch):
    monkeypatch.setattr("artmint.prove.evidence.URIS", 2)
    proof = verify(f"embedded:{minted[1]}", minted[0], tokens=range(2, 5))
    assert proof.exit_code == 0
    assert next(step for step in proof.steps if step.name == "tokenURI").evidence.startswith("3 of 3")
    root = CID.of(0x70, b"")
    drop = ChainDrop(1, 9, b"", root)
    uris = {1: f"ipfs://{root}/1.json", 9: f"ipfs://{root}/9.json"}
    (step,) = check_uris(ChainClaim(1, NOWHERE, range(1, 10), uris, (drop,)))
    assert step.status == "held"
    assert step.evidence.startswith("2 of 2")
    assert "all 9" in step.evidence
    (step,) = check_uris(
        ChainClaim(
            1, NOWHERE, range(1, 10), uris | {9: f"https://gateway.example/ipfs/{root}/9.json"}, (drop,)
        )
    )
    assert step.status == "failed"
    assert step.token == 9
    assert "gateway.example" in step.evidence


@pytest.mark.slow
def test_a_flipped_byte_in_a_store_is_the_stores_and_no_tokens_fault(studio):
    folder, address = studio
    path = next((folder / "store").glob("*.car"))
    whole = path.read_bytes()
    car = open_car(path)
    files = {each: name for name, each in check_car(car, car.roots[0]).items()}
    chosen = [random.Random(1).randrange(len(whole)) for _ in range(2)]
    chosen += [start + size // 2 for each, (start, size) in car.index.items() if each in files]
    for at in chosen:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        proof = verify(address, folder)
        assert not failed(proof)
        hit = next((each for each, (start, size) in car.index.items() if start <= at < start + size), None)
        if hit is None and proof.exit_code == 0:
            continue  # in the header, which nobody needs
        assert proof.exit_code == 3
        if hit:
            told = " ".join(step.evidence for step in proof.steps if step.name == "archive")
            assert str(hit) in told
            assert files.get(hit, "") in told
        assert status(proof, "metadata") <= {"held"}
        assert "2 of 4 tokens have no sound archive" in proof.text()
    with pytest.raises(NotProven, match="speaks of the stores"):
        proof.insist()


def test_an_archive_packed_anew_is_another_archive(studio):
    "The picture is changed, everything above it is computed again, and the header says what is expected."
    folder, address = studio
    path = next((folder / "store").glob("*.car"))
    old = CID.parse(path.stem)
    built = write_car(path, {"images": {"1.png": b"a nicer picture"}})
    for _ in range(2):
        proof = verify(address, folder)
        assert proof.exit_code == 3
        assert not failed(proof)
        assert f"block {old} of '/' is missing" in proof.text()
        path.write_bytes(path.read_bytes().replace(built.root.bytes, old.bytes, 1))


@pytest.mark.parametrize(
    "address",
    [
        "",
        NOWHERE,
        "1:0x12",
        f"1:{NOWHERE}/0",
        f"1:{NOWHERE}/07",
        f"1:{NOWHERE}/",
        f"1 :{NOWHERE}",
        f":{NOWHERE}",
        f"1:{NOWHERE}\n",
        f"1:{NOWHERE}/" + "9" * 30,
    ],
)
def test_other_addresses_are_refused(address, tmp_path):
    with pytest.raises(BadAddress) as refused:
        verify(address, tmp_path)
    assert refused.value.exit_code == 2


def test_addresses_of_nodes():
    assert (
        parse_address(f"https://node.example:8545/key:{NOWHERE}/7").chain == "https://node.example:8545/key"
    )
    assert parse_address(f"eip155:{NOWHERE}").tokens is None


def test_a_chain_that_does_not_answer_is_unchecked(studio, tmp_path):
    folder, address = studio
    for where in (f"embedded:{NOWHERE}", f"1:{NOWHERE}"):
        assert verify(where, tmp_path / "none").exit_code == 3
    assert not (tmp_path / "none").exists()
    assert verify(address.replace("embedded", "5"), folder).exit_code == 3
    proof = verify(f"http://127.0.0.1:9/secret-key:{NOWHERE}", folder)
    assert proof.exit_code == 3
    assert "secret-key" not in proof.text()
    assert verify(f"1:{NOWHERE}", folder, rpc="http://127.0.0.1:9/").exit_code == 3


def test_no_code_other_code_and_no_token(studio):
    folder, address = studio
    proof = verify(f"embedded:{NOWHERE}", folder)
    assert proof.exit_code == 1
    assert "0 bytes of code" in failed(proof)["chain"]
    proof = verify(f"{address}/5", folder)
    assert proof.exit_code == 1
    assert "token 5 is not minted" in failed(proof)["chain"]
    code = bytes.fromhex(artifact()["bytecode"][2:]).replace(b"ipfs://", b"http://")
    other = Studio(folder / "other", code=code).contract.address
    proof = verify(f"embedded:{other}", folder / "other")
    assert proof.exit_code == 1
    assert "not the ArtMint contract" in failed(proof)["contract"]


def test_a_changed_chain_is_named(studio):
    folder, address = studio
    log = folder / "chain" / "blocks.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:3] + lines[4:]))
    proof = verify(address, folder)
    assert proof.exit_code == 1
    assert "Line 4" in failed(proof)["chain"]


def test_a_root_on_chain_that_the_files_do_not_give(lie):
    proof = lie(lambda files: None, content=b"\x07" * 32)
    assert set(failed(proof)) == {"content root"}
    assert "07" * 32 in failed(proof)["content root"]


def test_a_tokens_files_are_hashed_once(minted, monkeypatch):
    "They are read to be looked at, and for the proof's first pages; the Merkle root and the provenance hash share a reading."
    read = []
    plain = Archive.read

    def counted(archive, path, limit):
        read.append(path)
        return plain(archive, path, limit)

    monkeypatch.setattr(Archive, "read", counted)
    verify(f"embedded:{minted[1]}", minted[0])
    assert read.count("images/1.png") == 3
