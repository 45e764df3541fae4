"Batch files, parameters and forecasts, refused before anything runs."

import json
import subprocess
import sys

import pytest

from artmint.core.collection import example
from artmint.run import batch, runner
from tests.conftest import TINY


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "name"),
        ("name = ", "Invalid"),
        ("name = 'small'\ncollection = 'c'\nquantity = 0\nstages = ['a']", "quantity"),
        ("name = '../up'\ncollection = 'c'\nquantity = 1\nstages = ['a']", "name"),
        (
            "name = 'small'\ncollection = 'c'\nquantity = 1\nstages = ['00_seeds']\n[parameters.00_seeds]\na = 2026-01-01",
            "date",
        ),
        ("name = 'small'\ncolection = 'c'\nquantity = 1\nstages = ['a']", "colection"),
    ],
)
def test_a_bad_batch_file_is_refused(tmp_path, text, said):
    (tmp_path / "batch.toml").write_text(text)
    with pytest.raises(batch.BadBatch) as refusal:
        batch.load_batch(tmp_path / "batch.toml")
    assert said in str(refusal.value)
    assert refusal.value.exit_code == 2


def test_a_missing_batch_file_is_refused(tmp_path):
    with pytest.raises(batch.NoBatchFile):
        batch.load_batch(tmp_path / "none.toml")


def test_a_folder_of_batches_is_no_batch_and_tells_which_there_are(tmp_path):
    (tmp_path / "b.toml").write_text("")
    with pytest.raises(batch.NoBatchFile, match="it is a folder.*in it there are b.toml"):
        batch.load_batch(tmp_path)


def test_a_collection_in_a_batchs_place_is_told_apart():
    with pytest.raises(batch.BadBatch, match="it describes a collection") as refusal:
        batch.load_batch(TINY / "collection.toml")
    assert "unknown key" not in str(refusal.value)


@pytest.mark.parametrize(
    "stage, given, error",
    [
        ("00_seeds", {"sed": 1}, batch.UnknownParameter),
        ("00_seeds", {"quantity": "4"}, batch.WrongType),
        ("00_seeds", {"quantity": True}, batch.WrongType),
        ("00_seeds", {"warm": 1}, batch.WrongType),
        ("00_seeds", {"scale": "big"}, batch.WrongType),
        ("99_none", {}, batch.UnknownStage),
    ],
)
def test_parameters_are_refused_before_anything_runs(books, order, tmp_path, stage, given, error):
    with pytest.raises(error) as refusal:
        runner.run_batch(order(parameters={stage: given}), tmp_path / "studio")
    assert refusal.value.exit_code == 2
    assert not (tmp_path / "studio").exists()


def test_an_unknown_stage_is_refused(books, order, tmp_path):
    with pytest.raises(batch.UnknownStage, match="05_nowhere"):
        runner.plan(order(stages=("05_nowhere",)), tmp_path)


def test_a_whole_number_is_fine_for_a_float(books, order, tmp_path):
    assert runner.plan(order(parameters={"00_seeds": {"scale": 2}}), tmp_path)[0].parameters["scale"] == 2


def test_the_plan_names_no_machine_path(books, order, tmp_path):
    stages = runner.plan(order(), tmp_path / "studio")
    assert [stage.repeats for stage in stages] == [False, True, True, False]
    assert stages[0].parameters == {"studio": "../..", "quantity": 4}


# ------------------------------------------------------------------ a part of a batch


@pytest.mark.parametrize(
    "ends, error",
    [
        (("mint", ""), batch.NoSuchPart),
        (("", "05_none"), batch.NoSuchPart),
        (("metadata", "seeds"), batch.NothingChosen),
    ],
)
def test_a_part_that_is_none_is_refused(books, order, tmp_path, ends, error):
    with pytest.raises(error) as refusal:
        runner.run_batch(order(), tmp_path / "studio", print, first=ends[0], last=ends[1])
    assert refusal.value.exit_code == 2
    assert not (tmp_path / "studio").exists()


# ------------------------------------------------------------------ the plan


@pytest.mark.slow
def test_the_plan_learns_from_what_was(books, order, tmp_path):
    studio = tmp_path / "studio"
    some = order(stages=("00_seeds", "15_generate"))
    first = batch.forecast_stages(some, studio)
    assert not studio.exists()
    assert [each.seconds is None for each in first] == [True, False]
    assert first[1].basis.startswith("assumed")
    assert first[1].pictures == (8, 16)
    assert first[1].slots == 4
    runner.run_batch(some, studio, print, last="seeds")
    again = batch.forecast_stages(some, studio)[0]
    assert again.basis == "as 1 times before here"
    assert again.seconds > 0
    assert (
        batch.forecast_stages(order(name="more", stages=("00_seeds",), quantity=2), studio)[0].seconds
        == again.seconds
    )  # a kernel takes its time for two slots as for four


def test_the_rate_in_force_is_taken(tmp_path):
    assert batch.rate_of(tmp_path) is None
    (tmp_path / "studio.toml").write_text(
        "currency = 'EUR'\n[[rates]]\nsince = 2099-01-01\ncpu_hour = 9.0\n[[rates]]\nsince = 2020-01-01\ncpu_hour = 0.1\n[[rates]]\nsince = 2021-01-01\ncpu_hour = 0.2\n"
    )
    assert batch.rate_of(tmp_path) == (0.2, "EUR")


@pytest.mark.parametrize(
    "chain",
    [
        "http://user:CANARY@198.51.100.1",
        "https://mainnet.example/v3/CANARY0123456789abcdef",
        "https://node.example?key=CANARY",
        "https://good.example,https://CANARY@node.example",
        "http://[CANARY",
    ],
)
@pytest.mark.parametrize("place", ["chain", "parameters"])
def test_a_batch_names_no_address_that_may_hold_a_key(tmp_path, chain, place):
    "What a batch says is a parameter of notebooks, which are kept, shown in plans and handed on."
    line = f'chain = "{chain}"\n' if place == "chain" else f'[parameters."30_mint"]\nchain = "{chain}"\n'
    path = tmp_path / "one.toml"
    folder = json.dumps(str(example()))
    path.write_text(f'name = "one"\ncollection = {folder}\nquantity = 1\nstages = ["30_mint"]\n{line}')
    with pytest.raises(batch.BadBatch, match="ARTMINT_RPC_") as refused:
        batch.plan(batch.load_batch(path), tmp_path / "studio")
    assert "CANARY" not in str(refused.value)


@pytest.mark.parametrize(
    "line, said",
    [
        ('chain = "https://node/KEY0123456789abcdef"\nquantity = 1', "ARTMINT_RPC_"),
        ("quantity = 1000000000000", "quantity"),
    ],
)
def test_a_batch_is_refused_when_it_is_loaded_by_every_rule(tmp_path, line, said):
    path = tmp_path / "one.toml"
    path.write_text(f'name = "one"\ncollection = "c"\nstages = ["30_mint"]\n{line}\n')
    with pytest.raises(batch.BadBatch, match=said):
        batch.load_batch(path)


def test_a_batch_may_name_a_node_without_a_key(tmp_path):
    path = tmp_path / "one.toml"
    folder = json.dumps(str(example()))
    path.write_text(
        f'\ufeffname = "one"\ncollection = {folder}\nquantity = 1\nstages = ["30_mint"]\nchain = "http://127.0.0.1:8545"\n'
    )
    assert (
        batch.plan(batch.load_batch(path), tmp_path / "studio")[0].parameters["chain"]
        == "http://127.0.0.1:8545"
    )


@pytest.mark.parametrize(
    "line", ["quantity = 1000000000", 'quantity = 1\nstages = ["' + '", "'.join(["00_seeds"] * 101) + '"]']
)
def test_a_batch_has_bounds(tmp_path, line):
    stages = "" if "stages" in line else '\nstages = ["00_seeds"]'
    (tmp_path / "one.toml").write_text(f'name = "one"\ncollection = "c"\n{line}{stages}')
    with pytest.raises(batch.BadBatch):
        batch.load_batch(tmp_path / "one.toml")


def test_a_plan_refuses_slots_that_the_collection_has_not(tmp_path):
    "What the first stage would refuse, the plan refuses."
    from artmint.run.commands import _plan_rows

    folder = json.dumps(str(example()))
    (tmp_path / "one.toml").write_text(
        f'name = "one"\ncollection = {folder}\nquantity = 17\nstages = ["00_seeds"]'
    )
    one = batch.load_batch(tmp_path / "one.toml")
    with pytest.raises(runner.SlotsBeyond, match="1 to 17"):
        _plan_rows(one, tmp_path / "studio", ("00_seeds", "00_seeds"), {})


@pytest.mark.parametrize("verb", ["films", "posts", "preview"])
def test_files_of_a_drop_that_the_chain_draws_are_refused_by_that(tmp_path, capsys, verb):
    from tests.safes import artmint

    path = tmp_path / "drawn.toml"
    path.write_text(f'name = "d"\ncollection = "{TINY}"\nquantity = 2\nstages = ["37_drawn"]\n')
    assert "d is drawn by the chain" in artmint(capsys, verb, path, "--studio", tmp_path / "s", code=2)


@pytest.mark.slow
def test_nbformat_comes_without_parsers_that_no_notebook_needs():
    program = "import sys; from artmint.run.batch import load_nbformat; load_nbformat(); sys.exit('rfc3987_syntax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
