"Commands that messages, docstrings and notebooks name: the verb and its options exist, so that whoever is told one can type it."

import ast
import difflib
import re

import pytest

from tests.verbs import VERBS

from .house import MODULES, NOTEBOOKS, cells_of, tree_of

GROUPS = {words.split()[0] for words in VERBS if " " in words}
NAMED = re.compile(r"\bartmint ([a-z][a-z0-9-]+)((?: (?!artmint\b)[^\s`;]+)*)")


def strings_of(module: str) -> list[str]:
    "Every text of a module: messages and docstrings."
    nodes = ast.walk(tree_of(MODULES[module]))
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def options_of(words: list[str]) -> set[str]:
    "The options that a verb takes; those of a whole group, where only the group is named."
    name = " ".join(words)
    verbs = (
        [VERBS[name]]
        if name in VERBS
        else [verb for one, verb in VERBS.items() if one.startswith(f"{name} ")]
    )
    return {"--help", "--debug", *(option for verb in verbs for one in verb.params for option in (*one.opts, *one.secondary_opts))}  # fmt: skip


def is_typed(text: str, command: re.Match) -> bool:
    """Whether something is a command, and no sentence about what artmint does: it has a verb, or a word like one, an option or an
    argument in capitals after it, or it stands between backticks."""
    verb, rest = command[1], command[2].split()
    verbs = {words.split()[0] for words in VERBS}
    close = difflib.get_close_matches(verb, verbs, 1, 0.9)
    after = any(re.match(r"--[a-z]|[A-Z]{3,}\b", word) for word in rest[:2])
    return bool(close) or after or text[: command.start()].endswith("`")


def wrong_commands(text: str) -> list[str]:
    "Commands of a text that can't be typed."
    wrong = []
    flat = " ".join(text.split())
    for command in NAMED.finditer(flat):
        verb, rest = command[1], command[2].split()
        if not is_typed(flat, command):
            continue
        words = [verb]
        if verb in GROUPS and rest and f"{verb} {rest[0].strip('.,:)')}" in VERBS:
            words.append(rest[0].strip(".,:)"))
        known = " ".join(words) in VERBS or verb in GROUPS
        if not known:
            wrong.append(command[0][:60])
            continue
        sentence = re.split(r"[.,:)] | and | or | makes | is ", command[2])[0]
        given = re.findall(r"(?<!\S)\(?(--[a-z][\w-]+)", sentence)
        wrong += [f"{' '.join(words)} has no {option}" for option in given if option not in options_of(words)]
    return wrong


def test_messages_name_commands_that_exist():
    texts = [(module, text) for module in MODULES for text in strings_of(module) if "artmint " in text]
    assert [(module, wrong) for module, text in texts for wrong in wrong_commands(text)] == []


def test_notebooks_name_commands_that_exist():
    texts = [
        (name, cell.source) for name in NOTEBOOKS for cell in cells_of(name) if cell.cell_type == "markdown"
    ]
    assert [(name, wrong) for name, text in texts for wrong in wrong_commands(text)] == []


@pytest.mark.parametrize(
    "text",
    ["run `artmint paint` again", "artmint gc --hard removes them", "type artmint admin deplyo --tresury 0x"],
)
def test_a_command_that_is_not_there_is_noticed(text):
    assert wrong_commands(text)


@pytest.mark.slow
def test_enough_is_found():
    found = {match[1] for module in MODULES for text in strings_of(module) for match in NAMED.finditer(text)}
    assert {"init", "backup", "admin", "adapter", "doctor"} <= found
