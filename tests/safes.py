"A real Safe on a node, its owners' wallets, and the console script run here."

import json

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils import keccak

from artmint.chain.connect import connect
from artmint.chain.safe import SAFE_ABI, ZERO, Proposal, add_signature, enough_signatures
from artmint.chain.signers import new_keystore
from artmint.console import cli
from tests.anvil import CONTRACTS
from tests.studios import FAST


def artifact_of(path: str) -> dict:
    return json.loads(
        (CONTRACTS / "node_modules/@safe-global/safe-contracts/build/artifacts/contracts" / path).read_text()
    )


def artmint(capsys, *words, code=0):
    "Run the console script here, expect its exit code, and give what it says."
    with pytest.raises(SystemExit) as end:
        cli.main(list(map(str, words)))
    said = capsys.readouterr()
    assert (end.value.code or 0) == code, said.out + said.err
    return said.out + said.err


class Owners:
    "A studio whose admin is a real Safe of three wallets, two of which decide, on an anvil."

    def __init__(self, folder, node):
        self.folder, self.node = folder, node
        self.web3 = connect(node.url, folder)
        self.wallets = [Account.create() for _ in range(3)]
        for name in ("deployer", "minter"):
            new_keystore(folder / "keys" / f"{name}.json", "word", FAST)
            node.fund("0x" + json.loads((folder / "keys" / f"{name}.json").read_text())["address"])
        self.safe = self.new_safe()
        (folder / "studio.toml").write_text(f'[signers.admin]\nkind = "safe"\naddress = "{self.safe}"\n')

    def send(self, call):
        "A receipt."
        payer = self.wallets[0]
        self.node.fund(payer.address)
        fields = {"from": payer.address, "nonce": self.web3.eth.get_transaction_count(payer.address)}
        raw = payer.sign_transaction(call.build_transaction(fields)).raw_transaction
        return self.web3.eth.wait_for_transaction_receipt(self.web3.eth.send_raw_transaction(raw), 20, 0.01)

    def new_safe(self):
        made = artifact_of("Safe.sol/Safe.json")
        single = self.send(self.web3.eth.contract(abi=made["abi"], bytecode=made["bytecode"]).constructor())
        proxies = artifact_of("proxies/SafeProxyFactory.sol/SafeProxyFactory.json")
        factory = self.web3.eth.contract(abi=proxies["abi"], bytecode=proxies["bytecode"])
        factory = self.web3.eth.contract(
            self.send(factory.constructor())["contractAddress"], abi=proxies["abi"]
        )
        zero = "0x" + "00" * 20
        owners = [wallet.address for wallet in self.wallets]
        singleton = self.web3.eth.contract(single["contractAddress"], abi=made["abi"])
        setup = singleton.encode_abi("setup", [owners, 2, zero, b"", zero, zero, 0, zero])
        call = factory.functions.createProxyWithNonce(singleton.address, setup, 7)
        self.send(call)
        return self.web3.to_checksum_address(self.made(factory))

    def give_word(self):
        "Set Safe's own fallback handler, as its application does for every Safe: it answers about signatures."
        made = artifact_of("handler/CompatibilityFallbackHandler.sol/CompatibilityFallbackHandler.json")
        code = self.web3.eth.contract(abi=made["abi"], bytecode=made["bytecode"])
        place = self.send(code.constructor())["contractAddress"]
        slot = keccak(text="fallback_manager.handler.address")
        self.node("anvil_setStorageAt", self.safe, "0x" + slot.hex(), "0x" + "00" * 12 + place[2:].lower())

    def made(self, factory):
        logs = self.web3.eth.get_logs({"address": factory.address, "fromBlock": 0})
        return "0x" + logs[-1]["topics"][1].hex()[-40:]


def typed(proposal):
    "A proposal as a wallet shows it (eth_signTypedData_v4)."
    fields = "to:address value:uint256 data:bytes operation:uint8 safeTxGas:uint256 baseGas:uint256 gasPrice:uint256"
    fields += " gasToken:address refundReceiver:address nonce:uint256"
    zero = "0x" + "00" * 20
    message = dict.fromkeys(("value", "operation", "safeTxGas", "baseGas", "gasPrice"), 0)
    message |= {"to": proposal.to, "data": bytes.fromhex(proposal.data[2:]), "nonce": proposal.nonce}
    message |= {"gasToken": zero, "refundReceiver": zero}
    domain = [{"name": "chainId", "type": "uint256"}, {"name": "verifyingContract", "type": "address"}]
    types = [dict(zip(("name", "type"), field.split(":"))) for field in fields.split()]
    return encode_typed_data(
        full_message={
            "types": {"EIP712Domain": domain, "SafeTx": types},
            "primaryType": "SafeTx",
            "domain": {"chainId": proposal.chain_id, "verifyingContract": proposal.safe},
            "message": message,
        }
    )


def executed(capsys, owners, *files):
    "Two owners sign proposals with keystores of their own, and anybody executes them."
    where = ("--studio", owners.folder, "--chain", owners.node.url)
    for wallet in owners.wallets[:2]:
        key = owners.folder.parent / f"{wallet.address}.json"
        key.write_text(json.dumps(Account.encrypt(wallet.key, "word", "scrypt", FAST)))
        artmint(capsys, "admin", "sign", *files, "--keystore", key)
    return artmint(capsys, "admin", "execute", *files, *where)


def acted(owners, path):
    "Two owners execute what a file for their application holds, as that does, and the file is gone."
    safe = owners.web3.eth.contract(owners.safe, abi=SAFE_ABI)
    for call in json.loads(path.read_text())["transactions"]:
        facts = {
            "chain_id": owners.web3.eth.chain_id,
            "safe": owners.safe,
            "to": call["to"],
            "data": call["data"],
        }
        proposal = Proposal(**facts, nonce=safe.functions.nonce().call())
        for wallet in owners.wallets[:2]:
            signed = wallet.unsafe_sign_hash(proposal.digest()).signature.hex()
            proposal = add_signature(proposal, signed, [wallet.address])
        enough = b"".join(enough_signatures(safe, proposal, ""))
        fields = (proposal.to, 0, proposal.data, 0, 0, 0, 0, ZERO, ZERO, enough)
        assert owners.send(safe.functions.execTransaction(*fields))["status"] == 1
    path.unlink()
