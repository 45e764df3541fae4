"Scorers from elsewhere: found by name, refused in words, held to one contract, paid for in the ledger."

import configparser
import importlib
import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from artmint.core.canon import digest
from artmint.core.collection import (
    Collection,
    InconsistentCollection,
    Model,
    Rule,
    ScorerChoice,
    contradictions,
    example,
    read_collection,
    secret_places,
)
from artmint.judge.curator import fit_curator
from artmint.judge.heads import BadHead, TakenName, all_scorers, fit_probe, fit_style, scorers_for
from artmint.judge.pixels import contrast
from artmint.judge.plugins import (
    KINDS,
    BadScore,
    BadScorerSettings,
    BrokenContract,
    BrokenPlugin,
    ScorerContext,
    ScorerDeviceMissing,
    ScorerFailed,
    ScorerOutOfMemory,
    UnknownKind,
    make_scorer,
    practice,
    scorer_contract,
    scorer_factory,
    scorer_faults,
    scorer_kinds,
)
from artmint.judge.scores import built_in_scorers, score
from artmint.studio.catalog import Catalog
from artmint.studio.ledger import Money, bill, ledger_lines
from artmint.train.drawings import draw, subjects
from tests.drawn import DEMO, SLOTS, enter
from tests.judges import Remembering

ROOT = Path(__file__).parents[2]
CONTEXT = ScorerContext(read_collection(example() / "collection.toml"))


class Level(BaseModel):
    level: int = 128
    note: str = ""


class Bright:
    range, size = (0.0, 1.0), None

    def __init__(self, level: int):
        self.level = level
        self.digest = digest({"bright": 1, "level": level})

    def measure(self, candidates, images, embeddings):
        return [float((np.asarray(image.convert("L")) >= self.level).mean()) for image in images]


def make_bright(collection, settings: Level, device):
    return Bright(settings.level)


def made(factory, settings: dict | None = None, **fields):
    choice = ScorerChoice(name="tried", kind="tried", settings=settings or {}, **fields)
    return make_scorer(choice, CONTEXT, factory)


def asked(scorer, count: int = 2) -> list[float]:
    candidates, images = practice(count)
    return scorer.measure(candidates, images, np.zeros((count, 1)))


def test_the_table_of_kinds_is_what_the_package_declares():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "settings.ini", encoding="utf-8")
    declared = dict(line.split("=") for line in parser["DEFAULT"]["scorers"].split("\n"))
    assert declared == KINDS
    assert set(scorer_kinds()) >= set(KINDS)
    for kind in KINDS:
        assert callable(scorer_factory(kind))


def test_an_unknown_kind_is_refused_with_what_there_is():
    with pytest.raises(UnknownKind, match="perhaps 'pickscore' is meant") as refused:
        scorer_factory("pickscor")
    assert "vision" in str(refused.value)
    assert "pip install" in str(refused.value)


PACKAGE = {
    "studio_scorers.py": """
from pydantic import BaseModel
from artmint.core.canon import digest
class Settings(BaseModel):
    by: float = 1.0
class Wide:
    range, size = (0.0, 100.0), None
    def __init__(self, by):
        self.by, self.digest = by, digest({"wide": 1, "by": by})
    def measure(self, candidates, images, embeddings):
        return [self.by * image.width / image.height for image in images]
def make(collection, settings: Settings, device):
    return Wide(settings.by)
""",
    "studio_scorers-1.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: studio-scorers\nVersion: 1.2\n",
    "studio_scorers-1.2.dist-info/entry_points.txt": """[artmint.scorers]
wide = studio_scorers:make
broken = studio_scorers:nothing
hps = studio_scorers:make
""",
}


@pytest.mark.slow
def test_an_installed_package_provides_kinds(tmp_path, monkeypatch, judge):
    for name, text in PACKAGE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert scorer_kinds()["wide"] == "studio-scorers 1.2"
    scorer_contract("wide", {"by": 2.0})
    with pytest.raises(BrokenPlugin, match="studio-scorers 1.2"):
        scorer_factory("broken")
    with pytest.raises(UnknownKind, match="artmint and studio-scorers 1.2 both provide it"):
        scorer_factory("hps")
    chosen = ScorerChoice(name="wide", kind="wide", settings={"by": 3.0})
    collection = DEMO.model_copy(update={"scorers": (chosen,), "rules": (Rule(scorer="wide", min=2.5),)})
    catalog = Catalog(tmp_path / "studio")
    entered = [enter(catalog, SLOTS[i], 1, draw(subjects()[i], i)) for i in range(2)]
    scorers = scorers_for(collection, judge, catalog)
    assert score(catalog, judge, entered, scorers) == [{"wide": 3.0}] * 2


def test_nothing_is_imported_before_a_rule_asks(tmp_path):
    program = """
import sys
from artmint.judge.plugins import scorer_kinds
scorer_kinds()
print([name for name in sys.modules if name.startswith(("artmint.judge.pred", "artmint.judge.vis", "torch"))])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"level": "dark"}, "has to be a whole number"),
        ({"levle": 1}, "unknown key"),
        ({"level": 1, "": 2}, "unknown key"),
    ],
)
def test_settings_are_checked_by_the_kind(settings, reason):
    with pytest.raises(BadScorerSettings, match=reason):
        made(make_bright, settings)


def test_a_factory_that_asks_for_what_nobody_has_is_refused():
    def odd(collection, weather):
        return Bright(1)

    def empty(collection):
        return object()

    for factory in (odd, empty):
        with pytest.raises(BrokenPlugin):
            made(factory)
    with pytest.raises(BadScorerSettings, match="no settings"):
        made(lambda collection: Bright(1), {"level": 2})


def test_a_device_that_is_not_there_is_refused():
    for device in ("cuda:7", "teapot"):
        with pytest.raises(ScorerDeviceMissing):
            made(make_bright, device=device)


def answering(answer):
    "A factory of scorers that answer what a function gives."

    class Answering(Bright):
        def measure(self, candidates, images, embeddings):
            return answer(len(images))

    return lambda collection: Answering(1)


class OutOfMemoryError(RuntimeError):
    "As torch's is called."


def exhausted(count: int):
    raise OutOfMemoryError("CUDA out of memory")


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        (lambda count: [1.0] * (count + 1), BadScore),
        (lambda count: [float("nan")] * count, BadScore),
        (lambda count: ["much"] * count, BadScore),
        (lambda count: None, BadScore),
        (lambda count: 1 / 0, ScorerFailed),
        (exhausted, ScorerOutOfMemory),
    ],
)
def test_what_is_no_number_for_each_picture_is_refused(answer, refusal):
    with pytest.raises(refusal):
        asked(made(answering(answer)))


def test_the_median_of_the_repeats_is_the_score_and_batches_are_kept():
    calls = []
    answers = itertools.cycle([1.0, 9.0, 2.0])

    class Wavering(Bright):
        repeats, batch = 3, 2

        def measure(self, candidates, images, embeddings):
            calls.append(len(images))
            return [next(answers)] * len(images)

    assert asked(made(lambda collection: Wavering(1)), 5) == [2.0] * 5
    assert calls == [2, 2, 2, 2, 2, 2, 1, 1, 1]


def broken(name: str, **changes):
    "A factory of scorers with something changed."

    def make(settings: Level):
        return type(name, (Bright,), changes)(settings.level)

    return make


def by_company(self, candidates, images, embeddings):
    return [float(i) / 10 for i in range(len(images))]


def by_size(self, candidates, images, embeddings):
    return [float(image.width * image.height) for image in images]


def by_chance(self, candidates, images, embeddings):
    return np.random.default_rng().random(len(images)).tolist()


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"measure": by_company}, "depends on the order"),
        ({"measure": by_chance}, "twice the same"),
        ({"measure": by_size, "size": 64, "range": (0.0, 1e9)}, "three times as large"),
        ({"range": (0.0, 0.1)}, "outside of its range"),
        ({"range": None}, "range isn't stated"),
        ({"size": "large"}, "size isn't stated"),
        ({"batch": 0}, "batch = 0"),
    ],
)
def test_the_contract_names_what_is_broken(changes, fault):
    with pytest.raises(BrokenContract, match=fault):
        scorer_contract(broken("Broken", **changes), fixed=("note",), elsewhere=False)


def make_forgetful(settings: Level):
    scorer = Bright(settings.level)
    scorer.digest = "ab" * 32
    return scorer


def make_restless(settings: Level):
    import os

    scorer = Bright(settings.level)
    scorer.digest = digest({"process": os.getpid(), "level": settings.level})
    return scorer


def test_a_setting_that_is_not_in_the_digest_is_caught():
    with pytest.raises(BrokenContract, match="level = 129 changes numbers"):
        scorer_contract(make_forgetful, fixed=("note",), elsewhere=False)


@pytest.mark.slow
def test_a_digest_of_another_process_is_the_same():
    scorer_contract(make_bright, others={"note": "any"})
    with pytest.raises(BrokenContract, match="another process gives"):
        scorer_contract(make_restless, fixed=("note",))


def test_a_setting_that_cannot_be_varied_has_to_be_named():
    with pytest.raises(BrokenContract, match="another value for the setting note"):
        scorer_contract(make_bright, elsewhere=False)


@pytest.fixture(scope="module")
def quick(judge):
    return Remembering(judge)


@pytest.mark.slow
def test_every_formula_and_judges_score_is_independent_and_finite(quick):
    "What comes with artmint states no range: everything else of the contract holds."
    for name, scorer in built_in_scorers(DEMO, quick).items():
        faults = [fault for fault in scorer_faults(scorer, quick) if "range isn't stated" not in fault]
        assert faults == [], name


@pytest.mark.slow
def test_every_head_keeps_the_contract(quick, tmp_path):
    catalog = Catalog(tmp_path)
    some = subjects()[::12]
    images = [draw(subject, 3000 + i, 64) for i, subject in enumerate(some)]
    rows = quick.encode_images(images)
    good = np.array([subject.palette in ("ocean", "forest") for subject in some])
    taught = fit_curator(quick, rows, {"contrast": np.array([contrast(image) for image in images])}, good)
    probe = fit_probe(quick, "motif", images, [subject.motif for subject in some])
    heads = {"style": fit_style(quick, images), "curator": taught.data, "probe": probe}
    context = ScorerContext(DEMO, quick, catalog, built_in_scorers(DEMO, quick))
    models = []
    for kind, data in heads.items():
        settings = {"digest": catalog.put_blob(data)} | ({"trait": "motif"} if kind == "probe" else {})
        scorer_contract(kind, settings, fixed=("digest", "trait"), context=context)
        models.append(Model(scorer=kind, kind=kind, **settings))
    ways = DEMO.model_copy(update={"models": tuple(models)})
    assert {type(all_scorers(catalog, ways, quick)[kind]).__name__ for kind in heads} == {
        "HeadScorer",
        "CuratorScorer",
    }
    unmade = ScorerChoice(name="style", kind="style", settings={"digest": "0" * 64})
    with pytest.raises(BadHead, match="no studio"):
        make_scorer(unmade, ScorerContext(DEMO, quick))


def test_names_of_artmints_own_scorers_are_taken(judge):
    for name in ("contrast", "duplicate", "clip"):
        chosen = ScorerChoice(name=name, kind="pickscore")
        with pytest.raises(TakenName, match=name):
            scorers_for(DEMO.model_copy(update={"scorers": (chosen,)}), judge)


def test_only_the_scorers_that_rules_ask_for_are_made(judge):
    unusable = ScorerChoice(name="beauty", kind="pickscore", settings={"weights": "/no/such/folder"})
    collection = DEMO.model_copy(
        update={"scorers": (unusable,), "rules": (Rule(scorer="contrast", min=1.0),)}
    )
    assert list(scorers_for(collection, judge)) == ["contrast"]


class Paid(Bright):
    "Costs a tenth for each picture."

    batch, repeats = 1, 3

    def __init__(self, level: int):
        super().__init__(level)
        self.spent = 0.0

    def measure(self, candidates, images, embeddings):
        self.spent += 0.1 * len(images)
        if candidates[0].slot.id == 4:
            raise RuntimeError("the line is dead")
        return super().measure(candidates, images, embeddings)

    def charges(self):
        spent, self.spent = self.spent, 0.0
        return {"money": spent} if spent else {}

    def expected(self, pictures):
        return {"money": 0.3 * pictures}


@pytest.mark.slow
def test_what_was_paid_is_in_the_ledger_and_what_was_paid_for_is_kept(tmp_path, judge):
    catalog = Catalog(tmp_path)
    scorer = made(lambda collection: Paid(1))
    entered = [enter(catalog, SLOTS[i], 1, draw(subjects()[i], i)) for i in range(5)]
    scorers = {"tried": scorer, "contrast": built_in_scorers(DEMO, judge)["contrast"]}
    with pytest.raises(ScorerFailed, match="the line is dead"):
        score(catalog, judge, entered, scorers)
    lines = ledger_lines(catalog, "score-tried")
    paid = sum(line.amount for line in lines if line.unit == "money")
    assert paid == pytest.approx(3 * 0.3 + 0.1)  # three pictures, and the call that failed
    assert bill(lines, Money()).stages["score-tried"] == pytest.approx(paid)
    assert {line.unit for line in lines} == {"wall", "cpu", "money"}
    score(catalog, judge, entered[:3], scorers)
    again = [line for line in ledger_lines(catalog, "score-tried") if line.unit == "money"]
    assert sum(line.amount for line in again) == pytest.approx(paid)
    assert scorer.expected(10) == {"money": 3.0}


KEYS = ("sk-proj-abcdefghij1234", "hf_abcdefgh1234", "Bearer abc", "0123456789abcdef0123456789abcdef")


@pytest.mark.parametrize("key", KEYS)
def test_a_key_among_settings_is_refused_and_not_repeated(tmp_path, key):
    text = (example() / "collection.toml").read_text()
    for entry in (f'note = "{key}"', f'api_key = "{key}"', f'extra = {{ a = ["{key}"] }}'):
        table = f'\n[[scorers]]\nname = "v"\nkind = "vision"\n[scorers.settings]\n{entry}\n'
        (tmp_path / "collection.toml").write_text(text + table)
        with pytest.raises(InconsistentCollection, match="looks like a key") as refused:
            read_collection(tmp_path / "collection.toml")
        assert key not in str(refused.value)
        assert refused.value.__cause__ is None  # whose message would hold the value
    top = f'\n[[scorers]]\nname = "v"\nkind = "vision"\ntoken = "{key}"\n'
    (tmp_path / "collection.toml").write_text(text + top)
    with pytest.raises(InconsistentCollection) as refused:
        read_collection(tmp_path / "collection.toml")
    assert key not in str(refused.value)


def test_a_collection_made_in_python_is_held_to_the_same():
    chosen = ScorerChoice(name="v", kind="vision", settings={"headers": {"Authorization": "x"}})
    assert "looks like a key" in str(contradictions(DEMO.model_copy(update={"scorers": (chosen,)})))
    twice = (ScorerChoice(name="v", kind="vision"),) * 2
    assert "'v' comes twice" in str(contradictions(DEMO.model_copy(update={"scorers": twice})))


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789 /-.", max_size=60))
def test_words_and_paths_are_no_keys(text):
    if " " in text or "/" in text or "-" in text:
        assert secret_places({"model": f"a {text}"}) == []


def test_what_settings_usually_hold_is_no_key():
    usual = {
        "url": "http://127.0.0.1:8000/v1",
        "model": "laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
        "key_variable": "OPENAI_API_KEY",
        "answer_tokens": 64,
        "revision": "0f" * 20,
        "digest": "0f" * 32,
        "question": "How good is it, from 1 to 10?",
    }
    assert secret_places(usual) == []


def test_collections_without_scorers_keep_their_digest():
    assert Collection.model_validate_json(DEMO.model_dump_json()).digest == DEMO.digest
    assert "scorers" not in json.loads(DEMO.model_dump_json(exclude_defaults=True))
    assert importlib.import_module("artmint.judge.plugins").KINDS is KINDS
