"Canonical JSON, digests, refusals, text that is published."

import json
import pickle
import sys
import time
from typing import Annotated, Literal

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, StringConstraints, ValidationError

from artmint.core.canon import (
    NotPlainJSON,
    NotPlainTOML,
    NotPlainText,
    NotPlainYAML,
    Record,
    Refusal,
    canonical,
    error_lines,
    read_json,
    read_toml,
    read_yaml,
    unsafe_text,
    written_text,
)
from artmint.seeds import load_collection


def test_canonical_is_rfc8785():
    # the example of RFC 8785, section 3.2.2 (the numbers that JSON text can carry exactly)
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '\u20ac$\u000f\nA\'B"\\\\"/',
        "literals": [None, True, False],
    }
    assert (
        canonical(value)
        == (
            '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
            '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
        ).encode()
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**60, "\ud800", {1: 2}, object(), {"a": {1}}])
def test_what_is_no_json_is_refused(value):
    with pytest.raises(NotPlainJSON):
        canonical(value)


@pytest.mark.parametrize("text", ["{", '{"a":1,"a":2}', "[NaN]", "[-Infinity]", b"\xff", "[" * 100_000, ""])
def test_ambiguous_or_broken_json_is_refused(text):
    with pytest.raises(NotPlainJSON):
        read_json(text)


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXT
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=8)


EDGES = [
    1e-4,
    9.999e-5,
    1e16,
    9007199254740993.5,
    1e15 + 0.5,
    0.0,
    -0.0,
    7.0,
    1e21,
    1e-7,
    -0.1,
    5e-324,
    2**53 - 1,
]


@given(JSON | st.sampled_from(EDGES) | st.lists(st.sampled_from(EDGES)) | st.tuples(TEXT, NUMBERS))
def test_what_python_s_own_writer_writes_is_what_rfc8785_says(value):
    "The fast way and the plain one give the same bytes, whatever is written."
    assert canonical(value) == rfc8785.dumps(value)
    assert canonical({"a": value, "b": [value]}) == rfc8785.dumps({"a": value, "b": [value]})


@given(st.text())
def test_a_text_is_written_or_refused_as_rfc8785_says(text):
    "Halves of surrogate pairs too."
    for value in (text, {text: 1}, [text]):
        try:
            expected = rfc8785.dumps(value)
        except (rfc8785.CanonicalizationError, UnicodeEncodeError):
            with pytest.raises(NotPlainJSON):
                canonical(value)
        else:
            assert canonical(value) == expected


@given(JSON)
def test_reading_is_the_inverse_of_writing(value):
    assert read_json(canonical(value)) == value
    assert canonical(read_json(canonical(value))) == canonical(value)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 65 + "]" * 65])
def test_deep_json_is_refused_whatever_python_s_limit(text):
    "Libraries raise the recursion limit for the whole process; a deep text would then end it."
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(10**6)
    try:
        with pytest.raises(NotPlainJSON, match="deeper"):
            read_json(text)
    finally:
        sys.setrecursionlimit(before)


def test_a_refusal_carries_its_values_across_processes():
    with pytest.raises(Refusal) as caught:
        load_collection("/nowhere/small")
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.problems == ["the file is missing"]
    assert str(again) == str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "a\tb",
        "a\nb",
        "a\u202eb",
        "\u200b",
        "a\u2066b",
        "<img>",
        "a</b>",
        "<!--",
        "&lt;",
        "\x7f",
        "\U000e0041",
        "no character\ufffe",  # XML has no word for these two
        "\uffff",
    ],
)
def test_unsafe_text_is_found(text):
    assert unsafe_text(text)


@pytest.mark.parametrize(
    "text", ["3 < 4 & 5 > 2", "Zürich, 東京", "👩\u200d🎨", "R & B", "Q&A", 'it\'s "fine"']
)
def test_plain_text_is_left_alone(text):
    assert unsafe_text(text) == []


@pytest.mark.parametrize(
    "data",
    [
        b"a = " + b"[" * 5000,
        b"a = " + b"[" * 100_000 + b"]" * 100_000,
        b".".join([b"a"] * 100_000) + b" = 1",
        b"a = " + b"9" * 5000,
        b"a = 2026-99-99",
        b"\xff\xfe",
        b"a = 1\na = 2",
        b"#" * (5 << 20),
    ],
    ids=lambda data: repr(data[:12]),
)
def test_toml_that_no_person_writes_is_refused_in_our_words_and_at_once(data):
    begun = time.process_time()
    with pytest.raises(NotPlainTOML):
        read_toml(data)
    assert time.process_time() - begun < 4


def test_toml_is_read_as_editors_save_it():
    assert read_toml("\ufeffname = 'tiny'\r\nlist = [\r\n 1]\r\n".encode()) == {"name": "tiny", "list": [1]}


def test_a_file_that_never_ends_is_read_to_a_limit(tmp_path, monkeypatch):
    "A device, or a file that is larger than memory."
    from artmint.core import canon

    monkeypatch.setattr(canon, "TEXT_FILE_LIMIT", 1000)
    (tmp_path / "whole").write_bytes(bytes(1000))
    assert len(canon.file_bytes(tmp_path / "whole")) == 1000
    (tmp_path / "more").write_bytes(bytes(1001))
    for path in (tmp_path / "more", "/dev/zero"):
        with pytest.raises(OSError, match="larger than 1000 bytes"):
            canon.file_bytes(path)


@pytest.mark.parametrize(
    "data, said",
    [
        ("Für".encode("utf-16"), "UTF-16, as Windows saves"),
        ("Für".encode("utf-16-be"), "UTF-16"),
        ("a = 1".encode("utf-16-le"), "UTF-16"),
        ("a\nFür".encode("cp1252"), "line 2 isn't UTF-8"),
        (b"PK\3\4 and so on", "workbook"),
    ],
)
def test_a_text_in_another_encoding_is_told_by_its_marks(data, said):
    "For texts, TOML, YAML and JSON alike, with the line or the program, and how it is saved anew."
    for read in (written_text, read_toml, read_yaml, read_json):
        with pytest.raises((NotPlainText, NotPlainTOML, NotPlainYAML, NotPlainJSON), match=said) as refused:
            read(data)
        assert "save" in str(refused.value)
        assert "codec" not in str(refused.value)
    assert written_text("\ufeffFür".encode()) == "Für"


@pytest.mark.parametrize(
    "line, said",
    [
        ("title = “Dawn”", "typographic"),
        ("title\u00a0= 'Dawn'", "no-break"),
        ("share = 0,5", "decimals have a point"),
        ("supply = 1.000,5", "decimals have a point"),
        ("title: 'Dawn'", "= between"),
        ("unique = True", "true or false"),
        ("title = Dawn", "text stands in quotes"),
    ],
)
def test_what_is_wrong_with_a_line_of_toml_is_said_as_people_see_it(line, said):
    "The line, its key and what is meant; its value stays unsaid, for it may be a secret."
    with pytest.raises(NotPlainTOML, match=said) as refused:
        read_toml(f"name = 'x'\n{line}\n".encode())
    assert "line 2" in str(refused.value)
    assert "Dawn" not in str(refused.value)


def test_what_a_value_has_to_be_is_said_in_words_and_never_in_pydantic_s():
    class Odd(Record):
        text: str
        many: int = Field(ge=0, le=9)
        some: float = Field(gt=0)
        way: Literal["up", "down"]
        parts: tuple[int, ...] = Field(min_length=1)
        table: dict[str, str]
        name: Annotated[str, StringConstraints(pattern="^[a-z]+$", max_length=9)]
        yes: bool = False

    wrong = [
        {},
        {"text": 1, "many": 1.5, "some": "x", "way": "left", "parts": [], "table": [], "name": "A", "yes": 1},
        {"many": -1, "some": 0, "parts": 7, "name": "a" * 10},
        {"many": 10},
    ]
    lines = []
    for entries in wrong:
        with pytest.raises(ValidationError) as caught:
            Odd.model_validate_json(json.dumps(entries))
        lines += error_lines(caught.value, Odd)
    words = "; ".join(lines)
    for part in ("text: is missing", "text: has to be a text, in quotes", "many: has to be a whole number",
                 "many: has to be at least 0", "many: has to be at most 9", "some: has to be more than 0",
                 "way: has to be 'up' or 'down'", "parts: needs 1 or more entries", "parts: has to be a list",
                 "table: has to be a table", "name: isn't written as it has to be, which is ^[a-z]+$",
                 "name: takes 9 letters at most", "yes: has to be true or false"):  # fmt: skip
        assert part in words
    assert not any(one in words for one in ("Input", "should", "Field", "String", "valid "))
