"The chapter: which seeds are taken, and the whole line from a batch file to a proof without any store."

from pathlib import Path

import numpy as np
import pytest

from artmint.core.records import Slot
from artmint.drawn import MOST_GROUND, NoModelFile, NothingShown, _shows, drawn_model, drawn_slots
from artmint.onchain.model import bundled_model, drawn_layers, make_model, traits_of
from artmint.onchain.network import WEIGHTS_SIZE
from artmint.seeds import frozen_slots, load_collection, slot_seeds
from artmint.studio.catalog import Catalog
from tests.studios import artmint

ROOT = Path(__file__).parents[1]
COLLECTION = load_collection(ROOT / "collections/onchain")


@pytest.fixture(scope="module")
def slots(tmp_path_factory):
    return frozen_slots(Catalog(tmp_path_factory.mktemp("studio")), COLLECTION, COLLECTION.salt)


def test_a_recipe_has_its_slot_s_traits(slots):
    model = bundled_model()
    chosen = drawn_slots(COLLECTION, COLLECTION.salt, slots, model)
    assert [one.slot for one in chosen] == list(range(1, 17))
    assert [traits_of(model, one.recipe) for one in chosen] == [slot.traits for slot in slots]
    assert len({one.recipe for one in chosen}) == 16
    seeds = slot_seeds(COLLECTION.name, COLLECTION.salt, 1, 4)
    assert int.from_bytes(chosen[0].recipe[8:], "big") == seeds[chosen[0].attempt - 1]
    assert all(_shows(drawn_layers(model, one.recipe)) for one in chosen)
    assert drawn_slots(COLLECTION, COLLECTION.salt, slots[4:5], model) == chosen[4:5]


def test_a_model_that_shows_nothing_is_refused(slots):
    empty = make_model(bytes(WEIGHTS_SIZE) + bundled_model().network[WEIGHTS_SIZE:])
    with pytest.raises(NothingShown, match="4 attempts at slot 1"):
        drawn_slots(COLLECTION, COLLECTION.salt, slots, empty)


def test_what_shows_something():
    some = np.zeros((10, 10), int)
    some.flat[:10] = [1, 2] * 5
    assert _shows(some)
    some.flat[9] = 0
    assert (some == 0).mean() > MOST_GROUND
    assert not _shows(some)
    assert not _shows(np.ones((10, 10), int))


def test_a_studio_s_own_model(tmp_path):
    (tmp_path / "own.bin").write_bytes(bundled_model().network)
    assert drawn_model(str(tmp_path / "own.bin")) == drawn_model("") == bundled_model()
    with pytest.raises(NoModelFile):
        drawn_model(str(tmp_path / "none.bin"))


def test_slots_with_other_words_are_refused():
    from artmint.onchain.model import NotDrawable

    with pytest.raises(NotDrawable):
        drawn_slots(COLLECTION, "salt", [Slot(id=1, traits={"mood": "calm"})], bundled_model())


@pytest.mark.slow
def test_the_whole_line_without_a_store(tmp_path):
    "artmint run, twice; then a stranger's proof with its page; and nothing lies in a store."
    batch = (ROOT / "batches/onchain.toml").read_text().replace("../collections", str(ROOT / "collections"))
    (tmp_path / "onchain.toml").write_text(batch.replace("quantity = 16", "quantity = 3"))
    studio = ["--studio", str(tmp_path / "studio")]
    planned = artmint("run", str(tmp_path / "onchain.toml"), "--plan", *studio).stdout
    assert "mainnet at 1 gwei" in planned
    transactions = []
    for _ in range(2):
        done = artmint("run", str(tmp_path / "onchain.toml"), *studio)
        assert done.returncode == 0, done.stdout + done.stderr
        transactions.append(len(Catalog(tmp_path / "studio").keys("transaction", "")))
    assert transactions[0] == transactions[1] > 0
    (contract,) = {one["contract"] for one in Catalog(tmp_path / "studio").all("token", "onchain/").values()}
    sheet = tmp_path / "proof.html"
    proven = artmint("verify", f"embedded:{contract}", *studio, "--sheet", str(sheet))
    assert proven.returncode == 0, proven.stdout
    assert "regenerated held" in proven.stdout
    assert "<iframe" in sheet.read_text()
    assert not (tmp_path / "studio" / "store").exists()
    assert artmint("verify", f"embedded:{contract}/9", *studio).returncode == 1
