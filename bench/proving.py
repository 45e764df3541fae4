"""10,000 tokens of 100 KB proven from their root, and one of them through a gateway: time beside hashing, memory, bytes."""

import hashlib
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from PIL import Image

from artmint.chain.contract import content_root
from artmint.core.canon import canonical
from artmint.core.picture import pixel_digest, png_bytes
from artmint.core.records import Recipe
from artmint.ipfs.car import Car, open_car, write_car
from artmint.ipfs.cid import CID, cid
from artmint.ipfs.stores import FolderStore, Gateway
from artmint.prove.evidence import ChainClaim, ChainDrop, Leaf
from artmint.publish.tokens import json_schema
from artmint.verify import prove_claim

from .content import MEMORY, memory, roomy
from .measure import row, seconds

COUNT, SIDE, CONTRACT = 10_000, 184, "0x" + "11" * 20  # noise of this side is about 100 KB as PNG


def token_files(number: int) -> tuple[bytes, bytes]:
    "A token's JSON and picture: noise, which no compression makes smaller."
    rng = np.random.default_rng(number)
    recipe = Recipe(base="0" * 64, prompt="noise in grey", seed=number, width=SIDE, height=SIDE)
    image = Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8))
    picture = png_bytes(image, recipe, "bench")
    about = {"schema": 1, "collection": "bench", "slot": number, "attempt": 1, "dna": recipe.dna}
    about |= {"recipe": recipe.facts(), "pixel_digest": pixel_digest(image), "scores": {}, "scorers": {}}
    about |= {"file_digest": hashlib.sha256(picture).hexdigest()}
    about |= {"base": {"digest": "0" * 64, "source": "bench"}}
    shown = {"name": f"Bench #{number}", "description": "Noise.", "image": f"ipfs://{cid(picture)}"}
    shown |= {"attributes": [{"trait_type": "kind", "value": "noise"}], "license": "CC0-1.0"}
    return canonical(shown | {"artmint": about}), picture


def put_token(root: Path, number: int) -> Leaf:
    "Write a token's files, and what a contract would say of them."
    data, picture = token_files(number)
    (root / f"{number}.json").write_bytes(data)
    (root / f"images/{number}.png").write_bytes(picture)
    return Leaf(number, hashlib.sha256(picture).hexdigest(), hashlib.sha256(data).hexdigest())


def published(folder: Path, count: int) -> ChainClaim:
    "A root with so many tokens as an archive in a store, and what a contract would say of it."
    (folder / "root/images").mkdir(parents=True)
    with ThreadPoolExecutor() as pool:
        leaves = list(pool.map(lambda number: put_token(folder / "root", number), range(1, count + 1)))
    (folder / "root/schema.json").write_bytes(json_schema())
    (folder / "store").mkdir()
    root = write_car(folder / "store/new.car", folder / "root").root
    (folder / "store/new.car").rename(folder / f"store/{root}.car")
    drop = ChainDrop(1, count, content_root(1, CONTRACT, leaves)[0], root)
    uris = {token: f"ipfs://{root}/{token}.json" for token in (1, count)}
    return ChainClaim(1, CONTRACT, range(1, count + 1), uris, (drop,), count)


def hash_all(path: Path) -> None:
    "Read and hash an archive's blocks, no more."
    car = open_car(path)
    for name in car.index:
        hashlib.sha256(car.unchecked(name)).digest()


def proven(claim: ChainClaim, store: FolderStore | Gateway) -> None:
    "Prove, and be sure that it held."
    steps, _ = prove_claim(claim, [store], {})
    wrong = [step for step in steps if step.asked and step.status != "held"]
    if wrong:
        raise RuntimeError(f"the proof doesn't hold: {wrong[0]}")


class Blocks(BaseHTTPRequestHandler):
    "A trustless gateway that answers single blocks, and counts its bytes."

    car: Car
    sent: list[int] = []

    def do_GET(self) -> None:
        "Answer `/ipfs/CID?format=raw`."
        data = self.car.unchecked(CID.parse(self.path.split("/")[2].split("?")[0]))
        self.sent.append(len(data))
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        "Say nothing."


def one_token(claim: ChainClaim, car: Car) -> tuple[float, int]:
    "Seconds and bytes that one token takes through a gateway."
    handler = type("Serving", (Blocks,), {"car": car, "sent": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    token = COUNT // 2
    uris = {token: f"ipfs://{claim.drops[0].root}/{token}.json"}
    single = ChainClaim(1, CONTRACT, range(token, token + 1), uris, claim.drops, claim.supply)
    gateway = Gateway(f"http://127.0.0.1:{server.server_port}")
    spent = seconds(lambda: proven(single, gateway))
    server.shutdown()
    server.server_close()
    return spent, sum(handler.sent)


def measure(_: int) -> Iterator[dict]:
    "proof_ms_a_token, proof_memory, one_token_seconds, one_token_bytes."
    with tempfile.TemporaryDirectory(dir=MEMORY if roomy() else None) as name:
        folder = Path(name)
        claim = published(folder, COUNT)
        path = folder / f"store/{claim.drops[0].root}.car"
        hashing = seconds(lambda: hash_all(path))
        before = memory()
        spent = seconds(lambda: proven(claim, FolderStore(folder / "store")))
        held = memory() - before
        apiece = (spent - hashing) / COUNT * 1000
        how = f"{COUNT:,} tokens of {path.stat().st_size / COUNT / 1000:.0f} KB in {spent:.0f} s"
        yield row("proof_ms_a_token", round(apiece, 2), "ms", f"hashing alone, {hashing:.1f} s", "<= 2", how)
        yield row("proof_memory", round(held), "MiB", "what was held before", "<= 300", how)
        spent, fetched = one_token(claim, open_car(path))
        how = f"one of {COUNT:,} tokens, block by block"
        yield row("one_token_seconds", round(spent, 2), "s", "all of the drop", "<= 2", how)
        yield row("one_token_bytes", fetched, "bytes", f"{path.stat().st_size:,} bytes", "<= 1000000", how)
