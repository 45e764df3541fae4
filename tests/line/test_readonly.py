"Every verb on a studio that can only be read works, or refuses in words."

import re
import tarfile
from pathlib import Path

import pytest

from artmint.console.cli import main
from tests.readonly import to_be_read
from tests.suites import some

DATA = Path(__file__).parents[1] / "data" / "studios" / "0.3.0.tar.xz"
RAW = re.compile(r"Traceback|sqlalche|Errno|sqlite3\.|OperationalError|wasn't foreseen")
BATCH = "batches/tiny.toml"
WORKS = [
    ["doctor"],
    ["doctor", "--repair"],
    ["report", BATCH, "--out", "page.html", "--export", "numbers"],
    ["status", BATCH],
    ["gc"],
    ["backup", "copy"],
    ["decisions", "export", BATCH, "--to", "csv"],
    ["adapter", "list"],
    ["base", "list"],
    ["embedding", "list"],
    ["tx", "list"],
    ["runs", "list"],
    ["key", "list"],
    ["preview", BATCH, "--page", "preview.html"],
]
REFUSES = [
    ["run", BATCH],
    ["report", BATCH],
    ["gc", "--really"],
    ["people", BATCH, "--add", "mira"],
    ["enter", BATCH, "3", "--withdraw"],
    ["key", "new", "--scope", "read", "reader"],
    ["runs", "add", "monday", "tiny"],
    ["mint", BATCH, "--yes"],
    ["pin", BATCH, "--repair"],
    ["sweep", BATCH],
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    "A studio with its collection and batches, and where it can only be read."
    folder = tmp_path_factory.mktemp("home")
    with tarfile.open(DATA) as archive:
        archive.extractall(folder, filter="data")
    with to_be_read(folder / "studio") as place:
        yield folder, place


def content(folder: Path) -> dict[str, bytes]:
    "All files of a folder."
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def told(home, monkeypatch, capsys, words: list[str]) -> tuple[int, str]:
    "What a verb says, and its code; nothing in the studio is another."
    folder, place = home
    monkeypatch.chdir(folder)
    before = content(place)
    with pytest.raises(SystemExit) as ended:
        main([*words, "--studio", str(place)])
    out = capsys.readouterr()
    assert content(place) == before
    assert not RAW.search(out.out + out.err), out
    return ended.value.code or 0, out.out + out.err


@pytest.mark.parametrize("words", some(WORKS, WORKS[3:5]), ids=" ".join)
def test_whoever_only_looks_is_served(home, monkeypatch, capsys, words):
    code, said = told(home, monkeypatch, capsys, words)
    assert "only be read" not in said or words[0] == "doctor", said
    assert code in (0, 1, 3), said


@pytest.mark.parametrize("words", some(REFUSES, REFUSES[:3]), ids=" ".join)
def test_whoever_would_write_is_told_so(home, monkeypatch, capsys, words):
    code, said = told(home, monkeypatch, capsys, words)
    assert code in (1, 2), said
    assert len(said.strip()) > 40
