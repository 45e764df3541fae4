"""Clean notebooks for version control: the Library part keeps its outputs, the Run part has none.

Execution counts, the metadata of outputs and what was written to standard error go as well: they differ from run
to run. A picture is kept once, as PNG, and without text of the program that drew it. `make export` calls this before nbdev's own cleaning; it changes nothing that is clean already.
"""

import base64
import json
import re
import sys
from pathlib import Path


def run_part(cells: list[dict]) -> int:
    "Index of the cell that begins the Run part; the number of cells, where there is none."
    for i in reversed(range(len(cells))):
        if cells[i]["cell_type"] == "markdown" and re.search(r"^## Run$", "".join(cells[i]["source"]), re.M):
            return i
    return len(cells)


def without_text(png: bytes) -> bytes:
    "A PNG file without its text chunks; its pixels are untouched."
    kept = [png[:8]]
    at = 8
    while at < len(png):
        end = at + 12 + int.from_bytes(png[at : at + 4], "big")  # length, name, data, checksum
        if png[at + 4 : at + 8] not in (b"tEXt", b"zTXt", b"iTXt"):
            kept.append(png[at:end])
        at = end
    return b"".join(kept)


def clean_picture(data: dict) -> None:
    "Keep a picture once, without text."
    if "image/png" not in data:
        return
    data.pop("image/jpeg", None)
    encoded = "".join(data["image/png"])
    png = base64.b64decode(encoded)
    if without_text(png) != png:
        data["image/png"] = base64.b64encode(without_text(png)).decode()


def clean_output(output: dict) -> dict | None:
    "An output without what differs from run to run; None where nothing is left."
    if output["output_type"] == "stream" and output["name"] == "stderr":
        return None
    if "execution_count" in output:
        output["execution_count"] = None
    if "metadata" in output:
        output["metadata"] = {}
    clean_picture(output.get("data", {}))
    return output


def clean(notebook: dict) -> dict:
    "The notebook, cleaned in place."
    start = run_part(notebook["cells"])
    for i, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] != "code":
            continue
        outputs = map(clean_output, cell["outputs"]) if i < start else ()
        cell["outputs"] = [output for output in outputs if output]
        cell["execution_count"] = None
    return notebook


def main(paths: list[str]) -> None:
    "Clean the notebooks that are named; all of the project's, where none is."
    root = Path(__file__).resolve().parents[1]
    for path in map(Path, paths or sorted((root / "nbs").rglob("*.ipynb"))):
        if ".ipynb_checkpoints" in path.parts:
            continue
        before = path.read_text(encoding="utf-8")
        after = json.dumps(clean(json.loads(before)), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        if after != before:
            path.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
