"The contract: what each party may do, and what it refuses."
import base64
import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from eth_account import Account
from eth_utils import keccak
from web3.exceptions import ContractCustomError

from artmint.chain import connect

ROOT = Path(__file__).resolve().parents[1]
ARTIFACT = json.loads((ROOT / "artmint/data/contracts/ArtMint.json").read_text())
ROOT_A, ROOT_B, CID_A, CID_B = (hashlib.sha256(name).digest() for name in (b"root a", b"root b", b"cid a", b"cid b"))
ZERO = "0x" + "00" * 20


class Desk:
    "A contract on a fresh chain, and keys for everybody."

    def __init__(self, folder, supply=250, royalty=750):
        self.web3 = connect("embedded", folder)
        self.admin, self.minter, self.pauser, self.stranger, self.treasury = (Account.create() for _ in range(5))
        for account in (self.admin, self.minter, self.pauser, self.stranger): self.web3.provider.chain.fund(account.address, 10**9)
        factory = self.web3.eth.contract(abi=ARTIFACT["abi"], bytecode=ARTIFACT["bytecode"])
        receipt = self.send(self.admin, factory.constructor("Demo", "DEMO", supply, self.admin.address, 0, self.treasury.address, self.treasury.address, royalty))
        self.deploy_gas, self.address = receipt["gasUsed"], receipt["contractAddress"]
        self.contract = self.web3.eth.contract(self.address, abi=ARTIFACT["abi"])
        self.calls = self.contract.functions
        self.send(self.admin, self.calls.grantRole(self.calls.MINTER_ROLE().call(), self.minter.address))
        self.send(self.admin, self.calls.grantRole(self.calls.PAUSER_ROLE().call(), self.pauser.address))

    def send(self, account, call, gas=8_000_000):
        fields = {"from": account.address, "nonce": self.web3.eth.get_transaction_count(account.address), "gas": gas,
                  "maxFeePerGas": 3 * 10**9, "maxPriorityFeePerGas": 10**9, "chainId": self.web3.eth.chain_id}
        signed = account.sign_transaction(call.build_transaction(fields))
        receipt = self.web3.eth.get_transaction_receipt(self.web3.eth.send_raw_transaction(signed.raw_transaction))
        return receipt

    def ready(self, quantity=100, allowance=100):
        self.send(self.admin, self.calls.commitDrop(1, quantity, ROOT_A, CID_A))
        self.send(self.admin, self.calls.setAllowance(self.minter.address, allowance))
        return self


@pytest.fixture
def desk(tmp_path): return Desk(tmp_path / "chain")


def refusal(desk, account, call):
    "Name and values of the error a call is refused with; the transaction itself must fail too."
    errors = {keccak(text=f"{e['name']}({','.join(i['type'] for i in e['inputs'])})")[:4]: e for e in ARTIFACT["abi"] if e["type"] == "error"}
    with pytest.raises(ContractCustomError) as caught: call.call({"from": account.address})
    data = bytes.fromhex(caught.value.data[2:])
    error = errors[data[:4]]
    assert desk.send(account, call)["status"] == 0
    return error["name"], *desk.web3.codec.decode([i["type"] for i in error["inputs"]], data[4:])


def cid(digest): return "b" + base64.b32encode(b"\x01\x70\x12\x20" + digest).decode().lower().rstrip("=")


def test_first_token_is_one_and_goes_to_the_treasury(desk):
    desk.ready()
    receipt = desk.send(desk.minter, desk.calls.mintBatch(1, 3))
    assert receipt["status"] == 1
    assert [desk.calls.ownerOf(i).call() for i in (1, 2, 3)] == [desk.treasury.address] * 3
    assert desk.calls.totalSupply().call() == 3 and desk.calls.nextToken().call() == 4
    assert [log["args"]["tokenId"] for log in desk.contract.events.Transfer().process_receipt(receipt)] == [1, 2, 3]


def test_the_same_batch_again_is_refused(desk):
    desk.ready()
    desk.send(desk.minter, desk.calls.mintBatch(1, 5))
    assert refusal(desk, desk.minter, desk.calls.mintBatch(1, 5)) == ("NotNextToken", 6, 1)
    assert refusal(desk, desk.minter, desk.calls.mintBatch(7, 5)) == ("NotNextToken", 6, 7)
    assert desk.calls.totalSupply().call() == 5


def test_only_committed_tokens(desk):
    assert refusal(desk, desk.minter, desk.calls.mintBatch(1, 1)) == ("NotCommitted", 1, 0)
    desk.ready(quantity=4)
    assert refusal(desk, desk.minter, desk.calls.mintBatch(1, 5)) == ("NotCommitted", 5, 4)
    assert desk.send(desk.minter, desk.calls.mintBatch(1, 4))["status"] == 1


def test_only_within_the_allowance(desk):
    desk.ready(allowance=3)
    assert refusal(desk, desk.minter, desk.calls.mintBatch(1, 4)) == ("AllowanceTooSmall", desk.minter.address.lower(), 3, 4)
    desk.send(desk.minter, desk.calls.mintBatch(1, 2))
    assert refusal(desk, desk.minter, desk.calls.mintBatch(3, 2)) == ("AllowanceTooSmall", desk.minter.address.lower(), 1, 2)
    assert desk.calls.allowanceOf(desk.minter.address).call() == [3, 2]


def test_an_allowance_counts_a_lifetime(desk):
    desk.ready(allowance=3)
    desk.send(desk.minter, desk.calls.mintBatch(1, 3))
    receipt = desk.send(desk.admin, desk.calls.setAllowance(desk.minter.address, 3))
    event = desk.contract.events.AllowanceSet().process_receipt(receipt)[0]["args"]
    assert (event["minter"], event["total"], event["used"]) == (desk.minter.address, 3, 3)
    assert refusal(desk, desk.minter, desk.calls.mintBatch(4, 1))[0] == "AllowanceTooSmall"
    desk.send(desk.admin, desk.calls.setAllowance(desk.minter.address, 1))
    assert refusal(desk, desk.minter, desk.calls.mintBatch(4, 1)) == ("AllowanceTooSmall", desk.minter.address.lower(), 0, 1)
    assert refusal(desk, desk.admin, desk.calls.setAllowance(desk.minter.address, 2**128)) == ("BadAllowance", 2**128)


def test_limits_of_one_batch(desk):
    desk.ready()
    assert refusal(desk, desk.minter, desk.calls.mintBatch(1, 0)) == ("NothingAsked",)
    assert refusal(desk, desk.minter, desk.calls.mintBatch(1, 101)) == ("BatchTooLarge", 101, 100)
    assert refusal(desk, desk.minter, desk.calls.mintBatch(1, 2**256 - 1)) == ("BatchTooLarge", 2**256 - 1, 100)


def test_drops_begin_where_the_last_one_ended(desk):
    desk.ready(quantity=4)
    assert refusal(desk, desk.admin, desk.calls.commitDrop(1, 4, ROOT_A, CID_A)) == ("NotNextUncommitted", 5, 1)
    assert refusal(desk, desk.admin, desk.calls.commitDrop(6, 4, ROOT_A, CID_A)) == ("NotNextUncommitted", 5, 6)
    assert refusal(desk, desk.admin, desk.calls.commitDrop(5, 0, ROOT_A, CID_A)) == ("NothingAsked",)
    assert refusal(desk, desk.admin, desk.calls.commitDrop(5, 247, ROOT_A, CID_A)) == ("AboveMaxSupply", 247, 246)
    assert refusal(desk, desk.admin, desk.calls.commitDrop(5, 4, bytes(32), CID_A)) == ("EmptyDigest", bytes(32), CID_A)
    assert refusal(desk, desk.admin, desk.calls.commitDrop(5, 4, ROOT_A, bytes(32))) == ("EmptyDigest", ROOT_A, bytes(32))
    assert desk.send(desk.admin, desk.calls.commitDrop(5, 246, ROOT_B, CID_B))["status"] == 1
    assert desk.calls.nextUncommitted().call() == 251


def test_a_quantity_that_overflows_is_refused(desk):
    assert refusal(desk, desk.admin, desk.calls.commitDrop(1, 2**256 - 1, ROOT_A, CID_A)) == ("AboveMaxSupply", 2**256 - 1, 250)
    assert desk.calls.nextUncommitted().call() == 1


def test_every_token_finds_its_drop(desk):
    starts, roots = [1, 2, 5, 6, 30, 31], [hashlib.sha256(bytes([i])).digest() for i in range(6)]
    for start, end, root in zip(starts, [*starts[1:], 41], roots): desk.send(desk.admin, desk.calls.commitDrop(start, end - start, root, root[::-1]))
    for token in range(1, 41):
        at = max(i for i, start in enumerate(starts) if start <= token)
        assert desk.calls.contentRootOf(token).call() == roots[at]
        assert desk.calls.dropOf(token).call()[:3] == (roots[at], roots[at][::-1], starts[at])
    assert desk.calls.dropCount().call() == 6
    for token in (0, 41):
        with pytest.raises(ContractCustomError): desk.calls.dropOf(token).call()


def test_token_uri_is_the_cid_of_the_digest(tmp_path):
    desk = Desk(tmp_path, supply=1000)
    digests = [bytes(31) + b"\x01", b"\xff" * 32, CID_A, hashlib.sha256(b"x").digest()]
    for i, digest in enumerate(digests): desk.send(desk.admin, desk.calls.commitDrop(i * 5 + 1, 5, ROOT_A, digest))
    desk.send(desk.admin, desk.calls.setAllowance(desk.minter.address, 20))
    desk.send(desk.minter, desk.calls.mintBatch(1, 20))
    for token in (1, 5, 6, 10, 11, 20): assert desk.calls.tokenURI(token).call() == f"ipfs://{cid(digests[(token - 1) // 5])}/{token}.json"
    for token in (0, 21):
        with pytest.raises(ContractCustomError): desk.calls.tokenURI(token).call()


def leaf(desk, token, image, metadata):
    facts = desk.web3.codec.encode(["uint256", "address", "uint256", "bytes32", "bytes32"], [desk.web3.eth.chain_id, desk.address, token, image, metadata])
    return keccak(keccak(facts))


def test_verify_token(desk):
    images, jsons = ([hashlib.sha256(f"{kind}{i}".encode()).digest() for i in (1, 2)] for kind in ("image", "json"))
    leaves = [leaf(desk, i + 1, images[i], jsons[i]) for i in range(2)]
    desk.send(desk.admin, desk.calls.commitDrop(1, 2, keccak(b"".join(sorted(leaves))), CID_A))
    assert desk.calls.leafOf(1, images[0], jsons[0]).call() == leaves[0]
    assert desk.calls.verifyToken(1, images[0], jsons[0], [leaves[1]]).call()
    assert not desk.calls.verifyToken(2, images[0], jsons[0], [leaves[1]]).call()
    assert not desk.calls.verifyToken(1, images[1], jsons[0], [leaves[1]]).call()
    assert not desk.calls.verifyToken(1, images[0], jsons[0], []).call()


@pytest.mark.parametrize("verb", ["commitDrop", "setAllowance", "setTreasury", "setRoyalty", "unpause", "pause", "mintBatch", "grantRole"])
def test_roles(desk, verb):
    "A stranger may do nothing; a minter nothing but mint; a pauser nothing but pause; the admin neither mints nor pauses."
    desk.ready()
    values = {"commitDrop": (101, 5, ROOT_A, CID_A), "setAllowance": (desk.minter.address, 9), "setTreasury": (desk.stranger.address,), "setRoyalty": (desk.stranger.address, 9),
              "unpause": (), "pause": (), "mintBatch": (1, 1), "grantRole": (desk.calls.MINTER_ROLE().call(), desk.stranger.address)}[verb]
    allowed = {"mintBatch": desk.minter, "pause": desk.pauser}.get(verb, desk.admin)
    for account in (desk.stranger, desk.minter, desk.pauser, desk.admin):
        if account is not allowed: assert refusal(desk, account, getattr(desk.calls, verb)(*values))[0] in ("AccessControlUnauthorizedAccount",)
    if verb == "unpause": desk.send(desk.pauser, desk.calls.pause())
    assert desk.send(allowed, getattr(desk.calls, verb)(*values))["status"] == 1


def test_pause_stops_minting_and_no_transfer(desk):
    desk.ready()
    desk.send(desk.minter, desk.calls.mintBatch(1, 2))
    desk.send(desk.pauser, desk.calls.pause())
    assert refusal(desk, desk.minter, desk.calls.mintBatch(3, 1)) == ("EnforcedPause",)
    desk.web3.provider.chain.fund(desk.treasury.address, 10**9)
    assert desk.send(desk.treasury, desk.calls.transferFrom(desk.treasury.address, desk.stranger.address, 1))["status"] == 1
    desk.send(desk.admin, desk.calls.unpause())
    assert desk.send(desk.minter, desk.calls.mintBatch(3, 1))["status"] == 1


def test_treasury_changes_for_new_tokens_only(desk):
    desk.ready()
    desk.send(desk.minter, desk.calls.mintBatch(1, 1))
    desk.send(desk.admin, desk.calls.setTreasury(desk.stranger.address))
    desk.send(desk.minter, desk.calls.mintBatch(2, 1))
    assert [desk.calls.ownerOf(i).call() for i in (1, 2)] == [desk.treasury.address, desk.stranger.address]
    assert refusal(desk, desk.admin, desk.calls.setTreasury(ZERO)) == ("ZeroTreasury",)


def test_what_marketplaces_ask(desk):
    assert desk.calls.owner().call() == desk.admin.address
    for interface in ("0x01ffc9a7", "0x80ac58cd", "0x5b5e139f", "0x2a55205a", "0x7965db0b", "0x31498786"): assert desk.calls.supportsInterface(interface).call(), interface
    for interface in ("0xffffffff", "0x7f5828d0", "0x780e9d63"): assert not desk.calls.supportsInterface(interface).call(), interface
    assert desk.calls.royaltyInfo(1, 10_000).call() == [desk.treasury.address, 750]
    desk.send(desk.admin, desk.calls.setRoyalty(desk.stranger.address, 100))
    assert desk.calls.royaltyInfo(1, 10_000).call() == [desk.stranger.address, 100]


@pytest.mark.parametrize("supply", [0, 2**64])
def test_no_contract_without_a_supply(desk, supply):
    factory = desk.web3.eth.contract(abi=ARTIFACT["abi"], bytecode=ARTIFACT["bytecode"])
    call = factory.constructor("Demo", "DEMO", supply, desk.admin.address, 0, desk.treasury.address, ZERO, 0)
    with pytest.raises(ContractCustomError) as caught: call.estimate_gas({"from": desk.admin.address})
    assert caught.value.data[2:10] == keccak(text="BadMaxSupply(uint256)")[:4].hex()


def test_no_royalty_without_a_receiver(desk):
    factory = desk.web3.eth.contract(abi=ARTIFACT["abi"], bytecode=ARTIFACT["bytecode"])
    receipt = desk.send(desk.admin, factory.constructor("Demo", "DEMO", 5, desk.admin.address, 0, desk.treasury.address, ZERO, 500))
    assert desk.web3.eth.contract(receipt["contractAddress"], abi=ARTIFACT["abi"]).functions.royaltyInfo(1, 10_000).call() == [ZERO, 0]


def test_gas(desk):
    "A ceiling for each number in contracts/README.md."
    desk.ready()
    desk.send(desk.minter, desk.calls.mintBatch(1, 1))
    used, at = {}, 2
    for quantity in (1, 5, 10, 20, 50):
        used[quantity] = desk.send(desk.minter, desk.calls.mintBatch(at, quantity))["gasUsed"] // quantity
        at += quantity
    limits = {1: 70_000, 5: 15_600, 10: 8_800, 20: 5_400, 50: 3_350}
    assert all(used[n] <= limits[n] for n in limits), used
    assert desk.deploy_gas < 3_000_000


def test_the_code_on_chain_is_the_committed_one(desk):
    "The code that was deployed is the committed one, but for the maximum supply."
    code, expected = bytearray(desk.web3.eth.get_code(desk.address)), bytes.fromhex(ARTIFACT["deployedBytecode"][2:])
    for places in ARTIFACT["immutableReferences"].values():
        for place in places: code[place["start"]:place["start"] + place["length"]] = bytes(place["length"])
    assert bytes(code) == expected


def test_artifact_is_what_the_source_compiles_to():
    if not shutil.which("node"): pytest.skip("node isn't installed, so the contract wasn't compiled again")
    if not (ROOT / "contracts/node_modules/solc").exists():
        if not shutil.which("npm"): pytest.skip("neither contracts/node_modules nor npm is here, so the contract wasn't compiled again")
        got = subprocess.run(["npm", "ci", "--ignore-scripts", "--silent"], cwd=ROOT / "contracts", capture_output=True, timeout=120, check=False)
        if got.returncode: pytest.skip("npm couldn't fetch the compiler, so the contract wasn't compiled again")
    got = subprocess.run([sys.executable, ROOT / "scripts/compile_contracts.py", "--check"], capture_output=True, text=True, check=False)
    assert got.returncode == 0, got.stderr


def test_compile_check_notices_a_change(tmp_path, monkeypatch):
    if not (ROOT / "contracts/node_modules/solc").exists() or not shutil.which("node"): pytest.skip("the compiler isn't here")
    spec = importlib.util.spec_from_file_location("compile_contracts", ROOT / "scripts/compile_contracts.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    (tmp_path / "ArtMint.json").write_text((ROOT / "artmint/data/contracts/ArtMint.json").read_text().replace("6080", "6081", 1))
    monkeypatch.setattr(script, "TARGET", tmp_path / "ArtMint.json"), monkeypatch.setattr(script, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["compile_contracts.py", "--check"])
    with pytest.raises(SystemExit, match="isn't what the source compiles to"): script.main()


def test_lock_file_names_no_registry():
    packages = json.loads((ROOT / "contracts/package-lock.json").read_text())["packages"]
    assert all("resolved" not in package for package in packages.values())
    assert all("integrity" in package for name, package in packages.items() if name)
