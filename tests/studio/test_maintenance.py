"A studio's folder: made, cleaned, kept."

import json

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
