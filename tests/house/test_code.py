"Code that can be read: one thing a statement, names of the field, documented and formatted."

import ast
import subprocess

from .house import MODULES, NOTEBOOKS, ROOT, code_of, each, exported, tool, tree_of

SOURCES = sorted(
    path
    for folder in ("tests", "scripts", "bench")
    for path in (ROOT / folder).rglob("*.py")
    if not {"node", "data", "node_modules"} & set(path.relative_to(ROOT).parts)
)
COMPOUND = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.With,
    ast.AsyncWith,
    ast.Try,
    ast.While,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Import,
    ast.ImportFrom,
    ast.Match,
)
TABLE = (ast.Dict, ast.List, ast.Tuple, ast.Set)
NODES = {"artmint": 50, "bench": 60, "scripts": 60, "tests": 60}  # that a statement may have
DIALECT = {"said", "told", "found", "each", "known", "whole"}  # nobody's name for a thing

each_module = each(MODULES)
each_source = each(SOURCES)


def size(node: ast.AST) -> int:
    "How many syntax nodes there are below a node, itself included."
    return sum(1 for _ in ast.walk(node))


def weight(node: ast.stmt) -> int:
    "A statement's size. A table that is assigned or returned weighs as much as its heaviest entry: it is read line by line."
    value = getattr(node, "value", None)
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.Return) and isinstance(value, TABLE):
        entries = value.values if isinstance(value, ast.Dict) else value.elts
        return max(map(size, entries), default=0)
    return size(node)


def measured(tree: ast.Module) -> list[tuple[ast.stmt, int]]:
    "Every statement and its size, from one walk."
    sizes = []

    def count(node: ast.AST) -> int:
        total = 1 + sum(map(count, ast.iter_child_nodes(node)))
        if isinstance(node, ast.stmt):
            sizes.append((node, total))
        return total

    count(tree)
    return sizes


def heavy_statements(statements: list[tuple[ast.stmt, int]], most: int) -> list[str]:
    "Statements of more syntax nodes than may be."
    large = [node for node, total in statements if total > most and not isinstance(node, COMPOUND)]
    return [
        f"line {node.lineno}: {weight(node)} nodes: {ast.unparse(node)[:60]}"
        for node in large
        if weight(node) > most
    ]


def side_effects(statements: list[tuple[ast.stmt, int]]) -> list[str]:
    "Expressions that stand for what they do on the way: `a() or b()`, comma statements, ternaries, comprehensions."
    disguised = (
        ast.BoolOp,
        ast.IfExp,
        ast.Tuple,
        ast.ListComp,
        ast.SetComp,
        ast.DictComp,
        ast.GeneratorExp,
        ast.Compare,
    )
    return [
        f"line {node.lineno}: {ast.unparse(node)[:60]}"
        for node, _ in statements
        if isinstance(node, ast.Expr) and isinstance(node.value, disguised)
    ]


def functions(tree: ast.Module):
    "Every function."
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def arguments(node: ast.FunctionDef) -> list[ast.arg]:
    "A function's parameters."
    every = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
    return [arg for arg in every if arg.arg not in ("self", "cls")]


@each_module
def test_a_statement_does_one_thing(module):
    statements = measured(tree_of(MODULES[module]))
    assert heavy_statements(statements, NODES["artmint"]) == []
    assert side_effects(statements) == []


@each_source
def test_a_statement_of_tests_and_scripts_can_be_read(path):
    folder = path.relative_to(ROOT).parts[0]
    statements = measured(tree_of(path))
    assert heavy_statements(statements, NODES[folder]) == []
    assert side_effects(statements) == []


def most_lines(source: str) -> int:
    "Forty lines make a cell. A class with its methods can't be cut, and may have sixty when it has the cell to itself."
    body = ast.parse(source).body
    return 60 if [type(node) for node in body] == [ast.ClassDef] else 40


@each(NOTEBOOKS)
def test_cells_can_be_read(notebook):
    "What people edit in a notebook is held to the same as the module."
    heavy = []
    for cell in code_of(notebook):
        lines = cell.source.splitlines()
        if exported(cell) and len(lines) > most_lines(cell.source):
            heavy.append(f"an exported cell of {len(lines)} lines: {lines[1][:60]}")
        heavy += heavy_statements(measured(ast.parse(cell.source)), NODES["artmint"])
    assert heavy == []


@each_module
def test_functions_have_at_most_thirty_statements(module):
    long = []
    for node in functions(tree_of(MODULES[module])):
        count = sum(isinstance(part, ast.stmt) for part in ast.walk(node)) - 1
        if count > 30:
            long.append(f"{node.name}: {count} statements")
    assert long == []


@each_module
def test_names_are_of_the_field(module):
    tree = tree_of(MODULES[module])
    wrong = [node.name for node in tree.body if getattr(node, "name", "").lower() in DIALECT]
    for node in functions(tree):
        wrong += [f"{node.name}({arg.arg})" for arg in arguments(node) if arg.arg in DIALECT]
    assert wrong == []


def public(module: str):
    "Public functions, classes and methods of a module: (qualified name, node)."
    for node in tree_of(MODULES[module]).body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        yield node.name, node
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                    yield f"{node.name}.{method.name}", method


@each_module
def test_public_names_are_documented_and_typed(module):
    lines = MODULES[module].read_text(encoding="utf-8").splitlines()
    missing = []
    for name, node in public(module):
        if not ast.get_docstring(node):
            missing.append(f"{name}: no docstring")
        if isinstance(node, ast.ClassDef):
            continue
        missing += [f"{name}: {arg.arg} has no type" for arg in arguments(node) if arg.annotation is None]
        if "." not in name and len(arguments(node)) > 1:
            bare = [arg for arg in arguments(node) if not commented(lines, arg)]
            missing += [f"{name}: {arg.arg} has no comment" for arg in bare]
    assert missing == []


def commented(lines: list[str], arg: ast.arg) -> bool:
    "Whether a parameter has a comment on the lines that it takes, its default's included."
    end = arg.lineno
    while end < len(lines) and not lines[end - 1].split("#")[0].rstrip().endswith(","):
        end += 1
    return any("#" in line for line in lines[arg.lineno - 1 : end])


@each_module
def test_modules_read_no_environment(module):
    """Functions take values: they never read the environment or the package's settings. The script alone does, and the
    catalog, since a notebook that a run executes opens it without knowing of the run."""
    if module == "studio.catalog":
        return
    source = MODULES[module].read_text(encoding="utf-8").split("def main(")[0]
    assert [word for word in ("os.environ", "getenv", "settings.ini") if word in source] == []


@each_module
def test_every_refusal_derives_from_refusal(module):
    "An exception of a room is a Refusal: it carries the values, and says what happened, what it means and what to do."
    builtin = {"Exception", "ValueError", "KeyError", "TypeError", "RuntimeError", "OSError", "LookupError"}
    strangers = [
        node.name
        for node in tree_of(MODULES[module]).body
        if isinstance(node, ast.ClassDef) and builtin & {ast.unparse(base) for base in node.bases}
    ]
    roots = {
        ("core.canon", "Refusal"),
        ("ipfs.cid", "ContentError"),
    }  # content addressing needs the standard library alone
    assert [name for name in strangers if (module, name) not in roots] == []


def ruff(*arguments: str) -> subprocess.CompletedProcess:
    "Ruff over all that people write."
    places = ("nbs", "tests", "scripts", "bench", "contracts", "docs/site", "setup.py")
    return subprocess.run([tool("ruff"), *arguments, *places], cwd=ROOT, capture_output=True, text=True)


def test_ruff_has_nothing_to_say():
    done = ruff("check", "--output-format", "concise")
    assert done.returncode == 0, done.stdout


def test_everything_is_formatted():
    done = ruff("format", "--check")
    assert done.returncode == 0, done.stdout


def test_nobody_silences_a_check_in_a_notebook():
    silenced = [name for name in NOTEBOOKS if any("noqa" in cell.source for cell in code_of(name))]
    assert silenced == []
