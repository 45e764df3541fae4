"Through ape, on the provider that it is given: py-evm by default, anvil by --network. Run by tests/test_ape.py."

import hashlib
import sys
from pathlib import Path

import ape
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import deploy as script  # noqa: E402

from artmint.chain.contract import contract_of  # noqa: E402
from artmint.chain.deployments import ContractThere  # noqa: E402
from artmint.seeds import load_collection  # noqa: E402
from artmint.studio.catalog import Catalog  # noqa: E402

DEMO = load_collection(ROOT / "collections/demo")
ROOT_HASH, CID = (hashlib.sha256(word).digest() for word in (b"root", b"cid"))


@pytest.fixture
def art(accounts):
    return script.deploy(accounts[0], DEMO, accounts[1].address, accounts[2].address, 60)


def test_the_script_deploys_the_packages_contract(art, accounts, tmp_path):
    assert (
        art.owner() == accounts[1]
        and art.treasury() == accounts[2]
        and art.maxSupply() == DEMO.supply
        and art.defaultAdminDelay() == 60
    )
    asked = {"admin": str(accounts[1].address), "treasury": str(accounts[2].address), "delay": 60}
    sender = str(accounts[0].address)
    for studio in (tmp_path, tmp_path / "again"):  # the second has lost its catalog: it looks before it pays
        studio.mkdir(exist_ok=True)
        assert script.standing(studio, DEMO, sender, asked, set()) == art.address
        assert contract_of(Catalog(studio), ape.networks.provider.web3, DEMO.name).address == art.address
    (tmp_path / "other").mkdir()
    with pytest.raises(ContractThere):
        script.standing(tmp_path / "other", DEMO, sender, asked | {"delay": 61}, set())
    assert script.standing(tmp_path / "other", DEMO, sender, asked, {art.address}) == ""


def test_a_drop_from_commitment_to_transfer(art, accounts):
    deployer, admin, treasury, minter = accounts[:4]
    art.commitDrop(1, 5, ROOT_HASH, CID, sender=admin)
    art.grantRole(art.MINTER_ROLE(), minter, sender=admin)
    art.setAllowance(minter, 5, 3, 3600, sender=admin)
    art.mintBatch(1, 3, 2, sender=minter)
    assert [art.ownerOf(token) for token in (1, 2, 3)] == [treasury] * 3 and art.tokenURI(3).endswith(
        "/3.json"
    )
    with ape.reverts(art.WindowTooSmall):
        art.mintBatch(4, 2, 0, sender=minter)
    with ape.reverts(art.NotNextToken):
        art.mintBatch(1, 1, 0, sender=minter)
    with ape.reverts(art.AccessControlUnauthorizedAccount):
        art.setTreasury(minter, sender=minter)
    art.transferFrom(treasury, deployer, 2, sender=treasury)
    assert art.ownerOf(2) == deployer and art.totalSupply() == 3


def test_a_sealed_drop(art, accounts):
    admin, salt = accounts[1], b"s" * 32
    art.commitSealedDrop(1, 5, art.commitmentOf(1, ROOT_HASH, CID, salt), sender=admin)
    with ape.reverts(art.OtherCommitment):
        art.reveal(1, CID, CID, salt, sender=admin)
    receipt = art.reveal(1, ROOT_HASH, CID, salt, sender=admin)
    assert [event.event_name for event in receipt.events] == [
        "DropRevealed",
        "BatchMetadataUpdate",
    ] and art.contentRootOf(5) == ROOT_HASH
