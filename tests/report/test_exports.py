"Exports say what the numbers say, and nothing that runs."

import json

import pytest

from artmint.metrics import batch_history, kpis
from artmint.studio.ledger import load_money


def test_exports_say_what_the_numbers_say(small, tmp_path):
    "Read back by other programs: Prometheus' own parser, pandas."
    import pandas
    from prometheus_client.parser import text_string_to_metric_families

    from artmint.report.exports import export

    catalog, tiny = small
    files = {path.name: path for path in export(catalog, tiny, range(1, 5), tmp_path / "out")}
    numbers = kpis(batch_history(catalog, tiny, range(1, 5)), load_money(catalog.folder))
    read = {
        (each.name, *sorted(each.labels.items())): each.value
        for family in text_string_to_metric_families(files["kpis.prom"].read_text())
        for each in family.samples
    }
    batch = (("collection", "tiny"), ("slots", "1-4"))
    cpfa = read["artmint_cpfa_money", batch[0], ("currency", "EUR"), batch[1]]
    assert cpfa == pytest.approx(numbers.cpfa)
    assert read["artmint_rur_ratio", *batch] == numbers.rur
    table = pandas.read_csv(files["ledger.csv"])
    assert len(table) == len(batch_history(catalog, tiny, range(1, 5)).lines)
    assert table.money.sum() == pytest.approx(numbers.cost)
    assert json.loads(files["kpis.json"].read_text())["fates"] == numbers.fates
    assert len(pandas.read_csv(files["kpis.csv"])) == len(read)


def test_a_label_cannot_break_out_and_a_cell_is_no_formula(tmp_path):
    from prometheus_client.parser import text_string_to_metric_families

    from artmint.report.exports import Sample, _csv, prometheus

    wild = 'a"b\\c\nd} 1'
    (family,) = text_string_to_metric_families(
        prometheus([Sample("artmint_x", {"stage": wild}, 2.0, "It counts.")])
    )
    assert family.samples[0].labels == {"stage": wild}
    assert family.samples[0].value == 2.0
    _csv(tmp_path / "x.csv", ("key",), [{"key": "=HYPERLINK(1)"}])
    assert "'=HYPERLINK(1)" in (tmp_path / "x.csv").read_text()


def test_parquet_holds_the_ledger(small, tmp_path):
    pytest.importorskip("pyarrow", reason="pyarrow isn't installed: pip install 'artmint[parquet]'")
    from pyarrow import parquet

    from artmint.report.exports import export

    catalog, tiny = small
    table = parquet.read_table(export(catalog, tiny, range(1, 5), tmp_path, parquet=True)[-1]).to_pylist()
    assert [row["amount"] for row in table] == [
        line.amount for line in batch_history(catalog, tiny, range(1, 5)).lines
    ]


def test_without_pyarrow_the_rest_is_written_and_parquet_refused(small, tmp_path, monkeypatch):
    import sys

    from artmint.report.exports import NoParquet, export

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    catalog, tiny = small
    with pytest.raises(NoParquet, match="artmint\\[parquet\\]"):
        export(catalog, tiny, range(1, 5), tmp_path, parquet=True)
    assert (tmp_path / "ledger.csv").exists()
    assert not (tmp_path / "ledger.parquet").exists()


def test_an_export_replaces_its_own_files_and_nobody_elses(small, tmp_path):
    from artmint.report.exports import SomebodysFile, export

    catalog, tiny = small
    for path in export(catalog, tiny, range(1, 5), tmp_path / "own"):
        path.write_bytes(path.read_bytes() + b"older")
    for path in export(catalog, tiny, range(1, 5), tmp_path / "own"):
        assert b"older" not in path.read_bytes()
    theirs = tmp_path / "kpis.csv"
    theirs.write_text("month,visitors\n")
    with pytest.raises(SomebodysFile, match="kpis.csv"):
        export(catalog, tiny, range(1, 5), tmp_path)
    assert theirs.read_text() == "month,visitors\n"
    assert {path.name for path in tmp_path.iterdir()} == {"own", "kpis.csv"}
    for name, content in (("ledger.parquet", b"mine"), ("kpis.prom", None)):
        folder = tmp_path / name / "into"
        folder.mkdir(parents=True)
        if content is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(content)
        with pytest.raises(SomebodysFile, match=name):
            export(catalog, tiny, range(1, 5), folder, parquet=True)
        assert [path.name for path in folder.iterdir()] == [name]
