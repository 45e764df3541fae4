"A real batch of bundled pictures, judged, looked at and packed."

from pathlib import Path

from artmint.core.collection import Rule
from artmint.curate import candidates, choose
from artmint.generate import attempts_of, generate
from artmint.judge.decisions import Action, ReviewSession, record_action
from artmint.judge.scores import built_in_scorers, score
from artmint.make.base import load_base, load_judge
from artmint.make.engines import Diffusers
from artmint.metadata import pack
from artmint.metrics import AttemptOutcome
from artmint.publish.tokens import BaseFacts
from artmint.seeds import frozen_slots, load_collection
from artmint.studio.catalog import Catalog

FOLDER = Path(__file__).parent / "data" / "tiny"
TINY = load_collection(FOLDER)
RATES = 'currency = "EUR"\nmonths = 24\nrevenue_per_token = 3\n[[rates]]\nsince = 2020-01-01\ncpu_hour = 0.05\npeople_hour = 30\nstorage_gb_month = 0.02\npin_gb_month = 0.1\nether = 2500\ngas_gwei = 0.02\n'


def made(folder: Path, supply: int, attempts: int) -> tuple[Catalog, object]:
    "A real batch of bundled pictures, judged, looked at and packed: half of the candidates are refused."
    share = {trait: {value: supply // 2 for value in values} for trait, values in TINY.traits.items()}
    generation = TINY.generation.model_copy(update={"attempts": attempts, "rounds": 1, "profile": "fast"})
    tiny = TINY.model_copy(
        update={
            "supply": supply,
            "traits": share,
            "unique": False,
            "generation": generation,
            "rules": (Rule(scorer="clip", min=-1.0),),
        }
    )
    catalog = Catalog(folder)
    base = load_base()
    judge = load_judge()
    (folder / "studio.toml").write_text(RATES)
    slots = frozen_slots(catalog, tiny, "tiny")
    generate(catalog, Diffusers(base), attempts_of(catalog, tiny, slots, "tiny", 1, Diffusers(base)))
    clip = sorted(
        each["clip"]
        for each in score(
            catalog,
            judge,
            candidates(catalog, tiny, slots, 1),
            {"clip": built_in_scorers(tiny, judge)["clip"]},
        )
    )
    tiny = tiny.model_copy(update={"rules": (Rule(scorer="clip", min=clip[len(clip) // 2]),)})
    look = ReviewSession(catalog, tiny, "mira", slots=range(1, supply + 1))
    first = {c.slot.id: c.dna for c in reversed(look.candidates().values())}
    for slot in range(1, supply + 1, 2):
        record_action(look, Action(id=f"a{slot}", dnas=(first[slot],), decision="reject"))
    for slot in choose(catalog, tiny, judge, slots, 1).open:
        record_action(look, Action(id=f"b{slot}", dnas=(first[slot],), decision="accept"))
    assert not choose(catalog, tiny, judge, slots, 1).open
    pack(catalog, tiny, 1, 1, supply, BaseFacts(digest=base.digest, source=base.source), {})
    return catalog, tiny


def a_try(
    slot: int,
    attempt: int,
    fate: str,
    begun: float = 0.0,
    judged: float | None = 5.0,
    asked: float | None = None,
) -> AttemptOutcome:
    return AttemptOutcome(slot, attempt, f"{slot}-{attempt}", fate, "p", begun, judged, asked)
