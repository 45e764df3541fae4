"Files written whole, settings, and the studio's lock."

import errno
import json
import os
import re
import stat
from pathlib import Path

import pytest

import artmint
from artmint.studio.catalog import Catalog
from artmint.studio.files import (
    TABLES,
    BadSettings,
    StudioBusy,
    hold_studio,
    read_settings,
    replacing,
    write_new,
    write_whole,
)


def full(handle: int) -> None:
    "fsync on a full disk."
    raise OSError(28, "No space left on device")


def test_collections_are_held_side_by_side_and_a_whole_studio_by_one(tmp_path):
    with hold_studio(tmp_path, "monday", "moons"), hold_studio(tmp_path, "tuesday", "tides"):
        for wanted in ("moons", "tides", ""):
            with pytest.raises(StudioBusy) as refusal, hold_studio(tmp_path, "gc", wanted):
                pass
            assert refusal.value.holder["batch"] == ("tuesday" if wanted == "tides" else "monday")
    with hold_studio(tmp_path, "gc"), pytest.raises(StudioBusy, match="gc"):
        with hold_studio(tmp_path, "monday", "moons"):
            pass
    with hold_studio(tmp_path, "monday", "moons"):
        pass


@pytest.mark.parametrize("write", [write_whole, write_new])
def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch, write):
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path / "file", b"new")
    assert list(tmp_path.iterdir()) == []


def test_what_raises_inside_leaves_the_old_file(tmp_path):
    write_whole(tmp_path / "file", b"old")
    with pytest.raises(RuntimeError), replacing(tmp_path / "file") as file:
        file.write(b"ne")
        raise RuntimeError
    assert (tmp_path / "file").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_new_file_has_its_mode_and_is_never_replaced(tmp_path):
    assert write_new(tmp_path / "keys" / "salt", b"first", 0o600)
    assert not write_new(tmp_path / "keys" / "salt", b"second", 0o644)
    path = tmp_path / "keys" / "salt"
    assert path.read_bytes() == b"first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_studio_is_held_by_one(tmp_path):
    with hold_studio(tmp_path, "monday"):
        with pytest.raises(StudioBusy) as refusal, hold_studio(tmp_path, "tuesday"):
            pass
        assert refusal.value.holder["batch"] == "monday"
        assert refusal.value.holder["pid"] == os.getpid()
    with hold_studio(tmp_path, "tuesday"):
        pass


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "text, reason",
    [
        ('[catalog]\nurl = "postgresql+psycopg://me:secret@host/db"', "password"),
        ("[catalog", "studio.toml"),
        ('catalog = "x"', "no table"),
        ('[blobs]\nurl = "nowhere://x"', "nowhere"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(tmp_path, text, reason):
    (tmp_path / "studio.toml").write_text(text)
    with pytest.raises(BadSettings, match=reason) as refusal:
        Catalog(tmp_path).put_blob(b"x")
    assert refusal.value.exit_code == 2
    assert "secret" not in str(refusal.value)


def test_write_new_never_replaces(tmp_path):
    assert write_new(tmp_path / "a/b", b"1", 0o600)
    assert not write_new(tmp_path / "a/b", b"2")
    assert (tmp_path / "a/b").read_bytes() == b"1"
    assert stat.S_IMODE((tmp_path / "a/b").stat().st_mode) == 0o600
    assert os.listdir(tmp_path / "a") == ["b"]


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EFBIG])
def test_what_the_system_refuses_is_named_as_it_was_asked_for(tmp_path, monkeypatch, number):
    "Not by the hidden name that it has while it is written."

    def refuse(old, new):
        raise OSError(number, os.strerror(number), str(old), None, str(new))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError) as caught:
        write_whole(tmp_path / "voice.json", b"{}")
    assert (caught.value.errno, caught.value.filename) == (number, str(tmp_path / "voice.json"))
    assert list(tmp_path.iterdir()) == []


def test_a_secret_can_be_made_where_disks_have_no_hard_links(tmp_path, monkeypatch):
    "exFAT and some shares: the name is taken first, and the file is whole when it has it."

    def refuse(*_):
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "salts" / "tiny"
    assert write_new(path, b"first", 0o600)
    assert not write_new(path, b"second", 0o600)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"first", 0o600)
    assert [entry.name for entry in path.parent.iterdir()] == ["tiny"]


def hold_again(folder):
    from artmint.studio import files

    before, files._BEGINNING = files._BEGINNING, 0.05
    try:
        with hold_studio(folder, "two"):
            raise AssertionError("two at once")
    finally:
        files._BEGINNING = before


@pytest.mark.parametrize("text", [None, "", '{"batch": "de', "[]", "7", "[" * 100_000])
def test_a_busy_studio_is_busy_whoever_wrote_down_what(tmp_path, text):
    "The lock is held, and who holds it isn't written yet, or half."
    with hold_studio(tmp_path, "one"):
        (tmp_path / "run.json").unlink()
        if text is not None:
            (tmp_path / "run.json").write_text(text)
        with pytest.raises(StudioBusy, match="has been running"):
            hold_again(tmp_path)


def test_who_holds_a_studio_is_written_through_no_link(tmp_path):
    (tmp_path / "theirs").write_text("kept")
    (tmp_path / "run.json").symlink_to(tmp_path / "theirs")
    with hold_studio(tmp_path, "one"):
        assert (tmp_path / "theirs").read_text() == "kept"
        assert json.loads((tmp_path / "run.json").read_text())["batch"] == "one"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[store]]\nkind = "folder"', "'store' is none of its words (is it 'stores'?)"),
        ("revenue_per_tokn = 4", "is it 'revenue_per_token'?"),
        ("[polcy]\ntokens = 3", "is it 'policy'?"),
        ("[zzz]", "'zzz' is none of its words"),
    ],
)
def test_a_word_that_nobody_reads_is_refused(tmp_path, text, says):
    "A limit or a store under a mistyped name would be a limit or a store that isn't there."
    (tmp_path / "studio.toml").write_text(text)
    with pytest.raises(BadSettings, match=re.escape(says)):
        read_settings(tmp_path, "catalog")


def test_every_word_of_the_example_is_known(tmp_path):
    text = (Path(artmint.__file__).parent / "data/first/studio.toml").read_text(encoding="utf-8")
    lines = [line.removeprefix("# ") for line in text.splitlines() if re.match(r"# (\[|[a-z_]+ = )", line)]
    words = {re.match(r"\[*([a-z_]+)", line)[1] for line in lines if line.startswith("[")}
    assert words <= set(TABLES)
