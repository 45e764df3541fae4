"Metrics count every record once."

from artmint.service.gauges import COUNTED, Gauges, Tally
from artmint.studio.catalog import WATCHED, Catalog


def test_records_are_counted_once_however_often_it_is_asked(tmp_path):
    catalog = Catalog(tmp_path)
    (tmp_path / "studio.toml").write_text(
        'currency = "EUR"\n[[rates]]\nsince = 2020-01-01\ncpu_hour = 3600\n'
    )
    gauges = Gauges(catalog)
    for number in range(3):
        catalog.append("decision", f"{number}", {"by": "machine", "decision": "reject"})
    catalog.append("decision", "0", {"by": "ada", "decision": "accept", "at": "2026-01-01T00:00:00+00:00"})
    catalog.spend("generate", "demo/1/1", 2.0)
    for state in ("queued", "running", "done"):
        catalog.append("run-state", "a", {"state": state})
    body = {"chain_id": 1, "gas": 50, "block": 7}
    for depth in ("latest", "finalized"):
        catalog.append("transaction", "1-a/0x/1", body | {"depth": depth})
    for _ in range(2):
        lines = gauges.text().decode().splitlines()
        for line in (
            'artmint_verdicts_total{by="machine",decision="reject"} 3.0',
            'artmint_verdicts_total{by="people",decision="accept"} 1.0',
            'artmint_spent_total{currency="EUR",stage="generate"} 2.0',
            'artmint_runs{state="done"} 1.0',
            'artmint_gas_total{chain="1"} 50.0',
            'artmint_final_block{chain="1"} 7.0',
        ):
            assert line in lines
    catalog.append("decision", "9", {"by": "machine", "decision": "reject"})
    tally = Tally(catalog)
    tally.refresh()
    assert tally.verdicts["reject", "machine"] == 4


def test_addresses_that_strangers_make_up_are_one(minted_service):
    client = minted_service.client()
    for number in range(5):
        client.get(f"/v1/made-up-{number}")
    text = client.get("/metrics").text
    assert "made-up" not in text
    assert 'route="other"' in text


def test_methods_that_strangers_make_up_are_one(tmp_path):
    gauges = Gauges(Catalog(tmp_path))
    for method in ("GET", "BREW0", "BREW1", "get"):
        gauges.note({"method": method}, 405, 0.1)
    text = gauges.text().decode()
    assert "BREW" not in text
    assert 'method="other",route="other",status="405"} 3.0' in text


def test_what_metrics_and_the_wall_count_is_watched():
    "Records of other kinds could become visible after later ones, and would never be counted."
    assert {*COUNTED, "attempt", "artifact"} <= set(WATCHED)
