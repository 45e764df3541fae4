"A studio with the demo packed, drawn by the program."

from pathlib import Path

from artmint import metadata
from artmint.core.collection import example
from artmint.core.manifest import read_manifest
from artmint.core.picture import pixel_digest, png_bytes
from artmint.core.records import Artifact, Edition, Recipe
from artmint.metadata import pack
from artmint.publish.audit import StudioDrop
from artmint.publish.tokens import BaseFacts
from artmint.seeds import frozen_slots, load_collection, recipes
from artmint.studio.catalog import Catalog
from artmint.train.drawings import Subject, draw

FOLDER = example()
DEMO = load_collection(FOLDER)
BASE = BaseFacts(digest="0" * 64, source="bundled")
WEIGHTS = {"model_index.json": b"{}", "unet/weights.safetensors": bytes(range(256))}


_DRAWN: dict[tuple, tuple[str, bytes]] = {}  # by recipe and traits: many studios hold the same sixteen


def _drawing(recipe: Recipe, traits: dict[str, str]) -> tuple[str, bytes]:
    "Digest of the pixels of a recipe's drawing, and its PNG."
    key = recipe.dna, *traits.items()
    if key not in _DRAWN:
        image = draw(Subject(**traits), recipe.seed, recipe.width).resize(recipe.size)
        _DRAWN[key] = pixel_digest(image), png_bytes(image, recipe, "artmint bundled")
    return _DRAWN[key]


def fill(folder: Path, quantity: int, collection=DEMO) -> Catalog:
    "A studio whose first slots have an edition, drawn by the program."
    catalog = Catalog(folder)
    for slot in frozen_slots(catalog, collection, collection.salt)[:quantity]:
        recipe = recipes(collection, [slot], collection.salt, range(2, 3), BASE.digest)[0].recipe
        pixels, png = _drawing(recipe, slot.traits)
        kept = {"dna": recipe.dna, "pixel_digest": pixels, "file_digest": catalog.put_blob(png)}
        catalog.put(
            "artifact",
            recipe.dna,
            Artifact(recipe=recipe.facts(), environment={"os": str(folder)}, **kept).model_dump(mode="json"),
        )
        edition = Edition(
            slot=slot.id,
            attempt=2,
            traits=slot.traits,
            scores={"clip": 0.31, "palette": 7.0},
            scorers={"clip": "1" * 64, "palette": "2" * 64},
            **kept,
        )
        catalog.put("edition", f"{collection.name}/{slot.id}", edition.model_dump(mode="json"))
    return catalog


def pack_demo(folder: Path) -> Path:
    "A studio in a folder, with all of the demo in one drop."
    catalog = fill(folder, 16)
    pack(catalog, DEMO, 1, 1, 16, BASE, WEIGHTS)
    catalog.close()
    return catalog.folder


def drop_of(catalog: Catalog) -> Path:
    return catalog.folder / "drops" / "demo-1"


def known(catalog: Catalog) -> StudioDrop:
    "What the studio knows of its drop."
    return metadata._open_drop(catalog, DEMO, 1, 1, 16, BASE, WEIGHTS)


def manifest_of(folder: Path):
    return read_manifest((folder / "drop.json").read_bytes())
