"Refusals speak to people: none of them holds a value as Python would write it."

import importlib
import pkgutil
import re
import string
from inspect import get_annotations
from pathlib import Path

import pytest

import artmint
from artmint.core.canon import Refusal, spoken_value

SIGNS = re.compile(r"\['|\[\]|\[\d|\{'|\{\}|\('|\(\)|Path\(|set\(|\bNone\b|\bTrue\b|\\x")
ODD = (
    [],
    ["ab", "cd"],
    (),
    ("ab", 1),
    {},
    {"ab": 1},
    {"ab"},
    None,
    True,
    Path("a/b"),
    [Path("a")],
    [["ef"], None],
    b"\xff",
)


def refusals(root=Refusal):
    "Every refusal of the package."
    for name in {one.name for one in pkgutil.walk_packages(artmint.__path__, "artmint.")}:
        importlib.import_module(name)
    found = [root]
    for one in found:
        found += [more for more in one.__subclasses__() if more not in found]
    return sorted((one for one in found if one.__module__.startswith("artmint.")), key=str)


def usual(annotation) -> object:
    "A value such as a field is annotated for."
    words = str(annotation)
    for kind, value in (("dict", {}), ("tuple", ()), ("list", [])):
        if words.startswith(kind) or words == f"<class '{kind}'>":
            return value
    plain = {int: 7, float: 0.5, Path: Path("a/b"), bool: True, bytes: b"a"}
    return plain.get(annotation, "word")


def bare(kind) -> set[str]:
    "The values that stand in a message as they are."
    return {name for _, name, _, _ in string.Formatter().parse(kind.says) if name in get_annotations(kind)}


def test_no_refusal_holds_a_value_as_python_writes_it():
    "Each value of each message, in turn a list, an empty one, a table, nothing, a path and so on."
    faults, count = [], 0
    for kind in refusals():
        if kind.__init__ is not Refusal.__init__:
            continue
        fields = get_annotations(kind)
        plain = kind.says.replace("{", "").replace("}", "") + "('word'"  # what stands between brackets anyway
        for name in bare(kind):
            for odd in ODD:
                values = [odd if field == name else usual(fields[field]) for field in fields]
                try:
                    said = str(kind(*values))
                except (TypeError, ValueError, AttributeError, KeyError, IndexError):
                    continue  # a number's form, or a property that reads another value
                count += 1
                if set(SIGNS.findall(said)) - set(SIGNS.findall(plain)):
                    faults.append(f"{kind.__name__}.{name} with {odd!r}: {said[:200]}")
    assert count > 5000 and faults == [], "\n".join(
        dict.fromkeys(one.partition(" with ")[0] + one.partition(": ")[2] for one in faults)
    )[:4000]


@pytest.mark.parametrize(
    "value, words",
    [
        ([], "none"),
        (None, "none"),
        (["a", "b"], "a, b"),
        (("a, then b", "c"), "a, then b; c"),
        ({"b": [1, 2], "a": None}, "b: 1, 2; a: none"),
        ({"y", "x"}, "x, y"),
        ([True, Path("a/b")], "true, a/b"),
        (b"\x01\xff", "01ff"),
    ],
)
def test_values_are_spoken(value, words):
    assert spoken_value(value) == words
