"Kernels: what they inherit (no module from the folder that they run in, no secret that isn't needed), and whose forks they are."

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import DeadKernelError
from papermill import execute_notebook

from artmint.run import kernels, runner
from artmint.run.batch import Stage, notebooks
from artmint.run.kernels import IMPORTED_AHEAD, imported_ahead, nursery

ROOT = Path(__file__).parent.parent.parent
forking = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forks on Linux only")

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


# ---- forks of one process

LOOK = """
import atexit, os, sys
print("ahead", "pandas" in sys.modules, "told", "mine" in globals())
mine = 1
print("of", os.getppid(), "is", os.getpid())
atexit.register(print, "left")
"""
PLOT = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()"


def executed(folder, *sources: str, **how):
    "A notebook of these cells, executed."
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    nbformat.write(book, folder / "asked.ipynb")
    arguments = {"kernel_name": "python3", "progress_bar": False, "extra_arguments": ["--log-level=50"]}
    return execute_notebook(folder / "asked.ipynb", folder / "done.ipynb", **arguments, **how)


def words_of(node) -> list[str]:
    "What the first cell printed."
    return node.cells[0].outputs[0].text.split()


def gone(pid: int) -> bool:
    "Whether a process has ended, soon."
    return soon(
        lambda: not Path(f"/proc/{pid}").exists() or "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    )


def soon(holds, patience: float = 30) -> bool:
    "Whether something comes to hold."
    end = time.monotonic() + patience
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@forking
def test_kernels_of_a_batch_are_separate_forks_of_one_process_and_end_with_it(tmp_path):
    with nursery(["00_seeds"]) as how:
        first, second = (words_of(executed(tmp_path, LOOK, PLOT, **how)) for _ in range(2))
        book = nbformat.read(tmp_path / "done.ipynb", 4)
    assert [words[3] for words in (first, second)] == ["False", "False"]
    assert second[1] == "True"
    assert first[5] == second[5] != str(os.getpid())
    assert first[7] != second[7]
    assert "image/png" in book.cells[1].outputs[0].data
    assert gone(int(first[5])) and gone(int(second[7]))


@pytest.mark.slow
@forking
def test_a_kernel_is_started_anew_where_the_nursery_was_killed(tmp_path):
    with nursery(["00_seeds"]) as how:
        parent = int(words_of(executed(tmp_path, LOOK, **how))[5])
        os.kill(parent, signal.SIGKILL)
        assert gone(parent)
        again = words_of(executed(tmp_path, LOOK, **how))
    assert int(again[5]) == os.getpid()


@forking
def test_a_kernel_whose_nursery_is_killed_is_a_dead_kernel(tmp_path):
    with nursery(["00_seeds"]) as how:
        with pytest.raises(DeadKernelError):
            executed(
                tmp_path,
                "import os, signal, time\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(60)",
                **how,
            )


DRIVER = """
import sys
from pathlib import Path
from tests.run.test_kernels import executed
from artmint.run.kernels import nursery
with nursery(["15_generate"]) as how:
    executed(Path(sys.argv[1]), "import os, time; open('pids', 'w').write(f'{os.getppid()} {os.getpid()}'); time.sleep(60)", **how)
"""


@pytest.mark.slow
@forking
def test_nursery_and_kernel_end_when_their_driver_is_killed(tmp_path):
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    try:
        assert soon(
            lambda: (tmp_path / "pids").exists() and len((tmp_path / "pids").read_text().split()) == 2, 120
        )
    finally:
        driver.kill()
        driver.wait()
    assert all(map(gone, map(int, (tmp_path / "pids").read_text().split())))


def test_beside_a_graphics_card_kernels_are_started_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "GRAPHICS_CARDS", (tmp_path,))
    with nursery(["00_seeds"]) as how:
        assert how == {}


def test_what_is_imported_ahead_exists_and_what_needs_little_imports_little():
    stages = notebooks()
    assert set(IMPORTED_AHEAD) <= set(stages)
    assert "torch" not in imported_ahead(["00_seeds", "27_pin"])
    assert all(importlib.util.find_spec(name) for name in imported_ahead(list(stages)))


@forking
def test_no_fork_of_a_nursery_that_first_signed_knows_the_signers_secrets(tmp_path, monkeypatch):
    here = tmp_path / "run"
    here.mkdir()
    look = "import os\nprint('for everybody' in str(dict(os.environ)) or b'for everybody' in open('/proc/self/environ', 'rb').read())"
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(look)])
    book.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(book, tmp_path / "look.ipynb")
    monkeypatch.setattr(
        runner, "notebooks", lambda: dict.fromkeys(("30_mint", "25_probe"), tmp_path / "look.ipynb")
    )
    monkeypatch.setenv("ARTMINT_PASSPHRASE_MINTER", "not for everybody")
    lines: list[str] = []
    with nursery(["00_seeds"]) as how:
        for name in ("30_mint", "25_probe"):
            runner.execute_stage(here, Stage(name, {}, False), lines.append, lambda line: None, how)
    assert [line.strip() for line in lines] == ["True", "False"]
