"What a stage's kernel inherits: no module from the folder that it runs in, and no secret that it doesn't need."

import nbformat
import pytest

from artmint.run import runner
from artmint.run.batch import Stage

PROBE = """
import os, sys, numpy, tqdm, IPython
print("places", [place for place in sys.path if place in ("", ".", os.getcwd())])
print("secrets", [name for name in os.environ if name.startswith(("ARTMINT_PASS", "ARTMINT_PIN", "FIREBLOCKS"))])
"""
PLANTED = ("IPython", "numpy", "tqdm", "json", "ipykernel_launcher", "artmint", "sitecustomize")


@pytest.mark.parametrize(
    "notebook, secrets", [("25_probe", "[]"), ("30_mint", "['ARTMINT_PASSPHRASE_MINTER']")]
)
def test_a_studio_s_folder_is_no_code_and_secrets_reach_only_who_signs(
    notebook, secrets, tmp_path, monkeypatch
):
    "A module that lies beside the executed notebooks runs at no stage; what signs knows the signers' secrets, and nobody else."
    here = tmp_path / "run"
    here.mkdir()
    for name in PLANTED:
        (here / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write(__name__ + ' ')")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(PROBE)])
    book.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(book, tmp_path / f"{notebook}.ipynb")
    monkeypatch.setattr(runner, "notebooks", lambda: {notebook: tmp_path / f"{notebook}.ipynb"})
    monkeypatch.setenv("ARTMINT_PASSPHRASE_MINTER", "not for everybody")
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    lines: list[str] = []
    runner.execute_stage(here, Stage(notebook, {}, False), lines.append, lambda line: None)
    assert not (tmp_path / "ran").exists()
    assert [line.strip() for line in lines] == ["places []", f"secrets {secrets}"]
    assert runner.environ["ARTMINT_PASSPHRASE_MINTER"] == "not for everybody"
    assert "PYTHONSAFEPATH" not in runner.environ
