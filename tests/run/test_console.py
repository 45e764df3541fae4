"What the console says."

import errno
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from artmint.console import cli
from artmint.core.collection import example
from artmint.run.console import exit_code_of, console_words, verify_command
from artmint.run.runner import WaitingForPeople
from tests.studios import ROOT


def test_the_command_can_be_typed_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert verify_command("embedded:0xAb", tmp_path / "my studio").endswith(
        "verify embedded:0xAb --studio 'my studio' --regenerate"
    )
    monkeypatch.chdir(ROOT)
    assert f"--studio {tmp_path}" in verify_command("embedded:0xAb", tmp_path)


@pytest.mark.parametrize(
    "error, code, said",
    [
        (ValueError("first\nsecond"), 1, "second This wasn't foreseen: --debug shows where it happened."),
        (WaitingForPeople([3], 2), 4, "and run the batch again."),
    ],
)
def test_an_error_is_its_own_words_and_its_code(monkeypatch, capsys, error, code, said):
    def broken(path: Path):
        raise error

    monkeypatch.setattr("artmint.run.batch.load_batch", broken)
    with pytest.raises(SystemExit) as end:
        cli.main(["run", "x.toml"])
    assert end.value.code == code
    assert capsys.readouterr().err.strip().endswith(said)


@pytest.mark.parametrize(
    "statuses, code", [((), 0), (("held",), 0), (("held", "unchecked"), 3), (("unchecked", "failed"), 1)]
)
def test_the_exit_code_of_decides(statuses, code):
    assert exit_code_of([{"status": status} for status in statuses]) == code


@pytest.mark.parametrize(
    ("error", "words", "code"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "studio/blobs/ab"),
            "The disk is full: studio/blobs/ab",
            1,
        ),
        (OSError(errno.EROFS, "Read-only file system", "run.lock"), "can only be read: run.lock", 1),
        (PermissionError(errno.EACCES, "Permission denied", "keys"), "This user may not do that: keys", 1),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "x/y"),
            "Something isn't there: x/y",
            1,
        ),
        (OSError("nothing said"), "OSError", 1),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), "pip install 'artmint[make]'", 2),
        (ModuleNotFoundError("No module named 'web3.x'", name="web3.x"), "pip install 'artmint[publish]'", 2),
        (ModuleNotFoundError("No module named 'nix'", name="nix"), "pip install nix", 2),
        (
            sqlite3.DatabaseError("file is not a database"),
            "catalog can't be used (file is not a database)",
            1,
        ),
        (sa.exc.OperationalError("SELECT 1", {}, sqlite3.OperationalError("locked")), "(locked)", 1),
        (KeyError("scores"), "This wasn't foreseen", 1),
        (AssertionError(), "no further words", 1),
    ],
)
def test_what_the_system_says_is_told_in_words_that_help(error, words, code):
    said, ended = console_words(error)
    assert words in said
    assert ended == code
    assert "sqlalche.me" not in said and "[Errno" not in said


@pytest.mark.parametrize(
    "words",
    [
        ("report", "BATCH"),
        ("gc",),
        ("backup", "copy"),
        ("review", "BATCH"),
        ("runs", "list"),
        ("open", "COLLECTION"),
        ("mint", "COLLECTION", "--dry-run"),
        ("base", "list"),
        ("tx", "list"),
    ],
)
def test_a_mistyped_studio_is_refused_and_none_is_begun(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    places = {"BATCH": str(example("batches/demo.toml")), "COLLECTION": str(example())}
    with pytest.raises(SystemExit) as end:
        cli.main([*(places.get(word, word) for word in words), "--studio", "stuido"])
    assert end.value.code == 2
    assert "stuido" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_batch_that_is_not_there_names_its_neighbours(tmp_path, capsys):
    (tmp_path / "demo.toml").write_text("")
    with pytest.raises(SystemExit):
        cli.main(["run", str(tmp_path / "dmeo.toml")])
    assert "there are ['demo.toml'] in its folder" in capsys.readouterr().err
