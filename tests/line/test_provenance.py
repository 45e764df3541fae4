"What was fixed beforehand: sealed drops, and the provenance hash of the whole collection, computed again from what was published."

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from artmint.core.canon import canonical, read_json
from artmint.ipfs.cid import CID
from artmint.ipfs.stores import FolderStore
from artmint.metadata import NotAllPacked, NothingPacked, pack, provenance_record
from artmint.pin import publish
from artmint.prove.evidence import ChainClaim, Seal, ask_chain, check_provenance, check_seals, parse_address
from artmint.console.cli import main
from artmint.verify import verify
from tests.packed import BASE, DEMO, FOLDER, WEIGHTS, fill


@pytest.fixture(scope="module")
def sold(tmp_path_factory):
    "The demo in two drops: the first sealed, minted, then told; the second in the open. (folder, address, hash as collectors compute it)."
    from artmint.chain.admin import authorize, commit_drop, deploy, parties, reveal_drop, seal_drop
    from artmint.chain.connect import connect
    from artmint.chain.journal import Journal
    from artmint.mint import mint

    catalog = fill(tmp_path_factory.mktemp("sold") / "studio", 16)
    folder = catalog.folder
    web3 = connect("embedded", catalog.folder / "chain")
    who = parties(web3, folder / "keys", rounds=2**10)
    admin = Journal(catalog, web3, who.admin)
    minter = Journal(catalog, web3, who.minter)
    contract = deploy(admin, DEMO, who.treasury)
    authorize(admin, contract, who.minter.address, 16)
    packed = [
        pack(catalog, DEMO, drop, first, quantity, BASE, WEIGHTS)
        for drop, first, quantity in ((1, 1, 10), (2, 11, 6))
    ]
    for drop in packed:
        publish(
            folder / f"drops/demo-{drop.drop}/drop.car", CID.parse(drop.root), [FolderStore(folder / "store")]
        )
    seal_drop(admin, contract, packed[0])
    mint(minter, contract, packed[0])
    address = f"embedded:{contract.address}"
    before = verify(f"embedded:{contract.address}", folder)
    assert before.exit_code == 3
    assert "sealed" in before.text()
    reveal_drop(admin, contract, packed[0])
    commit_drop(admin, contract, packed[1])
    half = verify(address, folder, provenance="0" * 64)
    mint(minter, contract, packed[1])
    pictures = [next((folder / "drops").rglob(f"images/{i}.png")).read_bytes() for i in range(1, 17)]
    return (
        folder,
        address,
        hashlib.sha256("".join(hashlib.sha256(each).hexdigest() for each in pictures).encode()).hexdigest(),
        half,
    )


def said(proof, name: str) -> list:
    return [(step.status, step.evidence) for step in proof.steps if step.name == name]


@pytest.mark.slow
def test_a_stranger_computes_the_collectors_hash_from_the_published_pictures(sold):
    folder, address, expected, _ = sold
    for given in ("", expected, f"0x{expected.upper()}"):
        proof = verify(address, folder, provenance=given)
        assert proof.exit_code == 0, proof.text()
        ((status, evidence),) = said(proof, "provenance")
        assert status == "held"
        assert expected in evidence
        assert ("as was published" in evidence) == bool(given)


@pytest.mark.slow
def test_another_hash_fails_the_proof_and_names_both(sold):
    folder, address, expected, _ = sold
    proof = verify(address, folder, provenance="ab" * 32)
    ((status, evidence),) = said(proof, "provenance")
    assert status == "failed"
    assert expected in evidence
    assert "ab" * 32 in evidence
    assert proof.exit_code == 1
    assert proof.levels["content"] == "failed"


@pytest.mark.slow
def test_a_part_of_the_collection_has_no_hash(sold):
    folder, address, expected, half = sold
    assert said(half, "provenance") == [
        ("unchecked", "the hash is over all 16 pictures of the collection, and not all of them are here")
    ]
    assert half.exit_code == 3
    assert said(verify(f"{address}/3", folder), "provenance") == []
    assert said(verify(f"{address}/3", folder, provenance=expected), "provenance")[0][0] == "unchecked"


@pytest.mark.slow
def test_a_sealed_drop_is_shown_to_be_what_was_sealed_before_it_was_minted(sold):
    folder, address, *_ = sold
    claim = ask_chain(parse_address(address), folder, "", [])
    (seal,) = claim.seals
    assert (seal.first, seal.quantity, seal.opens) == (1, 10, True)
    assert seal.sealed < seal.minted < seal.revealed
    assert claim.supply == 16
    ((status, evidence),) = said(verify(address, folder), "seal")
    assert status == "held"
    assert (
        f"sealed in block {seal.sealed}, minted from block {seal.minted} on, told in block {seal.revealed}"
        in evidence
    )


def test_what_opens_no_seal_or_comes_in_the_wrong_order_fails():
    good = Seal(1, 4, sealed=7, revealed=12, minted=9, opens=True)
    claim = ChainClaim(1, "0x", range(1, 5), {}, ())
    for seal, status in (
        (good, "held"),
        (replace(good, minted=None), "held"),
        (replace(good, minted=13), "held"),
        (replace(good, opens=False), "failed"),
        (replace(good, minted=6), "failed"),
        (replace(good, revealed=6), "failed"),
    ):
        assert [step.status for step in check_seals(replace(claim, seals=(seal,)))] == [status], seal
    (step,) = check_seals(replace(claim, seals=None))
    assert step.status == "unchecked"
    assert not step.asked
    assert [*check_seals(claim)] == []


@pytest.mark.slow
def test_a_node_that_tells_no_past_leaves_the_rest_of_the_proof_whole(sold, monkeypatch):
    from web3.contract.contract import ContractEvent
    from web3.exceptions import Web3RPCError

    def limited(*_, **__):
        raise Web3RPCError("block range is too large")

    monkeypatch.setattr(ContractEvent, "get_logs", limited)
    proof = verify(sold[1], sold[0])
    assert proof.exit_code == 0
    assert said(proof, "seal")[0][0] == "unchecked"
    assert said(proof, "provenance")[0][0] == "held"


@pytest.mark.slow
def test_a_node_that_tells_another_past_is_noticed(sold, monkeypatch):
    "The salt in the transaction that told the drop is not the one that it was sealed with."
    import web3.eth

    real = web3.eth.Eth.get_transaction

    def other(self, number):
        found = dict(real(self, number))
        return found | {"input": bytes(found["input"])[:-1] + bytes([bytes(found["input"])[-1] ^ 1])}

    monkeypatch.setattr(web3.eth.Eth, "get_transaction", other)
    proof = verify(sold[1], sold[0])
    assert proof.exit_code == 1, proof.text()
    assert said(proof, "seal")[0][0] == "failed", proof.text()


@pytest.mark.slow
def test_the_record_for_marketplaces(sold, tmp_path, capsys):
    folder, address, expected, _ = sold
    with pytest.raises(SystemExit) as end:
        main(["provenance", str(FOLDER), "--studio", str(folder), "--out", str(tmp_path / "provenance.json")])
    assert end.value.code == 0
    assert capsys.readouterr().out.strip() == expected
    record = read_json((tmp_path / "provenance.json").read_bytes())
    assert canonical(record) == (tmp_path / "provenance.json").read_bytes() == provenance_record(folder, DEMO)
    assert record["concatenated"] == "".join(record["pictures"][str(i)] for i in range(1, 17))
    assert (record["collection"], record["first"], record["last"]) == ("demo", 1, 16)
    assert hashlib.sha256(record["concatenated"].encode()).hexdigest() == record["provenance"] == expected
    with pytest.raises(SystemExit):
        main(["provenance", str(FOLDER), "--studio", str(folder)])
    assert json.loads(capsys.readouterr().out)["provenance"] == expected
    with pytest.raises(SystemExit) as end:
        main(["verify", address, "--studio", str(folder), "--provenance", expected])
    assert end.value.code == 0
    assert "as was published" in capsys.readouterr().out


@pytest.mark.parametrize("verb", [["provenance"], ["open", "--seeds"]])
def test_what_was_published_is_written_over_nothing_else(sold, tmp_path, verb, capsys):
    "The same bytes again are no matter."
    out = tmp_path / "published.json"
    for before, code in ((None, 0), ("as it is", 0), (b"another's", 2)):
        if isinstance(before, bytes):
            out.write_bytes(before)
        with pytest.raises(SystemExit) as end:
            main([*verb, str(FOLDER), "--studio", str(sold[0]), "--out", str(out)])
        assert end.value.code == code
    assert out.read_bytes() == b"another's"
    assert "Nothing was written over it" in capsys.readouterr().err


def test_a_collection_with_a_drop_missing_has_no_record(sold, tmp_path):
    (tmp_path / "drops/demo-2").mkdir(parents=True)
    (tmp_path / "drops/demo-2/drop.json").write_bytes((sold[0] / "drops/demo-2/drop.json").read_bytes())
    with pytest.raises(NotAllPacked, match="Tokens 11 to 16 of demo are packed, and it has 1 to 16"):
        provenance_record(tmp_path, DEMO)
    with pytest.raises(NothingPacked, match="--studio"):
        provenance_record(Path(tmp_path / "none"), DEMO)


def test_pictures_that_are_not_the_committed_ones_have_no_hash(sold, tmp_path, monkeypatch):
    import artmint.prove.evidence

    monkeypatch.setattr(artmint.prove.evidence, "content_root", lambda *_: (bytes(32), {}))
    proof = verify(sold[1], sold[0])
    assert said(proof, "content root")[0][0] == "failed"
    assert said(proof, "provenance") == []


def test_no_tokens_have_no_hash():
    assert [*check_provenance(ChainClaim(1, "0x", range(1, 5), {}, (), 4), [])] == []
    assert [
        step.status for step in check_provenance(ChainClaim(1, "0x", range(1, 5), {}, (), 4), [], "0" * 64)
    ] == ["unchecked"]
