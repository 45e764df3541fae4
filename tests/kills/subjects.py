"What is killed: acts that leave files, each with what it should leave."

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from artmint.core.collection import example
from artmint.curate import choose
from artmint.generate import attempts_of, generate
from artmint.ipfs.cid import CID
from artmint.ipfs.stores import FolderStore
from artmint.lora_train import train
from artmint.make.base import load_base, load_judge
from artmint.make.engines import Diffusers
from artmint.metadata import pack
from artmint.pin import publish
from artmint.publish.tokens import BaseFacts
from artmint.run.executors import generate_by
from artmint.run.runner import run_batch
from artmint.run.batch import load_batch
from artmint.run.sample import sample_studio
from artmint.run.workers import Crew
from artmint.seeds import frozen_slots, load_collection
from artmint.service.queue import Queue
from artmint.service.work import RunWorker
from artmint.studio.catalog import Catalog
from artmint.studio.editions import minted_tokens
from artmint.studio.files import drop_folder
from artmint.train.settings import TrainConfig
from artmint.train.style import load_style, practice_style
from tests.power.act import mint_drawings, minted, published

HERE = Path(__file__).parent
DATA = HERE.parent / "data" / "tiny"
ROUND = load_collection(DATA).generation.model_copy(update={"profile": "fast", "attempts": 2, "rounds": 1})
TINY = load_collection(DATA).model_copy(update={"generation": ROUND, "publish_weights": False})
CONFIG = TrainConfig(steps=3, batch=2, rank=2, alpha=1.0, resolution=64, every=1, warmup=1, prior_batch=1)


@cache
def models() -> tuple[Any, Any]:
    "Base and judge, loaded once for all that are forked."
    return Diffusers(load_base()), load_judge()


def sha256(path: Path) -> str:
    "A file's digest, or that it isn't there."
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"


def sound(folder: Path) -> list[str]:
    "What a studio's records and blobs have against themselves."
    return Catalog(folder).check()


def paint_line(folder: Path) -> None:
    "Seeds, pictures, choice, drop, store."
    base, judge = models()
    catalog = Catalog(folder)
    slots = frozen_slots(catalog, TINY, "tiny")
    generate(catalog, base, attempts_of(catalog, TINY, slots, "tiny", 1, base))
    choose(catalog, TINY, judge, slots, 1)
    facts = BaseFacts(digest=base.digest, source=base.origin)
    manifest = pack(catalog, TINY, 1, 1, 4, facts, {})
    archive = drop_folder(catalog.folder, "tiny", 1) / "drop.car"
    publish(archive, CID.parse(manifest.root), [FolderStore(catalog.folder / "store")])


def of_line(folder: Path) -> dict:
    "A drop, byte for byte, and what is kept of it."
    drop = drop_folder(folder, "tiny", 1)
    files = sorted(path for path in drop.rglob("*") if path.is_file())
    digests = {str(path.relative_to(folder)): sha256(path) for path in files}
    stored = {path.name: sha256(path) for path in (folder / "store").rglob("*.car")}
    return {"drop": digests, "store": stored, "unsound": sound(folder)}


def of_drawn(folder: Path) -> dict:
    "A drop of drawings, one contract, its tokens."
    contracts, tokens = minted(folder)
    return {"drop": published(folder), "contracts": contracts, "tokens": tokens, "unsound": sound(folder)}


def prepare_style(folder: Path) -> None:
    "Pictures to learn from."
    practice_style(folder / "style", 6, 64)


def learn(folder: Path) -> None:
    "A training of a few steps, each of them kept."
    train(load_style(folder / "style", 32), models()[0].base, CONFIG, folder / "out")


def of_training(folder: Path) -> dict:
    "The adapter."
    return {"adapter": sha256(folder / "out" / f"adapter-{CONFIG.steps:06}.safetensors")}


def paint_by_crew(folder: Path) -> None:
    "Pictures by two processes."
    base = models()[0]
    catalog = Catalog(folder)
    slots = frozen_slots(catalog, TINY, "tiny")
    attempts = attempts_of(catalog, TINY, slots, "tiny", 1, base)
    generate_by(Crew(executor="process", workers=2), catalog, base, attempts)


def of_crew(folder: Path) -> dict:
    "Every picture, and that nobody holds anything."
    catalog = Catalog(folder)
    artifacts = {dna: body["file_digest"] for dna, body in catalog.all("artifact").items()}
    return {"artifacts": artifacts, "unsound": sound(folder)}


def prepare_packed(folder: Path) -> None:
    "A packed drop of drawings, and a batch that publishes and mints it."
    demo = load_collection(example())
    sample_studio(folder / "studio", demo, "packed", quantity=2, drawn=True)
    (folder / "batches").mkdir()
    stages = json.dumps(["00_seeds", "27_pin", "30_mint"])
    text = f'name = "small"\ncollection = "{example()}"\nquantity = 2\nstages = {stages}\n'
    (folder / "batches" / "small.toml").write_text(text)


def run_stages(folder: Path) -> None:
    "Real notebooks, each in a kernel."
    run_batch(load_batch(folder / "batches" / "small.toml"), folder / "studio", say=lambda line: None)


def of_stages(folder: Path) -> dict:
    "The archive in the store, tokens, and whether records fit."
    studio = folder / "studio"
    catalog = Catalog(studio)
    stored = {path.name: sha256(path) for path in (studio / "store").rglob("*.car")}
    stages = sorted(key for key in catalog.all("stage", "small/"))
    contracts = len(catalog.all("contract"))
    tokens = sorted(minted_tokens(catalog, "demo"))
    return {
        "store": stored,
        "tokens": tokens,
        "contracts": contracts,
        "stages": stages,
        "unsound": sound(studio),
    }


def serve_runs(folder: Path) -> None:
    "A worker of the service, until the run that was asked for has ended."
    queue = Queue(Catalog(folder / "studio"), folder / "batches")
    queue.submit("monday", {"batch": "small"})
    worker = RunWorker(queue, lease=3.0, environment=os.environ)
    end = time.monotonic() + 300
    while queue.view("monday").state != "done":
        if queue.view("monday").state == "failed":  # a kernel died: somebody has it go on
            queue.resume("monday")
        if not worker.work(once=True):
            time.sleep(0.3)
        assert time.monotonic() < end, queue.view("monday")


def of_service(folder: Path) -> dict:
    "As the stages leave it; and the run is done."
    view = Queue(Catalog(folder / "studio"), folder / "batches").view("monday")
    return {"state": view.state, **of_stages(folder)}


@dataclass(frozen=True)
class Subject:
    "An act, how it is prepared, what it leaves, which of its processes may die, how often, and how often it is drawn."

    name: str
    prepare: Callable[[Path], None]
    act: Callable[[Path], None]
    leaves: Callable[[Path], dict]
    roles: tuple[str, ...]
    share: int
    most: int  # kills in one schedule
    painting: bool  # it has the models, loaded before it is forked
    forked: bool  # the driver is a fork that has the models; else an interpreter of its own


def nothing(folder: Path) -> None:
    "What needs no preparation."


SUBJECTS = (
    Subject("drawn and minted", nothing, mint_drawings, of_drawn, ("driver",), 14, 6, False, True),
    Subject("painted", nothing, paint_line, of_line, ("driver",), 2, 6, True, True),
    Subject("training", prepare_style, learn, of_training, ("driver",), 2, 6, True, True),
    Subject("executors", nothing, paint_by_crew, of_crew, ("driver", "worker"), 1, 2, True, True),
    Subject("stages", prepare_packed, run_stages, of_stages, ("driver", "kernel"), 1, 2, False, False),
    Subject(
        "service", prepare_packed, serve_runs, of_service, ("driver", "run", "kernel"), 1, 2, False, False
    ),
)


def start(subject: Subject, folder: Path) -> int:
    "Run an act in an interpreter of its own; its code."
    program = [sys.executable, "-m", "tests.kills.act", subject.name, str(folder)]
    return subprocess.run(program, stdout=subprocess.DEVNULL, stderr=sys.stderr, check=False).returncode


def copied(template: Path, folder: Path) -> Path:
    "A studio to be disturbed, as it was prepared."
    shutil.copytree(template, folder)
    return folder
