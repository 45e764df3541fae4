"What a picture that the chain draws takes: gas for the question, bytes on chain, milliseconds in JavaScript."

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from artmint.chain.connect import connect
from artmint.chain.contract import artifact
from artmint.chain.journal import Journal
from artmint.chain.admin import parties
from artmint.onchain.model import bundled_model, drawn_page, recipe_bytes
from artmint.onchain.network import WEIGHTS_SIZE
from artmint.onchain.painter import PAINTER, deploy_painter
from artmint.studio.catalog import Catalog

from .measure import row

TIMED = """
const html = require("fs").readFileSync(0, "utf8");
const source = html.slice(html.indexOf("<script>") + 8, html.lastIndexOf("</script>"));
const draw = new Function(source + ";return layers(128)");
const times = [];
for (let i = 0; i < 12; i++) { const begun = performance.now(); draw(); times.push(performance.now() - begun); }
console.log(JSON.stringify(times.slice(2).sort((a, b) => a - b)));
"""


def asked_gas(count: int) -> list[int]:
    "Gas of `uri` for some recipes, by py-evm: a limit is halved between what fails and what is enough."
    folder = Path(tempfile.mkdtemp())
    web3 = connect("embedded", folder / "chain")
    who = parties(web3, folder / "keys", rounds=2**10)
    model, rng = bundled_model(), np.random.default_rng(1)
    painter = deploy_painter(Journal(Catalog(folder), web3, who.admin), model)
    gas = []
    for seed in range(count):
        traits = {trait.name: str(rng.choice(trait.values)) for trait in model.words.traits}
        gas.append(
            used_gas(
                web3,
                painter.address,
                painter.encode_abi("uri", ["Bench", "1", recipe_bytes(model, traits, seed)]),
            )
        )
    return gas


def used_gas(web3: object, address: str, data: str) -> int:
    "Gas that a question takes, as py-evm counts it; the chain stays as it was."
    backend = web3.provider.chain.tester.backend
    chain, state = backend.chain, backend.chain.get_vm().state
    sender = bytes(20)
    transaction = chain.create_unsigned_transaction(
        nonce=0,
        gas_price=10**9,
        gas=100_000_000,
        to=bytes.fromhex(address[2:]),
        value=0,
        data=bytes.fromhex(data[2:]),
    )
    from eth.vm.spoof import SpoofTransaction

    spoofed = SpoofTransaction(transaction, from_=sender)
    computation = state.costless_execute_transaction(spoofed)
    computation.raise_if_error()
    return computation.get_gas_used()


def measure(rounds: int) -> Iterator[dict]:
    "onchain_call_gas, weights_bytes, onchain_js_ms."
    gas = asked_gas(min(rounds, 3))
    cap = "geth's cap for a question: 50,000,000"
    how = f"py-evm, tokenURI's answer with picture and page, the most of {len(gas)}; {artifact(PAINTER)['compiler']['solc']}"
    yield row("onchain_call_gas", max(gas), "gas", cap, "<= 50000000", how)
    model = bundled_model()
    parts = f"{WEIGHTS_SIZE} of weights, the rest vocabulary; the page's program has {len(model.program)}"
    yield row("weights_bytes", len(model.network), "bytes", "two contracts' code: 49,150", "<= 48000", parts)
    if not shutil.which("node"):
        print("onchain_js_ms wasn't measured: node isn't installed")
        return
    page = drawn_page(model, bytes(12))
    done = subprocess.run(["node", "-e", TIMED], input=page, capture_output=True, check=True)
    times = json.loads(done.stdout)
    median = times[len(times) // 2]
    yield row(
        "onchain_js_ms",
        round(median, 1),
        "ms",
        "a page that is turned: 400",
        "<= 400",
        "node, 128 x 128, median of 10 after two",
    )
