"A studio of drawings that teach a network for the chain."

import io

import numpy as np
from PIL import Image

from artmint.onchain.distil import teacher_pictures, words_of_collection
from artmint.studio.catalog import Catalog
from artmint.train.drawings import Subject, draw
from tests.drawn import FORMER, SIX_MOTIFS
from tests.studios import ROOT

WORDS = words_of_collection(FORMER)


def former_collection(folder):
    "The demo's folder as it was with six motifs, which is what the network has room for."
    text = (ROOT / "collections/demo/collection.toml").read_text()
    head, _, rest = text.partition("[traits.motif]\n")
    counts = "".join(f"{motif} = {count}\n" for motif, count in SIX_MOTIFS.items())
    tail = rest[rest.index("\n\n[traits.palette]") :]
    (folder / "demo").mkdir()
    (folder / "demo/collection.toml").write_text(f"{head}[traits.motif]\n{counts}{tail}")
    return folder / "demo"


def png_of(image: Image.Image) -> bytes:
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def taught_studio(folder):
    "A studio with sixty drawings as its editions, and what they are."
    catalog, dice = Catalog(folder), np.random.default_rng(3)
    for slot in range(1, 61):
        traits = {trait.name: str(dice.choice(trait.values)) for trait in WORDS.traits}
        digest = catalog.put_blob(png_of(draw(Subject(**traits), slot)))
        body = {"slot": slot, "attempt": 1, "dna": f"{slot:064x}", "traits": traits, "file_digest": digest}
        catalog.append("edition", f"demo/{slot}", body)
    return catalog, teacher_pictures(catalog, FORMER)
