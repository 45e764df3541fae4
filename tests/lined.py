"The tiny collection with more in its file, packed in a drop of two, minted, and proven."

import hashlib
from pathlib import Path

from artmint.chain.admin import authorize, commit_drop, deploy, parties
from artmint.chain.connect import connect
from artmint.chain.journal import Journal
from artmint.core.records import Edition
from artmint.generate import attempts_of, generate, open_slots, put_picture
from artmint.ipfs.cid import CID
from artmint.ipfs.stores import FolderStore
from artmint.make.adapters import keep_adapter
from artmint.make.base import load_base, weights_files
from artmint.make.engines import Diffusers
from artmint.metadata import pack
from artmint.mint import mint
from artmint.pin import publish
from artmint.publish.tokens import BaseFacts
from artmint.seeds import load_collection
from artmint.studio.catalog import Catalog
from artmint.verify import verify
from tests.conftest import TINY


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def styled(
    folder: Path,
    more: str = '[[adapters]]\nname = "riso"\nweight = 0.5\n',
    first: str = "",
    generation: str = "",
):
    "The tiny collection with an adapter."
    text = (
        (TINY / "collection.toml")
        .read_text()
        .replace("[generation]\n", f"{more}\n[generation]\n{generation}")
        .replace("supply", f"{first}supply", 1)
    )
    if "withheld" in first:
        text = text.replace('salt = "tiny"', 'salt = "long enough that nobody guesses it"')
    (folder / "tiny").mkdir(parents=True, exist_ok=True)
    (folder / "tiny" / "collection.toml").write_text(text)
    return load_collection(folder / "tiny")


def packed(studio: Path, collection, files: dict[str, bytes], init: Path | None = None):
    "A drop of two in a studio that has these adapters: catalog and manifest."
    catalog = Catalog(studio)
    base = load_base()
    for name, data in files.items():
        keep_adapter(catalog, name, data)
    if init:
        put_picture(catalog, init)
    slots = open_slots(catalog, collection, collection.salt, 1, 2)
    attempts = [
        a
        for a in attempts_of(catalog, collection, slots, collection.salt, 1, Diffusers(base))
        if a.attempt == 1
    ]
    for slot, artifact in zip(slots, generate(catalog, Diffusers(base), attempts)):
        kept = artifact.model_dump(include={"dna", "pixel_digest", "file_digest"})
        catalog.put(
            "edition",
            f"tiny/{slot.id}",
            Edition(slot=slot.id, attempt=1, traits=slot.traits, scores={}, scorers={}, **kept).model_dump(
                mode="json"
            ),
        )
    return catalog, pack(
        catalog, collection, 1, 1, 2, BaseFacts(digest=base.digest, source=base.source), weights_files(base)
    )


def proven(catalog: Catalog, collection, manifest):
    "Published, minted, and proven with every picture painted again from the store alone."
    web3 = connect("embedded", catalog.folder / "chain")
    who = parties(web3, catalog.folder / "keys", rounds=2**10)
    admin = Journal(catalog, web3, who.admin)
    minter = Journal(catalog, web3, who.minter)
    contract = deploy(admin, collection, who.treasury)
    authorize(admin, contract, who.minter.address, 2)
    publish(
        catalog.folder / "drops" / "tiny-1" / "drop.car",
        CID.parse(manifest.root),
        [FolderStore(catalog.folder / "store")],
    )
    commit_drop(admin, contract, manifest)
    mint(minter, contract, manifest)
    return verify(f"embedded:{contract.address}", catalog.folder, regenerate=True)
