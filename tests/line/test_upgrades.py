"""Studios that earlier versions of artmint made: opened, told, reported, packed and proven by today's.

Each has a collection of four, of which two are minted and two are chosen and not packed yet. They were made by the versions themselves, on
the embedded chain; executed notebooks and keys were left out.
"""

import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from artmint.console.cli import main
from artmint.core.manifest import read_manifest
from artmint.make.base import load_base
from artmint.make.rounds import BaseChanged, base_on_record, choose_base, refuse_other_base
from artmint.metadata import pack
from artmint.publish.tokens import BaseFacts
from artmint.run.runner import _note_upgrade, write_report
from artmint.run.batch import load_batch
from artmint.seeds import load_collection
from artmint.studio.catalog import MIGRATIONS, Catalog
from artmint.studio.editions import minted_tokens
from artmint.verify import verify
from tests.readonly import to_be_read
from tests.suites import some

DATA = Path(__file__).parents[1] / "data" / "studios"
VERSIONS = sorted(path.name.removesuffix(".tar.xz") for path in DATA.glob("*.tar.xz"))


@pytest.fixture(params=some(VERSIONS, ["0.1.0"]))
def old(request, tmp_path):
    "An earlier version's studio, its collection and batches."
    with tarfile.open(DATA / f"{request.param}.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    collection = load_collection(tmp_path / "collections" / "tiny")
    batch = load_batch(tmp_path / "batches" / "tiny.toml")
    return SimpleNamespace(
        folder=tmp_path / "studio", collection=collection, batch=batch, version=request.param
    )


TODAY = BaseFacts(digest="c" * 64, source="bundled")  # another base than any earlier one


def address(catalog: Catalog) -> str:
    "Where the minted ones can be proven."
    return f"embedded:{next(iter(catalog.all('contract').values()))['address']}"


def test_an_earlier_studio_is_brought_forward_reported_and_proven(old):
    catalog = Catalog(old.folder)
    with catalog.engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT value FROM meta")) == str(len(MIGRATIONS))
    assert catalog.check() == []
    assert catalog.last_version() == old.version
    assert sorted(minted_tokens(catalog, "tiny")) == [1, 2]
    page = write_report(old.batch, old.folder).read_text()
    assert "Tiny" in page
    proof = verify(address(catalog), old.folder)
    assert proof.exit_code in (0, 3), [str(step) for step in proof.steps]
    assert all(proof.levels[level] == "held" for level in ("chain", "content", "metadata")), proof.levels


def test_an_earlier_studio_that_can_only_be_read_is_reported_and_stays_as_it_is(old, tmp_path):
    before = (old.folder / "catalog.sqlite").read_bytes()
    with to_be_read(old.folder) as place:
        page = write_report(old.batch, place, path=tmp_path / "page.html")
        assert "Tiny" in page.read_text()
        assert verify(address(Catalog(place)), place).levels["metadata"] == "held"
    assert (old.folder / "catalog.sqlite").read_bytes() == before


def test_an_upgrade_is_told_once_and_is_on_record(old):
    catalog = Catalog(old.folder)
    said = []
    for _ in range(2):
        _note_upgrade(catalog, said.append)
    assert len(said) == 1
    assert f"artmint {old.version} worked in this studio last" in said[0]
    assert catalog.get("upgrade", "artmint")["from"] == old.version


def test_what_was_chosen_before_an_upgrade_is_packed_with_the_base_that_painted_it(old):
    catalog = Catalog(old.folder)
    painted = catalog.all("artifact")
    digests = {body["recipe"]["base"] for body in painted.values()}
    assert len(digests) == 1
    manifest = pack(catalog, old.collection, 2, 3, 2, TODAY, {})
    assert [token.id for token in manifest.tokens] == [3, 4]
    assert {manifest.weights[0].digest} == digests
    assert manifest.weights[0].source == "bundled"
    again = pack(catalog, old.collection, 2, 3, 2, TODAY, {})
    assert (
        again.data
        == manifest.data
        == read_manifest((old.folder / "drops/tiny-2/drop.json").read_bytes()).data
    )


def test_a_collection_never_changes_its_base_unasked(old):
    catalog = Catalog(old.folder)
    before, wrote = base_on_record(catalog, old.collection)
    assert wrote == old.version
    refuse_other_base(catalog, old.collection, before)
    with pytest.raises(BaseChanged, match="artmint base take") as refused:
        refuse_other_base(catalog, old.collection, TODAY.digest)
    assert refused.value.exit_code == 4
    assert choose_base(catalog, old.collection, TODAY.digest) == before
    refuse_other_base(catalog, old.collection, TODAY.digest)
    with pytest.raises(BaseChanged):
        refuse_other_base(catalog, old.collection, "f" * 64)


@pytest.mark.slow
def test_the_console_asks_before_a_base_is_exchanged(old, capsys):
    "With the base that is bundled today."
    today = load_base().digest
    catalog = Catalog(old.folder)
    before = base_on_record(catalog, old.collection)[0]
    catalog.close()
    with pytest.raises(SystemExit) as ended:
        main(["base", "take", str(old.folder.parent / "collections" / "tiny"), "--studio", str(old.folder)])
    assert not ended.value.code
    assert (f"it was {before[:12]}" in capsys.readouterr().out) == (before != today)
    assert base_on_record(Catalog(old.folder), old.collection)[0] == today
