"""Measure the hot paths and write studio/bench.json: a list of {name, value, unit, against, limit, how}.

Every ratio is taken in one run, against an alternative measured beside it: machines are noisy, ratios less so.
"""

import argparse
import copy
import hashlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


def seconds(work: Callable[[], object]) -> float:
    "Wall time of one call."
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ratio(
    ours: Callable[[], object], theirs: Callable[[], object], rounds: int
) -> tuple[float, float, float]:
    "Median seconds of both, and the median of their ratios, measured in turns."
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(rounds)]
    return *(statistics.median(column) for column in zip(*pairs)), statistics.median(b / a for a, b in pairs)


def generation(rounds: int) -> list[dict]:
    "Rendering in the fast profile against the plain pipeline, and against the bare forward passes of the same batch."
    import torch
    from artmint.make.base import load_base
    from artmint.make.engine import engine
    from artmint.make.render import render
    from artmint.core.records import Recipe

    base = load_base()
    count = 16
    steps = 20
    recipes = [
        Recipe(
            base=base.digest,
            prompt="dense rings in aurora colours on night",
            seed=i,
            steps=steps,
            guidance=3.0,
            width=128,
            height=128,
            profile="fast",
        )
        for i in range(count)
    ]
    ready = engine(base, recipes[0])

    def plain() -> None:
        for r in recipes:
            base.pipeline(
                r.prompt,
                num_inference_steps=steps,
                guidance_scale=r.guidance,
                width=128,
                height=128,
                generator=torch.Generator().manual_seed(r.seed),
            )

    @torch.inference_mode()
    def arithmetic() -> None:
        x = torch.randn(2 * ready.profile.batch, 4, 32, 32)
        t = torch.tensor(500)
        text = torch.randn(2 * ready.profile.batch, 32, 128)
        for _ in range(count // ready.profile.batch):
            for _ in range(steps):
                ready.pipe.unet(x, t, text)
            ready.pipe.vae.decode(x[: ready.profile.batch])

    render(base, recipes)
    plain()
    arithmetic()
    ours, theirs, against_plain = ratio(lambda: render(base, recipes), plain, rounds)
    _, bare, against_bare = ratio(lambda: render(base, recipes), arithmetic, rounds)
    how = f"{count} pictures, {steps} DDIM steps with guidance, float32, {torch.get_num_threads()} threads, median of {rounds}"
    return [
        {
            "name": "generate_vs_plain",
            "value": round(against_plain, 3),
            "unit": "times",
            "against": f"StableDiffusionPipeline, one prompt at a time: {count / theirs:.2f} pictures/s",
            "limit": ">= 2.3",
            "how": f"{how}; ours {count / ours:.2f} pictures/s",
        },
        {
            "name": "generate_vs_arithmetic",
            "value": round(against_bare, 3),
            "unit": "share",
            "against": f"bare UNet and VAE forwards at the same batch shape: {bare:.2f} s",
            "limit": ">= 0.95",
            "how": how,
        },
    ]


def training(rounds: int) -> list[dict]:
    "LoRA training against the loop of diffusers' text-to-image LoRA example (pictures and captions encoded in every step), and against the UNet's bare forward and backward passes."
    import numpy as np
    import torch
    from PIL import Image
    from artmint import lora_train
    from artmint.make.base import load_base
    from artmint.train.examples import TrainConfig, batch_indices
    from artmint.train.style import practice_style
    from diffusers import DDIMScheduler
    from diffusers.models.attention_processor import AttnProcessor2_0
    from peft import LoraConfig

    base = load_base()
    steps = 8
    config = TrainConfig(prior_batch=0, steps=10_000)
    with tempfile.TemporaryDirectory() as folder:
        style = (made := practice_style(Path(folder), 24))
        images = made.images()
    captions = style.captions()
    pipe = lora_train._adapted(base, config)
    scheduler = DDIMScheduler.from_config(base.pipeline.scheduler.config)
    optimiser = lora_train._optimiser(pipe, config)
    style_now = type("Held", (), {"images": lambda self: images, "captions": lambda self: captions})()
    courses = lora_train._courses(pipe, base, config, style_now, None)
    at = iter(range(10**9))
    trained = [p for group in optimiser.param_groups for p in group["params"]]
    theirs = copy.copy(base.pipeline)
    theirs.unet = copy.deepcopy(base.pipeline.unet).requires_grad_(False)
    theirs.unet.add_adapter(
        LoraConfig(
            r=config.rank,
            lora_alpha=config.alpha,
            init_lora_weights="gaussian",
            target_modules=list(config.targets),
        )
    )
    theirs.unet.set_attn_processor(AttnProcessor2_0())  # what a pipeline has, and the example leaves
    their_optimiser = lora_train._optimiser(theirs, config)

    def ours() -> None:
        for _ in range(steps):
            lora_train._step(optimiser, courses, scheduler, config, next(at))

    def plain() -> None:
        for step in range(steps):
            which = batch_indices([(1, 1)] * len(images), config.batch, step, 0)
            pixels = torch.stack(
                [
                    torch.from_numpy(
                        np.array(images[i].resize((128, 128), Image.Resampling.BILINEAR))
                    ).permute(2, 0, 1)
                    / 127.5
                    - 1
                    for i in which
                ]
            )
            with torch.no_grad():
                found = theirs.vae.encode(pixels)
            latents = (
                found.latents if hasattr(found, "latents") else found.latent_dist.sample()
            ) * theirs.vae.config.scaling_factor
            ids = theirs.tokenizer(
                [captions[i] for i in which],
                padding="max_length",
                max_length=theirs.tokenizer.model_max_length,
                truncation=True,
                return_tensors="pt",
            ).input_ids
            told = theirs.text_encoder(ids, return_dict=False)[0]
            noise = torch.randn_like(latents)
            t = torch.randint(0, 1000, (len(which),))
            guess = theirs.unet(scheduler.add_noise(latents, noise, t), t, told, return_dict=False)[0]
            torch.nn.functional.mse_loss(guess, scheduler.get_velocity(latents, noise, t)).backward()
            torch.nn.utils.clip_grad_norm_(
                [p for group in their_optimiser.param_groups for p in group["params"]], 1.0
            )
            their_optimiser.step()
            their_optimiser.zero_grad()

    x = torch.randn(config.batch, 4, 32, 32)
    told = torch.randn(config.batch, 32, 128)

    def arithmetic() -> None:
        for _ in range(steps):
            pipe.unet(x, torch.full((config.batch,), 500), told).sample.square().mean().backward()
            for p in trained:
                p.grad = None

    ours()
    plain()
    arithmetic()
    mine, loop, against_loop = ratio(ours, plain, rounds)
    _, bare, _ = ratio(ours, arithmetic, rounds)
    how = f"{steps} steps of {config.batch} pictures, rank {config.rank}, float32, {torch.get_num_threads()} threads, median of {rounds}; ours {steps / mine:.2f} steps/s"
    return [
        {
            "name": "lora_vs_plain_loop",
            "value": round(against_loop, 3),
            "unit": "times",
            "against": f"the loop of diffusers' text-to-image LoRA example: {steps / loop:.2f} steps/s",
            "limit": ">= 1.5",
            "how": how,
        },
        {
            "name": "lora_vs_arithmetic",
            "value": round(bare / mine, 3),
            "unit": "share",
            "against": f"the UNet's bare forward and backward: {steps / bare:.2f} steps/s",
            "limit": ">= 0.85",
            "how": how,
        },
    ]


def archiving(rounds: int) -> list[dict]:
    "10,000 files of 100 KB: naming them and writing the archive, against reading and hashing them, and against npm's ipfs-car where it is at hand."
    from artmint.ipfs.car import write_car

    count = 10_000
    size = 100_000
    shared = Path("/dev/shm")
    roomy = shared.is_dir() and shutil.disk_usage(shared).free > 4 * count * size
    with tempfile.TemporaryDirectory(dir=shared if roomy else None) as folder:
        source = Path(folder, "files")
        target = Path(folder, "files.car")
        noise = os.urandom(size)
        source.mkdir()
        for i in range(count):
            (source / f"{i}.png").write_bytes(i.to_bytes(8, "big") + noise[8:])

        def bare() -> None:
            for name in sorted(os.listdir(source)):
                with open(source / name, "rb") as file:
                    hashlib.sha256(file.read()).digest()

        write_car(target, source)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        theirs, ours, against = ratio(bare, lambda: write_car(target, source), rounds)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        how = f"{count:,} files of {size:,} bytes in {'memory' if roomy else 'a temporary folder'}, wall time, median of {rounds}; ours {ours:.2f} s, {grown:.1f} MiB of memory more after the first"
        rows = [
            {
                "name": "car_vs_sha256",
                "value": round(against, 3),
                "unit": "times",
                "against": f"reading and hashlib alone: {theirs:.2f} s",
                "limit": "<= 2.2",
                "how": how,
            }
        ]
        if npm := shutil.which("ipfs-car") or next(
            map(str, Path("build/tools").glob("importer-*/node_modules/.bin/ipfs-car")), None
        ):

            def packed() -> None:
                subprocess.run(
                    [npm, "pack", source, "--no-wrap", "--output", f"{folder}/npm.car"],
                    check=True,
                    stdout=subprocess.DEVNULL,
                )

            ours, theirs, against = ratio(lambda: write_car(target, source), packed, min(rounds, 3))
            rows.append(
                {
                    "name": "car_vs_ipfs_car",
                    "value": round(against, 3),
                    "unit": "times",
                    "against": f"npm ipfs-car pack: {theirs:.2f} s",
                    "limit": ">= 1.5",
                    "how": f"how many times longer npm's takes; ours {ours:.2f} s",
                }
            )
    return rows


def curation(rounds: int) -> list[dict]:
    "Scoring a batch with the demo's rules, catalog and files included, against the scorers alone on pictures at hand, and against one picture at a time."
    import dataclasses
    import tempfile
    from artmint.make.base import load_judge
    from artmint.studio.catalog import Catalog
    from artmint.judge.heads import scorers_for
    from artmint.train.drawings import draw, subjects
    from artmint.core.records import Artifact
    from artmint.core.picture import pixel_digest, png_bytes
    from artmint.core.records import Candidate
    from artmint.judge.scores import _texts, picture, score
    from artmint.core.records import Recipe, Slot
    from artmint.seeds import load_collection, prompt_of

    demo = load_collection(Path(__file__).parent.parent / "collections" / "demo")
    judge = load_judge()
    count = 192
    known = [each for each in subjects() if each.palette in demo.traits["palette"]]
    catalog = Catalog(tempfile.mkdtemp())
    found = []
    for i in range(count):
        slot = Slot(id=i + 1, traits=vars(known[i * 7 % len(known)]))
        image = draw(known[i * 7 % len(known)], i)
        recipe = Recipe(base="0" * 64, prompt=prompt_of(demo, slot), seed=i, width=128, height=128)
        found.append(
            Candidate(
                slot,
                1,
                Artifact(
                    dna=recipe.dna,
                    recipe=recipe.facts(),
                    pixel_digest=pixel_digest(image),
                    file_digest=catalog.put_blob(png_bytes(image, recipe, "drawn")),
                    environment={},
                ),
            )
        )
    images = [picture(catalog, c.artifact) for c in found]
    scorers = scorers_for(demo, judge)
    one = dataclasses.replace(judge, batch=1)

    def ours() -> None:
        _texts.cache_clear()
        fresh = Catalog(tempfile.mkdtemp())
        (fresh.folder / "blobs").symlink_to(catalog.folder / "blobs")
        score(fresh, judge, found, scorers)

    def bare() -> None:
        _texts.cache_clear()
        rows = judge.encode_images(images)
        for scorer in scorers.values():
            scorer.measure(found, images, rows)

    def naive() -> None:
        fresh = Catalog(tempfile.mkdtemp())
        (fresh.folder / "blobs").symlink_to(catalog.folder / "blobs")
        for candidate in found[:few]:
            _texts.cache_clear()
            score(fresh, judge, [candidate], scorers)

    def unpadded() -> None:
        each_scorer = scorers_for(demo, one).values()
        for candidate in found[:few]:
            image = picture(catalog, candidate.artifact)
            row = one.encode_images([image])
            for scorer in each_scorer:
                scorer.measure([candidate], [image], row)

    few = count // 8
    ours()
    bare()
    ours_s, bare_s, _ = ratio(ours, bare, rounds)
    naive_s = seconds(naive) / few
    unpadded_s = seconds(unpadded) / few
    how = f"{count} drawings of 128 px, {', '.join(scorers)}; ours {count / ours_s:.1f} pictures/s, median of {rounds}"
    alone = f"the same scores asked for one picture at a time: {1 / naive_s:.1f} pictures/s (forwards without padding, which promise no equal bits: {1 / unpadded_s:.1f})"
    return [
        {
            "name": "curate_vs_judge_forward",
            "value": round(bare_s / ours_s, 3),
            "unit": "share",
            "against": f"the scorers' bare times: {count / bare_s:.1f} pictures/s",
            "limit": ">= 0.8",
            "how": how,
        },
        {
            "name": "curate_vs_naive",
            "value": round(naive_s / (ours_s / count), 3),
            "unit": "times",
            "against": alone,
            "limit": ">= 3",
            "how": how,
        },
    ]


def duplicates(rounds: int) -> list[dict]:
    "200 queries against 10^4, 10^5 and 10^6 embeddings in a file: planted copies found, seconds, and the most memory that numpy held."
    import os
    import tempfile
    import tracemalloc
    import numpy as np
    from artmint.judge.duplicates import nearest

    rng = np.random.default_rng(0)
    d = 512
    said = []
    recall = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for m in (10**4, 10**5, 10**6):
            every = np.lib.format.open_memmap(os.path.join(folder, "rows.npy"), "w+", np.float32, (m, d))
            for start in range(0, m, 50_000):
                part = rng.normal(size=(min(50_000, m - start), d)).astype(np.float32)
                every[start : start + len(part)] = part / np.linalg.norm(part, axis=1, keepdims=True)
            planted = rng.choice(m, 200, replace=False)
            rows = every[planted] + rng.normal(size=(200, d)).astype(np.float32) * 0.02
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            tracemalloc.start()
            begun = time.perf_counter()
            index, _ = nearest(rows, every)
            spent = time.perf_counter() - begun
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            recall = float((index == planted).mean())
            said.append(f"{m:,}: {spent:.2f} s, {peak / 1e6:.0f} MB, recall {recall}")
    return [
        {
            "name": "duplicates_recall_1e6",
            "value": recall,
            "unit": "share",
            "against": "200 planted copies with noise (cosine about 0.91) among random unit vectors of 512 numbers",
            "limit": "= 1.0",
            "how": "; ".join(said),
        }
    ]


def gas(_: int) -> list[dict]:
    "What minting costs, on the embedded chain: the second mint to one owner, with a limit in a window, and a drop's commitment."
    import hashlib
    import json
    import tempfile
    from importlib.resources import files

    from artmint.chain.connect import connect
    from eth_account import Account

    made = json.loads((files("artmint") / "data/contracts/ArtMint.json").read_text())
    key = Account.create()
    digest = hashlib.sha256(b"drop").digest()
    web3 = connect("embedded", Path(tempfile.mkdtemp()))
    web3.provider.chain.fund(key.address, 10**10)

    def sent(call: object) -> dict:
        fields = {
            "from": key.address,
            "nonce": web3.eth.get_transaction_count(key.address),
            "maxFeePerGas": 3 * 10**9,
            "maxPriorityFeePerGas": 10**9,
        }
        return web3.eth.get_transaction_receipt(
            web3.eth.send_raw_transaction(
                key.sign_transaction(call.build_transaction(fields)).raw_transaction
            )
        )

    factory = web3.eth.contract(abi=made["abi"], bytecode=made["bytecode"])
    address = sent(factory.constructor("Bench", "BENCH", 500, key.address, 0, key.address, key.address, 500))[
        "contractAddress"
    ]
    do = web3.eth.contract(address, abi=made["abi"]).functions
    sent(do.grantRole(do.MINTER_ROLE().call(), key.address))
    sent(do.setAllowance(key.address, 500, 400, 86_400))
    sent(do.commitDrop(1, 200, digest, digest))
    commit = sent(do.commitDrop(201, 200, digest, digest))["gasUsed"]
    sent(do.mintBatch(1, 1, 0))
    twenty, hundred, owners = (
        sent(do.mintBatch(first, size, inner))["gasUsed"] / size
        for first, size, inner in ((2, 20, 0), (22, 100, 0), (122, 100, 20))
    )
    how, floor = (
        "py-evm, second mint to one owner, a limit in a window",
        "ERC721A with no roles and no limits: 2471 a token at 100, 4647 at 20",
    )
    return [
        {
            "name": "gas_per_token_100",
            "value": round(hundred),
            "unit": "gas",
            "against": floor,
            "limit": "<= 2650",
            "how": f"{how}, one owner for all; {owners:.0f} with an owner for each 20 (<= 3600)",
        },
        {
            "name": "gas_per_token_20",
            "value": round(twenty),
            "unit": "gas",
            "against": floor,
            "limit": "<= 5400",
            "how": how,
        },
        {
            "name": "gas_commit_drop",
            "value": commit,
            "unit": "gas",
            "against": "three new storage slots alone: 66300",
            "limit": "<= 110000",
            "how": "py-evm, any drop but the first",
        },
    ]


def minting(_: int) -> list[dict]:
    "1600 tokens in batches of 100 on a chain with a block each second: ours, with its journal, against a loop of single mints and against raw transactions that were signed beforehand. Needs anvil."
    import dataclasses
    import sys

    sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parent)]
    from artmint.chain.admin import authorize, commit_drop, deploy
    from artmint.studio.catalog import Catalog
    from artmint.chain.connect import connect
    from artmint.chain.journal import Journal
    from artmint.mint import mint
    from artmint.seeds import load_collection
    from artmint.chain.signers import KeystoreSigner, new_keystore
    from conftest import Anvil
    from eth_account import Account
    from faults import Drop

    total, batch = 1600, 100
    demo = load_collection(Path(__file__).parent.parent / "collections" / "demo")
    node = Anvil()
    folder = Path(tempfile.mkdtemp())
    web3 = connect(node.url, folder)
    catalog = Catalog(folder)
    treasury = Account.create().address
    for name in ("admin", "minter"):
        new_keystore(folder / f"keys/{name}.json", "word", 2**4)
    admin, minter = (KeystoreSigner(folder / f"keys/{name}.json", "word") for name in ("admin", "minter"))
    for each in (admin, minter):
        node.fund(each.address)

    def fresh(name: str) -> tuple:
        "A contract with a committed drop, and who may mint it; the first token is minted, so that all begin alike."
        boss = Journal(catalog, web3, admin)
        drop = dataclasses.replace(Drop(total + 1), collection=name)
        contract = deploy(boss, demo.model_copy(update={"name": name, "supply": total + 1}), treasury)
        commit_drop(boss, contract, drop)
        authorize(boss, contract, minter.address, total + 1)
        hot = Journal(catalog, web3, minter)
        hot.send(contract.functions.mintBatch(1, 1, 1), {"verb": "mintBatch"})
        return contract, drop, hot

    def raw(contract: object, size: int, count: int) -> list[bytes]:
        nonce = web3.eth.get_transaction_count(minter.address)
        fields = {
            "from": minter.address,
            "gas": 400_000,
            "maxFeePerGas": 10**10,
            "maxPriorityFeePerGas": 10**9,
            "chainId": web3.eth.chain_id,
            "value": 0,
        }
        return [
            bytes.fromhex(
                minter.sign(
                    contract.functions.mintBatch(2 + i * size, size, 20 if size > 1 else 1).build_transaction(
                        {**fields, "nonce": nonce + i}
                    )
                )[1][2:]
            )
            for i in range(count)
        ]

    def landed(transactions: list[bytes]) -> None:
        hashes = [web3.eth.send_raw_transaction(each) for each in transactions]
        for each in hashes:
            assert web3.eth.wait_for_transaction_receipt(each, 60, 0.05)["status"] == 1

    def alone(transactions: list[bytes]) -> None:
        for each in transactions:
            landed([each])

    def measured(block: int, names: tuple) -> dict:
        "Tokens a second, each measured from the beginning of a block."
        rate = {}
        ways = {"ours": 16, "one at a time": 1, "raw": 0, "single": 0}
        for name in names:
            node("evm_setIntervalMining", 0)
            node("evm_setAutomine", True)
            contract, drop, hot = fresh(f"{name}-{block}".replace(" ", "-"))
            size, count = (1, 100 if not block else 5) if name == "single" else (batch, total // batch)
            made = raw(contract, size, count) if name in ("raw", "single") else []
            if block:
                node("evm_setAutomine", False)
                node("evm_setIntervalMining", block)
            height = web3.eth.block_number
            while block and web3.eth.block_number == height:
                time.sleep(0.01)
            work = {"raw": lambda: landed(made), "single": lambda: alone(made)}.get(
                name, lambda: mint(hot, contract, drop, batch, 20, flight=ways[name])
            )
            rate[name] = size * count / seconds(work)
        return rate

    every = ("ours", "one at a time", "raw", "single")
    try:
        slow = measured(2, every)
        quick = measured(0, every)
        ethereum = measured(12, ("ours", "raw"))
    finally:
        node.end()
    said = lambda rate: ", ".join(f"{name} {each:,.0f}" for name, each in rate.items())
    how = f"{total} tokens on anvil, 100 a batch; tokens/s with a block each 12 s, as on Ethereum: {said(ethereum)}; each 2 s, as on Base: {said(slow)}; with a block for each transaction, at once: {said(quick)}"
    return [
        {
            "name": "mint_vs_send_and_wait",
            "value": round(min(slow["ours"] / slow["single"], quick["ours"] / quick["single"]), 2),
            "unit": "times",
            "against": "single mints that were signed beforehand, each waited for; the smaller of both chains",
            "limit": ">= 5",
            "how": how,
        },
        {
            "name": "mint_vs_raw",
            "value": round(ethereum["ours"] / ethereum["raw"], 3),
            "unit": "share",
            "against": "the same batches signed beforehand, sent together, their receipts waited for",
            "limit": ">= 0.8",
            "how": f"a block each 12 s ({slow['ours'] / slow['raw']:.2f} with a block each 2 s, where the processor's time counts for more)",
        },
        {
            "name": "mint_flight_vs_one",
            "value": round(slow["ours"] / slow["one at a time"], 2),
            "unit": "times",
            "against": "batches one at a time",
            "limit": ">= 2",
            "how": "why batches go out in flights; a block each 2 s",
        },
    ]


WORKER = """
import pickle, sys, time
from artmint.run.workers import Worker
import torch
order, name, bare = pickle.load(sys.stdin.buffer)
worker = Worker(order, name)
from artmint.make.engine import engine
recipe = next(iter(order.batches.values()))[0].recipe
ready = engine(worker.base, recipe)
x, t, text = torch.randn(2 * ready.profile.batch, 4, 32, 32), torch.tensor(500), torch.randn(2 * ready.profile.batch, 32, 128)
def arithmetic():
    for _ in range(bare):
        for _ in range(recipe.steps): ready.pipe.unet(x, t, text)
        ready.pipe.vae.decode(x[: ready.profile.batch])
with torch.inference_mode(): ready.pipe.unet(x, t, text)
print("ready", flush=True)
sys.stdin.buffer.read(1)
with torch.inference_mode(): arithmetic() if bare else worker.work()
print("done", flush=True)
"""


def workers(rounds: int) -> list[dict]:
    "Two one-thread worker processes against one, on lists of equal length, and the same of bare forward passes: what the machine has to give."
    import pickle
    import sys
    from artmint.make.base import load_base
    from artmint.studio.catalog import Catalog
    from artmint.run.workers import Crew, order_of
    from artmint.core.records import Attempt, Recipe

    base = load_base()
    batches = 8
    seed = iter(range(10**6))

    def order(folder: str) -> object:
        attempts = [
            Attempt(
                slot=1,
                attempt=1,
                recipe=Recipe(
                    base=base.digest,
                    prompt="dense rings in aurora colours on night",
                    seed=next(seed),
                    steps=16,
                    guidance=3.0,
                    width=128,
                    height=128,
                    profile="fast",
                ),
            )
            for _ in range(8 * batches)
        ]
        return order_of(Catalog(folder), base, attempts, Crew(workers=2))

    def spent(count: int, bare: bool) -> float:
        with tempfile.TemporaryDirectory() as folder:
            told = order(folder)
            crew = []
            for i in range(count):
                crew.append(
                    subprocess.Popen(
                        [sys.executable, "-c", WORKER],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        env=os.environ | {"OMP_NUM_THREADS": "1"},
                    )
                )
                pickle.dump((told, str(i), batches // count if bare else 0), crew[-1].stdin)
                crew[-1].stdin.flush()
            for each in crew:
                each.stdout.readline()
            start = time.perf_counter()
            for each in crew:
                each.stdin.close()
            for each in crew:
                each.stdout.readline()
                each.wait()
                each.stdout.close()
            return time.perf_counter() - start

    measured = [(spent(1, False) / spent(2, False), spent(1, True) / spent(2, True)) for _ in range(rounds)]
    ours, bare = (statistics.median(column) for column in zip(*measured))
    return [
        {
            "name": "workers_2_vs_1",
            "value": round(ours, 3),
            "unit": "times",
            "against": f"bare forward passes on both cores: {bare:.2f} times one",
            "limit": ">= 1.8",
            "how": f"{8 * batches} pictures, fast, one thread each, loaded and warm, catalog and files included, median of {rounds}; {os.cpu_count()} cores",
        }
    ]


def overhead(rounds: int) -> list[dict]:
    "What leases, records and files add to rendering: both from one run, as two runs of it differ by more than that."
    from artmint import generate
    from artmint.run import workers as scale
    from artmint.make.base import load_base
    from artmint.studio.catalog import Catalog
    from artmint.run.executors import serial
    from artmint.run.workers import Crew, order_of
    from artmint.core.records import Attempt, Recipe

    base = load_base()
    seed = iter(range(10**6))
    painting = [0.0]
    render = generate.render

    def watched(*given: object, **named: object) -> object:
        start = time.perf_counter()
        try:
            return render(*given, **named)
        finally:
            painting[0] += time.perf_counter() - start

    def spent(count: int) -> tuple[float, float]:
        attempts = [
            Attempt(
                slot=1,
                attempt=1,
                recipe=Recipe(
                    base=base.digest,
                    prompt="dense rings in aurora colours on night",
                    seed=next(seed),
                    steps=16,
                    guidance=3.0,
                    width=128,
                    height=128,
                    profile="fast",
                ),
            )
            for _ in range(count)
        ]
        painting[0] = 0.0
        with tempfile.TemporaryDirectory() as folder:
            return seconds(
                lambda: serial(
                    order_of(Catalog(folder), base, attempts, Crew()), base, lambda made, asked: None
                )
            ), painting[0]

    generate.render = scale.render = watched
    try:
        spent(8)  # warms up
        found = [spent(48) for _ in range(rounds)]
    finally:
        generate.render = scale.render = render
    value = statistics.median(whole / bare - 1 for whole, bare in found)
    bare = statistics.median(bare for _, bare in found)
    return [
        {
            "name": "catalog_overhead",
            "value": round(value, 4),
            "unit": "share",
            "against": f"rendering in the same run, canary included: {bare:.2f} s",
            "limit": "<= 0.03",
            "how": f"48 pictures of the bundled base, fast, 16 steps, leased, recorded and written, median of {rounds}",
        }
    ]


def claims(_: int) -> list[dict]:
    "Claimed and finished jobs a second, from lists of 10^4, 10^5 and 10^6."
    from artmint.studio.catalog import Leases

    said, rate = [], 0.0
    for count in (10**4, 10**5, 10**6):
        with tempfile.TemporaryDirectory() as folder:
            leases = Leases(folder)
            offered = seconds(lambda: leases.offer("bench", (f"{i:07}" for i in range(count))))

            def thousand() -> None:
                for _ in range(1000):
                    leases.done("bench", leases.claim("bench", "me", 60), "me")

            rate = 1000 / seconds(thousand)
            said.append(
                f"{count:,}: {rate:.0f}/s, offered in {offered:.1f} s, {(Path(folder) / 'catalog.sqlite').stat().st_size / count:.0f} bytes a row"
            )
            leases.close()
    return [
        {
            "name": "catalog_claims",
            "value": round(rate),
            "unit": "1/s",
            "against": "the same at 10^4 and 10^5 rows",
            "limit": ">= 200",
            "how": f"SQLite, one process, a thousand claimed and finished; {'; '.join(said)}",
        }
    ]


def pruning(_: int) -> list[dict]:
    "Compute for each accepted picture with seed pruning against without, under the same rules: learned on half of the candidates, measured on the other half."
    import numpy as np
    from artmint.make.base import load_base, load_judge
    from artmint.studio.catalog import Catalog
    from artmint.judge.heads import scorers_for
    from artmint.train.drawings import subjects
    from artmint.core.records import Artifact
    from artmint.make.render import render
    from artmint.judge.prune import fit_pruner, render_some
    from artmint.core.records import Candidate
    from artmint.core.collection import Rule
    from artmint.core.records import Recipe, Slot
    from artmint.seeds import load_collection, prompt_of
    from artmint.judge.decisions import decide

    demo = load_collection(Path(__file__).parent.parent / "collections" / "demo")
    base = load_base()
    judge = load_judge()
    strict = demo.model_copy(
        update={
            "rules": (
                *(rule for rule in demo.rules if rule.scorer != "contrast"),
                Rule(scorer="symmetry", min=0.0, severity="reject"),
                Rule(scorer="contrast", min=0.0, severity="reject"),
            )
        }
    )
    known = [vars(each) for each in subjects() if each.palette in demo.traits["palette"]]
    count = 320
    steps = 50
    step = 10
    keep = 0.9
    confidence = 0.8
    slots = [Slot(id=i + 1, traits=known[i * 37 % len(known)]) for i in range(count)]
    recipes = [
        Recipe(
            base=base.digest,
            prompt=prompt_of(demo, slot),
            seed=slot.id,
            steps=steps,
            guidance=3.0,
            width=128,
            height=128,
            profile="fast",
        )
        for slot in slots
    ]
    found = [
        Candidate(
            slot, 1, Artifact(dna=r.dna, recipe=r.facts(), pixel_digest="", file_digest="", environment={})
        )
        for slot, r in zip(slots, recipes)
    ]
    with tempfile.TemporaryDirectory() as folder:
        scorers = scorers_for(strict, judge, Catalog(folder))

    def scored(which: list[int], images: list) -> np.ndarray:
        rows = judge.encode_images(images)
        own = [found[i] for i in which]
        return np.array([scorer.measure(own, images, rows) for scorer in scorers.values()]).T

    seen: dict[int, np.ndarray] = {}
    half = list(range(0, count, 2))

    def look(part: list[int], previews: list) -> list[bool]:
        seen.update(zip((half[i] for i in part), scored([half[i] for i in part], previews)))
        return [True] * len(part)

    learnt = scored(half, render_some(base, [recipes[i] for i in half], step, look))
    least = {
        "symmetry": 0.4,
        "contrast": 0.3,
    }  # a brand of emblems: symmetric and full of contrast, which few of these are
    bounds = {
        name: float(np.quantile(learnt[:, list(scorers).index(name)], share)) for name, share in least.items()
    }
    rules = tuple(
        rule.model_copy(update={"min": bounds[rule.scorer]}) if rule.scorer in bounds else rule
        for rule in strict.rules
    )

    def accepts(values: np.ndarray) -> np.ndarray:
        return np.array(
            [decide("", dict(zip(scorers, map(float, row))), rules).decision == "accept" for row in values]
        )

    about = {"step": step, "judge": judge.digest, "rules": "", "scorers": tuple(scorers)}
    pruner = fit_pruner(np.array([seen[i] for i in half]), accepts(learnt), about, keep, confidence)
    if pruner is None:
        return [
            {
                "name": "seed_pruning_saving",
                "value": 0.0,
                "unit": "share",
                "against": "without pruning",
                "limit": ">= 0.35",
                "how": f"only {accepts(learnt).sum()} of {len(half)} candidates were accepted: too few for a promise",
            }
        ]

    rest = list(range(1, count, 2))

    def spent(work: Callable[[], list]) -> tuple[float, list]:
        start = time.process_time()
        images = work()
        return time.process_time() - start, images

    full, images = spent(lambda: render(base, [recipes[i] for i in rest]))
    good = accepts(scored(rest, images))
    pruned, some = spent(
        lambda: render_some(
            base,
            [recipes[i] for i in rest],
            step,
            lambda part, previews: list(
                pruner.value(scored([rest[i] for i in part], previews)) >= pruner.threshold
            ),
        )
    )
    kept = np.array([image is not None for image in some])
    assert all(image.tobytes() == whole.tobytes() for image, whole in zip(some, images) if image), (
        "pruning changed a picture"
    )
    saving = 1 - (pruned / max((good & kept).sum(), 1)) / (full / max(good.sum(), 1))
    how = (
        f"{len(rest)} candidates, {steps} DDIM steps, previews after {step} judged too, float32; {kept.mean():.0%} went on, {good.sum()} acceptable of which {(good & ~kept).sum()} were stopped (promise: at most {1 - keep:.0%}, confidence {confidence:.0%}); "
        f"rules of the demo with {', '.join(f'{name} >= {value:.2f}' for name, value in bounds.items())}, acceptance {good.mean():.0%}; processor seconds {pruned:.1f} against {full:.1f}"
    )
    return [
        {
            "name": "seed_pruning_saving",
            "value": round(float(saving), 3),
            "unit": "share",
            "against": "the same candidates all run to the end, for each accepted picture",
            "limit": ">= 0.35",
            "how": how,
        }
    ]


def kpi_query(_: int) -> list[dict]:
    "All numbers of a batch from a catalog of 10^4, 10^5 and 10^6 rows, nine for each candidate, drawn at random; and those of a small drop among them."
    import random
    from artmint.studio.catalog import Catalog
    from artmint.studio.ledger import Money
    from artmint.metrics import batch_history, kpis
    from artmint.seeds import load_collection

    demo = load_collection(Path(__file__).parent.parent / "collections" / "demo")
    said = []
    last = 0.0

    def fill(catalog: Catalog, count: int) -> None:
        rng = random.Random(0)
        for start in range(0, count, 10_000):
            part = [(i, f"{i:064x}") for i in range(start, min(start + 10_000, count))]
            catalog.append_all(
                "attempt",
                [
                    (
                        f"demo/{i // 3 + 1}/{i % 3 + 1}",
                        {"dna": dna, "recipe": {"prompt": "rings", "seed": i, "steps": 16}},
                    )
                    for i, dna in part
                ],
            )
            for stage in ("generate", "curate"):
                catalog.append_all(
                    "cost",
                    [
                        (f"{stage}/{dna}", {"stage": stage, "key": dna, "amount": rng.random(), "unit": unit})
                        for _, dna in part
                        for unit in ("wall", "cpu", "bytes")
                    ],
                )
            catalog.append_all(
                "decision",
                [
                    (
                        dna,
                        {
                            "by": "machine",
                            "decision": rng.choice(("accept", "reject")),
                            "reasons": [],
                            "scores": {},
                        },
                    )
                    for _, dna in part
                ],
            )
            catalog.append_all(
                "edition",
                [(f"demo/{i // 3 + 1}", {"slot": i // 3 + 1, "dna": dna}) for i, dna in part if i % 3 == 0],
            )
        catalog.close()

    def asked(folder: str, slots: int) -> float:
        return seconds(lambda: kpis(batch_history(Catalog(folder), demo, range(1, slots + 1)), Money()))

    for rows in (10**4, 10**5, 10**6):
        with tempfile.TemporaryDirectory() as folder:
            filled = seconds(lambda: fill(Catalog(folder), rows // 9))
            small = asked(folder, 100)
            last = asked(folder, rows // 27)
            said.append(
                f"{rows:,}: {last:.2f} s, a drop of 100 slots among them {small:.2f} s (written in {filled:.1f} s)"
            )
    return [
        {
            "name": "kpi_query_1e6",
            "value": round(last, 2),
            "unit": "s",
            "against": "nothing",
            "limit": "<= 60",
            "how": "all numbers of all candidates, SQLite; " + ", ".join(said),
        }
    ]


def main() -> None:
    "Run every benchmark and print a table."
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--into", type=Path, default=Path("studio/bench.json"))
    given = options.parse_args()
    os.environ.setdefault(
        "OMP_WAIT_POLICY", "PASSIVE"
    )  # before torch is loaded: spinning threads take the processor from one another
    measures = (
        generation,
        training,
        archiving,
        curation,
        duplicates,
        gas,
        minting,
        workers,
        overhead,
        claims,
        pruning,
        kpi_query,
    )
    rows = [row for measure in measures for row in measure(given.rounds)]
    given.into.parent.mkdir(parents=True, exist_ok=True)
    given.into.write_text(json.dumps(rows, indent=2) + "\n")
    for row in rows:
        print(
            f"{row['name']:24} {row['value']:8} {row['unit']:6} ({row['limit']}) against {row['against']}; {row['how']}"
        )


if __name__ == "__main__":
    main()
