"What a caller was told is kept survives a power cut, and whatever is cut off is made again, byte for byte."

import shutil
import sys

import pytest

from artmint.studio.catalog import Catalog

from .act import publish_drawings, published, sound
from .recording import Disk, record_calls

STRACE = pytest.mark.skipif(
    not shutil.which("strace") or sys.platform != "linux",
    reason="strace isn't there to record what is written",
)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    "An act's calls, where it wrote, and what it left."
    folder = tmp_path_factory.mktemp("recorded")
    calls = record_calls(["-m", "tests.power.act", str(folder / "studio")], folder / "calls.log")
    return calls, folder / "studio", published(folder / "studio")


def cuts(calls, root, every: int):
    "The disk after a power cut at each change, one in so many, with the number of the call."
    disk = Disk(root.parent)
    disk.top.forced["studio"] = disk.top.entries["studio"] = (
        disk.top.entries.get("studio") or type(disk.top)()
    )
    changes = 0
    for number, call in enumerate(calls):
        if "mkdir" in call.name and call.texts and call.texts[0].decode() == str(root):
            continue
        if disk.apply(call):
            changes += 1
            if changes % every == 0:
                yield number, disk
    yield len(calls), disk


def gone(disk, place) -> list[str]:
    "What callers were told is kept, and isn't any more."
    there = {f"{row.kind} {row.key} {row.digest}" for row in rows(place)}
    return [words for words in disk.kept if words not in there]


@STRACE
@pytest.mark.slow
def test_what_is_said_to_be_kept_survives_a_power_cut_at_any_write(recorded, tmp_path):
    "Records, the blobs that they name, a drop that is on record, and at the end all of it."
    calls, root, left = recorded
    packed = {name: digest for name, digest in left.items() if name.startswith("drops/")}
    looked = 0
    for number, disk in cuts(calls, root, 1):
        place = tmp_path / f"cut-{number}"
        disk.top.forced["studio"].write(place)
        assert gone(disk, place) == [], number
        assert sound(place) == [], number
        if any(words.startswith("drop ") for words in disk.kept):
            assert packed.items() <= published(place).items(), number
        shutil.rmtree(place)
        looked += 1
    assert looked > 100
    disk.top.forced["studio"].write(tmp_path / "end")
    assert published(tmp_path / "end") == left


def rows(place) -> list:
    "All records of a studio, which may have no catalog yet."
    import sqlalchemy as sa

    from artmint.studio.catalog import RECORD_TABLE

    catalog = Catalog(place)
    try:
        return catalog._read(sa.select(RECORD_TABLE))
    finally:
        catalog.close()


@STRACE
@pytest.mark.slow
def test_after_a_power_cut_the_same_act_ends_in_the_same_bytes(recorded, tmp_path):
    calls, root, left = recorded
    for number, disk in cuts(calls, root, 60):
        place = tmp_path / f"cut-{number}"
        disk.top.forced["studio"].write(place)
        publish_drawings(place)
        assert published(place) == left, number
        shutil.rmtree(place)
