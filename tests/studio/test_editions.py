"A slot's edition: placed, replaced and felled on record, and fixed once its drop is packed."

import pytest

from artmint.core.records import Edition
from artmint.studio.catalog import Catalog
from artmint.studio.editions import (
    EditionFixed,
    edition_of,
    editions_of,
    fell_edition,
    packed_slots,
    place_edition,
)

FACTS = {"traits": {}, "scores": {}, "scorers": {}, "pixel_digest": "1", "file_digest": "2"}


def edition(slot: int, attempt: int) -> Edition:
    "An edition of nothing."
    return Edition(slot=slot, attempt=attempt, dna=f"{slot}/{attempt}", **FACTS)


@pytest.fixture
def catalog(tmp_path):
    return Catalog(tmp_path)


def test_the_latest_counts_and_all_stay_on_record(catalog):
    assert edition_of(catalog, "demo", 1) is None
    place_edition(catalog, "demo", edition(1, 1))
    place_edition(catalog, "demo", edition(1, 2))
    fell_edition(catalog, "demo", 1, "Ada rejected it")
    assert edition_of(catalog, "demo", 1) is None and editions_of(catalog, "demo") == {}
    place_edition(catalog, "demo", edition(1, 1))
    assert edition_of(catalog, "demo", 1)["attempt"] == 1
    history = catalog.history("edition", "demo/1")
    assert [body.get("attempt", body.get("felled")) for body in history] == [1, 2, "Ada rejected it", 1]


def test_the_same_edition_again_and_an_open_slot_felled_are_no_records(catalog):
    fell_edition(catalog, "demo", 1, "nothing there")
    place_edition(catalog, "demo", edition(1, 1))
    place_edition(catalog, "demo", edition(1, 1))
    assert len(catalog.history("edition", "demo/1")) == 1


def test_other_collections_and_slots_are_left_alone(catalog):
    place_edition(catalog, "demo", edition(1, 1))
    place_edition(catalog, "demo-2", edition(1, 3))
    place_edition(catalog, "demo", edition(11, 2))
    fell_edition(catalog, "demo", 1, "why not")
    assert set(editions_of(catalog, "demo")) == {11} and set(editions_of(catalog, "demo-2")) == {1}


def test_a_packed_slot_is_fixed(catalog):
    for slot in (1, 2, 3):
        place_edition(catalog, "demo", edition(slot, 1))
    catalog.append("drop", "demo/1", {"first": 2, "quantity": 2})
    assert packed_slots(catalog, "demo") == {2: 1, 3: 1}
    for change in (
        lambda: fell_edition(catalog, "demo", 2, "too late"),
        lambda: place_edition(catalog, "demo", edition(3, 2)),
    ):
        with pytest.raises(EditionFixed, match="drop 1"):
            change()
    place_edition(catalog, "demo", edition(2, 1))  # what it is already
    fell_edition(catalog, "demo", 1, "in time")
    assert set(editions_of(catalog, "demo")) == {2, 3}
