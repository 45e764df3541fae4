"Every chapter runs on its own, from the first cell to the last, as it does in JupyterLab."

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "nbs").glob("[0-9][0-9]_*.ipynb"))


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_top_to_bottom(path):
    NotebookClient(
        nbformat.read(path, 4),
        timeout=1800,
        kernel_name="python3",
        resources={"metadata": {"path": path.parent}},
    ).execute()
