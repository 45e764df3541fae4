"""A drop's audit before it is published: each token's pictures, JSON, traits, recipe and manifest, read anew.

Against half as many tokens (a check that compares each with each takes four times as long for twice as many), and
against reading and hashing the same files.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from artmint import metadata
from artmint.core.collection import Collection
from artmint.core.manifest import read_manifest
from artmint.core.picture import pixel_digest, png_bytes
from artmint.core.records import Artifact, Edition
from artmint.metadata import pack
from artmint.publish.audit import audit
from artmint.publish.tokens import BaseFacts
from artmint.seeds import frozen_slots, recipes
from artmint.studio.catalog import Catalog

from .content import MEMORY, memory, roomy
from .measure import row, seconds
from .samples import demo

COUNT, SIDE = 2048, 64
BASE = BaseFacts(digest="0" * 64, source="bundled")
WEIGHTS = {"model_index.json": b"{}", "unet/weights.safetensors": bytes(range(256))}


def larger(count: int) -> Collection:
    "The demo with so many tokens, in the same shares; combinations occur more than once."
    few = demo()
    times = count // few.supply
    traits = {
        name: {value: amount * times for value, amount in values.items()}
        for name, values in few.traits.items()
    }
    sized = few.generation.model_copy(update={"width": SIDE, "height": SIDE, "trace": None})
    changed = {"supply": few.supply * times, "traits": traits, "unique": False, "generation": sized}
    return few.model_copy(update=changed)


def fill(catalog: Catalog, collection: Collection) -> None:
    "An edition for every slot: noise."
    rng = np.random.default_rng(0)
    slots = frozen_slots(catalog, collection, collection.salt)
    attempts = recipes(collection, slots, collection.salt, range(1, 2), BASE.digest)
    artifacts, editions = {}, {}
    for slot, attempt in zip(slots, attempts):
        recipe, image = (
            attempt.recipe,
            Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)),
        )
        file = catalog.put_blob(png_bytes(image, recipe, "artmint bundled"))
        kept = {"dna": recipe.dna, "pixel_digest": pixel_digest(image), "file_digest": file}
        made = Artifact(recipe=recipe.facts(), environment={}, **kept)
        artifacts[recipe.dna] = made.model_dump(mode="json")
        edition = Edition(slot=slot.id, attempt=1, traits=slot.traits, scores={}, scorers={}, **kept)
        editions[f"{collection.name}/{slot.id}"] = edition.model_dump(mode="json")
    catalog.put_all("artifact", artifacts)
    catalog.put_all("edition", editions)


def hash_all(folder: Path) -> None:
    "Read and hash all files, no more."
    for path in folder.rglob("*"):
        if path.is_file():
            hashlib.sha256(path.read_bytes()).digest()


def audited(folder: Path, count: int) -> tuple[float, float, float, float]:
    "Seconds to audit a drop of so many tokens, to hash its files, to pack it; and MiB that the audit took."
    collection, catalog = larger(count), Catalog(folder)
    fill(catalog, collection)
    packing = seconds(lambda: pack(catalog, collection, 1, 1, count, BASE, WEIGHTS))
    place = catalog.folder / "drops" / f"{collection.name}-1"
    drop = metadata._open_drop(catalog, collection, 1, 1, count, BASE, WEIGHTS)
    manifest, before = read_manifest((place / "drop.json").read_bytes()), memory()
    findings: list = []
    spent = seconds(lambda: findings.extend(audit(drop, manifest, place / "root")))
    if findings:
        raise RuntimeError(f"the audit finds {findings[0]}")
    held = memory() - before
    hashing = seconds(lambda: hash_all(place / "root"))
    catalog.close()
    return spent, hashing, packing, held


def measure(_: int) -> Iterator[dict]:
    "audit_ms_a_token, audit_twice_as_many."
    with tempfile.TemporaryDirectory(dir=MEMORY if roomy() else None) as name:
        half, *_ = audited(Path(name, "half"), COUNT // 2)
        spent, hashing, packing, held = audited(Path(name, "whole"), COUNT)
    how = f"{COUNT:,} tokens of {SIDE} px in {spent:.1f} s, {held:.0f} MiB of memory more (packing them {packing:.0f} s)"
    against = f"reading and hashing the same files: {hashing:.1f} s"
    yield row("audit_ms_a_token", round(spent / COUNT * 1000, 2), "ms", against, "<= 2", how)
    against = f"{COUNT // 2:,} tokens: {half:.1f} s"
    yield row("audit_twice_as_many", round(spent / half, 2), "times", against, "<= 2.4", how)
