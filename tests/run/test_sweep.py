"Sweeps of the project's own notebooks: each shows the figures that a studio would compare. Kernels, models and chains are real."

import ast
import csv
import itertools
import math
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from artmint.generate import attempts_of, generate
from artmint.make.base import load_base
from artmint.make.engines import Diffusers
from artmint.run import batch, sweep
from artmint.run.batch import notebooks, working_copy
from artmint.run.sweep import Sweep, run_sweep
from artmint.seeds import frozen_slots, load_collection
from artmint.studio.catalog import Catalog
from tests.small import STUDIO, WRITE, notebook

TINY = Path(__file__).parents[1] / "data" / "tiny"


FIGURES = {
    "10_lora_train": {"adapter", "loss", "training_seconds"},
    "15_generate": {"pictures", "painted", "painting_seconds", "digest"},
    "18_evaluate": {"adapter"},
    "20_curate": {"editions", "open", "candidates", "acceptance"},
    "30_mint": {"tokens", "transactions", "gas", "gas_per_token"},
    "40_metrics": {"cpfa", "compute_seconds", "attempts", "editions", "acceptance", "latency_p50"},
}


@pytest.mark.parametrize("name", FIGURES)
def test_what_a_studio_varies_ends_in_figures(name):
    last = [cell.source for cell in working_copy(notebooks()[name]).cells if cell.cell_type == "code"][-1]
    shown = ast.parse(last).body[-1]
    assert isinstance(shown, ast.Expr), last
    assert ast.unparse(shown).startswith("JSON("), last


def swept(studio: Path, notebook: str, grid: dict, apart: bool = False, **parameters) -> list[dict]:
    "The rows of a sweep, none of which failed, and all of which say what the notebook's rows should."
    rows, table = run_sweep(
        Sweep(
            name=f"of-{notebook}".replace("_", "-"),
            notebook=notebook,
            parameters=parameters,
            grid=grid,
            apart=apart,
        ),
        studio,
        print,
    )
    assert [row.get("error") for row in rows] == [None] * len(rows)
    assert all(FIGURES[notebook] <= set(row) for row in rows)
    with open(table, newline="") as file:
        assert [row["notebook"] for row in csv.DictReader(file)] == [row["notebook"] for row in rows]
    return rows


@pytest.mark.slow
def test_whoever_paints_the_digest_is_the_same(tmp_path):
    "Apart, because in one studio the second would find all pictures there."
    one, two = swept(
        tmp_path / "studio",
        "15_generate",
        {"executor": ("serial", "process")},
        apart=True,
        collection=str(TINY),
        quantity=2,
    )
    assert one["digest"] == two["digest"]
    assert one["painted"] == two["painted"] == one["pictures"] > 0


@pytest.mark.slow
def test_two_trainings_of_one_style_are_compared(tmp_path):
    one, two = swept(
        tmp_path / "studio", "10_lora_train", {"rate": (0.001, 0.003)}, apart=True, steps=2, prior=0
    )
    assert one["adapter"] != two["adapter"]
    assert 0 < one["loss"] < 10
    assert one["pictures"] == two["pictures"] > 0


@pytest.mark.slow
def test_curating_and_counting_are_compared_in_one_studio(tmp_path):
    studio = tmp_path / "studio"
    tiny = load_collection(TINY)
    base = load_base()
    catalog = Catalog(studio)
    generate(
        catalog,
        Diffusers(base),
        attempts_of(catalog, tiny, frozen_slots(catalog, tiny, tiny.salt), tiny.salt, 1, Diffusers(base)),
    )
    half, whole = swept(studio, "20_curate", {"quantity": (2, 4)}, collection=str(TINY))
    assert (half["slots"], whole["slots"]) == (2, 4)
    assert (half["candidates"], whole["candidates"]) == (4, 8)
    assert half["accept"] + half["review"] + half["reject"] == 4
    few, all_ = swept(studio, "40_metrics", {"quantity": (2, 4)}, collection=str(TINY))
    assert (few["editions"], all_["editions"]) == (half["editions"], whole["editions"])
    assert all_["compute_seconds"] > few["compute_seconds"] > 0
    assert all_["acceptance"] == whole["acceptance"]


@pytest.mark.slow
def test_what_is_minted_already_costs_nothing_more(minted, tmp_path):
    rows = swept(
        shutil.copytree(minted[0], tmp_path / "studio"), "30_mint", {"drop": (1, 2)}, collection=str(TINY)
    )
    assert [(row["tokens"], row["transactions"], row["gas"]) for row in rows] == [(0, 0, 0)] * 2


# ------------------------------------------------------------------ a sweep


SHOW = "from IPython.display import JSON, display\nif seed == 3: raise ValueError('no three')\ndisplay(JSON({'double': 2 * seed, 'side': side}))"


@pytest.mark.slow
def test_a_sweep_gathers_one_table_and_goes_on(books, tmp_path):
    notebook(books, "04_drawings", "seed: int = 1  # a seed\nside: str = 'a'  # a side", SHOW)
    (tmp_path / "sweep.toml").write_text(
        "name = 'trial'\nnotebook = '04_drawings'\n[grid]\nseed = [1, 3]\nside = ['x', 'y']\n"
    )
    order = sweep.load_sweep(tmp_path / "sweep.toml")
    rows, table = sweep.run_sweep(order, tmp_path / "studio", print)
    assert [(row["seed"], row["side"], row.get("double"), row.get("error")) for row in rows] == [
        (1, "x", 2, None),
        (1, "y", 2, None),
        (3, "x", None, "ValueError: no three."),
        (3, "y", None, "ValueError: no three."),
    ]
    assert table.read_text().splitlines()[0] == "notebook,seed,side,double,seconds,error"
    assert len(table.read_text().splitlines()) == 5
    said: list = []
    before = (table.parent / "04_drawings-001.ipynb").stat().st_mtime_ns
    assert sweep.run_sweep(order, tmp_path / "studio", said.append)[0] == rows
    assert (table.parent / "04_drawings-001.ipynb").stat().st_mtime_ns == before


@pytest.mark.slow
@pytest.mark.parametrize("apart, counts", [(False, [1, 2]), (True, [1, 1])])
def test_points_share_a_studio_or_have_their_own(books, tmp_path, apart, counts):
    notebook(
        books,
        "04_drawings",
        STUDIO + "\nseed: int = 1  # a seed",
        WRITE.format(name="point")
        + "from IPython.display import JSON, display\ndisplay(JSON({'count': len(book.history('trace', 'point'))}))",
    )
    order = sweep.Sweep(name="trial", notebook="04_drawings", apart=apart, grid={"seed": (1, 2)})
    rows, table = sweep.run_sweep(order, tmp_path / "studio", print)
    assert [row["count"] for row in rows] == counts
    assert len(Catalog(tmp_path / "studio").all("trace")) == (not apart)
    assert [
        (table.parent / name / "catalog.sqlite").exists() for name in ("04_drawings-001", "04_drawings-002")
    ] == [apart, apart]


@pytest.mark.parametrize(
    "text, error",
    [
        ("name = 'a'\nnotebook = '04_drawings'\n[grid]\nsed = [1]", batch.UnknownParameter),
        ("name = 'a'\nnotebook = '04_drawings'\n[grid]\nseed = ['x']", batch.WrongType),
        ("name = 'a'\nnotebook = '99_none'\n[grid]\nseed = [1]", batch.UnknownStage),
        ("name = 'a'\nnotebook = '04_drawings'", batch.BadBatch),
        ("name = ", batch.BadBatch),
    ],
)
def test_a_sweep_is_refused_before_anything_runs(books, tmp_path, text, error):
    notebook(books, "04_drawings", "seed: int = 1  # a seed", "1")
    (tmp_path / "sweep.toml").write_text(text)
    with pytest.raises(error) as refusal:
        sweep.run_sweep(sweep.load_sweep(tmp_path / "sweep.toml"), tmp_path / "studio", print)
    assert refusal.value.exit_code == 2
    assert not (tmp_path / "studio").exists()


# ------------------------------------------------------------------ its pictures


DRAW = """from IPython.display import JSON, display
from PIL import Image
if seed == 3: raise ValueError('no <three>')
display(Image.new('RGB', (300, 200), (seed * 60, 0, 0)))
display(Image.new('RGB', (300, 200), (0, 0, seed * 60)))
display(JSON({'double': 2 * seed, 'side': side}))"""


@pytest.mark.slow
def test_a_sweep_ends_in_a_page_and_a_sheet_of_pictures(books, tmp_path):
    notebook(books, "04_drawings", "seed: int = 1  # a seed\nside: str = 'a'  # a side", DRAW)
    order = sweep.Sweep(name="trial", notebook="04_drawings", grid={"seed": (1, 2, 3), "side": ("x", "<y>")})
    rows, table = sweep.run_sweep(order, tmp_path / "studio", print)
    page = (table.parent / "sweep.html").read_text()
    assert page.count("<img") == 4 == page.count('src="data:image/webp;base64,')
    assert "side &lt;y&gt;" in page and "no &lt;three&gt;" in page and "<script" not in page
    with Image.open(table.parent / "sheet-1.webp") as image:
        colours = image.convert("RGB").getcolors(1 << 24)
    assert [path.name for path in table.parent.glob("sheet-*")] == ["sheet-1.webp"]
    reds = {colour for count, colour in colours if count > 2000 and colour[0] > 40 > colour[1]}
    assert len(reds) >= 2
    second = order.model_copy(update={"picture": 2})
    sweep.write_grid(second, rows, table.parent)
    with Image.open(table.parent / "sheet-1.webp") as image:
        assert any(
            count > 2000 and blue > 100 > red
            for count, (red, _, blue) in image.convert("RGB").getcolors(1 << 24)
        )


grids = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 25), min_size=1, max_size=4).filter(
    lambda sizes: math.prod(sizes.values()) <= 3000
)


@settings(max_examples=40, deadline=None)
@given(grids)
def test_every_point_of_any_grid_stands_on_one_sheet_under_its_own_values(sizes):
    grid = {name: tuple(range(size)) for name, size in sizes.items()}
    sheets = sweep.sweep_sheets(grid)
    combinations = list(itertools.product(*grid.values()))
    placed = sorted(point for sheet in sheets for point in sheet.points)
    assert placed == list(range(len(combinations)))
    names = list(grid)
    for sheet in sheets:
        assert len(sheet.across) <= sweep.COLUMNS_OF_SHEET and len(sheet.down) <= sweep.ROWS_OF_SHEET
        for at, point in enumerate(sheet.points):
            values = dict(zip(names, combinations[point]))
            row, column = divmod(at, len(sheet.across))
            assert sheet.across[column] == f"{names[-1]} {values[names[-1]]}"
            if len(names) > 1:
                assert sheet.down[row] == f"{names[-2]} {values[names[-2]]}"
            assert all(f"{name} {values[name]}" in sheet.heading for name in names[:-2])
