"Small notebooks in place of the project's."

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from artmint.studio.catalog import Catalog

DATA = Path(__file__).parents[0] / "data"
WRITE = "from pathlib import Path\nfrom artmint.studio.catalog import Catalog\nbook = Catalog(Path(studio))\nbook.append('trace', '{name}', {{'round': globals().get('round', 1)}})\n"


def notebook(folder: Path, name: str, parameters: str, code: str) -> None:
    "A notebook with an example that would fail, a parameters cell and one more."
    cells = [
        new_markdown_cell("# Test"),
        new_code_cell("1 / 0"),
        new_markdown_cell("## Run"),
        new_code_cell(parameters),
        new_code_cell(code),
    ]
    cells[3].metadata["tags"] = ["parameters"]
    nbformat.write(new_notebook(cells=cells), folder / f"{name}.ipynb")


STUDIO = 'studio: str = ""  # the studio'
ROUND = STUDIO + "\nround: int = 1  # which round\ncollection: str = ''  # which collection"
FILL = "for slot in {slots}:\n    if round >= {round}: book.put('edition', f'tiny/{{slot}}', {{'slot': slot, 'attempt': {round} * 2}})\n"
TRY = "for slot in range(1, 5):\n    for attempt in (round * 2 - 1, round * 2): book.put('attempt', f'tiny/{slot}/{attempt}', {'dna': f'{slot}-{attempt}'})\n"


def traces(studio: Path, name: str) -> list[int]:
    "In which rounds a notebook ran."
    return [row["round"] for row in Catalog(studio).history("trace", name)]
