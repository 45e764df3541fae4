"What several tests build on."

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # a worker for each core, and a thread for each worker
os.environ.setdefault(
    "OMP_WAIT_POLICY", "PASSIVE"
)  # before torch is loaded: threads that spin while they wait take the processor from the others

CONTRACTS = Path(__file__).parents[1] / "contracts"
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

    studio = tmp_path_factory.mktemp("minted") / "studio"
    tiny = load_collection(TINY)
    base = load_base()
    studio.mkdir()
    catalog = Catalog(studio)
    web3 = connect("embedded", studio / "chain")
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
    admin = Journal(catalog, web3, who.admin)
    minter = Journal(catalog, web3, who.minter)
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
    if not shutil.which("node"):
        pytest.skip("node isn't installed")
    found = lambda: next(iter((CONTRACTS / "node_modules/@foundry-rs").glob(f"{name}-*/bin/{name}")), None)
    if not found():
        if not shutil.which("npm"):
            pytest.skip("npm isn't installed, so neither anvil nor forge can be had")
        for how in (
            "ci",
            "install",
        ):  # some versions of npm want the lock to name every platform's package, and refuse the first
            if not found():
                subprocess.run(
                    ["npm", how, "--silent", "--no-audit", "--no-fund"],
                    cwd=CONTRACTS,
                    capture_output=True,
                    timeout=180,
                    check=False,
                )
    return found() or pytest.skip(f"npm couldn't fetch {name}")


def ask(url: str, method: str, *params):
    "One JSON-RPC answer."
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    with urllib.request.urlopen(
        urllib.request.Request(url, body, {"Content-Type": "application/json"}), timeout=20
    ) as answer:
        got = json.load(answer)
    if "error" in got:
        raise RuntimeError(got["error"]["message"])
    return got["result"]


class Anvil:
    "A node of one's own on a free port of this machine."

    def __init__(self, *options: str):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(
            [node_tool("anvil"), "--port", str(self.port), "--silent", *options],
            start_new_session=True,
            **quiet,
        )
        for _ in range(200):
            try:
                ask(self.url, "eth_chainId")
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError("anvil doesn't start")

    def __call__(self, method: str, *params):
        return ask(self.url, method, *params)

    def fund(self, address: str, wei: int = 10**24) -> None:
        self("anvil_setBalance", address, hex(wei))

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def node():
    "An anvil that all tests of a run share: deploy your own contracts, and don't turn its clock."
    anvil = Anvil()
    yield anvil
    anvil.end()


@pytest.fixture
def start_anvil():
    "Starts nodes that end with the test: start_anvil('--chain-id', '10')."
    nodes = []

    def start(*options: str) -> Anvil:
        nodes.append(Anvil(*options))
        return nodes[-1]

    yield start
    for anvil in nodes:
        anvil.end()
