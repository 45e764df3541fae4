"What several tests build on."

import os
from pathlib import Path

import pytest
from tests.anvil import CONTRACTS, Anvil, ProgramMissing, ask, program  # noqa: F401 tests import some of them from here

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # a worker for each core, and a thread for each worker
os.environ.setdefault(
    "OMP_WAIT_POLICY", "PASSIVE"
)  # before torch is loaded: threads that spin while they wait take the processor from the others

TINY = Path(__file__).parent / "data" / "tiny"


@pytest.fixture(scope="session")
def minted(tmp_path_factory):
    "A studio with the tiny collection in two drops of two, rendered, packed, published and minted: (folder, contract's address)."
    from artmint.chain.admin import authorize, commit_drop, deploy, parties
    from artmint.make.base import load_base, weights_files
    from artmint.ipfs.cid import CID
    from artmint.seeds import frozen_slots
    from artmint.studio.catalog import Catalog
    from artmint.chain.connect import connect
    from artmint.core.records import Edition
    from artmint.generate import generate
    from artmint.chain.journal import Journal
    from artmint.metadata import pack
    from artmint.publish.tokens import BaseFacts
    from artmint.mint import mint
    from artmint.ipfs.stores import FolderStore
    from artmint.pin import publish
    from artmint.seeds import load_collection, recipes

    studio, tiny, base = tmp_path_factory.mktemp("minted") / "studio", load_collection(TINY), load_base()
    studio.mkdir()
    catalog, web3 = Catalog(studio), connect("embedded", studio / "chain")
    slots = frozen_slots(catalog, tiny, tiny.salt)
    for slot, artifact in zip(
        slots, generate(catalog, base, recipes(tiny, slots, tiny.salt, range(1, 2), base.digest))
    ):
        kept = artifact.model_dump(include={"dna", "pixel_digest", "file_digest"})
        edition = Edition(
            slot=slot.id,
            attempt=1,
            traits=slot.traits,
            scores={"contrast": 0.5},
            scorers={"contrast": "1" * 64},
            **kept,
        )
        catalog.put("edition", f"tiny/{edition.slot}", edition.model_dump(mode="json"))
    who = parties(web3, studio / "keys", rounds=2**10)
    admin, minter = Journal(catalog, web3, who.admin), Journal(catalog, web3, who.minter)
    contract = deploy(admin, tiny, who.treasury)
    authorize(admin, contract, who.minter.address, tiny.supply)
    for drop, first in ((1, 1), (2, 3)):
        manifest = pack(
            catalog,
            tiny,
            drop,
            first,
            2,
            BaseFacts(digest=base.digest, source=base.source),
            weights_files(base),
        )
        publish(
            studio / "drops" / f"tiny-{drop}" / "drop.car",
            CID.parse(manifest.root),
            [FolderStore(studio / "store")],
        )
        commit_drop(admin, contract, manifest)
        mint(minter, contract, manifest)
    return studio, contract.address


def node_tool(name: str) -> Path:
    "A program that npm pins in contracts/package.json. Skips the test where it can't be had."
    try:
        return program(name)
    except ProgramMissing as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def node():
    "An anvil that all tests of a run share: deploy your own contracts, and don't turn its clock."
    node_tool("anvil")
    anvil = Anvil()
    yield anvil
    anvil.end()


@pytest.fixture
def start_anvil():
    "Starts nodes that end with the test: start_anvil('--chain-id', '10')."
    node_tool("anvil")
    nodes = []

    def start(*options: str) -> Anvil:
        nodes.append(Anvil(*options))
        return nodes[-1]

    yield start
    for anvil in nodes:
        anvil.end()
