"What the console says."

from pathlib import Path

import pytest

from artmint.console import cli
from artmint.run.console import exit_code_of, verify_command
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
        (ValueError("first\nsecond"), 1, "first\nsecond"),
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
