"""What the README and the pages say to type: every command is parsed by the console script's own parser, and run here or by a test
that is named; every snippet is run; every link leads somewhere."""

import configparser
import functools
import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from tests.suites import some


ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
README = ROOT / "README.md"
NAMED = [ROOT / f"{name}.md" for name in ("CONTRIBUTING", "CHANGELOG", "SECURITY", "CODE_OF_CONDUCT")]
NAMED += [ROOT / "contracts" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES = [README, *(path for path in NAMED if path.exists())]
NOTEBOOKS = sorted(path for path in (ROOT / "nbs").rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE
)
LANGUAGES = {"bash", "json", "python", "toml", "text"}
INLINE = re.compile(r"(?<!`)`((?:artmint|make|papermill|pip install|python) [^`\n]+)`(?!`)")
LINK = re.compile(r"""(?:\]\(|(?:src|href)=")([^)"\s]+)""")

WrongUse = typer.BadParameter.__mro__[1]  # click's UsageError, wherever typer has its click from

each_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())

# Commands of the README that are run here, in this order, in one folder, with the exit code that they must have.
HERE = {
    "artmint init my-studio": 0,
    "artmint run batches/demo.toml --plan": 0,
    "artmint report batches/demo.toml": 0,
    "artmint report batches/demo.toml --export numbers": 0,
    "artmint enter batches/demo.toml 3 portrait.png --artist Ada": 0,
    "artmint runs add monday demo": 0,
}

# Commands of the README that take minutes, a browser or a node, and the test that does the same.
ELSEWHERE = {
    "make demo": "test_the_last_line_is_the_very_command",
    "make test": "test_continuous_integration_runs_the_same_command",
    "make lab": "test_it_runs_from_top_to_bottom",
    "make faults": "test_on_a_node",
    "make docs": "test_the_site_builds_and_loads_nothing_from_elsewhere",
    "pip install --constraint constraints.txt '.[make,publish]'": "test_facts_agree",
    "papermill nbs/15_generate.ipynb out.ipynb -p collection collections/demo -p quantity 2 -p studio studio": "test_a_chapter_runs_with_plain_papermill",
    "artmint verify embedded:0x… --studio studio --regenerate": "test_the_last_line_is_the_very_command",
    "artmint explore collections/demo --x steps=8,16 --y guidance=2,4 --page": "test_by_a_click_in_a_browser",
    "artmint run batches/demo.toml": "test_run_again_makes_nothing_twice",
    "artmint serve": "test_a_drop_by_http_alone_has_the_consoles_bytes_and_is_proven",
    "artmint run batches/demo-lora.toml": "test_a_batch_trains_its_style_and_proves_what_it_paints",
    "artmint review batches/demo.toml": "test_by_keyboard_alone",
    "artmint import": "test_what_is_published_is_what_the_file_states",
    "artmint train": "test_a_training_is_made_and_the_next_forecast_knows_it",
}


def fenced(path: Path, language: str) -> list[str]:
    "The fenced blocks of a page in a language."
    blocks = FENCE.finditer(path.read_text(encoding="utf-8"))
    return [block["text"] for block in blocks if block["language"] == language]


def words_of(line: str) -> list[str]:
    "A shell line as words; its comment isn't one of them."
    return shlex.split(line, comments=True)


def commands(path: Path) -> list[str]:
    "Every shell line of a page, without its comment and with single spaces."
    text = "\n".join(fenced(path, "bash")).replace("\\\n", " ")
    lines = [line for line in text.splitlines() if words_of(line)]
    bare = [re.split(r"\s#\s", line)[0] for line in lines]
    prose = FENCE.sub("", path.read_text(encoding="utf-8"))
    return [" ".join(line.split()) for line in [*bare, *INLINE.findall(prose)]]


@functools.cache
def console():
    "The console script, as click sees it, with commands that do nothing: what is left is the parser."
    from artmint.console.cli import app

    group = get_command(app)
    waiting = [group]
    while waiting:
        command = waiting.pop()
        command.callback = lambda *_, **__: None
        waiting += getattr(command, "commands", {}).values()
    return group


def parse(words: list[str]) -> None:
    "Parse a command line of the console script and do nothing. Raises WrongUse."
    console().main(list(words), prog_name="artmint", standalone_mode=False, obj=dict(os.environ))


def parse_inline(words: list[str]) -> None:
    "A command in a sentence may leave its arguments out: the command and its options must exist."
    group = console()
    if not words or words[0].startswith("-"):
        parse([*words, "doctor"])
        return
    command, words = group.commands.get(words[0]), words[1:]
    if command is None:
        raise WrongUse("no such command")
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    strange = [
        word for word in words if word.startswith("--") and word.split("=")[0] not in options | {"--help"}
    ]
    if strange:
        raise WrongUse(f"{command.name} has no {', '.join(strange)}")


def targets() -> set[str]:
    "The targets of the Makefile."
    return set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def extras() -> set[str]:
    "The extras of the package."
    settings = configparser.ConfigParser()
    settings.read(ROOT / "settings.ini", encoding="utf-8")
    return {
        name.removesuffix("_requirements") for name in settings["DEFAULT"] if name.endswith("_requirements")
    }


def parameters_of(notebook: str) -> dict[str, str]:
    "A notebook's parameters and their types."
    from artmint.run.batch import declared

    return declared(ROOT / notebook)


def check(command: str, inline: bool = False) -> None:
    "Refuse a command that can't be typed. What starts with another program's name is that program's."
    program, *words = words_of(command)
    if program == "artmint":
        if inline and not is_complete(words):
            parse_inline(words)
        else:
            parse(words)
    elif program == "make":
        assert set(words) <= targets(), f"no such target: {command}"
    elif program == "papermill":
        given = words[2:]
        assert given[::3] == ["-p"] * (len(given) // 3), command
        assert set(given[1::3]) <= set(parameters_of(words[0])), f"no such parameter: {command}"
    elif program == "pip":
        named = re.search(r"\[([\w,]+)\]", command)
        assert set(named[1].split(",") if named else []) <= extras(), f"no such extra: {command}"
    elif program == "python" and words[0].endswith(".py"):
        assert (ROOT / words[0]).exists(), f"no such script: {command}"


def is_complete(words: list[str]) -> bool:
    "Whether a command in a sentence is complete."
    try:
        parse(words)
    except WrongUse:
        return False
    return True


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    "A user's folder with the project's collections, batches and sweeps, and a portrait."
    from PIL import Image

    from artmint.studio.catalog import Catalog

    place = tmp_path_factory.mktemp("readme")
    for name in ("collections", "batches", "sweeps"):
        shutil.copytree(ROOT / name, place / name)
    Image.linear_gradient("L").convert("RGB").resize((128, 128)).save(place / "portrait.png")
    Catalog(place / "studio").close()
    return place


# ------------------------------------------------------------------ commands


@each_page
def test_blocks_have_a_language(path):
    "So that nothing that is typed can stand where nobody looks."
    text = path.read_text(encoding="utf-8")
    assert {block["language"] for block in FENCE.finditer(text)} <= LANGUAGES
    if path.name != "README.md" or path == README:
        assert re.findall(r"(?:\n\n|^)( {4}\S.*)", FENCE.sub("", text)) == []


@each_page
def test_every_command_can_be_typed(path, monkeypatch):
    monkeypatch.setenv("ARTMINT_PASSPHRASE", "word")
    wrong = []
    prose = {
        " ".join(line.split()) for line in INLINE.findall(FENCE.sub("", path.read_text(encoding="utf-8")))
    }
    for command in commands(path):
        try:
            check(command, inline=command in prose)
        except (WrongUse, AssertionError) as error:
            wrong.append(f"{command}: {getattr(error, 'message', error)}")
    assert wrong == []


@pytest.mark.parametrize(
    "command",
    [
        "artmint paint",
        "artmint run",
        "artmint run a.toml --speed 9",
        "artmint enter a.toml three b.png --artist Ada",
        "make coffee",
        "pip install 'artmint[everything]'",
        "papermill nbs/15_generate.ipynb out.ipynb -p speed 9",
        "python scripts/none.py",
    ],
)
def test_a_wrong_command_is_noticed(command):
    with pytest.raises((WrongUse, AssertionError)):
        check(command)


def test_every_command_of_the_readme_is_run_somewhere():
    "Here, or by a test that is named; and neither list has a command that the README doesn't."
    written = set(commands(README))
    assert written - set(HERE) - set(ELSEWHERE) == set(), "run it in a test, and say in which"
    assert (set(HERE) | set(ELSEWHERE)) - written == set(), "the README has it no longer"


@pytest.mark.parametrize("name", sorted(set(ELSEWHERE.values())))
def test_the_test_that_is_named_exists(name):
    pattern = re.compile(rf"^def {name}\(", re.MULTILINE)
    assert [
        path
        for path in (ROOT / "tests").rglob("test_*.py")
        if pattern.search(path.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize("command", some(HERE, set(HERE) - {"artmint run batches/demo.toml --plan"}))
def test_a_command_does_what_is_said(folder, command):
    "In the README's order: what one leaves is there for the next."
    words = words_of(command)
    done = subprocess.run(
        [BIN / words[0], *words[1:]], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == HERE[command], done.stdout + done.stderr


def test_every_command_has_help(capsys):
    for name in ("", *console().commands):
        parse([*filter(None, [name]), "--help"])
        assert "Exit codes" in " ".join(capsys.readouterr().out.split())


def test_what_is_exported_is_what_is_named(folder):
    "The files that docs/costs.md lists for --export."
    wanted = re.findall(
        r"^\| `([\w.]+)` \| ",
        (ROOT / "docs" / "costs.md").read_text().split("`--export FOLDER` writes")[1],
        re.MULTILINE,
    )
    command = "artmint report batches/demo.toml --export files".split()
    done = subprocess.run(
        [BIN / command[0], *command[1:]], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (folder / "files").iterdir()) == sorted(wanted) != []


@pytest.mark.slow
def test_a_chapter_runs_with_plain_papermill(tmp_path):
    "As the README says, from a folder that looks like the repository's root."
    command = next(line for line in commands(README) if line.startswith("papermill "))
    for name in ("nbs", "collections"):
        shutil.copytree(ROOT / name, tmp_path / name)
    done = subprocess.run(
        [BIN / "papermill", *words_of(command)[1:]], cwd=tmp_path, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "studio" / "catalog.sqlite").exists()


def test_continuous_integration_runs_the_same_command():
    "`make test` is what .ci/run and the workflow do."
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert ".ci/run" in (ROOT / ".github" / "workflows" / "ci.yml").read_text()


# ------------------------------------------------------------------ snippets


SNIPPETS = fenced(README, "python")


@pytest.mark.parametrize("number", some(range(len(SNIPPETS)), range(1, len(SNIPPETS))))
def test_the_snippets_of_the_readme_run(tmp_path, number):
    program = SNIPPETS[number]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    for name in re.findall(r"""\.save\("(.+?)"\)""", program):
        assert (tmp_path / name).stat().st_size > 1000


@each_page
def test_what_snippets_import_is_there(path):
    import ast

    for program in fenced(path, "python"):
        for node in ast.walk(ast.parse(program)):
            if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "artmint":
                module = importlib.import_module(node.module)
                assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


@each_page
def test_modules_that_are_named_are_there(path):
    "`artmint.chain.journal`, `artmint.chain.signers.new_keystore(…)`. The changelog's left column names what was."
    if path.name == "CHANGELOG.md":
        pytest.skip("old names belong there")
    for name in re.findall(r"`(artmint(?:\.\w+)+)[`(]", path.read_text(encoding="utf-8")):
        module, _, attribute = name.rpartition(".")
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            assert hasattr(importlib.import_module(module), attribute), name


@each_page
def test_snippets_of_settings_are_valid(path, tmp_path):
    "What a page says to write into studio.toml or a batch file is taken by what reads it."
    from artmint.core.collection import Collection
    from artmint.run.batch import Batch
    from artmint.studio.files import TABLES
    from artmint.studio.ledger import load_money

    words = {
        *TABLES,
        *Collection.model_fields,
        *Batch.model_fields,
        "project",
        "tool",
        "trigger",
        "rights",
        "verifiers",
    }
    for text in fenced(path, "toml"):
        assert set(tomllib.loads(text)) <= words
        for notebook, given in tomllib.loads(text).get("parameters", {}).items():
            assert set(given) <= set(parameters_of(f"nbs/{notebook}.ipynb")), (
                f"{notebook} has no such parameter"
            )
        if set(tomllib.loads(text)) <= set(TABLES):
            (tmp_path / "studio.toml").write_text(text, encoding="utf-8")
            load_money(tmp_path)


def test_the_sweep_that_is_shown_can_run():
    from artmint.run.sweep import load_sweep

    sweep = load_sweep(ROOT / "sweeps" / "steps.toml")
    parameters = parameters_of(f"nbs/{sweep.notebook}.ipynb")
    assert set(sweep.parameters) | set(sweep.grid) <= set(parameters)


# ------------------------------------------------------------------ links


def slugs(text: str) -> set[str]:
    "The anchors of a page's headings, as GitHub makes them."
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def prose_of(path: Path) -> str:
    "A page's text; a notebook's is that of its Markdown cells."
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf-8")
    import nbformat

    return "\n\n".join(cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown")


@pytest.mark.parametrize("path", [*PAGES, *NOTEBOOKS], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(path):
    broken = []
    for link in LINK.findall(re.sub(r"`[^`\n]*`", "", FENCE.sub("", prose_of(path)))):
        if re.match(r"\w+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        if not target.exists() or (
            anchor and target.suffix in (".md", ".ipynb") and anchor not in slugs(prose_of(target))
        ):
            broken.append(link)
    assert broken == []


def test_rooms_and_chapters_are_listed_once_each():
    "docs/rooms.md has every room, and the README every chapter: neither can go stale."
    text = (ROOT / "docs" / "rooms.md").read_text(encoding="utf-8")
    listed = sorted(re.findall(r"\]\(\.\./(nbs/\w+/\w+\.ipynb)\)", text))
    assert listed == sorted(
        path.relative_to(ROOT).as_posix() for path in NOTEBOOKS if path.parent.name != "nbs"
    )
    chapters = re.findall(
        r"^\| \[\w+\]\((nbs/\w+\.ipynb)\)", README.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert chapters == [path.relative_to(ROOT).as_posix() for path in NOTEBOOKS if path.parent.name == "nbs"]


def test_the_folders_of_rooms_are_in_the_order_of_imports():
    "The order is written above the lists, and the site takes its own from their headings."
    text = (ROOT / "docs" / "rooms.md").read_text(encoding="utf-8")
    (order,) = re.findall(r"(?m)^core < .+$", text)
    assert re.findall(r"(?m)^## (\w+)$", text) == order.split(" < ")


def test_the_readme_is_short():
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 140
    assert len(text.split()) <= 1300


@pytest.mark.slow
def test_the_site_builds_and_loads_nothing_from_elsewhere(tmp_path):
    "A warning, such as a link to nowhere, is an error; the site's own hook looks for what comes from elsewhere."
    words = [BIN / "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"]
    done = subprocess.run(
        words,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "site" / "reference" / "artmint.core.canon" / "index.html").exists()
