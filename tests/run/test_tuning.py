"The command tune."

import json
import shutil

import pytest

from artmint.core.collection import example
from artmint.console import cli
from tests.drawn import decided_studio_of


@pytest.fixture(scope="module")
def decided_studio(tmp_path_factory):
    "A studio that somebody has decided on."
    return decided_studio_of(tmp_path_factory.mktemp("tuned"))


@pytest.fixture
def batch(tmp_path):
    "A batch of a copy of the demo."
    shutil.copytree(example(), tmp_path / "demo")
    path = tmp_path / "b.toml"
    folder = json.dumps(str(tmp_path / "demo"))
    path.write_text(f'name = "b"\ncollection = {folder}\nquantity = 6\nstages = ["20_curate"]\n')
    return path


def run(capsys, *words) -> tuple[int, str, str]:
    "A command's exit code and what it says."
    with pytest.raises(SystemExit) as end:
        cli.main([str(word) for word in words])
    said = capsys.readouterr()
    return end.value.code or 0, said.out, said.err


@pytest.mark.slow
def test_it_proposes_and_writes_nothing_unasked(decided_studio, batch, capsys):
    file = batch.parent / "demo" / "collection.toml"
    before = file.read_text()
    code, out, _ = run(capsys, "tune", batch, "--studio", decided_studio)
    assert code == 0
    for part in (
        "How these 120 pictures came to be looked at",
        "clip min",
        "would never be seen",
        "hasn't seen",
    ):
        assert part in out
    assert "@@" in out
    assert file.read_text() == before
    code, out, _ = run(capsys, "tune", batch, "--studio", decided_studio, "--json", "--keep", "0.9")
    facts = json.loads(out)
    assert (facts["keep"], facts["written"]) == (0.9, False)
    assert "scores" not in facts["rules"][0]
    code, out, _ = run(capsys, "tune", batch, "--studio", decided_studio, "--write")
    assert code == 0 and file.read_text() != before
    assert "is written" in out


def test_without_decisions_it_waits_for_people(batch, tmp_path, capsys):
    from artmint.studio.catalog import Catalog

    Catalog(tmp_path / "studio").close()
    code, _, err = run(capsys, "tune", batch, "--studio", tmp_path / "studio")
    assert code == 4
    assert "review more candidates" in err


@pytest.mark.many(2)
@pytest.mark.parametrize(
    "words", [["--page", "--json"], ["--page", "--write"], ["--keep", "0"], ["--keep", "1.5"]]
)
def test_wrong_use(decided_studio, batch, capsys, words):
    assert run(capsys, "tune", batch, "--studio", decided_studio, *words)[0] == 2


def test_a_score_that_nobody_knows_is_said(decided_studio, batch, capsys):
    code, _, err = run(capsys, "tune", batch, "--studio", decided_studio, "--score", "beauty")
    assert code != 0
    assert "beauty" in err
