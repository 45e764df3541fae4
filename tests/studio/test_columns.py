"Records in columns: packed by those who write, the same however they are packed, and thrown away without loss."

import json
import multiprocessing
import sqlite3
from contextlib import closing
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artmint.studio import catalog as module
from artmint.studio.catalog import MIGRATIONS, Catalog
from artmint.studio.columns import COLUMN_FIELDS, column_type, join_pages, name_code, pack_page, prompt_set
from tests.readonly import to_be_read

SPAWN = multiprocessing.get_context("spawn")


def line(number: int, **changed) -> dict:
    "A ledger line."
    return {"stage": "generate", "key": f"{number:064x}", "amount": number / 7, "unit": "cpu"} | changed


def told(catalog: Catalog) -> dict[str, list]:
    "What columns hold."
    return {kind: column.rows.tolist() for kind, column in catalog.columns().items()}


def write(folder: str, start: int) -> None:
    "Write many lines, a few at a time."
    catalog = Catalog(folder)
    for at in range(start, start + 1200, 60):
        catalog.append_all("cost", [(f"generate/{i}", line(i)) for i in range(at, at + 60)])


@given(st.lists(st.tuples(st.text(max_size=8), st.floats(allow_nan=False, allow_infinity=False)), max_size=9))
def test_lines_come_back_to_the_last_bit_however_they_are_packed(lines):
    bodies = [line(i, key=key, amount=amount) for i, (key, amount) in enumerate(lines)]
    records = [
        SimpleNamespace(id=i, key="", at=i / 3, body=json.dumps(body)) for i, body in enumerate(bodies)
    ]
    whole = join_pages("cost", [pack_page("cost", records)])
    parts = join_pages("cost", [pack_page("cost", records[:4]), pack_page("cost", records[4:])])
    assert whole.rows.tolist() == parts.rows.tolist() and whole.words == parts.words
    assert whole.rows["amount"].tolist() == [amount for _, amount in lines]
    assert whole.rows["of"].tolist() == [name_code(key) for key, _ in lines]
    assert whole.rows["at"].tolist() == [i / 3 for i in range(len(lines))]


@pytest.mark.parametrize(
    "body",
    [{"stage": "a"}, line(1, amount="much"), line(1, stage=None), line(1, key=3), [], line(1, amount=[])],
)
def test_a_line_of_another_shape_makes_its_page_odd(body):
    good = SimpleNamespace(id=1, key="", at=0.0, body=json.dumps(line(1)))
    page = pack_page("cost", [good, SimpleNamespace(id=2, key="", at=0.0, body=json.dumps(body))])
    assert page.odd and not page.rows
    assert join_pages("cost", [pack_page("cost", [good]), page]) is None


def test_oldest_lines_have_seconds():
    old = {"stage": "generate", "key": "a", "seconds": 2.5, "unit": "cpu"}
    page = pack_page("cost", [SimpleNamespace(id=1, key="", at=0.0, body=json.dumps(old))])
    assert join_pages("cost", [page]).rows["amount"].tolist() == [2.5]


def test_a_prompt_set_is_all_but_prompt_and_seed():
    seen = {}
    one, same, other = (
        prompt_set({"prompt": prompt, "seed": seed, "steps": steps}, seen)
        for prompt, seed, steps in (("a", 1, 8), ("b", 2, 8), ("a", 1, 9))
    )
    assert one == same != other and len(seen) == 2


def test_writers_pack_as_they_go_and_readers_see_every_record(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PAGE_RECORDS", 100)
    catalog = Catalog(tmp_path)
    for start in range(0, 450, 15):
        catalog.append_all("cost", [(f"generate/{i}", line(i)) for i in range(start, start + 15)])
        assert len(told(catalog)["cost"]) == start + 15
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as connection:
        pages = connection.execute(
            "SELECT since, upto FROM page WHERE kind = 'cost' ORDER BY since"
        ).fetchall()
    assert len(pages) >= 3 and all(upto == since for (_, upto), (since, _) in zip(pages, pages[1:]))


@pytest.mark.slow
def test_processes_that_write_and_pack_at_once_lose_and_double_nothing(tmp_path):
    Catalog(tmp_path).close()
    writers = [SPAWN.Process(target=write, args=(str(tmp_path), start)) for start in (0, 1200)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    rows = Catalog(tmp_path).columns()["cost"].rows
    assert sorted(rows["of"].tolist()) == sorted(name_code(f"{i:064x}") for i in range(2400))
    assert np.all(np.diff(rows["id"]) > 0)


def older(folder) -> None:
    "A catalog as the artmint before columns left it, with what it held."
    catalog = Catalog(folder)
    catalog.append_all("cost", [(f"generate/{i}", line(i)) for i in range(50)])
    catalog.put("attempt", "demo/1/1", {"dna": "ab", "recipe": {"steps": 3}})
    catalog.close()
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as connection:
        connection.execute("DROP TABLE page")
        connection.execute("UPDATE meta SET value = '4'")
        connection.commit()


def test_an_older_catalog_gets_columns_of_all_it_held(tmp_path, monkeypatch):
    older(tmp_path)
    monkeypatch.setattr(module, "PAGE_RECORDS", 20)
    catalog = Catalog(tmp_path)
    first = told(catalog)
    assert len(first["cost"]) == 50 and len(first["attempt"]) == 1
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as connection:
        assert connection.execute("SELECT value FROM meta").fetchall() == [(str(len(MIGRATIONS)),)]
        assert connection.execute("SELECT count(*) FROM page WHERE kind = 'cost'").fetchone() == (1,)
        connection.execute("DELETE FROM page")
        connection.commit()
    assert told(catalog) == first  # thrown away, and made again


def test_an_older_catalog_that_can_only_be_read_is_read_in_columns_too(tmp_path):
    older(tmp_path / "studio")
    before = (tmp_path / "studio" / "catalog.sqlite").read_bytes()
    with to_be_read(tmp_path / "studio") as place:
        catalog = Catalog(place)
        assert len(told(catalog)["cost"]) == 50
        catalog.close()
    assert (tmp_path / "studio" / "catalog.sqlite").read_bytes() == before


def test_every_kind_has_rows_of_one_width():
    assert {kind: column_type(kind).names[:2] for kind in COLUMN_FIELDS} == dict.fromkeys(
        COLUMN_FIELDS, ("id", "at")
    )
    assert all(kind in module.WATCHED for kind in COLUMN_FIELDS)  # their numbers come in order
