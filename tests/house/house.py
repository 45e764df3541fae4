"The project's notebooks and modules, as the house tests read them."

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "artmint"
NOTEBOOKS = {
    path.relative_to(ROOT / "nbs").with_suffix("").as_posix(): path
    for path in sorted((ROOT / "nbs").rglob("*.ipynb"))
    if ".ipynb_checkpoints" not in path.parts
}
CHAPTERS = [name for name in NOTEBOOKS if "/" not in name]
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if "data" not in path.parts and not path.stem.startswith("_")
}


def each(values: Iterable[Any]) -> Callable:
    "Make one test of a check on many values, which lists all that fail it: five thousand tests would take a minute to tell."
    values = list(values)

    def of_all(check: Callable[[Any], None]) -> Callable[[], None]:
        def test() -> None:
            assert values
            wrong = {}
            for value in values:
                try:
                    check(value)
                except (AssertionError, pytest.fail.Exception) as failure:
                    wrong[str(value)] = str(failure)
            assert not wrong, "\n\n".join(f"{value}: {words}" for value, words in wrong.items())

        test.__name__, test.__doc__ = check.__name__, check.__doc__
        return test

    return of_all


def module_of(notebook: str) -> str:
    "The module that a notebook exports: `30_mint` gives mint, `chain/journal` gives chain.journal."
    return notebook.replace("/", ".") if "/" in notebook else notebook.split("_", 1)[1]


@cache
def cells_of(notebook: str) -> list:
    "A notebook's cells."
    return nbformat.read(NOTEBOOKS[notebook], as_version=4).cells


def code_of(notebook: str) -> list:
    "A notebook's code cells."
    return [cell for cell in cells_of(notebook) if cell.cell_type == "code"]


def run_part(notebook: str) -> int:
    "Index of the cell that begins the Run part."
    cells = cells_of(notebook)
    places = [
        i
        for i, cell in enumerate(cells)
        if cell.cell_type == "markdown" and re.search(r"^## Run$", cell.source, re.MULTILINE)
    ]
    assert places, f"{notebook} has no Run part"
    return places[-1]


def tags(cell) -> list[str]:
    "A cell's tags."
    return cell.metadata.get("tags", [])


def exported(cell) -> bool:
    "Whether a cell goes into the module."
    return cell.source.lstrip().startswith("#| export")


def is_imports(source: str) -> bool:
    "Whether a cell does nothing but import, at run time or for type checkers alone."
    guard = (ast.Import, ast.ImportFrom, ast.If)
    return all(isinstance(node, guard) for node in ast.parse(source).body)


@cache
def tree_of(path: Path) -> ast.Module:
    "A file's syntax tree."
    return ast.parse(path.read_text(encoding="utf-8"))


def defined(module: str) -> list[str]:
    "Names that a module defines at its top: functions, classes, constants."
    names = []
    for node in tree_of(MODULES[module]).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            stored = [part for part in ast.walk(node) if isinstance(part, ast.Name)]
            names += [part.id for part in stored if isinstance(part.ctx, ast.Store)]
    return names


def imports_of(module: str) -> list[tuple[str, str]]:
    "What a module imports from others of the package, anywhere in it: (module, name); the name is empty for a module itself."
    package = ["artmint", *module.split(".")[:-1]]
    pairs = []
    for node in ast.walk(tree_of(MODULES[module])):
        if not isinstance(node, ast.ImportFrom):
            continue
        named = node.module.split(".") if node.module else []
        base = package[: len(package) - node.level + 1] + named if node.level else named
        if base[:1] != ["artmint"]:
            continue
        place = ".".join(base[1:])
        for alias in node.names:
            inner = ".".join(filter(None, (place, alias.name)))
            pairs.append((inner, "") if inner in MODULES else (place, alias.name))
    return [(place, name) for place, name in pairs if place]


def python(program: str, *args: str) -> str:
    "What a program prints in a fresh interpreter."
    done = subprocess.run(
        [sys.executable, "-c", program, *args], capture_output=True, text=True, cwd=ROOT, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def tool(name: str) -> str:
    "A program of this environment."
    return str(Path(sys.executable).with_name(name))


def tracked() -> list[Path]:
    "Files under version control or about to be."
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True
    )
    names = [name for name in listed.stdout.split("\0") if name]
    inside = [name for name in names if not name.startswith((".venv", "artmint.egg-info/"))]
    return [ROOT / name for name in inside if (ROOT / name).is_file()]
