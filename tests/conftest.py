"What several tests build on."

from artmint.make.engines import Diffusers
from artmint.run.batch import load_nbformat

import gc
import glob
import http.server
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import hypothesis
import pytest

from tests.anvil import CONTRACTS, Anvil, ProgramMissing, ask, program  # noqa: F401 tests import some of them from here

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # a worker for each core, and a thread for each worker
os.environ.setdefault(
    "OMP_WAIT_POLICY", "PASSIVE"
)  # before torch is loaded: threads that spin while they wait take the processor from the others

load_nbformat()  # before anything imports it, for the second that it saves

# No test depends on how fast the machine is, and one that draws many inputs is no exception.
hypothesis.settings.register_profile(
    "house", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("house")

# A fifth of collecting ten thousand tests was the search for garbage among what stays.
gc.set_threshold(100_000, 20, 20)

TINY = Path(__file__).parent / "data" / "tiny"


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items):
    "Of a test that is marked `many(count)` so many cases, evenly spread, belong to the quick suite; the others are slow."
    cases = {}
    for item in items:
        if item.get_closest_marker("many") and not item.get_closest_marker("slow"):
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for own in cases.values():
        (count,) = own[0].get_closest_marker("many").args
        quick = {len(own) * place // count for place in range(count)}
        for place, item in enumerate(own):
            if place not in quick:
                item.add_marker(pytest.mark.slow)


def pytest_collection_finish():
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish():
    gc.freeze()  # pytest looks through everything five times before it ends


@pytest.fixture
def kms(monkeypatch):
    "moto's KMS, which hashes what it is told is a digest already; here it doesn't."
    moto = pytest.importorskip("moto")
    boto3 = pytest.importorskip("boto3")
    import moto.kms.utils as inside
    from cryptography.hazmat.primitives.asymmetric import ec, utils
    from cryptography.hazmat.primitives.hashes import SHA256

    monkeypatch.setattr(
        inside.ECDSAPrivateKey,
        "sign",
        lambda self, message, _: self.private_key.sign(message, ec.ECDSA(utils.Prehashed(SHA256()))),
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with moto.mock_aws():
        yield boto3.client("kms", region_name="eu-central-1")


def unminted(studio, into):
    "A copy of a minted studio from before it had a chain."
    import sqlite3

    folder = shutil.copytree(studio, into, ignore=shutil.ignore_patterns("chain", "keys"))
    with sqlite3.connect(folder / "catalog.sqlite") as connection:
        connection.execute("delete from record where kind in ('contract', 'transaction', 'token', 'salt')")
    return folder


@pytest.fixture
def packed(minted, tmp_path):
    "A copy of the minted studio from before it had a chain."
    return unminted(minted[0], tmp_path / "studio")


@pytest.fixture(scope="session")
def sealed_once(minted, tmp_path_factory):
    "The minted studio's drops, sealed instead and minted, the second wave far away; for copies."
    from tests.sealed import FUTURE, Line

    folder = tmp_path_factory.mktemp("sealed") / "studio"
    return Line(unminted(minted[0], folder), two=FUTURE).seal()


@pytest.fixture
def sealed(sealed_once, tmp_path):
    "A copy of the sealed studio, with the copies of its salts."
    from tests.sealed import FUTURE, Line

    line = Line(shutil.copytree(sealed_once.folder, tmp_path / "copy" / "studio"), two=FUTURE)
    shutil.copytree(sealed_once.batch.parent / "safe", line.batch.parent / "safe")
    return line.open()


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory):
    "A PKCS#11 module with a token of its own: the path of its library."
    from tests.studios import PIN

    places = (
        "/usr/lib/softhsm",
        "/usr/lib/*/softhsm",
        "/usr/lib64",
        "/usr/local/lib/softhsm",
        "/opt/homebrew/lib/softhsm",
    )
    library = next((found for place in places for found in glob.glob(f"{place}/libsofthsm2.so")), None)
    if not library or not shutil.which("softhsm2-util"):
        pytest.skip("SoftHSM isn't installed (Debian: softhsm2)")
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(
        f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")  # read once, when the library is loaded
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", "artmint", "--pin", PIN, "--so-pin", PIN],
        check=True,
        capture_output=True,
    )
    return library


@pytest.fixture(scope="session")
def minted(tmp_path_factory):
    "A studio with the tiny collection in two drops of two, rendered, packed, published and minted: (folder, contract's address)."
    from artmint.chain.admin import authorize, commit_drop, deploy, parties
    from artmint.chain.connect import connect
    from artmint.chain.journal import Journal
    from artmint.core.records import Edition
    from artmint.generate import generate
    from artmint.ipfs.cid import CID
    from artmint.ipfs.stores import FolderStore
    from artmint.make.base import load_base, weights_files
    from artmint.metadata import pack
    from artmint.mint import mint
    from artmint.pin import publish, publish_weights
    from artmint.publish.tokens import BaseFacts
    from artmint.seeds import frozen_slots, load_collection, recipes
    from artmint.studio.catalog import Catalog

    studio, tiny, base = tmp_path_factory.mktemp("minted") / "studio", load_collection(TINY), load_base()
    studio.mkdir()
    catalog, web3 = Catalog(studio), connect("embedded", studio / "chain")
    slots = frozen_slots(catalog, tiny, tiny.salt)
    for slot, artifact in zip(
        slots, generate(catalog, Diffusers(base), recipes(tiny, slots, tiny.salt, range(1, 2), base.digest))
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
        store = FolderStore(studio / "store")
        publish_weights(catalog, manifest, [store])
        publish(studio / "drops" / f"tiny-{drop}" / "drop.car", CID.parse(manifest.root), [store])
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


# Studios, models and nodes that tests of several folders build on


@pytest.fixture(scope="session")
def judge():
    from artmint.make.base import load_judge

    return load_judge()


@pytest.fixture(scope="module")
def style(tmp_path_factory):
    from artmint.train.style import practice_style

    return practice_style(tmp_path_factory.mktemp("style") / "riso", 6, 64)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    from artmint.make.base import load_base
    from tests.families import saved

    known = {}

    def base(name):
        if name not in known:
            known[name] = load_base(saved(name, tmp_path_factory.mktemp(name)))
        return known[name]

    return base


@pytest.fixture(scope="module")
def trained(bases, style, tmp_path_factory):
    "A family's adapter, trained for seven steps."
    from artmint.lora_train import train
    from artmint.train.settings import TrainConfig
    from tests.styles import SMALL

    known = {}

    def adapter(name):
        if name not in known:
            known[name] = train(
                style, bases(name), TrainConfig(**SMALL), tmp_path_factory.mktemp(name)
            ).read_bytes()
        return known[name]

    return adapter


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    from tests.batches import made

    return made(tmp_path_factory.mktemp("small"), 4, 2)


@pytest.fixture
def studio(minted, tmp_path):
    "The minted studio as a stranger has it (chain, store, manifests), to be spoiled, and its contract's address."
    for name in ("chain", "store", "drops"):
        shutil.copytree(
            minted[0] / name, tmp_path / name, ignore=shutil.ignore_patterns("root", "drop.car", "*.lock")
        )
    return tmp_path, f"embedded:{minted[1]}"


@pytest.fixture
def lie(minted, tmp_path):
    "Change the files of the first drop, commit them, and prove."
    from artmint.verify import verify
    from tests.lies import Studio, base_files, set_apart, tree

    def told(change, regenerate: bool = False, content: bytes = b"", weights: str = "", **more):
        files = tree(minted[0] / "drops" / "tiny-1" / "root")
        del files["weights.json"]
        if weights:
            files |= base_files(minted[0])
        change(files)
        studio = Studio(tmp_path / "lies")
        if weights == "apart":
            set_apart(files, studio.folder / "store")
        return verify(
            studio.publish(files, [1, 2], content),
            tmp_path / "lies",
            regenerate=regenerate,
            **more,
        )

    return told


@pytest.fixture(scope="module")
def expected(base, tmp_path_factory):
    "What `generate` alone makes of it."
    from artmint.generate import generate
    from artmint.run.executors import pictures_digest
    from tests.hosts import listed

    catalog, _, attempts = listed(tmp_path_factory.mktemp("alone"), base)
    return pictures_digest(generate(catalog, Diffusers(base), attempts))


@pytest.fixture(scope="session")
def predeploys():
    "Code by name, compiled from tests/data/chains."
    node_tool("anvil")
    sys.path.insert(0, str(CONTRACTS.parent / "scripts"))
    from compile_contracts import compiled

    made = compiled(
        sources={"Predeploys.sol": (CONTRACTS.parent / "tests/data/chains/Predeploys.sol").read_text()}
    )["contracts"]["Predeploys.sol"]
    return {name: "0x" + each["evm"]["deployedBytecode"]["object"] for name, each in made.items()}


@pytest.fixture(scope="session")
def gated_once(tmp_path_factory):
    "A minted drop with a gate over it and the contract that speaks ERC-7007, on a chain of their own."
    from tests.gates import Gated

    return Gated(tmp_path_factory.mktemp("gated"))


@pytest.fixture
def gated(gated_once):
    "The same, as it was before any test."
    chain = gated_once.web3.provider.chain.tester
    mark = chain.take_snapshot()
    yield gated_once
    chain.revert_to_snapshot(mark)


@pytest.fixture
def between(node):
    "Starts proxies in front of the node: between(fault)."
    from tests.nodes import Between

    servers = []

    def start(fault=lambda method, answer: None):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Between)
        server.url = node.url
        server.fault = fault
        server.seen = []
        server.address = f"http://127.0.0.1:{server.server_port}/v3/canary"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
