"What is broken is mended without losing a row or a file: catalogs, blobs, secrets."

import errno
import json
import sqlite3
import stat
from contextlib import closing

import pytest

from artmint.console.cli import main
from artmint.studio.catalog import BrokenCatalog, Catalog
from artmint.studio.repair import NothingToSave, mendings, repair, salvage
from tests.faults.disks import can_mount, fill, mount, unmount

PAGE = 4096


@pytest.fixture
def studio(tmp_path):
    "A studio with 600 records, whose catalog lies in one file."
    folder = tmp_path / "studio"
    catalog = Catalog(folder)
    catalog.put_all("artifact", {f"{i:04}": {"n": i, "words": "x" * 200} for i in range(500)})
    catalog.append_all("decision", [(f"{i}", {"by": "mira"}) for i in range(100)])
    catalog.offer("paint", ["a", "b"])
    catalog.close()
    return folder


def pages_of(path, name: str) -> list[int]:
    "Numbers of the pages that a table or an index takes."
    with closing(sqlite3.connect(path)) as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0]
        connection.execute("PRAGMA query_only=1")
    return [root]


def spoil(path, page: int) -> bytes:
    "Overwrite a page with what it never was; the file before."
    before = path.read_bytes()
    path.write_bytes(before[: (page - 1) * PAGE] + b"\xa5" * PAGE + before[page * PAGE :])
    return before


@pytest.mark.parametrize("index", ["record_by_key", "record_once", "job_next"])
def test_with_a_broken_index_every_row_is_kept(studio, index):
    path = studio / "catalog.sqlite"
    spoil(path, pages_of(path, index)[0])
    broken = path.read_bytes()
    said = []
    assert repair(studio, said.append) == 1
    assert "600 records taken over, all of them" in said[0]
    catalog = Catalog(studio)
    assert catalog.check() == []
    assert len(catalog.keys("artifact")) == 500
    assert catalog.left("paint") == 2
    assert (studio / "catalog.sqlite.broken-1").read_bytes() == broken
    assert mendings(studio) == []


def leaf_of_records(path) -> int:
    "A page in the middle of the records, found by what is on it."
    data = path.read_bytes()
    pages = [
        i
        for i in range(len(data) // PAGE)
        if data[i * PAGE] == 13 and b'"words":"xxxx' in data[i * PAGE : (i + 1) * PAGE]
    ]
    return pages[len(pages) // 2] + 1


def test_rows_behind_a_broken_page_are_found_and_the_missing_ones_named(studio, tmp_path):
    "Of a page of the table itself the rows are gone; all others are taken over, and nothing is thrown away."
    path = studio / "catalog.sqlite"
    whole = spoil(path, leaf_of_records(path))
    broken = path.read_bytes()
    (tmp_path / "new").mkdir()
    saved = salvage(path, tmp_path / "new")
    assert 0 < len(saved.missing) < 30
    assert saved.rows == 600 - len(saved.missing)
    assert path.read_bytes() == broken
    assert Catalog(tmp_path / "new").check_records() == []
    said = []
    repair(studio, said.append)
    assert f"{len(saved.missing)} can't be read" in said[0]
    (studio / "catalog.sqlite").write_bytes(whole)
    assert Catalog(studio).check() == []


def test_a_catalog_that_is_none_is_left_as_it_is_and_says_where_to_go(studio):
    path = studio / "catalog.sqlite"
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(NothingToSave, match="artmint restore"):
        repair(studio, print)
    assert path.read_bytes() == b"not a database" * 1000
    with pytest.raises(BrokenCatalog, match="file is not a database"):
        Catalog(studio)


def test_a_layout_that_is_no_number_is_named(studio):
    with closing(sqlite3.connect(studio / "catalog.sqlite")) as connection:
        connection.execute("UPDATE meta SET value = 'x'")
        connection.commit()
    with pytest.raises(BrokenCatalog, match="'x', which is no number"):
        Catalog(studio)


def test_a_damaged_blob_is_put_aside_and_a_secret_is_its_owners(studio):
    catalog = Catalog(studio)
    blob = catalog.blob_path(catalog.put_blob(b"a picture"))
    blob.write_bytes(b"a pictura")
    (studio / "keys").mkdir()
    (studio / "keys" / "minter.json").write_text("{}")
    (studio / "keys" / "minter.json").chmod(0o644)
    (studio / "keys" / "stores").mkdir()
    (studio / "keys" / "stores").chmod(0o755)
    (studio / "keys" / "stores" / "pinata").write_text("key")
    (studio / "keys" / "stores" / "pinata").chmod(0o640)
    (studio / "keys" / "gone").symlink_to(studio / "nowhere")
    assert repair(studio, print) == 4
    assert (
        stat.S_IMODE((studio / "keys" / "stores").stat().st_mode) == 0o700
    )  # a folder of mode 600 opens for nobody
    assert stat.S_IMODE((studio / "keys" / "stores" / "pinata").stat().st_mode) == 0o600
    assert (studio / "damaged" / blob.name).read_bytes() == b"a pictura"
    assert not blob.exists()
    assert (studio / "keys" / "minter.json").stat().st_mode & 0o077 == 0


def told(capsys, *words: str) -> tuple[int, str]:
    "What the console says, and its code."
    with pytest.raises(SystemExit) as ended:
        main([*words])
    out = capsys.readouterr()
    return ended.value.code or 0, out.out + out.err


def test_the_doctor_says_what_it_would_do_and_does_it_when_it_is_agreed(studio, capsys):
    path = studio / "catalog.sqlite"
    spoil(path, pages_of(path, "record_by_key")[0])
    broken = path.read_bytes()
    code, words = told(capsys, "doctor", "--repair", "--studio", str(studio))
    assert (code, "would be mended" in words, "nothing was changed (--yes)" in words) == (0, True, True)
    assert path.read_bytes() == broken
    code, words = told(capsys, "doctor", "--repair", "--yes", "--json", "--studio", str(studio))
    assert len(json.loads(words)["done"]) == 1
    assert (
        told(capsys, "doctor", "--repair", "--studio", str(studio))[1]
        == "nothing was changed; nothing is broken that can be mended here\n"
    )


def test_the_doctor_goes_on_where_the_catalog_is_broken(studio, capsys):
    (studio / "catalog.sqlite").write_bytes(b"not a database" * 1000)
    code, words = told(capsys, "doctor", "--studio", str(studio), "--json")
    failed = [
        check for check in json.JSONDecoder().raw_decode(words)[0]["checks"] if check["status"] == "failed"
    ]
    assert code == 1
    assert any("can't be used" in check["evidence"] for check in failed)


@pytest.mark.parametrize("size", ["4k", "8k", "16k", "36k", "40k"])
@pytest.mark.parametrize("url", ["", "sqlite:///{}/catalog.sqlite"], ids=["its folder", "a URL"])
def test_a_disk_without_room_for_a_catalog_is_full_and_nothing_is_damaged(tmp_path, size, url):
    if not can_mount():
        pytest.skip("nothing may be mounted here")
    mount(tmp_path, size)
    try:
        with pytest.raises(OSError) as refused:
            Catalog(tmp_path / "studio", url=url.format(tmp_path) or None)
        assert refused.value.errno == errno.ENOSPC
        assert str(tmp_path) in str(refused.value.filename)
    finally:
        unmount(tmp_path)


def test_the_doctor_mends_nothing_where_the_disk_is_full(tmp_path, capsys):
    if not can_mount():
        pytest.skip("nothing may be mounted here")
    mount(tmp_path, "600k")
    try:
        Catalog(tmp_path / "studio").close()
        fill(tmp_path, 0)
        code, words = told(capsys, "doctor", "--studio", str(tmp_path / "studio"), "--json")
    finally:
        unmount(tmp_path)
    checks = json.JSONDecoder().raw_decode(words)[0]["checks"]
    (evidence,) = [check["evidence"] for check in checks if check["name"] == "catalog.sqlite"]
    assert code == 1
    assert "The disk is full" in evidence and "--repair" not in evidence
