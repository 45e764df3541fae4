"Studios of drawings, as the tests of judging enter them."

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageFilter

from artmint.core.collection import Rule
from artmint.core.picture import pixel_digest, png_bytes
from artmint.core.records import Artifact, Candidate, Slot
from artmint.judge.decisions import Action, ReviewSession, Verdict, Via, record_action, record_verdict
from artmint.judge.duplicates import DUPLICATE
from artmint.seeds import allocate, load_collection, recipes
from artmint.studio.catalog import Catalog
from artmint.train.drawings import Subject, draw, subjects

DEMO = load_collection(Path(__file__).parents[1] / "collections" / "demo")
# The demo had six motifs once, and its slots, its digests and what a network is taught are known from then.
SIX_MOTIFS = {"rings": 4, "waves": 3, "mountains": 3, "mandala": 3, "nebula": 2, "truchet": 1}
FORMER = DEMO.model_copy(update={"traits": {**DEMO.traits, "motif": SIX_MOTIFS}})


# Its recipes' dna, and with them what chance puts before people, don't change with how the demo is painted.
DRAWN = DEMO.model_copy(
    update={
        "generation": DEMO.generation.model_copy(update={"scheduler": "DDIM", "steps": 16, "trace": None})
    }
)


def enter(catalog: Catalog, slot: Slot, attempt: int, image: Image.Image) -> Candidate:
    "Record a picture as what came out of an attempt at a slot."
    recipe = recipes(DRAWN, [slot], "salt", range(attempt, attempt + 1), "0" * 64)[0].recipe
    artifact = Artifact(
        dna=recipe.dna,
        recipe=recipe.facts(),
        pixel_digest=pixel_digest(image),
        file_digest=catalog.put_blob(png_bytes(image, recipe, "drawn")),
        environment={},
    )
    catalog.put("attempt", f"{DEMO.name}/{slot.id}/{attempt}", {"dna": recipe.dna, "recipe": recipe.facts()})
    catalog.put("artifact", recipe.dna, artifact.model_dump(mode="json"))
    return Candidate(slot, attempt, artifact)


def drawn(count: int, seed: int = 0) -> list[tuple[Subject, Image.Image]]:
    "Subjects and their drawings."
    known = [each for each in subjects() if each.palette in DEMO.traits["palette"]]
    chosen = [known[i] for i in np.random.default_rng(seed).choice(len(known), count, replace=False)]
    return [(subject, draw(subject, seed * 1000 + i)) for i, subject in enumerate(chosen)]


@cache
def pictures() -> list[tuple[Subject, Image.Image]]:
    "Forty subjects and their drawings, drawn when they are first asked for."
    return drawn(40, seed=3)


RULES = (
    Rule(scorer="sharpness", min=0.05),
    Rule(scorer="palette-margin", min=0.0),
    Rule(scorer="contrast", min=3.0),
    Rule(scorer=DUPLICATE, max=0.9999),
)


PLAIN = DEMO.model_copy(update={"rules": RULES})
SLOTS = allocate(DEMO, "salt")


def art(slot: Slot, attempt: int) -> Image.Image:
    "What an attempt at a slot would ideally show."
    return draw(Subject(**slot.traits), slot.id * 100 + attempt)


def off(slot: Slot, attempt: int) -> Image.Image:
    "The same in the wrong colours."
    return draw(
        Subject(**slot.traits | {"palette": "ember" if slot.traits["palette"] != "ember" else "ocean"}),
        slot.id * 100 + attempt,
    )


def blank(slot: Slot, attempt: int) -> Image.Image:
    "Nothing at all, in another shade each time."
    return Image.new("RGB", (128, 128), (attempt, slot.id, 40))


def soft(slot: Slot, attempt: int) -> Image.Image:
    "Far out of focus."
    return art(slot, attempt).filter(ImageFilter.GaussianBlur(6))


def studio(folder: Path, plan: dict[int, str], slots: list[Slot] = SLOTS) -> Catalog:
    "A studio whose attempts came out as planned: a letter for each attempt, a right, o off its palette, b blank, s soft."
    catalog = Catalog(folder)
    by_letter = {"a": art, "o": off, "b": blank, "s": soft}
    for slot in slots:
        for attempt, letter in enumerate(plan.get(slot.id, ""), 1):
            enter(catalog, slot, attempt, by_letter[letter](slot, attempt))
    return catalog


NO_COLOUR = PLAIN.model_copy(
    update={"rules": (Rule(scorer="sharpness", min=0.01), Rule(scorer=DUPLICATE, max=0.9999))}
)


_TABLES: dict[str, TemporaryDirectory] = {}  # by what lies on them: studios that others are copies of


def table(folder: Path, tries: int = 2, slots: list[Slot] = SLOTS) -> Catalog:
    "A studio of drawings that the machine has judged; odd attempts were left to people."
    assert not (folder / "catalog.sqlite").exists(), "its own would be lost"
    what = repr((tries, slots))
    if what not in _TABLES:
        made = TemporaryDirectory()
        _lay_out(Path(made.name), tries, slots).close()
        _TABLES[what] = made
    shutil.copytree(_TABLES[what].name, folder, dirs_exist_ok=True)
    return Catalog(folder)


def _lay_out(folder: Path, tries: int, slots: list[Slot]) -> Catalog:
    "A studio of drawings that the machine has judged; odd attempts were left to people."
    catalog = Catalog(folder)
    catalog.put_all("slot", {f"demo/{slot.id}": slot.model_dump(mode="json") for slot in slots})
    for slot in slots:
        for attempt in range(1, tries + 1):
            made = enter(catalog, slot, attempt, art(slot, attempt))
            odd = attempt % 2 == 1
            record_verdict(
                catalog,
                Verdict(
                    made.dna,
                    "review" if odd else "accept",
                    ("palette 12.4 is above 12 by 0.4",) if odd else (),
                    {"palette": 12.4 if odd else 2.0 + slot.id},
                ),
            )
    return catalog


DECIDED = "aaoabaasaa" * 2  # six slots' attempts, of which somebody picks the right ones


def decided_studio_of(folder: Path, count: int = 6) -> Path:
    "A studio of twenty drawings for each of so many slots, three in ten of them faulty, and what somebody said of each."
    slots = SLOTS[:count]
    catalog = studio(folder, {slot.id: DECIDED for slot in slots}, slots)
    catalog.put_all("slot", {f"demo/{slot.id}": slot.model_dump(mode="json") for slot in slots})
    look = ReviewSession(catalog, DEMO, "mira")
    for dna, candidate in look.candidates().items():
        word = "accept" if DECIDED[candidate.attempt - 1] == "a" else "reject"
        record_action(look, Action(id=dna, dnas=(dna,), decision=word, via=Via(view="undecided")))
    return folder
