"Small notebooks and batches of them."

import pytest

from artmint.run import batch, kernels, runner, sweep
from tests.small import DATA, FILL, ROUND, STUDIO, TRY, WRITE, notebook


@pytest.fixture
def books(tmp_path, monkeypatch):
    "A folder of four small notebooks in place of the project's."
    folder = tmp_path / "nbs"
    folder.mkdir()
    notebook(
        folder,
        "00_seeds",
        STUDIO
        + "\nquantity: int = 1  # how many\nwarm: bool = False  # a switch\nscale: float = 1.0  # a size",
        WRITE.format(name="seeds") + "print('hello')",
    )
    notebook(folder, "15_generate", ROUND, WRITE.format(name="generate") + TRY)
    notebook(
        folder,
        "20_curate",
        ROUND,
        WRITE.format(name="curate")
        + FILL.format(slots=(1, 2, 3), round=1)
        + FILL.format(slots=(4,), round=2),
    )
    notebook(folder, "25_metadata", STUDIO, WRITE.format(name="metadata"))
    # They need none of the painter's modules, which a nursery takes seconds to import.
    monkeypatch.setattr(kernels, "IMPORTED_AHEAD", {})
    for where in (batch, runner, sweep):
        monkeypatch.setattr(
            where, "notebooks", lambda: {path.stem: path for path in sorted(folder.glob("*.ipynb"))}
        )
    return folder


@pytest.fixture
def order(tmp_path):
    "Make a batch from keys that differ from the usual ones."

    def make(**changes) -> batch.Batch:
        facts = {
            "name": "small",
            "collection": str(DATA / "tiny"),
            "quantity": 4,
            "path": str(tmp_path / "small.toml"),
            "stages": ("00_seeds", "15_generate", "20_curate", "25_metadata"),
        }
        return batch.Batch(**(facts | changes))

    return make
