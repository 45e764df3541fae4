"The house's own rules, held against the notebooks and the package."

import ast
import configparser
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "nbs").glob("[0-9][0-9]_*.ipynb"))
MODULES = {path.stem.split("_", 1)[1]: path for path in NOTEBOOKS}
SCALARS = {"str", "int", "float", "bool"}
PUBLISHING = [
    name for name in ("seeds", "catalog", "content", "metadata", "pin", "mint", "verify") if name in MODULES
]

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
each_module = pytest.mark.parametrize("name", MODULES)


def source(name: str) -> str:
    "A module's text."
    return (ROOT / "artmint" / f"{name}.py").read_text(encoding="utf-8")


def code(path: Path) -> list:
    "A notebook's code cells."
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def tags(cell) -> list[str]:
    "A cell's tags."
    return cell.metadata.get("tags", [])


def exported(cell) -> bool:
    "Whether a cell goes into the module."
    return cell.source.lstrip().startswith("#| export")


def python(program: str, *args: str) -> str:
    "What a program prints in a fresh interpreter."
    done = subprocess.run(
        [sys.executable, "-c", program, *args], capture_output=True, text=True, cwd=ROOT, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_there_are_notebooks():
    assert {"seeds", "run", "cli"} <= set(MODULES)


def test_package_equals_export(tmp_path):
    "Nothing in the package is edited by hand."
    for name in ("pyproject.toml", "settings.ini", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "nbs", tmp_path / "nbs", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    (tmp_path / "artmint").mkdir()
    shutil.copy(ROOT / "artmint" / "__init__.py", tmp_path / "artmint")
    done = subprocess.run(
        [Path(sys.executable).with_name("nbdev-export")], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    fresh = {path.name: path.read_text() for path in (tmp_path / "artmint").glob("*.py")}
    assert set(fresh) == {path.name for path in (ROOT / "artmint").glob("*.py")}
    assert [name for name, text in fresh.items() if text != (ROOT / "artmint" / name).read_text()] == []


@each_module
def test_imports_point_to_lower_numbers(name):
    for node in ast.walk(ast.parse(source(name))):
        if isinstance(node, ast.ImportFrom) and node.level:
            used = [(node.module or node.names[0].name).split(".")[0]]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "artmint":
            used = node.module.split(".")[1:2] or [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            used = [alias.name.split(".")[1] for alias in node.names if alias.name.startswith("artmint.")]
        else:
            continue
        for other in used:
            if other.startswith("_"):
                continue
            assert MODULES[other].stem < MODULES[name].stem, (
                f"{name} imports {other}"
            )  # 00_canon comes before 00_seeds


def public(name: str):
    "Public functions, classes and methods of a module: (qualified name, node)."
    for node in ast.parse(source(name)).body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        yield node.name, node
        if isinstance(node, ast.ClassDef):
            yield from (
                (f"{node.name}.{m.name}", m)
                for m in node.body
                if isinstance(m, ast.FunctionDef) and not m.name.startswith("_")
            )


@each_module
def test_public_names_are_documented_and_typed(name):
    lines = source(name).splitlines()
    missing = []
    for where, node in public(name):
        if not ast.get_docstring(node):
            missing.append(f"{where}: no docstring")
        if isinstance(node, ast.ClassDef):
            continue
        args = [
            arg
            for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            if arg.arg not in ("self", "cls")
        ]
        missing += [f"{where}: {arg.arg} has no type" for arg in args if arg.annotation is None]
        if "." not in where and len(args) > 1:
            missing += [
                f"{where}: {arg.arg} has no comment" for arg in args if "#" not in lines[arg.lineno - 1]
            ]
    assert missing == []


@each_module
def test_functions_are_short(name):
    long = [
        f"{node.name}: {last.end_lineno - node.body[0].lineno + 1} lines"
        for node in ast.walk(ast.parse(source(name)))
        if isinstance(node, ast.FunctionDef)
        and (last := node.body[-1]).end_lineno - node.body[0].lineno + 1 > 25
    ]
    assert long == []


@each_notebook
def test_notebook_is_valid(path):
    node = nbformat.read(path, as_version=4)
    nbformat.validate(node)
    assert node.metadata.get("kernelspec", {}).get("name") == "python3"
    assert not {"papermill", "widgets"} & set(node.metadata)
    assert node.cells[0].cell_type == "markdown" and re.match(r"# \w.*\n\n> \w", node.cells[0].source)


@each_notebook
def test_notebook_is_no_longer_than_a_chapter(path):
    cells = nbformat.read(path, as_version=4).cells
    assert len(cells) <= 60
    assert (
        sum(
            len([line for line in cell.source.splitlines() if line.strip()])
            for cell in code(path)
            if exported(cell)
        )
        <= 250
    )


@each_notebook
def test_notebook_has_a_library_part_and_a_run_part(path):
    cells = nbformat.read(path, as_version=4).cells
    run = [
        i
        for i, cell in enumerate(cells)
        if cell.cell_type == "markdown" and re.search(r"^## Run$", cell.source, re.MULTILINE)
    ]
    parameters = [i for i, cell in enumerate(cells) if "parameters" in tags(cell)]
    assert len(run) >= 1 and len(parameters) == 1 and run[-1] < parameters[0]
    assert [
        i for i, cell in enumerate(cells) if cell.cell_type == "code" and exported(cell) and i > run[-1]
    ] == []


@each_notebook
def test_parameters_are_few_annotated_scalars_with_a_comment(path):
    cell = next(cell for cell in code(path) if "parameters" in tags(cell))
    body = ast.parse(cell.source).body
    assert 1 <= len(body) <= 8
    for line, node in zip(filter(str.strip, cell.source.splitlines()), body, strict=True):
        assert (
            isinstance(node, ast.AnnAssign)
            and node.annotation.id in SCALARS
            and isinstance(node.value, ast.Constant | ast.UnaryOp)
        ), line
        assert re.search(r"  # \w.+", line), line


@each_notebook
def test_every_name_in_a_notebook_is_defined_in_it(path):
    module = path.stem.split("_", 1)[1]
    public = next(
        (
            ast.literal_eval(node.value)
            for node in ast.parse(source(module)).body
            if isinstance(node, ast.Assign) and node.targets[0].id == "__all__"
        ),
        [],
    )
    cells = [
        re.sub(
            r"^from \S+ import \*.*$",
            f"from artmint.{module} import {', '.join(public) or '__name__'}",
            cell.source,
            flags=re.MULTILINE,
        )
        for cell in code(path)
    ]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ruff",
            "check",
            "--isolated",
            "--select",
            "F821",
            "--output-format",
            "concise",
            "-",
        ],
        input="\n".join(cells),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@each_notebook
def test_outputs_are_kept_only_where_asked(path):
    kept = [cell.source for cell in code(path) if cell.outputs and "keep_output" not in tags(cell)]
    counted = [
        cell.source
        for cell in code(path)
        if cell.execution_count is not None and "keep_output" not in tags(cell)
    ]
    assert kept == [] and counted == []


@each_notebook
def test_no_directives_that_papermill_does_not_know(path):
    for cell in code(path):
        assert "nbdev_export(" not in cell.source or "55_run" in path.stem
        assert not re.search(r"^#\|\s*eval:", cell.source, re.MULTILINE)


@each_module
def test_modules_read_no_environment(name):
    "Functions take values: they never read the environment or the package's settings."
    assert not re.search(r"os\.environ|getenv|settings\.ini", source(name).split("def main(")[0]), name


def test_facts_agree():
    "settings.ini, pyproject.toml and the installed package name one version."
    settings = configparser.ConfigParser()
    settings.read(ROOT / "settings.ini", encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert settings["DEFAULT"]["lib_name"] == project["name"] == "artmint"
    assert "version" in project["dynamic"] and "version" not in project
    assert importlib.metadata.version("artmint") == settings["DEFAULT"]["version"]


def seconds_to_import(name: str) -> float:
    "The best of three fresh interpreters."
    program = (
        "import sys, time; t = time.perf_counter(); __import__(sys.argv[1]); print(time.perf_counter() - t)"
    )
    return min(float(python(program, name)) for _ in range(3))


def test_import_is_fast_and_loads_no_torch():
    assert seconds_to_import("artmint") < 0.3
    assert python("import artmint, sys; print('torch' in sys.modules)") == "False"


def test_the_console_script_starts_fast():
    assert seconds_to_import("artmint.cli") < 0.5


def test_every_module_imports_without_the_model_stack():
    "Making and chain libraries are imported where they are used. One interpreter imports them all: the first that brings a heavy one is named."
    heavy = "torch diffusers transformers open_clip scipy skimage web3 eth_tester papermill pandas matplotlib"
    program = f"import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module('artmint.' + name); found = [m for m in {heavy!r}.split() if m in sys.modules]; print(*[name, *found] if found else [], end='')"
    assert python(program, *MODULES) == ""


def test_publishing_rooms_run_without_torch():
    "They import where the model stack can't be imported at all."
    program = "import sys; sys.modules.update(dict.fromkeys(['torch', 'diffusers', 'open_clip', 'transformers'])); [__import__('artmint.' + name) for name in sys.argv[1:]]"
    python(program, *PUBLISHING)


def tracked() -> list[Path]:
    "Files under version control or about to be."
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True
    ).stdout.split("\0")
    return [
        ROOT / name
        for name in names
        if name and (ROOT / name).is_file() and not name.startswith((".venv/", "artmint.egg-info/"))
    ]


def test_no_machine_paths_and_no_keys():
    "What is published says nothing about the machine it was made on, and opens nothing."
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    found = []
    for path in tracked():
        if path == Path(__file__) or path.stat().st_size > 5_000_000:
            continue
        text = path.read_bytes().decode("utf-8", "ignore")
        found += [
            f"{path.relative_to(ROOT)}: {match}"
            for match in re.findall(
                r"(?<![\w.~:/-])/(?:work|root|home/\w+)/[\w./-]*|-----BEGIN [A-Z ]*PRIVATE KEY", text
            )
        ]
    assert found == []
