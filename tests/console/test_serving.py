"What artmint serve is given, and what it refuses before anything listens."

import pytest

from artmint.console.serving import BadHostName, NoBatchesFolder, serve_studio, served_names


@pytest.mark.parametrize(
    "name", ["https://art.example", "art.example:443", "art example", "", "art.example/x"]
)
def test_a_host_is_a_name_and_nothing_else(name):
    with pytest.raises(BadHostName):
        served_names([name])


def test_names_are_told_as_requests_bring_them():
    assert served_names(["Art.Example", "b.example"]) == ("art.example", "b.example")


def test_without_batches_nothing_is_served(tmp_path):
    with pytest.raises(NoBatchesFolder):
        serve_studio(tmp_path / "studio", tmp_path / "batches", 0)
    assert not (tmp_path / "studio").exists()


def test_the_document_is_written_without_serving(tmp_path):
    import json

    (tmp_path / "batches").mkdir()
    serve_studio(tmp_path / "studio", tmp_path / "batches", 0, None, tmp_path / "openapi.json")
    assert "/v1/runs/{run}" in json.loads((tmp_path / "openapi.json").read_text())["paths"]
