"Proofs that others sign, whole: EAS's own contracts on anvil, three verifiers, one of them lying, two have to agree."

import json
import time

import pytest
from eth_account import Account

from artmint.attest import attest
from artmint.chain.admin import authorize, commit_drop, deploy, parties
from artmint.chain.connect import connect
from artmint.chain.eas import eas_at
from artmint.chain.journal import Journal
from artmint.chain.signers import KeystoreSigner, new_keystore
from artmint.core.manifest import read_manifest
from artmint.mint import mint
from artmint.prove.attestations import DropFindings, TokenStatement, read_attestations
from artmint.attest import Examination
from artmint.prove.evidence import ChainDrop
from artmint.ipfs.cid import CID
from artmint.seeds import load_collection
from artmint.studio.catalog import Catalog
from tests.attested import RealEas, ask_library
from tests.conftest import TINY
from tests.safes import artmint
from tests.studios import FAST

pytestmark = pytest.mark.slow


class Town:
    "A minted drop and EAS on an anvil, and verifiers with folders and keys of their own."

    def __init__(self, folder, node, minted):
        self.folder, self.node, self.minted = folder, node, minted
        self.web3 = connect(node.url, folder)
        self.payer = Account.create()
        node.fund(self.payer.address)
        self.eas = RealEas(self.web3, self.send)
        self.manifest = read_manifest((minted / "drops/tiny-1/drop.json").read_bytes())
        self.contract = self.collection()
        self.address = f"31337:{self.contract.address}"
        self.verifiers = {name: self.verifier(name) for name in ("ada", "ben", "mallory")}

    def send(self, call):
        "A receipt."
        fields = {
            "from": self.payer.address,
            "nonce": self.web3.eth.get_transaction_count(self.payer.address),
        }
        raw = self.payer.sign_transaction(call.build_transaction(fields)).raw_transaction
        return self.web3.eth.wait_for_transaction_receipt(self.web3.eth.send_raw_transaction(raw), 20, 0.01)

    def collection(self):
        "The tiny collection's first drop, as a studio mints it."
        keys = self.folder / "studio/keys"
        for role in ("admin", "minter"):
            new_keystore(keys / f"{role}.json", "word", FAST)
            self.node.fund(KeystoreSigner(keys / f"{role}.json", "word").address)
        who = parties(self.web3, keys, "word", treasury=Account.create().address)
        catalog, tiny = Catalog(self.folder / "studio"), load_collection(TINY)
        admin, minter = (Journal(catalog, self.web3, one) for one in (who.admin, who.minter))
        contract = deploy(admin, tiny, who.treasury)
        commit_drop(admin, contract, self.manifest)
        authorize(admin, contract, who.minter.address, 2)
        mint(minter, contract, self.manifest, 2, 2)
        return contract

    def verifier(self, name: str):
        "A folder with a verifier's key, and gas money."
        folder = self.folder / name
        new_keystore(folder / "keys/verifier.json", "word", FAST)
        self.node.fund(KeystoreSigner(folder / "keys/verifier.json", "word").address)
        return folder

    def options(self, name: str) -> list:
        "What every verifier types."
        return ["--studio", self.verifiers[name], "--store", self.minted / "store", "--rpc", self.node.url]

    def lie(self, capsys) -> None:
        "Mallory's own file: token 2 is other, she says."
        address = KeystoreSigner(self.verifiers["mallory"] / "keys/verifier.json", "word")
        drop = ChainDrop(1, 2, self.contract.functions.contentRootOf(1).call(), CID.parse(self.manifest.root))
        first, second = self.manifest.tokens
        machine = {"cpu": "a machine of hers"}
        said = (
            TokenStatement(1, first.dna, first.pixel_digest, "equal", "", machine),
            TokenStatement(2, second.dna, "ab" * 32, "other", "she says so", machine),
        )
        found = Examination((), (DropFindings(drop, said),))
        eas = eas_at(self.web3, self.eas.address)
        [file] = attest(found, address, eas, self.contract.address, int(time.time()))
        folder = self.verifiers["mallory"] / "attestations"
        folder.mkdir()
        (folder / file.name).write_bytes(file.data)

    def named(self):
        "The file of verifiers of whoever asks."
        rows = [
            f'{name} = "{KeystoreSigner(folder / "keys/verifier.json", "word").address}"'
            for name, folder in self.verifiers.items()
        ]
        path = self.folder / "mine.toml"
        path.write_text("\n".join([f'eas = "{self.eas.address}"', "[verifiers]", *rows]) + "\n")
        return path


@pytest.fixture(scope="module")
def town(minted, tmp_path_factory, request):
    from tests.anvil import Anvil
    from tests.conftest import node_tool

    node_tool("anvil")
    anvil = Anvil()
    yield Town(tmp_path_factory.mktemp("town"), anvil, minted[0])
    anvil.end()


def asked(town, capsys, needed: int, names: list[str], code: int) -> str:
    "What `verify` says when these verifiers' files are at hand."
    words = ["verify", town.address, "--rpc", town.node.url, "--studio", town.folder / "nobody"]
    words += ["--store", town.minted / "store", "--attested", needed, "--verifiers", town.named()]
    for name in names:
        words += ["--attestations", town.verifiers[name] / "attestations"]
    return " ".join(artmint(capsys, *words, code=code).split())


def test_three_verifiers_one_lying_two_have_to_agree(town, capsys, monkeypatch):
    monkeypatch.setenv("ARTMINT_PASSPHRASE", "word")
    for name in ("ada", "ben"):
        words = ["attest", town.address, "--eas", town.eas.address, *town.options(name)]
        plan = artmint(capsys, *words, "--timestamp", "--dry-run")
        assert "would have 0x" in plan
        assert "45," in plan  # thousand units of gas
        said = artmint(capsys, *words, "--timestamp")
        assert "tokens 1 to 2: 2 equal" in said
        assert "45,869 gas" in said
    town.lie(capsys)
    every = ["ada", "ben", "mallory"]
    said = asked(town, capsys, 2, every, 0)
    assert "2 of 2 tokens: at least 2 of 3 named verifiers rendered them again" in said
    assert "token 2: mallory says other: she says so" in said
    assert said.count("timestamped ") == 3  # two, and one that isn't
    assert "not timestamped" in said
    assert "a machine of hers" in said
    assert "mallory against it, ada, ben for it; 3 of 3 have to agree" in asked(town, capsys, 3, every, 1)
    assert "mallory against it, ada for it" in asked(town, capsys, 2, ["ada", "mallory"], 1)
    assert "have at most 1 of the 2 verifiers" in asked(town, capsys, 2, ["ada"], 3)


def test_a_root_is_timestamped_once_and_taken_back_once(town, capsys, monkeypatch):
    monkeypatch.setenv("ARTMINT_PASSPHRASE", "word")
    [path] = (town.verifiers["ada"] / "attestations").glob("*.json")
    words = [
        "attest",
        path,
        "--chain",
        town.node.url,
        "--eas",
        town.eas.address,
        "--studio",
        town.verifiers["ada"],
    ]
    stamps = town.eas.contract.events.Timestamped().get_logs(from_block=0)
    assert "already since" in artmint(capsys, *words, "--timestamp")
    assert "already" in artmint(capsys, *words, "--timestamp", "--dry-run")
    assert len(town.eas.contract.events.Timestamped().get_logs(from_block=0)) == len(stamps) == 2
    others = [*words[:-1], town.verifiers["ben"], "--revoke"]
    assert "only who said it takes it back" in " ".join(artmint(capsys, *others, code=2).split())
    assert "would be taken back" in artmint(capsys, *words, "--revoke", "--dry-run")
    assert "2 of 2 tokens" in asked(town, capsys, 2, ["ada", "ben"], 0)
    assert "taken back in block" in artmint(capsys, *words, "--revoke")
    assert "already" in artmint(capsys, *words, "--revoke")
    said = asked(town, capsys, 2, ["ada", "ben"], 3)
    assert "revoked (taken back by its signer): all of it" in said


def test_the_library_takes_what_was_written(town):
    [path] = (town.verifiers["ben"] / "attestations").glob("*.json")
    file = read_attestations(path.read_bytes())
    place = {"address": town.eas.address, "version": "1.4.0", "chainId": 31337}
    sigs = [entry["sig"] for entry in json.loads(path.read_bytes())["attestations"]]
    asked = [{"ask": "verify", "place": place, "signer": file.attester, "sig": sig} for sig in sigs]
    assert ask_library(*asked) == [True, True]
