"A studio's folder: made, cleaned, kept."

import errno
import json
import os
import sqlite3
import stat
import subprocess
import sys

import pytest

from tests.studios import artmint
from tests.suites import some


@pytest.mark.slow
def test_init_makes_a_studio_that_can_be_planned(tmp_path):
    done = artmint("init", "home", "--name", "dawn", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "artmint run batches/dawn.toml --plan" in done.stdout, done.stderr
    again = artmint("init", "home", "--name", "dawn", cwd=tmp_path)
    assert again.returncode == 2
    assert "already has" in again.stderr
    rows = json.loads(artmint("run", "batches/dawn.toml", "--plan", "--json", cwd=tmp_path / "home").stdout)
    assert rows[1]["notebook"] == "15_generate"
    assert rows[1]["pictures"] == [12, 36]
    assert rows[1]["seconds"] > 0
    assert not (tmp_path / "home/studio/catalog.sqlite").exists()
    part = json.loads(
        artmint(
            "run",
            "batches/dawn.toml",
            "--plan",
            "--json",
            "--from",
            "curate",
            "--to",
            "mint",
            cwd=tmp_path / "home",
        ).stdout
    )
    assert [row["notebook"] for row in part if row["basis"] != "not asked for"] == [
        "20_curate",
        "25_metadata",
        "27_pin",
        "30_mint",
    ]


@pytest.mark.parametrize("name", some(["../up", "First", "", "9a"], ["../up"]))
def test_init_refuses_a_name_that_is_none(tmp_path, name):
    done = artmint("init", "home", "--name", name, cwd=tmp_path)
    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def studio(tmp_path):
    "A studio with a picture that a record speaks of, one that a drop's file speaks of, and one that nobody does."
    from artmint.studio.catalog import Catalog

    catalog = Catalog(tmp_path / "studio")
    names = {name: catalog.put_blob(name.encode()) for name in ("recorded", "published", "lost")}
    catalog.put("artifact", "dna", {"file_digest": names["recorded"]})
    (catalog.folder / "drops").mkdir()
    (catalog.folder / "drops/drop.json").write_text(json.dumps({"weights": names["published"]}))
    (catalog.folder / "keys").mkdir(mode=0o700)
    (catalog.folder / "keys/minter.json").write_text("secret")
    catalog.offer("generate", ["a"])
    catalog.claim("generate", "me", 60)
    catalog.done("generate", "a", "me")
    return catalog, names


def test_gc_removes_what_nothing_refers_to_and_only_when_told(studio):
    catalog, names = studio
    looked = json.loads(artmint("gc", "--studio", str(catalog.folder), "--days", "0", "--json").stdout)
    assert looked["blobs"] == [names["lost"]]
    assert looked["jobs"] == 1
    assert not looked["removed"]
    assert catalog.has_blob(names["lost"])
    assert (
        json.loads(artmint("gc", "--studio", str(catalog.folder), "--json").stdout)["blobs"] == []
    )  # all of them are young
    assert artmint("gc", "--studio", str(catalog.folder), "--days", "0", "--really").returncode == 0
    assert [catalog.has_blob(names[name]) for name in ("recorded", "published", "lost")] == [
        True,
        True,
        False,
    ]
    assert catalog.check() == []
    assert catalog.finished_jobs() == 0


def test_gc_waits_for_a_run(studio):
    from filelock import FileLock

    from artmint.studio.files import StudioBusy
    from artmint.studio.maintenance import gc

    with FileLock(studio[0].folder / "run.lock"), pytest.raises(StudioBusy):
        gc(studio[0].folder, really=True, days=0)


def test_gc_takes_what_a_killed_packer_left(tmp_path):
    import os

    from artmint.studio.catalog import Catalog
    from artmint.studio.maintenance import PACKING, gc

    Catalog(tmp_path).close()
    folder = tmp_path / f"{PACKING}x1y2"
    folder.mkdir()
    (folder / "3.png").write_bytes(b"half")
    assert gc(tmp_path).leftovers == []  # it may be at work
    os.utime(folder / "3.png", (0, 0))
    found = gc(tmp_path, really=True)
    assert (found.leftovers, found.bytes) == ([f"{PACKING}x1y2/3.png"], 4)
    assert not folder.exists()


def test_a_backup_is_a_studio_and_tells_no_keys(studio, tmp_path):
    from artmint.studio.catalog import Catalog

    catalog, names = studio
    done = artmint("backup", str(tmp_path / "copy"), "--studio", str(catalog.folder))
    assert done.returncode == 0, done.stderr
    assert "keys were left out" in done.stdout, done.stderr
    copy = Catalog(tmp_path / "copy")
    assert copy.get("artifact", "dna") == catalog.get("artifact", "dna")
    assert copy.blob(names["recorded"]) == b"recorded"
    assert not (tmp_path / "copy/keys").exists()
    catalog.put("artifact", "later", {"file_digest": catalog.put_blob(b"later")})
    assert (
        json.loads(
            artmint(
                "backup", str(tmp_path / "copy"), "--studio", str(catalog.folder), "--keys", "--json"
            ).stdout
        )["files"]
        == 3
    )  # the catalog, the new blob, the key
    assert Catalog(tmp_path / "copy").find("artifact", "later")
    assert (tmp_path / "copy/keys/minter.json").read_text() == "secret"


def test_a_backup_of_a_damaged_studio_says_so(studio, tmp_path):
    from artmint.studio.maintenance import DamagedStudio, backup

    studio[0].blob_path(studio[1]["recorded"]).write_bytes(b"rec0rded")
    with pytest.raises(DamagedStudio, match="bytes changed"):
        backup(studio[0].folder, tmp_path / "copy")


def _archive(path, data=b"picture"):
    "A whole archive with one picture in it."
    from artmint.ipfs.car import write_car

    path.parent.mkdir(parents=True, exist_ok=True)
    write_car(path, {"1.png": data})


@pytest.mark.slow
def test_a_copy_that_was_opened_and_killed_stays_good(studio, tmp_path):
    "What a killed program left beside the copy's catalog is no part of the next one."
    from artmint.studio.catalog import Catalog
    from artmint.studio.maintenance import backup

    catalog, copy = studio[0], tmp_path / "copy"
    backup(catalog.folder, copy)
    program = (
        "import os, sys; from artmint.studio.catalog import Catalog; c = Catalog(sys.argv[1]);"
        "[c.put('note', str(i), {'n': 'x' * 3000}) for i in range(200)]; os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(copy)], check=False)
    assert (copy / "catalog.sqlite-wal").stat().st_size > 100_000
    for number in range(50):
        catalog.put("artifact", f"later {number}", {"n": number})
    backup(catalog.folder, copy)
    assert Catalog(copy).check() == []
    assert not Catalog(copy).keys("note")
    assert Catalog(copy).find("artifact", "later 49")


def test_a_damaged_studio_never_replaces_a_good_copy(studio, tmp_path):
    "Catalog, blobs and archives of the copy stay as they were, byte for byte, and the findings name what is damaged."
    from artmint.ipfs.car import archive_fault
    from artmint.studio.maintenance import DamagedStudio, backup

    catalog, copy = studio[0], tmp_path / "copy"
    car = catalog.folder / "drops" / "one" / "drop.car"
    _archive(car)
    backup(catalog.folder, copy, archive_fault=archive_fault)
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    for path in (car, catalog.blob_path(studio[1]["recorded"])):
        path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(DamagedStudio) as refused:
        backup(catalog.folder, copy, archive_fault=archive_fault)
    assert len(refused.value.findings) == 2
    assert {path: path.read_bytes() for path in before} == before


def test_a_copy_is_mended_where_its_bytes_changed(studio, tmp_path):
    "The same size and time, and another bit: of a blob, and of an archive."
    from artmint.ipfs.car import archive_fault
    from artmint.studio.maintenance import backup

    catalog, copy = studio[0], tmp_path / "copy"
    _archive(catalog.folder / "store" / "a.car")
    backup(catalog.folder, copy, archive_fault=archive_fault)
    whole = {}
    for path in [*copy.rglob("*.car"), *(copy / "blobs").glob("??/*")]:
        whole[path] = path.read_bytes()
        times = path.stat()
        path.write_bytes(whole[path][:-1] + b"!")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    backup(catalog.folder, copy, archive_fault=archive_fault)
    assert {path: path.read_bytes() for path in whole} == whole


def test_a_copy_follows_no_links_and_says_what_it_left_out(studio, tmp_path):
    from artmint.studio.maintenance import backup

    folder, copy = studio[0].folder, tmp_path / "copy"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").write_text("of the system")
    (folder / "link").symlink_to(tmp_path / "elsewhere" / "secret")
    (folder / "runs").mkdir()
    (folder / "runs" / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "hot.json").write_text("a keystore")
    (folder / "studio.toml").write_text('[signers.minter]\nfile = "hot.json"\n')
    told = backup(folder, copy)["left_out"]
    assert sorted(told) == [
        "hot.json (studio.toml names it; it may be a key)",
        "keys/",
        "link (a link)",
        "runs/linked (a link)",
    ]
    assert not {"hot.json", "link", "keys"} & {path.name for path in copy.rglob("*")}
    assert "of the system" not in "".join(
        path.read_text(errors="replace") for path in copy.rglob("*") if path.is_file()
    )
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in copy.rglob("*") if path.is_file()} == {0}
    assert stat.S_IMODE(copy.stat().st_mode) == 0o700


@pytest.mark.parametrize("into", ["studio", "studio/backup", "."])
def test_no_copy_lies_in_its_studio_or_around_it(studio, tmp_path, into):
    from artmint.studio.maintenance import NoPlaceForCopy, backup

    before = sorted(studio[0].folder.rglob("*"))
    with pytest.raises(NoPlaceForCopy):
        backup(studio[0].folder, tmp_path / into)
    assert sorted(studio[0].folder.rglob("*")) == before


def test_a_studio_comes_back_from_a_copy_that_cannot_be_written_to(studio, tmp_path):
    "Restored as a whole: the same records, blobs and files; and never over something that is there."
    from artmint.studio.catalog import Catalog
    from artmint.studio.maintenance import AlreadyThere, DamagedStudio, backup, restore

    catalog, copy, place = studio[0], tmp_path / "copy", tmp_path / "new"
    (catalog.folder / "salts").mkdir()
    (catalog.folder / "salts" / "tiny").write_text("salt")
    backup(catalog.folder, copy, keys=True)
    for path in [*copy.rglob("*"), copy]:
        path.chmod(path.stat().st_mode & 0o555)
    restore(copy, place)
    assert Catalog(place).get("artifact", "dna") == catalog.get("artifact", "dna")
    assert Catalog(place).check() == []
    assert (place / "salts" / "tiny").read_text() == "salt"
    assert (place / "keys/minter.json").read_text() == "secret"
    for there in (place, catalog.folder):
        with pytest.raises(AlreadyThere):
            restore(copy, there)
    for path in [copy, *copy.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o700)
    blob = next((copy / "blobs").glob("??/*"))
    blob.write_bytes(b"changed")
    with pytest.raises(DamagedStudio):
        restore(copy, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_restoring_is_a_verb(studio, tmp_path, capsys):
    from artmint.console.cli import main
    from artmint.studio.maintenance import backup

    backup(studio[0].folder, tmp_path / "copy")
    codes = []
    for _ in range(2):
        with pytest.raises(SystemExit) as ended:
            main(["restore", str(tmp_path / "copy"), "--studio", str(tmp_path / "new")])
        codes.append(ended.value.code)
    assert codes == [0, 2]
    assert "no keys in it" in capsys.readouterr().out


# ---------------------------------------------------------------- what collections name


@pytest.fixture
def named(tmp_path):
    "Blobs that only files outside of the studio name, and one in a blob that is kept; all of them old enough."
    from artmint.studio.catalog import Catalog

    catalog = Catalog(tmp_path / "home" / "studio")
    names = {
        name: catalog.put_blob(name.encode()) for name in ("head", "word", "batch", "inner", "lost", "far")
    }
    tree = catalog.put_blob(json.dumps({"file": names["inner"]}).encode())
    catalog.put("tree", "one", {"file_digest": tree})
    folder = tmp_path / "home" / "collections" / "tides"
    folder.mkdir(parents=True)
    (folder / "collection.toml").write_text(f'[[models]]\ndigest = "{names["head"]}"\n')
    (folder / "more").mkdir()
    (folder / "more" / "words.toml").write_text(f'word = "{names["word"]}"\n')
    (tmp_path / "home" / "batches").mkdir()
    (tmp_path / "home" / "batches" / "tides.toml").write_text(f'note = "{names["batch"]}"\n')
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "collection.toml").write_text(f'digest = "{names["far"]}"\n')
    return catalog, names, tmp_path


def test_gc_leaves_what_collections_and_batches_outside_of_the_studio_name(named):
    from artmint.studio.maintenance import gc

    catalog, names, folder = named
    looked = gc(catalog.folder, days=0, collections=[folder / "far"])
    assert looked.blobs == [names["lost"]]
    assert "no record, text or collection names it" in looked.reasons[names["lost"]]
    assert str(folder / "home" / "collections") in looked.read
    gc(catalog.folder, really=True, days=0, collections=[folder / "far"])
    assert [name for name in names if not catalog.has_blob(names[name])] == ["lost"]


def test_gc_knows_collections_of_earlier_runs_also_when_they_are_gone(named):
    "Where a batch's files lie is on record; what they named then stays, and that they are gone is said."
    import shutil

    from artmint.studio.maintenance import gc, record_sources

    catalog, names, folder = named
    for _ in range(2):
        record_sources(catalog, "far", [folder / "far"])
    assert len(catalog.history("sources", "far")) == 1
    assert names["far"] not in gc(catalog.folder, days=0).blobs
    shutil.rmtree(folder / "far")
    looked = gc(catalog.folder, really=True, days=0)
    assert looked.missing == [str(folder / "far")]
    assert catalog.has_blob(names["far"])


def test_a_head_that_is_kept_outlives_gc_though_no_collection_names_it(tmp_path):
    from artmint.studio.catalog import Catalog
    from artmint.studio.maintenance import gc

    catalog = Catalog(tmp_path)
    name = catalog.keep_blob(b"weights", "style head")
    assert catalog.keep_blob(b"weights", "style head") == name
    assert gc(tmp_path, really=True, days=0).blobs == []
    assert catalog.blob(name) == b"weights"


def test_a_studio_that_can_only_be_read_is_looked_at(named):
    from artmint.studio.files import ReadOnlyStudio
    from artmint.studio.maintenance import backup, gc, restore
    from tests.readonly import to_be_read

    catalog, names, folder = named
    catalog.close()
    with to_be_read(catalog.folder) as place:
        assert names["lost"] in gc(place, days=0).blobs
        with pytest.raises(ReadOnlyStudio):
            gc(place, really=True, days=0)
        backup(place, folder / "copy")
        restore(place, folder / "again")
    from artmint.studio.catalog import Catalog

    assert Catalog(folder / "again").check() == Catalog(folder / "copy").check() == []


def test_a_full_disk_under_a_copy_is_not_the_studio_s_damage(tmp_path, monkeypatch):
    "What SQLite says of the copy's disk is said of that, and not of the records."
    from artmint.studio.catalog import Catalog
    from artmint.studio.maintenance import backup

    Catalog(tmp_path / "studio").close()
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL

    def full(path):
        raise error

    monkeypatch.setattr("artmint.studio.maintenance._catalog_to_copy", full)
    with pytest.raises(OSError) as refused:
        backup(tmp_path / "studio", tmp_path / "copy")
    assert refused.value.errno == errno.ENOSPC
    assert str(tmp_path / "copy") in str(refused.value.filename)
