"The ledger: what is charged, at which rate, and what has none."

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artmint.studio.catalog import Catalog
from artmint.studio.ledger import (
    LOOK_SECONDS,
    BadRates,
    LedgerLine,
    Meter,
    bill,
    ledger_lines,
    load_money,
    looking_seconds,
    metered,
    price,
)
from tests.batches import RATES


def test_what_happens_inside_is_charged_in_equal_parts_also_when_it_fails(tmp_path):
    catalog = Catalog(tmp_path)
    with pytest.raises(ZeroDivisionError), metered(catalog, "generate", ["a", "b"]) as more:
        more["bytes"] = 30
        time.sleep(0.02)
        1 / 0
    found = {(line.key, line.unit): line.amount for line in ledger_lines(catalog)}
    assert set(found) == {(key, unit) for key in "ab" for unit in ("wall", "cpu", "bytes")}
    assert found["a", "wall"] == found["b", "wall"] >= 0.01
    assert found["a", "bytes"] == 15


def test_a_device_is_charged_by_the_clock(tmp_path):
    catalog = Catalog(tmp_path)
    meter = Meter(catalog, "generate", gpu=True)
    time.sleep(0.01)
    meter.charge(["a"])
    meter.charge([])
    found = {line.unit: line.amount for line in ledger_lines(catalog)}
    assert found["gpu"] == found["wall"] >= 0.01
    assert len(found) == 3


def test_wei_keep_all_their_digits(tmp_path):
    catalog = Catalog(tmp_path)
    wei = 12345678901234567891
    catalog.spend("mint", "0x", str(wei), "wei")
    assert catalog.costs()[0]["amount"] == str(wei)
    assert ledger_lines(catalog)[0].amount == float(wei)


def test_a_line_is_priced_at_the_rate_of_its_day(tmp_path):
    (tmp_path / "studio.toml").write_text(
        "[[rates]]\nsince = 2025-03-01\ncpu_hour = 2\n[[rates]]\nsince = 2024-01-01\ncpu_hour = 1\npeople_hour = 36\n"
    )
    money = load_money(tmp_path)

    def at(day: str, unit: str = "cpu"):
        return price(
            LedgerLine("x", "y", 3600.0, unit, datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()),
            money,
        )

    assert [at("2023-12-31"), at("2024-01-01"), at("2025-02-28T23:59:59"), at("2025-03-01")] == [
        None,
        1.0,
        1.0,
        2.0,
    ]
    assert at("2025-03-02", "people") is None  # a new table says all of its rates
    assert at("2025-03-02", "winston") is None  # what Arweave was paid waits for its rate, and isn't free
    assert at("2023-01-01", "wall") == at("2023-01-01", "gas") == at("2023-01-01", "test-wei") == 0.0


def test_what_has_no_rate_is_named_and_never_free(tmp_path):
    found = bill(
        [
            LedgerLine("a", "k", 10.0, "cpu", time.time()),
            LedgerLine("b", "k", 5.0, "people", time.time()),
            LedgerLine("b", "k", 0.0, "wei", time.time()),
        ],
        load_money(tmp_path),
    )
    assert found.missing == {"cpu_hour": 10.0, "people_hour": 5.0}
    assert found.total == 0
    assert not found.fully_priced


@pytest.mark.parametrize(
    "text",
    [
        "[[rates]]\ncpu_hour = 1\n",
        "[[rates]]\nsince = 2024-01-01\ncpu_hour = -1\n",
        "[[rates]]\nsince = 2024-01-01\ncpu_hours = 1\n",
        "rates = 3\n",
        "revenue_per_token = 0\n",
        "cost_share = ",
    ],
)
def test_money_that_cannot_be_read_is_refused(tmp_path, text):
    (tmp_path / "studio.toml").write_text(text)
    with pytest.raises(BadRates):
        load_money(tmp_path)


def test_money_lives_beside_stores(tmp_path):
    (tmp_path / "studio.toml").write_text(RATES + '[[stores]]\nkind = "folder"\nfolder = "x"\n')
    assert load_money(tmp_path).currency == "EUR"


@given(st.lists(st.floats(0, 10_000), min_size=1, max_size=20))
def test_nobody_looks_longer_than_a_pause(times):
    found = looking_seconds({"mira": [(at, str(i)) for i, at in enumerate(times)]})
    assert len(found) == len(times)
    assert all(0 <= seconds <= 120 for _, seconds, _ in found)
    assert len(times) > 1 or found[0][1] == LOOK_SECONDS
