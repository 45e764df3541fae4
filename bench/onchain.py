"What a picture that the chain draws takes: gas for the question, bytes on chain, milliseconds in JavaScript."

import json
import shutil
import subprocess
from collections.abc import Iterator

import numpy as np
from web3 import HTTPProvider, Web3

from artmint.onchain.model import bundled_model, drawn_layers, drawn_page
from artmint.onchain.network import WEIGHTS_SIZE
from tests.anvil import Anvil
from tests.painted import painter_on, thrown_recipe

from .measure import row, seconds

TIMED = """
const html = require("fs").readFileSync(0, "utf8");
const source = html.slice(html.indexOf("<script>") + 8, html.lastIndexOf("</script>"));
const draw = new Function(source + ";return layers(128)");
const times = [];
for (let i = 0; i < 12; i++) { const begun = performance.now(); draw(); times.push(performance.now() - begun); }
console.log(JSON.stringify(times.slice(2).sort((a, b) => a - b)));
"""


def asked_gas(count: int) -> list[int]:
    "Gas of a painter's whole answer for some recipes. Raises ProgramMissing without anvil."
    node = Anvil("--gas-limit", "60000000")
    try:
        web3 = Web3(HTTPProvider(node.url, request_kwargs={"timeout": 300}))
        model, rng = bundled_model(), np.random.default_rng(1)
        painter = painter_on(web3, web3.eth.accounts[0], model)
        recipes = [thrown_recipe(model, rng) for _ in range(count)]
        calls = [painter.functions.uri("Bench", "1", recipe) for recipe in recipes]
        return [call.estimate_gas({"gas": 60_000_000}) for call in calls]
    finally:
        node.end()


def measure(rounds: int) -> Iterator[dict]:
    "onchain_call_gas, weights_bytes, onchain_js_ms."
    gas = asked_gas(8 * rounds)
    cap = "geth's cap for a question: 50,000,000"
    how = f"anvil, what tokenURI answers, picture and page in it, the most of {len(gas)} recipes"
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
    beside = seconds(lambda: drawn_layers(model, bytes(12))) * 1000
    how = "node, 128 x 128 with the network, median of 10 after two"
    yield row("onchain_js_ms", round(median, 1), "ms", f"numpy: {beside:.0f} ms", "<= 2000", how)
