"artmint pin: drops that are still whole, and drops that are made so."

import json
import re

import pytest

from artmint.ipfs.car import open_car, write_car
from artmint.ipfs.stores import FolderStore
from artmint.pin import publish, read_back
from artmint.console.cli import main
from artmint.studio.catalog import Catalog
from artmint.studio.files import drop_folder


@pytest.fixture
def studio(tmp_path):
    "A studio of two drops in two folders."
    place = tmp_path / "studio"
    catalog = Catalog(place)
    (place / "studio.toml").write_text(f'[[stores]]\nkind = "folder"\nfolder = "{tmp_path / "vault"}"\n')
    stores = [FolderStore(place / "store"), FolderStore(tmp_path / "vault")]
    for number in (1, 2):
        folder = drop_folder(place, "demo", number)
        tree = {f"{i}.json": b"token %d" % i for i in range(number * 100, number * 100 + 40)}
        for name, data in tree.items():
            (folder / "root").mkdir(parents=True, exist_ok=True)
            (folder / "root" / name).write_bytes(data)
        built = write_car(folder / "drop.car", folder / "root")
        catalog.append("pin", f"demo/{number}", publish(folder / "drop.car", built.root, stores))
    return catalog, stores, built


def artmint(capsys, *words) -> tuple[int, str]:
    "Exit code and output of a command."
    with pytest.raises(SystemExit) as ended:
        main(list(map(str, words)))
    return ended.value.code, re.sub(r"\x1b\[[0-9;]*m", "", "".join(capsys.readouterr()))


def test_whole_drops_are_held_and_that_is_on_record(studio, capsys):
    catalog, *_ = studio
    code, said = artmint(capsys, "pin", "--check", "--studio", catalog.folder)
    assert (code, said.count("✓")) == (0, 6)
    assert len(catalog.history("health", "demo/2")) == 1
    assert "all 41 blocks" in said


def test_what_a_store_lost_is_named_planned_and_mended(studio, capsys):
    catalog, (near, far), built = studio
    copy = far.get(built.root)
    whole = copy.read_bytes()
    copy.write_bytes(whole.replace(b"token 230", b"token 666"))
    place = ("--studio", catalog.folder, "--drop", "demo/2")
    code, said = artmint(capsys, "pin", "--check", *place, "--json")
    document = json.loads(said)
    assert (code, document["exit_code"]) == (1, 1)
    assert [row["status"] for row in document["drops"][0]["stores"]] == ["held", "held", "damaged"]
    code, said = artmint(capsys, "pin", "--repair", "--dry-run", *place)
    assert (code, "folder vault would be given" in said) == (1, True)
    assert copy.read_bytes() != whole
    code, said = artmint(capsys, "pin", "--repair", *place)
    assert (code, copy.read_bytes()) == (0, whole)
    assert "read back whole" in said


@pytest.mark.parametrize("files", [True, False])
def test_the_drops_own_archive_is_written_anew(studio, capsys, files):
    "From its files, or from what two damaged stores have together."
    import shutil

    catalog, stores, built = studio
    folder = drop_folder(catalog.folder, "demo", 2)
    whole = (folder / "drop.car").read_bytes()
    (folder / "drop.car").write_bytes(whole.replace(b"token 201", b"token 999"))
    if not files:
        shutil.rmtree(folder / "root")
        for store, spoilt in zip(stores, (b"token 210", b"token 220")):
            store.get(built.root).write_bytes(whole.replace(spoilt, b"token 777"))
    code, said = artmint(capsys, "pin", "--repair", "--all", "--studio", catalog.folder)
    assert code == 0, said
    for store in stores:
        assert read_back(store, built.root) == built.paths
    assert open_car(folder / "drop.car").index.keys() == built.blocks.keys()
    assert ((folder / "drop.car").read_bytes() == whole) is files


def test_what_nobody_has_is_said_and_nothing_is_sent(studio, capsys):
    import shutil

    catalog, stores, built = studio
    folder = drop_folder(catalog.folder, "demo", 2)
    shutil.rmtree(folder / "root")
    for path in (folder / "drop.car", *(store.get(built.root) for store in stores)):
        path.write_bytes(path.read_bytes().replace(b"token 210", b"token 777"))
    code, said = artmint(capsys, "pin", "--repair", "--studio", catalog.folder)
    assert (code, "of '/210.json' is missing" in said) == (1, True)


def test_a_store_that_is_down_is_unchecked(studio, capsys):
    catalog, *_ = studio
    with open(catalog.folder / "studio.toml", "a") as file:
        file.write('[[stores]]\nkind = "node"\nurl = "http://127.0.0.1:1"\nseconds = 1\n')
    code, said = artmint(capsys, "pin", "--check", "--studio", catalog.folder)
    assert (code, said.count("– demo")) == (3, 2)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "say --check or --repair"),
        (["--check", "--dry-run"], "--repair"),
        (["--check", "--sample", "3", "--all"], "--sample"),
        (["--check", "--drop", "demo/7"], "there are: demo/1, demo/2"),
        (["--check", "--store", "cellar"], "folder vault"),
    ],
)
def test_wrong_use_is_refused_before_anybody_is_asked(studio, capsys, words, reason):
    catalog, *_ = studio
    code, said = artmint(capsys, "pin", *words, "--studio", catalog.folder)
    assert (code, reason in " ".join(said.split())) == (2, True), said
    assert not catalog.all("health")


def test_a_studio_that_published_nothing_is_said(tmp_path, capsys):
    code, said = artmint(capsys, "pin", "--check", "--studio", tmp_path / "none")
    assert (code, "No drop" in said) == (2, True)
