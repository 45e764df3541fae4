"A minted drop on a chain of its own, with a gate over it and the contract that speaks ERC-7007."

from eth_abi import encode
from eth_account import Account

from artmint.chain.contract import artifact, merkle_tree
from artmint.prove.attestations import DropFact, drop_data
from tests.attested import Key
from tests.studios import Drop, Studio

PROMPTS = ("test", "a tree", "a tree", "")


class Gated:
    "Contracts around a minted collection, and what its verifiers sign."

    def __init__(self, folder, needed=2, replay="0x" + "00" * 20):
        self.studio = Studio(folder, Drop(quantity=4)).ready()
        self.studio.mint()
        self.web3, self.contract = self.studio.web3, self.studio.contract
        self.keys = [Key(number) for number in (11, 12, 13)]
        self.admin = self.studio.who.admin
        self.payer = Account.from_key((77).to_bytes(32, "big"))
        self.web3.provider.chain.fund(self.payer.address, 10**9)
        self.root = self.contract.functions.contentRootOf(1).call()
        self.facts = [
            DropFact(token.id, prompt, token.file_digest, f"{token.id:064x}")
            for token, prompt in zip(self.studio.drop.tokens, PROMPTS)
        ]
        self.facts_root, self.siblings = merkle_tree([fact.leaf for fact in self.facts])
        addresses = [key.address for key in self.keys]
        self.gate = self.made("AttestationGate", self.contract.address, addresses, needed)
        self.adapter = self.made("ArtMint7007", self.contract.address, self.gate.address, replay)

    def made(self, name: str, *values):
        "A contract of this package."
        factory = self.web3.eth.contract(abi=artifact(name)["abi"], bytecode=artifact(name)["bytecode"])
        receipt = self.send(factory.constructor(*values))
        return self.web3.eth.contract(receipt["contractAddress"], abi=artifact(name)["abi"])

    def send(self, call, signer=None):
        "A receipt of what somebody sends, or the admin, past its journal."
        sender = signer.address if signer else self.payer.address
        fields = {"from": sender, "nonce": self.web3.eth.get_transaction_count(sender)}
        fields |= {"maxFeePerGas": 3 * 10**9, "maxPriorityFeePerGas": 10**9}
        built = call.build_transaction(fields)
        raw = signer.sign(built)[1] if signer else self.payer.sign_transaction(built).raw_transaction
        return self.web3.eth.get_transaction_receipt(self.web3.eth.send_raw_transaction(raw))

    def signed(self, key: Key, facts: bytes = b"", root: bytes = b"", equal: bool = True) -> tuple:
        "What a verifier signs about the drop, as the gate takes it."
        words = {"contentRoot": root or self.root, "facts": facts or self.facts_root}
        words |= {"attestations": key.address.encode()[:32], "equal": equal}
        signature = key.sign_typed(drop_data(31337, self.contract.address, words))
        return words["facts"], words["attestations"], bytes.fromhex(signature[2:])

    def opened(self):
        "The same when two verifiers have signed."
        self.send(self.gate.functions.attest(self.root, [self.signed(key) for key in self.keys[:2]]))
        return self

    def proof(self, token: int) -> bytes:
        "What proves a token's prompt and file to the adapter."
        words = [
            encode(["uint256", "uint256"], [1, token]),
            bytes.fromhex(self.facts[token - 1].pixel_digest),
        ]
        return b"".join([*words, *self.siblings[token - 1]])

    def data(self, token: int) -> tuple[bytes, bytes]:
        "A token's prompt and content."
        fact = self.facts[token - 1]
        return fact.prompt.encode(), bytes.fromhex(fact.file_digest)
