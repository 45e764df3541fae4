"Lists as spreadsheets, snapshots and forms write them: read right, or refused by their lines."

import json

import pytest
from eth_utils import to_checksum_address

from artmint.deliver import recipients as room

A, B, C = (to_checksum_address("0x" + f"{n:02x}" * 20) for n in (0xA1, 0xB2, 0xC3))


def read(tmp_path, text, name="list.csv", **how):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return room.read_recipients(path, **how)


def rows(found):
    return [(one.address, one.count, one.tokens) for one in found.recipients]


PLAIN = [(A, 1, ()), (B, 1, ())]
COUNTED = [(A, 2, ()), (B, 1, ())]
NAMED = [(A, 1, (7,)), (B, 1, (9,))]


@pytest.mark.parametrize(
    ("text", "rows_read"),
    [
        (f"{A}\n{B}", PLAIN),
        (f"address\n{A}\n{B}\n", PLAIN),
        (f"\ufeffaddress\r\n{A}\r\n\r\n{B}\r\n\r\n", PLAIN),
        (f'"address"\n"{A}"\n"{B}"\n', PLAIN),
        (f"Address;Quantity\n{A};2\n{B};1\n", COUNTED),
        (f"wallet\tamount\n{A}\t2\n{B}\t\n", COUNTED),
        (f"HolderAddress,Quantity,note\n{A},2,first fan\n{B},1,\n", COUNTED),
        (f"Token ID,Owner\n7,{A}\n9,{B}\n", NAMED),
        (f"  {A}  \n {B}\n", PLAIN),
        (f"sep=;\r\naddress;count\r\n{A};2\r\n{B};1\r\n", COUNTED),
        (f"sep=,\naddress,count\n{A},2\n{B},1\n", COUNTED),
        (f"{A.lower()}\n0x{B[2:].upper()}\n", PLAIN),
    ],
)
def test_a_list_is_read_however_it_was_saved(tmp_path, text, rows_read):
    found = read(tmp_path, text)
    assert rows(found) == rows_read
    assert found.problems == []


@pytest.mark.parametrize(
    ("document", "rows_read"),
    [
        ([A, B], PLAIN),
        ([{"address": A, "count": 2}, {"address": B}], COUNTED),
        ({A: 2, B: 1}, COUNTED),
        ([{"address": A, "token": 7}, {"wallet": B, "token_id": "9"}], NAMED),
        ({A: [7], B: [9]}, NAMED),
    ],
)
def test_json_says_the_same_in_three_ways(tmp_path, document, rows_read):
    found = read(tmp_path, json.dumps(document), "list.json")
    assert (rows(found), found.problems) == (rows_read, [])


FAULTS = [
    ("vitalik.eth", "is a name"),
    (A[:-1], "is no address"),
    (A + "0", "is no address"),
    (A[2:], "is no address"),
    (A[:-1] + ("e" if A[-1] != "e" else "f"), "capitals don't fit"),
    (A.replace("a", "\u0430", 1).replace("A", "\u0410", 1), "U+04"),
    (f"\u200b{A}", "U+200B (zero width space)"),
    (A[:20] + "\u00a0" + A[20:], "U+00A0"),
    ("0x" + "0" * 40, "zero address"),
    ("0x" + "0" * 39 + "4", "chain's own contracts"),
    ("0x000000000000000000000000000000000000dEaD", "burn address"),
    (f"{B},0", "no number of tokens"),
    (f"{B},-1", "no number of tokens"),
    (f"{B},1.5", "no number of tokens"),
    (f"{B},1,000", "columns"),
    (f"{B},٣", "no number of tokens"),
    (",2", "no address"),
    (f"{C},1", "comes in line 2 already"),
]


@pytest.mark.parametrize(("line", "words"), FAULTS)
def test_a_line_that_cannot_be_served_is_named(tmp_path, line, words):
    found = read(tmp_path, f"address,count\n{C},1\n{line}\n")
    assert len(found.problems) == 1
    assert found.problems[0].startswith("line 3: ")
    assert words in found.problems[0]
    assert rows(found)[0] == (C, 1, ())


def test_all_lines_are_named_at_once(tmp_path):
    text = "address,count\n" + "\n".join(line for line, _ in FAULTS[:-1])
    assert len(read(tmp_path, text).problems) == len(FAULTS) - 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (f"{A}\n".encode("utf-16"), "UTF-16"),
        (f"address,note\n{A},caf\u00e9\n".encode("latin-1"), "line 2: isn't UTF-8"),
        (b"", "names nobody"),
        (f'address\n"{A}\n{B}\n'.encode(), "quotes don't close"),
        (f"address,age\n{A},7\n".encode(), "'age' isn't known"),
        (f"address,wallet\n{A},{B}\n".encode(), "two columns for address"),
        (f"count,note\n{A},x\n".encode(), "no column is called address"),
        (f"address,token\n{A},7\n{B},7\n".encode(), "token 7 is named twice"),
    ],
)
def test_a_file_that_is_no_list_is_refused_in_words(tmp_path, content, words):
    try:
        problems = read(tmp_path, content).problems
    except room.BadRecipients as refusal:
        problems = refusal.problems
    assert words in "; ".join(problems)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('["0x"', "no plain JSON"),
        (f'{{"{A}": 1, "{A}": 2}}', "no plain JSON"),
        ('"word"', "neither a list nor a table"),
        (f'[{{"address": "{A}", "nr": 1}}]', "'nr' isn't known"),
        (f'[{{"address": "{A}", "count": 2, "token": [7]}}]', "says 2 tokens and names 1"),
        (f'{{"{A}": []}}', "no token id"),
        (f'[{{"address": "{A}", "count": true}}]', "no number of tokens"),
        ("[7]", "neither an address nor a table"),
        (f'{{"{A}": 0}}', "'0' is no number of tokens"),
        (f'{{"{A}": false}}', "'False' is no number of tokens"),
        (f'[{{"address": "{A}", "count": {{}}}}]', "'{}' is no number of tokens"),
        (f'[{{"Address": "{A}", "wallet": "{B}"}}]', "two keys for address: Address and wallet"),
    ],
)
def test_json_that_means_nothing_is_refused_in_words(tmp_path, text, words):
    try:
        problems = read(tmp_path, text, "list.json").problems
    except room.BadRecipients as refusal:
        problems = refusal.problems
    assert words in "; ".join(problems)


@pytest.mark.parametrize("titles", ["No.;Address;Anzahl", "Nr.;Adresse;Anzahl", "wallet.address;count;x"])
def test_titles_with_a_dot_are_titles_and_no_names(tmp_path, titles):
    problems = read(tmp_path, f"{titles}\n1;{A};2\n").problems
    assert any(f"the column {titles.split(';')[0]!r} isn't known" in one for one in problems)
    assert not any("is a name" in one or "with a title" in one for one in problems)


def test_who_is_meant_twice_is_let_through(tmp_path):
    assert len(rows(read(tmp_path, f"{A}\n{A}\n", again=True))) == 2


def test_addresses_without_a_checksum_are_counted(tmp_path):
    assert "1 addresses are in lower case" in " ".join(read(tmp_path, f"{A.lower()}\n{B}\n").notes)


def test_a_spreadsheet_s_own_file_and_foreign_titles_are_told_once(tmp_path):
    for magic in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1"):
        (tmp_path / "list.xlsx").write_bytes(magic + bytes(50))
        with pytest.raises(room.BadRecipients, match="save it as CSV"):
            room.read_recipients(tmp_path / "list.xlsx")
    rows = "".join(f"{A};{n}\r\n" for n in range(1, 50))
    (tmp_path / "list.csv").write_bytes(f"\ufeffAdresse;Anzahl\r\n{rows}".encode())
    found = room.read_recipients(tmp_path / "list.csv")
    assert found.recipients == [] and len(found.problems) == 3
