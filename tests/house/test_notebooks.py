"Notebooks that show, and that papermill can run."

import ast
import re
import subprocess
import sys

import nbformat
import pytest

from .house import (
    CHAPTERS,
    MODULES,
    NOTEBOOKS,
    cells_of,
    code_of,
    each,
    exported,
    is_imports,
    module_of,
    run_part,
    tags,
    tree_of,
)

SCALARS = {"str", "int", "float", "bool"}
each_notebook = each(NOTEBOOKS)


@each_notebook
def test_it_is_valid_and_begins_with_a_title_and_a_line(notebook):
    node = nbformat.read(NOTEBOOKS[notebook], as_version=4)
    nbformat.validate(node)
    assert node.metadata.get("kernelspec", {}).get("name") == "python3"
    assert not {"papermill", "widgets"} & set(node.metadata)
    assert node.cells[0].cell_type == "markdown"
    assert re.match(r"# \w.*\n\n> \w", node.cells[0].source)


@each_notebook
def test_it_has_a_library_part_and_a_run_part(notebook):
    cells = cells_of(notebook)
    start = run_part(notebook)
    parameters = [i for i, cell in enumerate(cells) if "parameters" in tags(cell)]
    assert len(parameters) == 1
    assert start < parameters[0]
    late = [cell.source for cell in cells[start:] if cell.cell_type == "code" and exported(cell)]
    assert late == []


@each_notebook
def test_parameters_are_few_annotated_scalars_with_a_comment(notebook):
    cell = next(cell for cell in code_of(notebook) if "parameters" in tags(cell))
    body = ast.parse(cell.source).body
    lines = list(filter(str.strip, cell.source.splitlines()))
    assert 1 <= len(body) <= 8
    assert len(lines) == len(body)
    for line, node in zip(lines, body):
        assert isinstance(node, ast.AnnAssign), line
        assert node.annotation.id in SCALARS, line
        assert isinstance(node.value, ast.Constant | ast.UnaryOp), line
        assert re.search(r"  # \w.+", line), line


@each_notebook
def test_the_run_part_imports_right_after_its_parameters(notebook):
    code = [cell for cell in cells_of(notebook)[run_part(notebook) :] if cell.cell_type == "code"]
    assert "parameters" in tags(code[0])
    assert is_imports(code[1].source), code[1].source
    late = [cell.source for cell in code[2:] if re.search(r"^(from \S+ )?import ", cell.source, re.M)]
    assert late == []


@each_notebook
def test_prose_stands_before_what_is_exported(notebook):
    "The first code of a section has words above it."
    cells = cells_of(notebook)[: run_part(notebook)]
    headings = [i for i, cell in enumerate(cells) if cell.cell_type == "markdown"]
    bare = []
    for i, cell in enumerate(cells):
        if cell.cell_type == "code" and exported(cell) and not is_imports(cell.source):
            above = max((place for place in headings if place < i), default=0)
            between = [other for other in cells[above + 1 : i] if other.cell_type == "code"]
            if above == 0 and not any(exported(other) for other in between):
                bare.append(cell.source.splitlines()[1])
    assert bare == []


@each_notebook
def test_it_shows_something(notebook):
    library = [cell for cell in cells_of(notebook)[: run_part(notebook)] if cell.cell_type == "code"]
    assert any(cell.outputs for cell in library)


@each(CHAPTERS)
def test_a_chapter_opens_with_a_picture_a_plot_or_a_table(notebook):
    "Within its first screens a reader sees what goes in and what comes out."
    for cell in cells_of(notebook)[:14]:
        if cell.cell_type == "markdown" and re.search(r"^\|.*\|\n\|[-:| ]+\|$|!\[", cell.source, re.M):
            return
        for output in cell.get("outputs", []):
            if {"image/png", "image/jpeg", "image/svg+xml", "text/html"} & set(output.get("data", {})):
                return
    pytest.fail(f"{notebook} opens without anything to look at")


@each_notebook
def test_the_run_part_has_no_outputs(notebook):
    code = [cell for cell in cells_of(notebook)[run_part(notebook) :] if cell.cell_type == "code"]
    assert [cell.source for cell in code if cell.outputs or cell.execution_count is not None] == []


@each_notebook
def test_outputs_say_nothing_of_the_machine(notebook):
    "No folder of a run, no address of an object: what is shown is the same in every run."
    places = []
    for cell in code_of(notebook):
        for output in cell.outputs:
            data = output.get("data", {})
            texts = [output.get("text", ""), data.get("text/plain", ""), data.get("text/html", "")]
            places += re.findall(r"/tmp/\S+|\bat 0x[0-9a-f]{6,}>|/home/\S+", "\n".join(map(str, texts)))
    assert places == []


@each_notebook
def test_nothing_depends_on_the_folder_one_stands_in(notebook):
    wrong = [cell.source for cell in code_of(notebook) if re.search(r"[\"']\.\./", cell.source)]
    assert wrong == []


@each_notebook
def test_no_directives_that_papermill_does_not_know(notebook):
    for cell in code_of(notebook):
        assert "nbdev_export(" not in cell.source
        assert not re.search(r"^#\|\s*eval:", cell.source, re.MULTILINE)


def code_with_names(notebook: str) -> str:
    "A notebook's code, in which what comes from its own module is named."
    module = module_of(notebook)
    public = []
    for node in tree_of(MODULES[module]).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            public = ast.literal_eval(node.value)
    star = f"from artmint.{module} import {', '.join(public) or '__name__'}"
    return "\n".join(
        re.sub(r"^from \S+ import \*.*$", star, cell.source, flags=re.M) for cell in code_of(notebook)
    )


def test_every_name_is_defined(tmp_path):
    for notebook in NOTEBOOKS:
        place = (tmp_path / notebook).with_suffix(".py")
        place.parent.mkdir(exist_ok=True)
        place.write_text(code_with_names(notebook), encoding="utf-8")
    check = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821"]
    check += ["--output-format", "concise", "--config", 'builtins = ["display"]', str(tmp_path)]
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_it_runs_from_top_to_bottom(notebook, tmp_path):
    "As papermill is typed by hand, from the repository's root, with its defaults."
    import papermill

    from .house import ROOT

    papermill.execute_notebook(
        NOTEBOOKS[notebook], tmp_path / "out.ipynb", progress_bar=False, cwd=str(ROOT), kernel_name="python3"
    )
