"Seaport's own contracts on a node, and people who buy what a treasury listed."

import json
import subprocess

from artmint.deliver.seaport import SEAPORT_CALLS, order_values
from tests.services import node, node_modules

BUILT = "node_modules/@opensea/seaport-js/src/artifacts/seaport/contracts"
CONTROLLER = "conduit/ConduitController.sol/LocalConduitController.json"
LARGE = ("--code-size-limit", "60000")  # Seaport's build for tests is above the limit of chains


class RealSeaport:
    "Seaport 1.6 on a studio's node, as npm gives it. Skips the test where npm doesn't."

    def __init__(self, studio):
        self.studio = studio
        self.folder = node_modules("seaport")
        self.controller = self._made(CONTROLLER).address
        self.contract = self._made("Seaport.sol/Seaport.json", self.controller)
        self.address = self.contract.address

    def _made(self, path, *values):
        "A contract."
        built = json.loads((self.folder / BUILT / path).read_text())
        factory = self.studio.web3.eth.contract(abi=built["abi"], bytecode=built["bytecode"])
        receipt = self.studio.send(factory.constructor(*values), gas=29_000_000)
        return self.studio.web3.eth.contract(receipt["contractAddress"], abi=built["abi"])

    def call(self, listing):
        "What buys a listing."
        order = listing["parameters"]
        values = {name: value for name, value in order_values(order).items() if name != "counter"}
        parts = values | {"totalOriginalConsiderationItems": order["totalOriginalConsiderationItems"]}
        return self.contract.functions.fulfillOrder(
            {"parameters": parts, "signature": listing["signature"]}, bytes(32)
        )

    def bought(self, listing, buyer, wei):
        "Buy it with so much money; a receipt, or the contract's refusal."
        return self.studio.send(self.call(listing), buyer, value=wei)

    def bought_by_library(self, listing, buyer):
        "Buy it with Seaport's own library; the hash that the library gives it."
        words = [node(), "buy.mjs", self.studio.node.url, buyer.key.to_0x_hex(), self.address]
        text = json.dumps(listing)
        done = subprocess.run(words, cwd=self.folder, input=text, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def shape(values):
    "Types of an ABI's values, with those inside."
    return [(one["type"], shape(one.get("components", []))) for one in values]


def said_by(real):
    "Of our few entries, those that Seaport's own ABI has in the same shape."
    theirs = {one["name"]: one for one in real.contract.abi if one["type"] == "function"}
    same = []
    for one in SEAPORT_CALLS:
        own = theirs[one["name"]]
        if all(shape(one[side]) == shape(own[side]) for side in ("inputs", "outputs")):
            same.append(one["name"])
    return same
