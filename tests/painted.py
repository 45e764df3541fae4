"What the tests of drawing on chain share: models, recipes, and the same pictures by node."

import base64
import hashlib
import json
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from artmint.chain.contract import PAINTER, artifact
from artmint.onchain.model import (
    ChainModel,
    bundled_model,
    creation_code,
    drawn_layers,
    drawn_page,
    make_model,
    recipe_bytes,
    split_code,
)
from artmint.onchain.network import WEIGHTS_SIZE

GAS = {"gas": 50_000_000}
PROGRAM = """
const crypto = require("crypto"), programs = new Map();
const atob = (text) => Buffer.from(text, "base64").toString("latin1");
for (const line of require("fs").readFileSync(0, "utf8").trim().split("\\n")) {
  const [page, side] = JSON.parse(line), html = Buffer.from(page, "base64").toString();
  const source = html.slice(html.indexOf("<script>") + 8, html.lastIndexOf("</script>"));
  const [, R, M, rest] = source.match(/^const R="(\\w*)",M="([^"]*)";([^]*)$/);
  if (!programs.has(rest)) programs.set(rest, new Function("R", "M", "atob", "side", rest + ";return [layers(side), colours]"));
  const [seen, colours] = programs.get(rest)(R, M, atob, side);
  console.log(crypto.createHash("sha256").update(Buffer.from(seen)).digest("hex") + Buffer.from(colours.flat()).toString("hex"));
}
"""


def by_node(pages: Sequence[bytes], side: int = 128) -> list[str]:
    "What the pages' own program draws: a digest of the layers and the colours, for each."
    if not shutil.which("node"):
        pytest.skip("node isn't installed, and the page's program is JavaScript")
    lines = "\n".join(json.dumps([base64.b64encode(page).decode(), side]) for page in pages)
    done = subprocess.run(["node", "-e", PROGRAM], input=lines, capture_output=True, text=True, check=True)
    return done.stdout.split()


def by_numpy(model: ChainModel, recipe: bytes, side: int = 128) -> str:
    "The same by numpy; the colours are read out of the PNG."
    from artmint.onchain.model import drawn_png

    layers = drawn_layers(model, recipe, side)
    png = drawn_png(model, recipe)
    place = png.index(b"PLTE") + 4
    return hashlib.sha256(layers.tobytes()).hexdigest() + png[place : place + 27].hex()


def thrown_model(rng: np.random.Generator) -> ChainModel:
    "The bundled vocabulary behind weights that dice threw."
    return make_model(rng.bytes(WEIGHTS_SIZE) + bundled_model().network[WEIGHTS_SIZE:])


def thrown_recipe(model: ChainModel, rng: np.random.Generator) -> bytes:
    "A recipe that dice threw."
    traits = {trait.name: str(rng.choice(trait.values)) for trait in model.words.traits}
    return recipe_bytes(model, traits, int(rng.integers(2**32)))


def pairs(count: int, seed: int, thrown: int = 2) -> list[tuple[ChainModel, bytes]]:
    "Models and recipes; every so many of them with weights that dice threw."
    rng, own = np.random.default_rng(seed), bundled_model()
    models = [own if i % thrown else thrown_model(rng) for i in range(count)]
    return [(model, thrown_recipe(model, rng)) for model in models]


def painter_on(web3: Any, account: str, model: ChainModel) -> Any:
    "A painter on a node that signs for its own accounts."

    def sent(fields: dict) -> dict:
        hashed = web3.eth.send_transaction({"from": account, "gas": 16_000_000, **fields})
        return web3.eth.wait_for_transaction_receipt(hashed)

    chunks = [sent({"data": creation_code(code)})["contractAddress"] for code in split_code(model.data)]
    made = artifact(PAINTER)
    factory = web3.eth.contract(abi=made["abi"], bytecode=made["bytecode"])
    call = factory.constructor(chunks, len(model.network), bytes.fromhex(model.digest))
    receipt = web3.eth.wait_for_transaction_receipt(call.transact({"from": account, "gas": 16_000_000}))
    return web3.eth.contract(receipt["contractAddress"], abi=made["abi"])


def drawn_pages(some: Sequence[tuple[ChainModel, bytes]]) -> list[bytes]:
    "Pages of models and recipes."
    return [drawn_page(model, recipe) for model, recipe in some]
