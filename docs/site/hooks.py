"""What mkdocs doesn't know: where the pages are, how a notebook becomes one, and that nothing may come from elsewhere.

Pages keep the paths that they have in the repository, so a link that works there works on the site.
"""

import html
import posixpath
import re
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from nbconvert import MarkdownExporter

ROOT = Path(__file__).parents[2]
ORDER = re.findall(r"(?m)^## (\w+)$", (ROOT / "docs/rooms.md").read_text(encoding="utf-8"))
GUIDES = "verify attest content marks markets reveal films deliver posts costs keys scale gpu backups serve faults status rooms".split()
LINK = re.compile(r"""(?:\]\(|(?:src|href)=")([^)"\s#]+)""")
REMOTE = re.compile(
    r"""<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc=["']?(?:https?:)?//|<link\b(?=[^>]*\brel=["']?(?:stylesheet|preconnect|preload|icon))[^>]*\bhref=["']?(?:https?:)?//"""
)
MATH = re.compile(
    r"(```.*?```|`[^`\n]*`)|\$\$(.+?)\$\$|(?<![\\$\w])\$([^\s$](?:[^$\n]*[^\s$])?)\$(?!\w)", re.DOTALL
)


class NotebookPage(File):
    "A notebook, as a page of its own."

    def is_documentation_page(self) -> bool:
        return True


def rooms() -> dict[str, list[Path]]:
    "Notebooks by folder, in the order of imports; chapters are under the empty name."
    folders: dict[str, list[Path]] = {}
    for path in sorted((ROOT / "nbs").rglob("*.ipynb")):
        if not any(part.startswith(".") for part in path.relative_to(ROOT).parts):
            folders.setdefault("" if path.parent.name == "nbs" else path.parent.name, []).append(path)
    return dict(
        sorted(
            folders.items(),
            key=lambda item: (item[0] != "", ORDER.index(item[0]) if item[0] in ORDER else 99, item[0]),
        )
    )


def module_of(path: Path) -> str:
    "The module that a notebook exports, by its name: nbs/chain/journal.ipynb is artmint.chain.journal, nbs/30_mint.ipynb is artmint.mint."
    parts = path.relative_to(ROOT / "nbs").with_suffix("").parts
    return ".".join(("artmint", *parts[:-1], re.sub(r"^\d\d_", "", parts[-1])))


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    "The navigation, from what there is."
    folders = rooms()
    guides = [f"docs/{name}.md" for name in GUIDES] + sorted(
        f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md") if p.stem not in GUIDES
    )
    project = [
        name
        for name in ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "CODE_OF_CONDUCT.md")
        if (ROOT / name).exists()
    ]
    config.nav = [
        {"Home": ["README.md", *project, "contracts/README.md"]},
        {"Guides": guides},
        {"Chapters": [{path.stem: path.relative_to(ROOT).as_posix()} for path in folders.pop("", [])]},
        {"Rooms": [{name: [{path.stem: path.relative_to(ROOT).as_posix()} for path in paths]} for name, paths in folders.items()]},
        {"Reference": ["reference/index.md", "reference/cli.md", *({name or "chapters": [{module_of(path): f"reference/{module_of(path)}.md"} for path in paths]} for name, paths in rooms().items())]},
    ]  # fmt: skip
    return config


@event_priority(100)
def on_files(files: Files, config: MkDocsConfig) -> Files:
    "All pages and what they link to."
    texts = {path: path.read_text(encoding="utf-8") for path in sources()}
    for path, text in texts.items():
        where = path.relative_to(ROOT).as_posix()
        files.append(File.generated(config, where, content=text))
    for path in (path for paths in rooms().values() for path in paths):
        where = path.relative_to(ROOT).as_posix()
        texts[path], pictures = page_of(path)
        files.append(NotebookPage.generated(config, where, content=texts[path]))
        for name, data in pictures.items():
            files.append(File.generated(config, posixpath.join(posixpath.dirname(where), name), content=data))
    for path in sorted(linked(texts)):
        where = path.relative_to(ROOT).as_posix()
        if not files.get_file_from_path(where):
            files.append(File.generated(config, where, abs_src_path=str(path)))
    for name, text in reference().items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def sources() -> list[Path]:
    "Pages that are written in Markdown."
    top = [
        ROOT / name
        for name in (
            "README.md",
            "CONTRIBUTING.md",
            "CHANGELOG.md",
            "SECURITY.md",
            "CODE_OF_CONDUCT.md",
            "contracts/README.md",
        )
    ]
    return [path for path in top if path.exists()] + sorted((ROOT / "docs").glob("*.md"))


def linked(texts: dict[Path, str]) -> set[Path]:
    "Files of the repository that pages link to and that are no pages themselves."
    targets = set()
    for page, text in texts.items():
        for link in LINK.findall(text):
            target = (page.parent / link).resolve()
            if (
                not urlsplit(link).scheme
                and target.is_relative_to(ROOT)
                and target.is_file()
                and target not in texts
            ):
                targets.add(target)
    return targets


def page_of(path: Path) -> tuple[str, dict[str, bytes]]:
    "A notebook as Markdown, with the outputs that it keeps, and its pictures by name."
    book = nbformat.read(path, as_version=4)
    cells = []
    for cell in book.cells:
        if cell.cell_type == "code":
            lines = cell.source.splitlines()
            directives = [line for line in lines if line.startswith("#|")]
            if any(re.match(r"#\|\s*(hide|default_exp)", line) for line in directives):
                continue
            cell.metadata["kind"] = "exported" if any("export" in line for line in directives) else ""
            cell.source = "\n".join(line for line in lines if line not in directives).strip("\n")
            if not cell.source:
                continue
        cells.append(cell)
    book.cells = cells
    exporter = MarkdownExporter(template_file=str(Path(__file__).with_name("notebook.md.j2")))
    text, resources = exporter.from_notebook_node(
        book, resources={"unique_key": path.stem, "output_files_dir": f"{path.stem}_files"}
    )
    return text, resources.get("outputs", {})


def reference() -> dict[str, str]:
    "A page for every module, one for the console script, and an index."
    pages, index = (
        {},
        [
            "# Reference",
            "",
            "Every public name, from the docstrings. [The console script](cli.md) has a page of its own.",
            "",
        ],
    )
    for folder, paths in rooms().items():
        index += [f"## {folder or 'Chapters'}", "", "| module | |", "|---|---|"]
        for path in paths:
            name, notebook = module_of(path), f"../{path.relative_to(ROOT).as_posix()}"
            pages[name] = f"# {name}\n\n[Notebook]({notebook})\n\n::: {name}\n"
            index.append(f"| [{name}]({name}.md) | {summary_of(path)} |")
        index.append("")
    return pages | {"index": "\n".join(index), "cli": console()}


def summary_of(path: Path) -> str:
    "A notebook's one sentence: the quotation under its heading."
    first = nbformat.read(path, as_version=4).cells[0].source
    return next((line[1:].strip() for line in first.splitlines() if line.startswith(">")), "")


def console() -> str:
    "The console script's commands, in typer's own words."
    from artmint.console.cli import app
    from typer.cli import get_docs_for_click
    from typer.main import get_command

    command = get_command(app)
    return (
        "# Command line\n\n"
        + get_docs_for_click(
            obj=command, ctx=command.context_class(command, info_name="artmint"), name="artmint"
        ).partition("\n")[2]
    )


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    "Formulas become MathML, which browsers draw without a script. They wait under a name, so that Markdown leaves them alone."
    page.formulas = []

    def formula(match: re.Match) -> str:
        if match[1]:
            return match[1]
        page.formulas.append(
            convert(html.unescape(match[2] or match[3]).strip(), display="block" if match[2] else "inline")
        )
        return f"FORMULA{len(page.formulas) - 1}END"

    return MATH.sub(formula, markdown) if isinstance(page.file, NotebookPage) else markdown


def on_page_content(text: str, page: Page, **_: object) -> str:
    "Put the formulas where they belong."
    return re.sub(r"FORMULA(\d+)END", lambda match: page.formulas[int(match[1])], text)


def on_post_build(config: MkDocsConfig) -> None:
    "Refuse a site that loads anything from elsewhere."
    site = Path(config.site_dir)
    remote = [
        f"{path.relative_to(site)}: {match[0][:120]}"
        for path in sorted(site.rglob("*.html"))
        for match in REMOTE.finditer(path.read_text(encoding="utf-8"))
    ]
    remote += [
        f"{path.relative_to(site)}: {match[0]}"
        for path in sorted(site.rglob("*.css"))
        for match in re.finditer(
            r"""(?:url\(|@import )["']?(?:https?:)?//[^"')]*""", path.read_text(encoding="utf-8")
        )
    ]
    if remote:
        raise PluginError("The site loads from elsewhere:\n" + "\n".join(remote))
