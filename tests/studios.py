"Studios that are ready to mint, and what else tests of several folders build."

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from PIL import Image

from artmint import mint as room
from artmint.chain import admin as admin_room
from artmint.chain.connect import connect
from artmint.chain.contract import contract_of
from artmint.chain.journal import Journal
from artmint.core.collection import Collection, Generation, example
from artmint.ipfs.cid import CID
from artmint.seeds import load_collection
from artmint.studio.catalog import Catalog


def collection(traits: dict, **more) -> Collection:
    "A small collection with these traits."
    supply = sum(next(iter(traits.values())).values())
    facts = {
        "name": "small",
        "title": "Small",
        "description": "Small.",
        "supply": supply,
        "license": "CC0-1.0",
        "generation": Generation(width=64, height=64),
    }
    return Collection(
        **facts | {"template": " ".join(f"{{{trait}}}" for trait in traits), "traits": traits} | more
    )


def drawing(path, seed=1, mode="RGB"):
    "A picture that no model made, with a transparent corner where the mode has one."
    pixels = np.random.default_rng(seed).integers(0, 255, (12, 9, 4), np.uint8).repeat(8, 0).repeat(8, 1)
    Image.fromarray(pixels, "RGBA").convert(mode).save(path)
    return path


ROOT = Path(__file__).parents[1]


def artmint(*words: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess:
    "Run the console script as a user does."
    return subprocess.run(
        [Path(sys.executable).with_name("artmint"), *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | environment,
    )


DEMO = load_collection(example())
FAST = 2**4  # scrypt's cost of keys in tests
PIN = "4213"  # of the security module


@dataclass(frozen=True)
class Token:
    id: int
    file_digest: str
    metadata_digest: str


@dataclass(frozen=True)
class Drop:
    "A manifest, as far as minting reads it."

    first: int = 1
    quantity: int = 16
    drop: int = 1
    word: str = "a"
    collection: str = "demo"

    @property
    def root(self):
        return str(CID(0x70, hashlib.sha256(self.word.encode()).digest()))

    @property
    def tokens(self):
        ids = range(self.first, self.first + self.quantity)
        return [Token(id, self._digest("image", id), self._digest("json", id)) for id in ids]

    def _digest(self, *facts):
        return hashlib.sha256(repr((self.word, *facts)).encode()).hexdigest()


class Studio:
    "A studio that is ready to mint."

    def __init__(self, folder, drop=None, **limits):
        self.folder = Path(folder)
        self.drop = drop or Drop()
        self.web3, self.catalog = connect("embedded", self.folder / "chain"), Catalog(self.folder)
        self.who = admin_room.parties(self.web3, self.folder / "keys", rounds=FAST)
        self.admin, self.minter = (
            Journal(self.catalog, self.web3, signer, patience=2, **limits)
            for signer in (self.who.admin, self.who.minter)
        )

    def ready(self, allowance=16):
        self.contract = admin_room.deploy(self.admin, DEMO, self.who.treasury)
        admin_room.commit_drop(self.admin, self.contract, self.drop)
        admin_room.authorize(self.admin, self.contract, self.who.minter.address, allowance)
        return self

    def mint(self, batch=5):
        return room.mint(self.minter, self.contract, self.drop, batch, 5)

    def supply(self):
        return self.contract.functions.totalSupply().call()


@cache
def _ready_once():
    "The folder of a studio that was made ready; it goes when the tests end."
    place = TemporaryDirectory()
    Studio(place.name).ready().catalog.close()
    return place


def ready_in(folder):
    "A studio that is ready to mint: what each test would do first, done once."
    shutil.copytree(_ready_once().name, folder, dirs_exist_ok=True)
    studio = Studio(folder)
    studio.contract = contract_of(studio.catalog, studio.web3, DEMO.name)
    return studio


def refused(studio, refusal, call):
    "The call is refused, and neither journal nor chain has anything new."
    before = studio.web3.eth.block_number, len(studio.minter.transactions() + studio.admin.transactions())
    with pytest.raises(refusal) as caught:
        call()
    assert (
        studio.web3.eth.block_number,
        len(studio.minter.transactions() + studio.admin.transactions()),
    ) == before
    return caught.value
