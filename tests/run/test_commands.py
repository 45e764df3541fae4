"The console's commands on a minted studio."

import shutil
import sqlite3
from pathlib import Path

import pytest

from artmint.metrics import batch_history, kpis
from artmint.console import cli
from artmint.seeds import load_collection
from artmint.studio.catalog import Catalog
from artmint.studio.ledger import Money, bill, ledger_lines
from tests.conftest import TINY


def test_mint_says_what_it_would_do(minted, capsys):
    "A dry run names chain, contract, minter, limits and treasury; a run where all is minted sends nothing."
    studio, address = minted
    for more in (["--dry-run"], []):
        with pytest.raises(SystemExit) as end:
            cli.main(["mint", str(TINY), "--studio", str(studio), *more])
        said = capsys.readouterr().out
        assert end.value.code in (0, None)
        assert f"contract   {address}" in said
        assert "2 of 2 of drop 1 are minted" in said
        assert "would send" not in said
    assert "0 transactions" in said


def seconds(studio: Path, stage: str) -> dict[tuple[str, str], float]:
    "What the ledger says of a stage's time."
    return bill(
        [
            line._replace(stage=line.key)
            for line in ledger_lines(Catalog(studio), stage)
            if line.unit in ("wall", "cpu")
        ],
        Money(),
    ).used


@pytest.mark.slow
def test_minting_from_the_console_is_charged(minted, tmp_path):
    "Its seconds stand beside its gas; a dry run costs nothing."
    studio = shutil.copytree(minted[0], tmp_path / "studio")
    before = len(ledger_lines(Catalog(studio), "mint"))
    for more, expected in (["--dry-run"], []), ([], [("tiny/1-2", "wall"), ("tiny/1-2", "cpu")]):
        with pytest.raises(SystemExit):
            cli.main(["mint", str(TINY), "--studio", str(studio), *more])
        fresh = ledger_lines(Catalog(studio), "mint")[before:]
        assert [(line.key, line.unit) for line in fresh] == expected
        assert all(line.amount > 0 for line in fresh)
    found = seconds(studio, "mint")
    collection = load_collection(TINY)
    assert (
        kpis(batch_history(Catalog(studio), collection, range(1, 3)), Money()).stages["mint"]["cpu"]
        == found["tiny/1-2", "cpu"]
    )
    assert (
        kpis(batch_history(Catalog(studio), collection, range(3, 5)), Money()).stages["mint"].get("cpu", 0)
        == 0
    )


@pytest.mark.slow
def test_a_studio_s_own_proof_is_charged_to_what_was_proven_and_a_stranger_s_is_not(minted, tmp_path, capsys):
    "Of a collection's proof each drop bears its part. Who isn't the maker gets no catalog."
    studio = shutil.copytree(minted[0], tmp_path / "studio")
    for target in (f"embedded:{minted[1]}", f"embedded:{minted[1]}/3"):
        with pytest.raises(SystemExit) as end:
            cli.main(["verify", target, "--studio", str(studio)])
        assert end.value.code == 0
    found = seconds(studio, "verify")
    collection = load_collection(TINY)
    assert set(found) == {(key, unit) for key in ("tiny/1-4", "tiny/3-3") for unit in ("wall", "cpu")}
    parts = [
        kpis(batch_history(Catalog(studio), collection, each), Money()).stages["verify"]["cpu"]
        for each in (range(1, 3), range(3, 5))
    ]
    assert parts == pytest.approx(
        [found["tiny/1-4", "cpu"] / 2, found["tiny/1-4", "cpu"] / 2 + found["tiny/3-3", "cpu"]]
    )
    for name in ("chain", "store"):
        shutil.copytree(minted[0] / name, tmp_path / "stranger" / name)
    for folder, of in ((tmp_path / "stranger", None), (tmp_path / "other", "other")):
        if of:
            shutil.copytree(tmp_path / "stranger", folder)
            Catalog(folder).put("contract", "other@1", {"address": "0x" + "1" * 40})
        with pytest.raises(SystemExit) as end:
            cli.main(["verify", f"embedded:{minted[1]}", "--studio", str(folder)])
        assert end.value.code == 0
    assert not (tmp_path / "stranger/catalog.sqlite").exists()
    assert ledger_lines(Catalog(tmp_path / "other")) == []
    with sqlite3.connect(tmp_path / "other/catalog.sqlite") as connection:
        connection.execute("update meta set value = '99'")
    with pytest.raises(SystemExit) as end:
        cli.main(["verify", f"embedded:{minted[1]}", "--studio", str(tmp_path / "other")])
    assert end.value.code == 0
    assert "isn't charged" in capsys.readouterr().err  # a proof depends on nobody's books


def test_mint_before_anything_is_there(minted, tmp_path, capsys):
    shutil.copytree(minted[0] / "drops", tmp_path / "drops")
    Catalog(tmp_path).close()
    with pytest.raises(SystemExit) as end:
        cli.main(["mint", str(TINY), "--studio", str(tmp_path), "--dry-run"])
    assert end.value.code == 2
    assert "Let the admin deploy one first" in capsys.readouterr().err
    with pytest.raises(SystemExit) as end:
        cli.main(["mint", str(TINY), "--studio", str(tmp_path), "--chain", "base-sepolia"])
    assert end.value.code == 2
    assert "ARTMINT_RPC_BASE_SEPOLIA" in capsys.readouterr().err
