"""Docstrings as nbdev writes them: one line, and a comment beside every parameter. For griffe they become the sections that other styles spell out."""

import ast
import io
import tokenize
from pathlib import Path

import griffe


class Docments(griffe.Extension):
    "Adds comments beside parameters, results and fields to docstrings."

    def __init__(self) -> None:
        self.comments: dict[Path, dict[int, str]] = {}

    def comment(self, path: Path, line: int) -> str:
        "The comment at the end of a line, if any."
        if path not in self.comments:
            tokens = tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
            self.comments[path] = {
                token.start[0]: token.string.lstrip("# ")
                for token in tokens
                if token.type == tokenize.COMMENT and token.line.strip()[0] != "#"
            }
        return self.comments[path].get(line, "")

    def on_function_instance(self, *, node: object, func: griffe.Function, **_: object) -> None:
        "Parameters and the result."
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not func.docstring:
            return
        arguments = [
            *node.args.posonlyargs,
            *node.args.args,
            *filter(None, [node.args.vararg]),
            *node.args.kwonlyargs,
            *filter(None, [node.args.kwarg]),
        ]
        comments = {
            argument.arg: self.comment(func.filepath, argument.end_lineno)
            for argument in arguments
            if argument.lineno > node.lineno
        }
        lines = [f"    {name}: {text}" for name, text in comments.items() if text]
        if lines:
            func.docstring.value += "\n\nArgs:\n" + "\n".join(lines)
        result = (
            self.comment(func.filepath, node.returns.end_lineno)
            if node.returns and node.returns.lineno > node.lineno
            else ""
        )
        if result:
            func.docstring.value += f"\n\nReturns:\n    {result}"

    def on_class_members(self, *, node: object, cls: griffe.Class, **_: object) -> None:
        "Fields of records and classes: a list in the docstring, in place of a heading for each."
        fields = [
            line
            for line in getattr(node, "body", [])
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
        ]
        lines = []
        for field in fields:
            if field.target.id in cls.members and not field.target.id.startswith("_"):
                value, text = (
                    ast.unparse(field.value) if field.value else "",
                    self.comment(cls.filepath, field.end_lineno),
                )
                default = f" = `{value}`" if value and len(value) < 60 else ""
                lines.append(
                    f"- `{field.target.id}: {ast.unparse(field.annotation)}`{default}"
                    + (f": {text}" if text else "")
                )
        for name in [name for name, member in cls.members.items() if member.is_attribute]:
            cls.del_member(name)
        if lines and cls.docstring:
            cls.docstring.value += "\n\n" + "\n".join(lines)
