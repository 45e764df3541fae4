"A studio with the tiny collection in two packed drops, which a batch tells in two waves."

import os
from collections import Counter

from artmint import reveal as room
from artmint.chain.admin import authorize, deploy, parties
from artmint.chain.connect import connect
from artmint.chain.contract import contract_of
from artmint.chain.journal import Journal
from artmint.core.manifest import packed_manifest
from artmint.mint import mint
from artmint.pin import open_stores
from artmint.publish.waves import record_plan
from artmint.run.batch import load_batch
from artmint.seeds import load_collection
from artmint.studio.catalog import Catalog
from artmint.studio.files import drop_folder
from tests.conftest import TINY
from tests.safes import artmint
from tests.studios import FAST

PAST, FUTURE = "2020-01-01T00:00:00Z", "2199-01-01T00:00:00Z"
BATCH = """name = "sealed-{drop}"
collection = "{collection}"
drop = {drop}
first = {first}
quantity = 2
stages = ["30_mint"]
[reveal]
keep = "safe"
salt_is_known = true
[[reveal.waves]]
drops = [1]
at = {one}
[[reveal.waves]]
drops = [2]
at = {two}
"""


class Line:
    "A studio with the tiny collection in two packed drops, which a batch tells in two waves."

    def __init__(self, folder, two=PAST, one=PAST):
        self.folder, self.tiny = folder, load_collection(TINY)
        self.batch = folder.parent / "sealed.toml"
        words = {"collection": os.path.relpath(TINY, folder.parent), "drop": 1, "first": 1}
        self.batch.write_text(BATCH.format(**words, one=one, two=two))

    def open(self):
        "Catalog, chain, parties and contract, as a new process sees them."
        self.catalog, self.web3 = Catalog(self.folder), connect("embedded", self.folder / "chain")
        self.who = parties(self.web3, self.folder / "keys", rounds=FAST)
        self.admin = Journal(self.catalog, self.web3, self.who.admin)
        self.contract = contract_of(self.catalog, self.web3, "tiny")
        return self

    @property
    def manifests(self):
        return [packed_manifest(drop_folder(self.folder, "tiny", drop)) for drop in (1, 2)]

    def seal(self):
        "What 30_mint does with both drops, minting included."
        self.open()
        order = load_batch(self.batch)
        planned = record_plan(self.catalog, "tiny", order.name, 1, order.reveal, self.batch.parent)
        self.contract = deploy(self.admin, self.tiny, self.who.treasury)
        placed = room.placeholder_of(self.catalog, self.tiny, TINY)
        for manifest in self.manifests:
            stores = open_stores(self.folder)
            room.seal_planned(
                self.admin, self.contract, self.tiny, manifest, planned[manifest.drop], placed, stores
            )
        authorize(self.admin, self.contract, self.who.minter.address, 4)
        for manifest in self.manifests:
            mint(Journal(self.catalog, self.web3, self.who.minter), self.contract, manifest)
        return self

    def stages(self):
        self.open()
        return [room.drop_stage(self.contract, manifest) for manifest in self.manifests]

    def verbs(self):
        "What the journals have sent and seen confirmed, counted."
        bodies = Catalog(self.folder).all("transaction").values()
        return Counter(body["purpose"]["verb"] for body in bodies if body["state"] == "confirmed")

    def __call__(self, capsys, *words, code=0):
        return artmint(capsys, "reveal", self.batch, "--studio", self.folder, *words, code=code)

    def uris(self):
        "What every token shows, and the placeholder."
        ask = self.open().contract.functions
        return [ask.tokenURI(token).call() for token in range(1, 5)], ask.placeholderURI().call()


ONCE = {"deploy": 1, "setPlaceholderURI": 1, "setContractURI": 2, "commitSealedDrop": 2, "reveal": 2}
