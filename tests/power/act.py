"""From seeds to a published drop, in an interpreter of its own: python -m tests.power.act FOLDER.

Every record that a caller was told is kept is written to standard output as well, so that a recording has its place among the writes.
"""

import hashlib
import os
import sys
from pathlib import Path

from artmint.core.collection import example
from artmint.run.sample import sample_studio
from artmint.seeds import load_collection
from artmint.studio.catalog import Catalog, RecordWriter
from artmint.studio.editions import minted_tokens
from artmint.studio.files import drop_folder

ACKNOWLEDGED = "kept "


def publish_drawings(folder: Path) -> None:
    "A drop of two drawings, packed and in the studio's own store."
    sample_studio(folder, load_collection(example()), "published", quantity=2, drawn=True).close()


def mint_drawings(folder: Path) -> None:
    "The same drop, minted on the studio's own chain: keys, a journal and a chain's files as well."
    sample_studio(folder, load_collection(example()), "minted", quantity=2, drawn=True).close()


def minted(folder: Path) -> tuple[int, list[int]]:
    "How many contracts there are, and which tokens."
    catalog = Catalog(folder)
    try:
        return len(catalog.all("contract")), sorted(minted_tokens(catalog, "demo"))
    finally:
        catalog.close()


def published(folder: Path) -> dict[str, str]:
    "What it left, by digest."
    drop = drop_folder(folder, "demo", 1)
    files = [path for path in drop.rglob("*") if path.is_file() and not path.name.startswith(".")]
    files += (folder / "store").rglob("*.car")
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)
    }


def sound(folder: Path) -> list[str]:
    "What records and blobs have against themselves."
    catalog = Catalog(folder)
    try:
        return catalog.check()
    finally:
        catalog.close()


def tell() -> None:
    "Say of every record, once it is kept, that it is."
    put_all, append_all = RecordWriter.put_all, RecordWriter.append_all

    def put(self, kind, bodies, parent=None):
        names = put_all(self, kind, bodies, parent)
        for key, name in names.items():
            os.write(1, f"{ACKNOWLEDGED}{kind} {key} {name}\n".encode())
        return names

    def append(self, kind, bodies, parent=None):
        names = append_all(self, kind, bodies, parent)
        for (key, _), name in zip(bodies, names, strict=True):
            os.write(1, f"{ACKNOWLEDGED}{kind} {key} {name}\n".encode())
        return names

    RecordWriter.put_all, RecordWriter.append_all = put, append


if __name__ == "__main__":
    tell()
    publish_drawings(Path(sys.argv[1]))
