"Endpoints on the console: added, listed, changed, removed; dead letters, sent again."

import json
import time

import pytest
from typer.testing import CliRunner

from artmint.console.webhooks import webhook_app
from artmint.service import webhooks as room
from artmint.service.events import UnknownEvent
from artmint.service.webhooks import BadEndpoint, Courier, NoSuchEndpoint, secrets_now, read_endpoint
from artmint.studio.catalog import Catalog


@pytest.fixture
def say(tmp_path):
    "What a command says: its result."
    (tmp_path / "studio.toml").write_text('[webhooks]\nnetworks = ["127.0.0.1/32"]\n')
    Catalog(tmp_path)

    def command(*words):
        return CliRunner().invoke(webhook_app, [*words, "--studio", str(tmp_path)])

    return command


def test_an_endpoint_from_its_first_day_to_its_last(say, tmp_path, monkeypatch):
    added = json.loads(say("add", "http://127.0.0.1:9/hook", "--event", "run.*", "--json").stdout)
    id, catalog = added["id"], Catalog(tmp_path)
    assert added["secret"].startswith("whsec_") and added["host"] == "http://127.0.0.1:9"
    assert added["secret"] not in say("list").stdout and "hook" not in say("list").stdout
    rotated = say("rotate", id)
    assert secrets_now(read_endpoint(catalog, id)) == (rotated.stdout.strip(), added["secret"])
    monkeypatch.setattr(room, "A_DAY", 0.0)
    with catalog.together() as connection:
        catalog.add(connection, "run-state", "friday", {"state": "done"}, run="friday")
    courier, until = Courier(catalog), time.monotonic() + 8
    while not json.loads(say("list", "--json").stdout)[0]["dead"]:
        assert time.monotonic() < until
        courier.step()
    assert "run.finished friday: 1 tries" in say("dead", id).stdout
    assert json.loads(say("dead", "--json").stdout)[0]["endpoint"] == id
    assert say("replay", id).stdout == "1 message goes out again\n"
    assert "given up" in say("dead").stdout
    say("remove", id)
    assert json.loads(say("list", "--json").stdout) == []


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("add", "https://10.0.0.1/"), BadEndpoint),
        (("add", "http://127.0.0.1/", "--event", "run.burnt"), UnknownEvent),
        (("remove", "wh_1"), NoSuchEndpoint),
        (("rotate", "wh_1"), NoSuchEndpoint),
        (("replay", "wh_1"), NoSuchEndpoint),
        (("dead", "wh_1"), NoSuchEndpoint),
    ],
)
def test_wrong_use_is_refused_with_2(say, words, refusal):
    done = say(*words)
    assert isinstance(done.exception, refusal) and refusal.exit_code == 2
