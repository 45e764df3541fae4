"What was minted is followed until it is final, without a key and without standing in anybody's way."

import shutil

import pytest

from artmint.chain.custody import lock_of_role
from artmint.service import finality as room
from artmint.service.events import events_since
from artmint.service.finality import FinalityWatch, chains_named, young_drops
from artmint.studio.catalog import Catalog
from tests.conftest import TINY


@pytest.fixture
def place(minted, tmp_path):
    "A copy of the minted studio with a batch that names its chain: (catalog, batches)."
    shutil.copytree(minted[0], tmp_path / "studio")
    (tmp_path / "batches").mkdir()
    words = f'name = "tiny"\ncollection = "{TINY}"\nquantity = 2\nstages = ["30_mint"]\n'
    (tmp_path / "batches/tiny.toml").write_text(words)
    return Catalog(tmp_path / "studio"), tmp_path / "batches"


def told(catalog):
    "The events about final transactions that mint."
    _, events = events_since(catalog, 0)
    return [
        one.data["purpose"]
        for one in events
        if one.type == "transaction.final" and one.data["verb"] == "mintBatch"
    ]


def test_what_was_minted_is_final_once(place):
    catalog, batches = place
    lines = []
    assert [one.drop for one in young_drops(catalog)] == [1, 2]
    assert [one["first"] for one in told(catalog)] == [1]  # minting the second drop looked at the first
    watch = FinalityWatch(catalog, batches, say=lines.append, pause=0)
    assert [stamp.proven for stamp in watch.look()] == [True, True]
    assert [(one["first"], one["quantity"]) for one in told(catalog)] == [(1, 2), (3, 2)]
    assert [line["drop"] for line in lines] == ["tiny/1", "tiny/2"]
    assert watch.look() == [] and young_drops(catalog) == [] and len(told(catalog)) == 2


def test_nothing_is_looked_at_too_early_or_while_a_run_is_driven(place):
    catalog, batches = place
    watch = FinalityWatch(catalog, batches, pause=60)
    assert watch.look(lambda: True) == [] and len(young_drops(catalog)) == 2
    assert watch.look() == []


@pytest.mark.slow
def test_a_book_that_somebody_writes_is_left_alone_and_looked_at_later(place):
    "What can't be followed now is said once."
    from filelock import FileLock

    catalog, batches = place
    lines = []
    watch = FinalityWatch(catalog, batches, say=lines.append, pause=0)
    lock = lock_of_role(catalog.folder, "minter")
    with FileLock(lock.with_name(f"{lock.stem}-{young_drops(catalog)[0].chain_id}.lock")):
        assert watch.look() == watch.look() == []
    assert [line["event"] for line in lines] == ["not followed"] * 2 and "SenderBusy" in lines[0]["error"]
    assert len(watch.look()) == 2


def test_a_drop_whose_chain_no_batch_names_stays_young(place):
    catalog, batches = place
    words = (batches / "tiny.toml").read_text() + 'chain = "http://127.0.0.1:9"\n'
    (batches / "tiny.toml").write_text(words)
    assert chains_named(batches, "tiny") == ["http://127.0.0.1:9"]
    lines = []
    assert FinalityWatch(catalog, batches, say=lines.append).look() == []
    assert len(young_drops(catalog)) == 2 and lines


def test_a_drop_that_is_minted_in_part_is_nobodys(place, monkeypatch):
    catalog, _ = place
    catalog.put("drop", "tiny/3", {"first": 4, "quantity": 2, "root": "bafy", "manifest": "00"})
    assert [one.drop for one in young_drops(catalog)] == [1, 2]
    monkeypatch.setattr(room, "young_drops", lambda catalog: [])
    assert FinalityWatch(catalog, _).look() == []
